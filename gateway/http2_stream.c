/* One request on an HTTP/2 connection. Towards the rest of the gateway it is a client like any other: what it reads is
 * the body from the DATA frames, what it writes, a head and a body in the form of HTTP/1.1, becomes frames. */
#include <stdlib.h>
#include <string.h>
#include "exchange.h"
#include "http2_parts.h"

enum { MAX_ANSWER_FIELDS = 120, LINGER_MS = 1000 };

static struct http2_stream *of(struct stream *stream)
{
	return (struct http2_stream *)stream; /* the first member of the first member */
}

static void want_to_send(struct http2_stream *stream)
{
	if (!stream->http2->closing)
		worker_schedule(stream->client.worker, stream->http2->connection);
}

static void resume(struct http2_stream *stream)
{
	if (stream->deferred)
		nghttp2_session_resume_data(stream->http2->session, stream->id);
	stream->deferred = false;
	want_to_send(stream);
}

/* ---- The request's body ---- */

void http2_stream_data(struct http2_stream *stream, const uint8_t *data, size_t length)
{
	struct client *client = &stream->client;

	if (stream->answered) {
		nghttp2_session_consume_connection(stream->http2->session, length);
		return;
	}
	for (size_t i = 0; i < HTTP2_BODY_BLOCKS && length; i++) {
		struct buffer *block = &stream->body[i];
		size_t piece;

		if (i + 1 < HTTP2_BODY_BLOCKS && stream->body[i + 1].data)
			continue;
		buffer_need(&client->worker->buffers, block);
		piece = buffer_room(block) < length ? buffer_room(block) : length;
		memcpy(block->data + block->end, data, piece);
		block->end += piece;
		data += piece;
		length -= piece;
	}
	client->stream.readable = true;
	worker_schedule(client->worker, client);
}

void http2_stream_body_ended(struct http2_stream *stream)
{
	stream->body_ended = true;
	stream->client.stream.readable = true;
	worker_schedule(stream->client.worker, &stream->client);
}

static void drop_first_block(struct http2_stream *stream)
{
	buffer_release(&stream->client.worker->buffers, &stream->body[0]);
	memmove(&stream->body[0], &stream->body[1], (HTTP2_BODY_BLOCKS - 1) * sizeof(stream->body[0]));
	stream->body[HTTP2_BODY_BLOCKS - 1] = (struct buffer){ 0 };
}

/* What is read makes room in the windows: the client sends no faster than the service takes. */
static enum stream_result fill(struct stream *base, struct buffer *buffer)
{
	struct http2_stream *stream = of(base);
	struct buffer *block = &stream->body[0];
	size_t piece = buffer_length(block);

	if (!piece && stream->body_ended)
		return STREAM_CLOSED;
	if (!piece) {
		base->readable = false;
		return STREAM_WAITS;
	}
	if (piece > buffer_room(buffer))
		piece = buffer_room(buffer);
	memcpy(buffer->data + buffer->end, buffer_bytes(block), piece);
	buffer->end += piece;
	block->start += piece;
	nghttp2_session_consume(stream->http2->session, stream->id, piece);
	want_to_send(stream);
	if (!buffer_length(block))
		drop_first_block(stream);
	return STREAM_MOVED;
}

/* ---- The answer ---- */

/* The bytes of the answer's body that wait, for a DATA frame. */
static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *into, size_t length, uint32_t *ret_flags,
	nghttp2_data_source *source, void *context)
{
	struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
	struct buffer *out;

	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	out = &stream->client.out;
	if (length > buffer_length(out))
		length = buffer_length(out);
	if (!length && !stream->answered) {
		stream->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (length)
		memcpy(into, buffer_bytes(out), length);
	out->start += length;
	if (stream->answer_left != UINT64_MAX)
		stream->answer_left -= length;
	if (stream->answer_left == 0 || (stream->answered && !buffer_length(out)))
		*ret_flags = NGHTTP2_DATA_FLAG_EOF;
	worker_schedule(stream->client.worker, &stream->client);
	return (ssize_t)length;
}

/* One line of a head that we wrote ourselves: name in small letters, value. *at is moved behind it. */
static nghttp2_nv take_line(char **at)
{
	char *name = *at, *colon = strchr(name, ':'), *end = strstr(colon, "\r\n");

	for (char *letter = name; letter < colon; letter++)
		*letter = *letter >= 'A' && *letter <= 'Z' ? (char)(*letter | 0x20) : *letter;
	*at = end + 2;
	return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)colon + 2, (size_t)(colon - name), (size_t)(end - colon - 2),
		NGHTTP2_NV_FLAG_NONE };
}

static bool nv_is(const nghttp2_nv *field, const char *name)
{
	return field->namelen == strlen(name) && memcmp(field->name, name, field->namelen) == 0;
}

static int submit(struct http2_stream *stream, const nghttp2_nv *fields, size_t count_of_fields)
{
	nghttp2_data_provider body = { .read_callback = read_answer };
	bool interim = fields[0].value[0] == '1';

	if (interim)
		return nghttp2_submit_headers(
			stream->http2->session, NGHTTP2_FLAG_NONE, stream->id, NULL, fields, count_of_fields, NULL);
	stream->head_sent = true;
	stream->bodiless = stream->client.exchange.head_request || memcmp(fields[0].value, "204", 3) == 0 ||
			   memcmp(fields[0].value, "304", 3) == 0 || stream->answer_left == 0;
	return nghttp2_submit_response(
		stream->http2->session, stream->id, fields, count_of_fields, stream->bodiless ? NULL : &body);
}

/* The head that begins the buffer ("HTTP/1.1 200 OK" …) as a HEADERS frame. */
static bool submit_head(struct http2_stream *stream, struct buffer *buffer)
{
	nghttp2_nv fields[MAX_ANSWER_FIELDS];
	size_t count_of_fields = 1;
	char *at = buffer_bytes(buffer);

	fields[0] = (nghttp2_nv){ (uint8_t *)":status", (uint8_t *)at + 9, 7, 3, NGHTTP2_NV_FLAG_NONE };
	stream->answer_left = UINT64_MAX;
	at = strstr(at, "\r\n") + 2;
	while (*at != '\r') {
		nghttp2_nv field = take_line(&at);

		if (nv_is(&field, "connection") || nv_is(&field, "transfer-encoding"))
			continue;
		if (nv_is(&field, "content-length"))
			stream->answer_left = strtoull((char *)field.value, NULL, 10);
		if (count_of_fields == MAX_ANSWER_FIELDS)
			return false;
		fields[count_of_fields++] = field;
	}
	buffer->start = (size_t)(at + 2 - buffer->data);
	return submit(stream, fields, count_of_fields) == 0;
}

static enum stream_result flush(struct stream *base, struct buffer *buffer)
{
	struct http2_stream *stream = of(base);

	while (!stream->head_sent && buffer_length(buffer)) {
		if (!submit_head(stream, buffer))
			return STREAM_FAILED;
	}
	if (stream->bodiless)
		buffer->start = buffer->end;
	if (buffer_length(buffer))
		resume(stream);
	else
		want_to_send(stream);
	return buffer_length(buffer) ? STREAM_WAITS : STREAM_MOVED;
}

/* The answer is out before the request's body was: the client need not send the rest (RFC 9113, section 8.1). It is
 * told so a moment later, since clients that are told at once are known to throw the answer away. */
static void linger(struct http2_stream *stream)
{
	struct client *client = &stream->client;

	if (!stream->body_ended)
		timer_set(&client->worker->timers, &client->timer, client->worker->now + LINGER_MS);
}

void http2_stream_end_sent(struct http2_stream *stream)
{
	stream->end_sent = true;
	linger(stream);
}

void http2_answer_sent(struct client *client)
{
	struct http2_stream *stream = of(&client->stream);

	stream->answered = true;
	/* What is left is the connection's to send, and may be a last frame that the client opens no window for. */
	timer_set(
		&client->worker->timers, &client->timer, client->worker->now + client->worker->gateway->write_timeout);
	if (stream->end_sent)
		linger(stream);
	resume(stream);
}

/* ---- Beginning and end ---- */

static void finish(struct stream *base)
{
}

static void close_stream(struct stream *base)
{
	struct http2_stream *stream = of(base);
	nghttp2_session *session = stream->http2->session;
	size_t unread = 0;

	for (size_t i = 0; i < HTTP2_BODY_BLOCKS; i++) {
		unread += buffer_length(&stream->body[i]);
		buffer_release(&stream->client.worker->buffers, &stream->body[i]);
	}
	http2_stream_forget_head(stream);
	if (stream->http2->closing)
		return;
	nghttp2_session_consume_connection(session, unread);
	nghttp2_session_set_stream_user_data(session, stream->id, NULL);
	if (!stream->closed)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id,
			stream->end_sent ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR);
	want_to_send(stream);
}

struct http2_stream *http2_stream_new(struct http2 *http2, int32_t id)
{
	static const struct stream_layer layer = { fill, flush, finish, NULL, close_stream };
	struct http2_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		abort();
	stream->http2 = http2;
	stream->id = id;
	stream->client.stream = (struct stream){ .fd = STREAM_WITHOUT_SOCKET, .layer = &layer, .writable = true };
	client_begin_stream(&stream->client, http2->connection, &http2->streams);
	return stream;
}
