/* The chunked transfer coding (RFC 9112, section 7.1), taken apart strictly as the bytes come. Extensions and trailers
 * are checked for their form and dropped. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum chunked_state {
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER_START,
	CHUNK_TRAILER_NAME,
	CHUNK_TRAILER_VALUE,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF,
	CHUNK_DONE
};

struct chunked { /* all zero at the beginning */
	enum chunked_state state;
	uint8_t digits;	   /* of the size that is being read */
	uint16_t overhead; /* bytes of extensions in this line, or of all trailers */
	uint64_t left;	   /* of this chunk */
};

enum chunked_result { CHUNKED_MORE, CHUNKED_DATA, CHUNKED_DONE, CHUNKED_MALFORMED };

/* Reads from bytes. *ret_used of them are done with. On CHUNKED_DATA the last *ret_data of the used ones are content.
 */
enum chunked_result chunked_read(
	struct chunked *chunked, const char *bytes, size_t length, size_t *ret_used, size_t *ret_data);
