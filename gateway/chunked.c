/* A state machine, one byte of framing at a time and content in one piece. */
#include "chunked.h"
#include <stdbool.h>

enum { MAX_SIZE_DIGITS = 15, MAX_EXTENSION = 256, MAX_TRAILERS = 4096 };

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

static bool name_char(unsigned char c)
{
	return c > ' ' && c < 127 && c != ':' && c != '"' && c != '(' && c != ')' && c != ',' && c != '/' && c != ';' &&
	       c != '<' && c != '=' && c != '>' && c != '?' && c != '@' && c != '[' && c != '\\' && c != ']' &&
	       c != '{' && c != '}';
}

static bool text_char(unsigned char c)
{
	return c == '\t' || (c >= ' ' && c != 127);
}

static bool read_size(struct chunked *chunked, unsigned char c)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		if (++chunked->digits > MAX_SIZE_DIGITS)
			return false;
		chunked->left = chunked->left << 4 | (unsigned)digit;
		return true;
	}
	if (chunked->digits == 0)
		return false;
	chunked->overhead = 0;
	if (c == '\r')
		chunked->state = CHUNK_SIZE_LF;
	else if (c == ';')
		chunked->state = CHUNK_EXTENSION;
	else
		return false;
	return true;
}

/* A text of bounded length up to CR: an extension or the value of a trailer. */
static bool read_text(struct chunked *chunked, unsigned char c, unsigned limit, enum chunked_state after)
{
	if (c == '\r') {
		chunked->state = after;
		return true;
	}
	return text_char(c) && ++chunked->overhead <= limit;
}

static bool read_trailer_name(struct chunked *chunked, unsigned char c)
{
	if (chunked->state == CHUNK_TRAILER_START && c == '\r') {
		chunked->state = CHUNK_END_LF;
		return true;
	}
	if (chunked->state == CHUNK_TRAILER_NAME && c == ':') {
		chunked->state = CHUNK_TRAILER_VALUE;
		return true;
	}
	chunked->state = CHUNK_TRAILER_NAME;
	return name_char(c) && ++chunked->overhead <= MAX_TRAILERS;
}

/* LF and nothing else, then the next state. */
static bool read_newline(struct chunked *chunked, unsigned char c, enum chunked_state after)
{
	chunked->state = after;
	return c == '\n';
}

/* One byte of framing. False: malformed. */
static bool read_framing(struct chunked *chunked, unsigned char c)
{
	switch (chunked->state) {
	case CHUNK_SIZE:
		return read_size(chunked, c);
	case CHUNK_EXTENSION:
		return read_text(chunked, c, MAX_EXTENSION, CHUNK_SIZE_LF);
	case CHUNK_SIZE_LF:
		chunked->overhead = 0;
		return read_newline(chunked, c, chunked->left ? CHUNK_DATA : CHUNK_TRAILER_START);
	case CHUNK_DATA_CR:
		chunked->state = CHUNK_DATA_LF;
		return c == '\r';
	case CHUNK_DATA_LF:
		chunked->digits = 0;
		return read_newline(chunked, c, CHUNK_SIZE);
	case CHUNK_TRAILER_START:
	case CHUNK_TRAILER_NAME:
		return read_trailer_name(chunked, c);
	case CHUNK_TRAILER_VALUE:
		return read_text(chunked, c, MAX_TRAILERS, CHUNK_TRAILER_LF);
	case CHUNK_TRAILER_LF:
		return read_newline(chunked, c, CHUNK_TRAILER_START);
	case CHUNK_END_LF:
		return read_newline(chunked, c, CHUNK_DONE);
	case CHUNK_DATA:
	case CHUNK_DONE:
		break;
	}
	return false;
}

enum chunked_result chunked_read(
	struct chunked *chunked, const char *bytes, size_t length, size_t *ret_used, size_t *ret_data)
{
	size_t at = 0;

	*ret_data = 0;
	while (at < length && chunked->state != CHUNK_DONE) {
		if (chunked->state == CHUNK_DATA) {
			size_t data = length - at < chunked->left ? length - at : (size_t)chunked->left;

			chunked->left -= data;
			if (chunked->left == 0)
				chunked->state = CHUNK_DATA_CR;
			*ret_used = at + data;
			*ret_data = data;
			return CHUNKED_DATA;
		}
		if (!read_framing(chunked, (unsigned char)bytes[at])) {
			*ret_used = at;
			return CHUNKED_MALFORMED;
		}
		at++;
	}
	*ret_used = at;
	return chunked->state == CHUNK_DONE ? CHUNKED_DONE : CHUNKED_MORE;
}
