/* Takes content out of its framing, puts it into the other, within the room that the target has. */
#include "body.h"

enum { CHUNK_FRAMING = 16, LAST_CHUNK = 5 }; /* "ffffffff" CRLF … CRLF; "0" CRLF CRLF */

struct body body_start(const struct http1_head *head, enum body_kind to, uint64_t limit)
{
	return (struct body){ .from = head->body,
		.to = to,
		.done = head->body == BODY_NONE,
		.left = head->content_length,
		.limit = limit };
}

static size_t content_room(const struct body *body, const struct buffer *to)
{
	size_t room;

	if (!to)
		return SIZE_MAX;
	room = buffer_room(to);
	if (body->to != BODY_CHUNKED)
		return room;
	return room > CHUNK_FRAMING + LAST_CHUNK ? room - CHUNK_FRAMING - LAST_CHUNK : 0;
}

static void put_content(const struct body *body, struct buffer *to, const char *bytes, size_t length)
{
	static const char hex[] = "0123456789abcdef";
	struct writer writer = writer_of(to);

	if (body->to == BODY_CHUNKED) {
		char size[8];
		size_t at = sizeof(size);

		for (size_t rest = length; rest; rest >>= 4)
			size[--at] = hex[rest & 15];
		put(&writer, size + at, sizeof(size) - at);
		put_literal(&writer, "\r\n");
		put(&writer, bytes, length);
		put_literal(&writer, "\r\n");
	} else {
		put(&writer, bytes, length);
	}
	writer_commit(&writer, to);
}

/* content_room() keeps the place for it. */
static enum body_result complete(struct body *body, struct buffer *to)
{
	if (to && body->to == BODY_CHUNKED) {
		struct writer writer = writer_of(to);

		put_literal(&writer, "0\r\n\r\n");
		if (writer.full)
			return BODY_WAITS;
		writer_commit(&writer, to);
	}
	body->done = true;
	return BODY_COMPLETE;
}

/* The next piece of content: *ret_used bytes of the source of which the last *ret_data are content. */
static enum chunked_result next_piece(
	struct body *body, const char *bytes, size_t length, size_t *ret_used, size_t *ret_data)
{
	if (body->from == BODY_CHUNKED)
		return chunked_read(&body->chunked, bytes, length, ret_used, ret_data);
	if (body->from == BODY_LENGTH) {
		if (length > body->left)
			length = (size_t)body->left;
		body->left -= length;
	}
	*ret_used = *ret_data = length;
	return length ? CHUNKED_DATA : CHUNKED_MORE;
}

enum body_result body_move(struct body *body, struct buffer *from, struct buffer *to)
{
	bool moved = false;

	while (!body->done) {
		size_t length = buffer_length(from), room = content_room(body, to), used, data;
		enum chunked_result result;

		if (body->from == BODY_LENGTH && body->left == 0)
			return complete(body, to);
		if (length == 0 && !(body->from == BODY_CHUNKED && body->chunked.state == CHUNK_DONE))
			break;
		if (room == 0)
			break;
		result = next_piece(body, buffer_bytes(from), length < room ? length : room, &used, &data);
		if (result == CHUNKED_MALFORMED)
			return BODY_MALFORMED;
		body->passed += data;
		if (body->passed > body->limit)
			return BODY_TOO_LARGE;
		if (data && to)
			put_content(body, to, buffer_bytes(from) + used - data, data);
		from->start += used;
		moved = moved || used;
		if (result == CHUNKED_DONE)
			return complete(body, to);
	}
	return body->done ? BODY_COMPLETE : moved ? BODY_MOVED : BODY_WAITS;
}

bool body_ends_at_close(struct body *body, struct buffer *to)
{
	if (!body->done && body->from == BODY_UNTIL_CLOSE)
		return complete(body, to) == BODY_COMPLETE;
	return body->done;
}
