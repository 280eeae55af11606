/* The head of a request, from the fields of HTTP/2 to the text that the parser of HTTP/1.1 reads. What that parser
 * would refuse is not repaired here. */
#include <string.h>
#include "exchange.h"
#include "http2_parts.h"

static bool rcbuf_is(nghttp2_rcbuf *buf, const char *text)
{
	nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buf);

	return bytes.len == strlen(text) && memcmp(bytes.base, text, bytes.len) == 0;
}

static void keep(nghttp2_rcbuf **kept, nghttp2_rcbuf *value)
{
	nghttp2_rcbuf_incref(value);
	*kept = value;
}

static void forget(nghttp2_rcbuf **kept)
{
	if (*kept)
		nghttp2_rcbuf_decref(*kept);
	*kept = NULL;
}

void http2_stream_forget_head(struct http2_stream *stream)
{
	forget(&stream->method);
	forget(&stream->path);
	forget(&stream->authority);
}

/* A line end inside of a value would make two fields of one. nghttp2 lets none pass; what is between such a value and
 * the next request must not be a single check. */
static void put_rcbuf(struct http2_stream *stream, struct writer *writer, nghttp2_rcbuf *buf)
{
	nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buf);

	if (memchr(bytes.base, '\r', bytes.len) || memchr(bytes.base, '\n', bytes.len))
		stream->head_fault = true;
	put(writer, (char *)bytes.base, bytes.len);
}

static void commit(struct http2_stream *stream, const struct writer *writer, struct buffer *buffer)
{
	writer_commit(writer, buffer);
	stream->head_too_large = stream->head_too_large || writer->full;
}

/* The request line, and :authority as Host. CONNECT has no path: the parser will refuse it. */
static void begin_head(struct http2_stream *stream)
{
	struct client *client = &stream->client;
	struct writer writer;

	stream->head_begun = true;
	buffer_need(&client->worker->buffers, &client->in);
	writer = writer_of(&client->in);
	if (stream->method)
		put_rcbuf(stream, &writer, stream->method);
	put_literal(&writer, " ");
	if (stream->path)
		put_rcbuf(stream, &writer, stream->path);
	put_literal(&writer, " HTTP/1.1\r\n");
	if (stream->authority) {
		put_literal(&writer, "Host: ");
		put_rcbuf(stream, &writer, stream->authority);
		put_literal(&writer, "\r\n");
	}
	commit(stream, &writer, &client->in);
}

/* The crumbs of a cookie become one field (RFC 9113, section 8.2.3); they wait where the answer will be. */
static void put_crumb(struct http2_stream *stream, nghttp2_rcbuf *value)
{
	struct client *client = &stream->client;
	struct writer writer;

	buffer_need(&client->worker->buffers, &client->out);
	writer = writer_of(&client->out);
	if (buffer_length(&client->out))
		put_literal(&writer, "; ");
	put_rcbuf(stream, &writer, value);
	commit(stream, &writer, &client->out);
}

static void put_request_field(struct http2_stream *stream, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
	struct client *client = &stream->client;
	struct writer writer = writer_of(&client->in);

	put_rcbuf(stream, &writer, name);
	put_literal(&writer, ": ");
	put_rcbuf(stream, &writer, value);
	put_literal(&writer, "\r\n");
	commit(stream, &writer, &client->in);
}

/* Host beside :authority has to say the same (RFC 9113, section 8.3.1). */
static bool repeats_authority(struct http2_stream *stream, nghttp2_rcbuf *value)
{
	nghttp2_vec host = nghttp2_rcbuf_get_buf(value), authority;

	if (!stream->authority)
		return false;
	authority = nghttp2_rcbuf_get_buf(stream->authority);
	if (host.len != authority.len || memcmp(host.base, authority.base, host.len) != 0)
		stream->head_fault = true;
	return true;
}

void http2_stream_field(struct http2_stream *stream, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
	if (rcbuf_is(name, ":method"))
		keep(&stream->method, value);
	else if (rcbuf_is(name, ":path"))
		keep(&stream->path, value);
	else if (rcbuf_is(name, ":authority"))
		keep(&stream->authority, value);
	else if (*nghttp2_rcbuf_get_buf(name).base != ':') {
		if (!stream->head_begun)
			begin_head(stream);
		if (rcbuf_is(name, "cookie"))
			put_crumb(stream, value);
		else if (!rcbuf_is(name, "host") || !repeats_authority(stream, value))
			put_request_field(stream, name, value);
	}
}

static void end_head(struct http2_stream *stream)
{
	struct client *client = &stream->client;
	struct writer writer;

	if (!stream->head_begun)
		begin_head(stream);
	writer = writer_of(&client->in);
	if (client->out.data) {
		put_literal(&writer, "Cookie: ");
		put(&writer, buffer_bytes(&client->out), buffer_length(&client->out));
		put_literal(&writer, "\r\n");
		buffer_release(&client->worker->buffers, &client->out);
	}
	put_literal(&writer, "\r\n");
	commit(stream, &writer, &client->in);
	http2_stream_forget_head(stream);
}

void http2_stream_begin(struct http2_stream *stream)
{
	struct client *client = &stream->client;
	char *head;
	size_t length;

	end_head(stream);
	head = buffer_bytes(&client->in);
	length = buffer_length(&client->in);
	client->in.start = client->in.end;
	client->body_follows = !stream->body_ended;
	if (stream->head_too_large)
		exchange_refuse(client, 431, "the head of the request is too large");
	else if (stream->head_fault)
		exchange_refuse(client, 400, "a head that has no form in HTTP/1.1");
	else
		exchange_begin(client, head, length);
	worker_schedule(client->worker, client);
}
