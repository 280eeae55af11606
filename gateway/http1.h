/* HTTP/1.1 message heads by RFC 9112, strictly: the same parser reads requests and the answers of upstreams. What it
 * cannot read in exactly one way it refuses. It owns no memory: the head points into the buffer it was read from. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP1_MAX_FIELDS = 100, HTTP1_MAX_TARGET = 8000 };

enum field_id { /* the fields that the gateway looks at, or never passes on */
	FIELD_OTHER,
	FIELD_HOST,
	FIELD_CONNECTION,
	FIELD_CONTENT_LENGTH,
	FIELD_TRANSFER_ENCODING,
	FIELD_EXPECT,
	FIELD_ACCEPT,
	FIELD_AUTHORIZATION,
	FIELD_CONTENT_TYPE,
	FIELD_ORIGIN,
	FIELD_REQUEST_ID,
	FIELD_TRACEPARENT,
	FIELD_TRACESTATE,
	FIELD_IDEMPOTENCY_KEY,
	FIELD_REQUEST_METHOD, /* Access-Control-Request-Method */
	FIELD_DROPPED,	      /* hop by hop, or the gateway's own to say */
	FIELD_COUNT
};

struct http1_field {
	const char *name, *value; /* NUL-terminated in place */
	uint16_t name_length, value_length;
	enum field_id id;
	bool dropped; /* not passed on */
};

enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE };

struct http1_head {
	const char *method; /* NUL-terminated */
	const char *target; /* origin-form, or "*"; NUL-terminated */
	size_t target_length;
	int status; /* of an answer */
	const char *reason;
	int minor; /* HTTP/1.minor */
	bool keep_alive;
	enum body_kind body;
	uint64_t content_length;
	size_t field_count;
	struct http1_field fields[HTTP1_MAX_FIELDS];
	struct http1_field *known[FIELD_COUNT];
	const char *fault; /* why it was refused */
};

/* The length of the head that data begins with, 0 when it is not there yet, -1 when a line ends without CR.
 * *scanned (0 at first) is where to go on when there is more. */
int http1_head_end(const char *data, size_t length, size_t *scanned);

/* Parse a whole head (as long as http1_head_end says). 0, or the status that the request is refused with. The data is
 * written to: names and values get their NUL. For an answer any refusal means that it is no answer (502). */
int http1_parse_request(char *data, size_t length, struct http1_head *head);
int http1_parse_answer(char *data, size_t length, bool to_head_request, struct http1_head *head);

/* The value of a known field, or NULL. */
static inline const char *http1_value(const struct http1_head *head, enum field_id id)
{
	return head->known[id] ? head->known[id]->value : NULL;
}
