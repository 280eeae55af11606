/* Any bytes as a chunked body, in any pieces. The state machine agrees byte for byte with a reader that goes straight
 * through the whole text by the grammar of RFC 9112, section 7.1; and body_move gives out the same content in either
 * framing, through buffers of any room. The first two bytes choose how the rest is cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "body.h"
#include "chunked.h"

enum { MOST = 8192, DIGITS = 15, EXTENSION = 256, TRAILERS = 4096, FRAMING_ROOM = 64 };

struct reading {
	const char *text;
	size_t length, at; /* at: the first byte that is not read, in the end the one that is at fault */
	char content[MOST];
	size_t content_length;
	enum chunked_result result; /* CHUNKED_MORE: so far so good */
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* ---- The reference: what is there is expected, or the reading is over. */

static bool over(struct reading *reading, enum chunked_result result)
{
	reading->result = result;
	return false;
}

static bool expect(struct reading *reading, char c)
{
	if (reading->at == reading->length)
		return over(reading, CHUNKED_MORE);
	if (reading->text[reading->at] != c)
		return over(reading, CHUNKED_MALFORMED);
	reading->at++;
	return true;
}

static bool next_is(const struct reading *reading, const char *set)
{
	char c = reading->at < reading->length ? reading->text[reading->at] : '\0';

	return c && strchr(set, c);
}

static bool next_is_text(const struct reading *reading)
{
	unsigned char c = reading->at < reading->length ? (unsigned char)reading->text[reading->at] : 0;

	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

#define ALPHANUMERIC "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool size_line(struct reading *reading, uint64_t *ret_size)
{
	size_t digits = 0, extension = 0;
	char number[DIGITS + 1] = "";

	for (; digits < DIGITS && next_is(reading, "0123456789abcdefABCDEF"); digits++)
		number[digits] = reading->text[reading->at++];
	*ret_size = strtoull(number, NULL, 16);
	if (digits == 0)
		return reading->at == reading->length ? over(reading, CHUNKED_MORE) : over(reading, CHUNKED_MALFORMED);
	if (next_is(reading, ";")) {
		reading->at++;
		for (; extension < EXTENSION && next_is_text(reading); extension++)
			reading->at++;
	}
	return expect(reading, '\r') && expect(reading, '\n');
}

static bool data_and_line_end(struct reading *reading, uint64_t size)
{
	size_t there = reading->length - reading->at;

	if (there > size)
		there = (size_t)size;
	memcpy(reading->content + reading->content_length, reading->text + reading->at, there);
	reading->content_length += there;
	reading->at += there;
	if (there < size)
		return over(reading, CHUNKED_MORE);
	return expect(reading, '\r') && expect(reading, '\n');
}

/* A name, a colon, text. *bytes of names and values are counted over all trailers. */
static bool trailer(struct reading *reading, size_t *bytes)
{
	size_t start = reading->at;

	for (; *bytes < TRAILERS && next_is(reading, ALPHANUMERIC "!#$%&'*+-.^_`|~"); ++*bytes)
		reading->at++;
	if (reading->at == start)
		return reading->at == reading->length ? over(reading, CHUNKED_MORE) : over(reading, CHUNKED_MALFORMED);
	if (!expect(reading, ':'))
		return false;
	for (; *bytes < TRAILERS && next_is_text(reading); ++*bytes)
		reading->at++;
	return expect(reading, '\r') && expect(reading, '\n');
}

static void read_whole(struct reading *reading)
{
	uint64_t size = 1;
	size_t bytes = 0;

	while (size) {
		if (!size_line(reading, &size))
			return;
		if (size && !data_and_line_end(reading, size))
			return;
	}
	while (!next_is(reading, "\r")) {
		if (!trailer(reading, &bytes))
			return;
	}
	if (expect(reading, '\r') && expect(reading, '\n'))
		reading->result = CHUNKED_DONE;
}

/* ---- The cuts: the same for the same input. */

struct cuts {
	uint32_t state;
};

static size_t next_cut(struct cuts *cuts, size_t most)
{
	cuts->state = cuts->state * 1664525u + 1013904223u;
	return 1 + (cuts->state >> 16) % (cuts->state & 0x8000 ? 3 : most);
}

/* ---- What is tested */

static void compare_state_machine(const struct reading *whole, struct cuts cuts)
{
	static char content[MOST];
	struct chunked chunked = { 0 };
	enum chunked_result result = CHUNKED_MORE;
	size_t at = 0, filled = 0;

	while (at < whole->length && result != CHUNKED_DONE && result != CHUNKED_MALFORMED) {
		size_t piece = next_cut(&cuts, 500), used, data;

		if (piece > whole->length - at)
			piece = whole->length - at;
		result = chunked_read(&chunked, whole->text + at, piece, &used, &data);
		must(used <= piece && data <= used && (data > 0) == (result == CHUNKED_DATA));
		must(used || result == CHUNKED_MALFORMED);
		memcpy(content + filled, whole->text + at + used - data, data);
		filled += data;
		at += used;
	}
	must((result == CHUNKED_DATA ? CHUNKED_MORE : result) == whole->result);
	must(at == whole->at);
	must(filled == whole->content_length && memcmp(content, whole->content, filled) == 0);
}

/* Fills a buffer as a socket would, with a piece of what is left. */
static void receive(struct buffer *buffer, const char *bytes, size_t length, size_t *at, struct cuts *cuts)
{
	size_t piece = next_cut(cuts, 2000);

	buffer_compact(buffer);
	if (piece > length - *at)
		piece = length - *at;
	if (piece > buffer_room(buffer))
		piece = buffer_room(buffer);
	memcpy(buffer->data + buffer->end, bytes + *at, piece);
	buffer->end += piece;
	*at += piece;
}

/* text in framing from, moved into framing to, in pieces, through a target of little room. */
static enum body_result move_all(struct body *body, const char *text, size_t length, char *out, size_t *ret_length,
	size_t *ret_used, struct cuts *cuts)
{
	static char from_data[BUFFER_SIZE], to_data[BUFFER_SIZE];
	struct buffer from = { from_data, 0, 0 }, to = { to_data, 0, 0 };
	enum body_result result = BODY_WAITS;
	size_t at = 0;

	*ret_length = 0;
	while (!body->done) {
		size_t room = next_cut(cuts, BUFFER_SIZE), waiting;

		receive(&from, text, length, &at, cuts);
		waiting = buffer_length(&from);
		to.start = to.end = BUFFER_SIZE - room;
		result = body_move(body, &from, &to);
		memcpy(out + *ret_length, buffer_bytes(&to), buffer_length(&to));
		*ret_length += buffer_length(&to);
		if (result == BODY_MALFORMED || result == BODY_TOO_LARGE)
			break;
		if (at == length && room > FRAMING_ROOM && waiting == buffer_length(&from))
			break;
	}
	*ret_used = at - buffer_length(&from);
	return result;
}

static void compare_moved(const struct reading *whole, struct cuts cuts)
{
	static char plain[2 * MOST], chunks[32 * MOST], again[2 * MOST];
	struct http1_head head = { .body = BODY_CHUNKED };
	struct body straight = body_start(&head, BODY_LENGTH, UINT64_MAX),
		    in = body_start(&head, BODY_CHUNKED, UINT64_MAX), out = in;
	size_t plain_length, chunks_length, again_length, used;
	enum body_result result = move_all(&straight, whole->text, whole->length, plain, &plain_length, &used, &cuts);

	out.to = BODY_LENGTH;
	must((result == BODY_MALFORMED) == (whole->result == CHUNKED_MALFORMED));
	must((result == BODY_COMPLETE) == (whole->result == CHUNKED_DONE) &&
		straight.done == (result == BODY_COMPLETE));
	must(straight.passed == whole->content_length);
	if (result != BODY_MALFORMED)
		must(used == whole->at && plain_length == whole->content_length &&
			memcmp(plain, whole->content, plain_length) == 0);
	if (result != BODY_COMPLETE)
		return;
	must(move_all(&in, whole->text, whole->length, chunks, &chunks_length, &used, &cuts) == BODY_COMPLETE);
	must(used == whole->at);
	must(move_all(&out, chunks, chunks_length, again, &again_length, &used, &cuts) == BODY_COMPLETE);
	must(used == chunks_length && again_length == plain_length && memcmp(again, plain, plain_length) == 0);
}

/* One byte less than there is: too large, in whatever pieces, and never more of it given out than allowed. */
static void compare_limit(const struct reading *whole, struct cuts cuts)
{
	static char plain[2 * MOST];
	struct http1_head head = { .body = BODY_CHUNKED };
	struct body enough = body_start(&head, BODY_LENGTH, whole->content_length), little = enough;
	size_t length, used;

	must(move_all(&enough, whole->text, whole->length, plain, &length, &used, &cuts) != BODY_TOO_LARGE);
	if (!whole->content_length)
		return;
	little.limit--;
	must(move_all(&little, whole->text, whole->length, plain, &length, &used, &cuts) == BODY_TOO_LARGE);
	must(length < whole->content_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reading whole;
	struct cuts cuts;

	if (size < 2 || size > MOST)
		return 0;
	cuts.state = (uint32_t)(data[0] << 8 | data[1]);
	whole.text = (const char *)data + 2;
	whole.length = size - 2;
	whole.at = whole.content_length = 0;
	whole.result = CHUNKED_MORE;
	read_whole(&whole);
	compare_state_machine(&whole, cuts);
	compare_moved(&whole, cuts);
	compare_limit(&whole, cuts);
	return 0;
}
