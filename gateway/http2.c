/* The connection: frames in, frames out, and the bounds that keep a client from making it work for nothing. */
#include "http2.h"
#include <stdlib.h>
#include "http2_parts.h"
#include "log.h"

/* More frames of no use than this at once, or per second in the long run, end the connection (CVE-2019-9512 to 9518,
 * CVE-2023-44487). An answer that is cut off by the client counts, so 100 streams may be reset at any time. */
enum { NUISANCE_BURST = 1000, NUISANCE_PER_SECOND = 100 };

enum { NOTICE_MS = 500 };

static bool too_much_nuisance(struct http2 *http2)
{
	int64_t now = http2->connection->worker->now, leaked = (now - http2->nuisance_at) * NUISANCE_PER_SECOND / 1000;

	if (leaked > 0) {
		http2->nuisance = http2->nuisance > leaked ? http2->nuisance - leaked : 0;
		http2->nuisance_at = now;
	}
	return ++http2->nuisance > NUISANCE_BURST;
}

static struct http2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* A stream that is lower than one before and was never opened, which nghttp2 passes over in silence (RFC 9113, section
 * 5.1.1). Those that ended a while ago are still known to it, so what was on its way to them is not meant. */
static int begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *context)
{
	if (head->type == NGHTTP2_HEADERS && head->stream_id <= nghttp2_session_get_last_proc_stream_id(session) &&
		!nghttp2_session_find_stream(session, head->stream_id))
		return nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
	return 0;
}

static int begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct http2 *http2 = context;

	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		nghttp2_session_set_stream_user_data(
			session, frame->hd.stream_id, http2_stream_new(http2, frame->hd.stream_id));
	return 0;
}

/* Fields after the body are dropped, as trailers are. */
static int take_field(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
	uint8_t flags, void *context)
{
	struct http2_stream *stream = stream_of(session, frame->hd.stream_id);

	if (stream && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		http2_stream_field(stream, name, value);
	return 0;
}

/* Frames that a good client sends now and then and a bad one without end. */
static bool is_nuisance(const nghttp2_frame *frame)
{
	switch (frame->hd.type) {
	case NGHTTP2_PING:
	case NGHTTP2_SETTINGS:
	case NGHTTP2_PRIORITY:
	case NGHTTP2_RST_STREAM:
		return true;
	case NGHTTP2_DATA:
		return frame->hd.length == 0 && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
	case NGHTTP2_WINDOW_UPDATE:
		return frame->window_update.window_size_increment < 64;
	default:
		return false;
	}
}

static int take_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct http2 *http2 = context;
	struct http2_stream *stream;
	bool ends;

	if (is_nuisance(frame) && too_much_nuisance(http2))
		return nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	stream = stream_of(session, frame->hd.stream_id);
	ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	if (!stream)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		stream->body_ended = ends;
		http2_stream_begin(stream);
	} else if (ends) {
		http2_stream_body_ended(stream);
	}
	return 0;
}

/* The window of the connection bounds the bytes of all its streams that have not been read yet; those of a stream that
 * is gone count as read. */
static int take_data(
	nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t length, void *context)
{
	struct http2_stream *stream = stream_of(session, id);

	if (stream)
		http2_stream_data(stream, data, length);
	else
		nghttp2_session_consume_connection(session, length);
	return 0;
}

static int stream_ended(nghttp2_session *session, int32_t id, uint32_t error, void *context)
{
	struct http2_stream *stream = stream_of(session, id);

	if (stream) {
		stream->closed = true;
		client_close(&stream->client);
	}
	return 0;
}

static int frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	/* The client made us reset it: as much work for nothing as when it does so itself (CVE-2025-8671). */
	if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
		too_much_nuisance(context))
		return nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
	if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
		(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
		struct http2_stream *stream = stream_of(session, frame->hd.stream_id);

		if (stream)
			http2_stream_end_sent(stream);
	}
	return 0;
}

static nghttp2_session *session_new(struct http2 *http2)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session *session;

	if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option))
		abort();
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(callbacks, take_field);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, take_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, take_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_ended);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frame_sent);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_max_outbound_ack(option, 100);
	if (nghttp2_session_server_new2(&session, callbacks, http2, option))
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

struct http2 *http2_new(struct client *connection)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_MAX_STREAMS },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, BUFFER_SIZE },
	};
	struct http2 *http2 = calloc(1, sizeof(*http2));

	if (!http2)
		abort();
	http2->connection = connection;
	http2->nuisance_at = connection->worker->now;
	http2->session = session_new(http2);
	if (nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, settings, 3) ||
		nghttp2_session_set_local_window_size(http2->session, NGHTTP2_FLAG_NONE, 0, HTTP2_CONNECTION_WINDOW))
		abort();
	return http2;
}

static void end_streams(struct http2 *http2)
{
	http2->closing = true;
	while (http2->streams)
		client_close(http2->streams);
}

void http2_free(struct http2 *http2)
{
	if (!http2)
		return;
	end_streams(http2);
	nghttp2_session_del(http2->session);
	free(http2);
}

void http2_drain(struct client *connection)
{
	nghttp2_submit_shutdown_notice(connection->http2->session);
	connection->http2->noticed = true;
	timer_set(&connection->worker->timers, &connection->timer, connection->worker->now + NOTICE_MS);
	worker_schedule(connection->worker, connection);
}

/* Requests that were on their way when the notice went out have arrived: this is the last one. */
static void say_goodbye(struct http2 *http2)
{
	http2->noticed = false;
	nghttp2_submit_goaway(http2->session, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(http2->session), NGHTTP2_NO_ERROR, NULL, 0);
}

void http2_expired(struct client *connection)
{
	struct http2 *http2 = connection->http2;

	if (http2->noticed)
		say_goodbye(http2);
	else if (!http2->streams && !buffer_length(&connection->out))
		nghttp2_session_terminate_session(http2->session, NGHTTP2_NO_ERROR);
	else {
		client_close(connection);
		return;
	}
	worker_schedule(connection->worker, connection);
}

/* From nghttp2 into the buffer, from there out (*moved when anything went). False: the socket takes no more, or it
 * failed (*failed). */
static bool send_frames(struct http2 *http2, bool *failed, bool *moved)
{
	struct client *connection = http2->connection;
	struct buffer *out = &connection->out;

	for (;;) {
		size_t pending;

		if (!http2->frames_length) {
			ssize_t length = nghttp2_session_mem_send(http2->session, &http2->frames);

			if (length < 0) {
				*failed = true;
				return false;
			}
			http2->frames_length = (size_t)length;
		}
		if (http2->frames_length) {
			size_t piece;

			buffer_need(&connection->worker->buffers, out);
			buffer_compact(out);
			piece = buffer_room(out) < http2->frames_length ? buffer_room(out) : http2->frames_length;
			memcpy(out->data + out->end, http2->frames, piece);
			out->end += piece;
			http2->frames += piece;
			http2->frames_length -= piece;
			if (buffer_room(out))
				continue;
		}
		if (!buffer_length(out))
			return true;
		pending = buffer_length(out);
		*failed = stream_flush(&connection->stream, out) == STREAM_FAILED;
		*moved = *moved || buffer_length(out) < pending;
		if (*failed || buffer_length(out))
			return false;
	}
}

static bool take_frames(struct http2 *http2, bool *failed)
{
	struct client *connection = http2->connection;
	struct buffer *in = &connection->in;
	ssize_t taken;

	buffer_need(&connection->worker->buffers, in);
	switch (stream_fill(&connection->stream, in)) {
	case STREAM_WAITS:
		return false;
	case STREAM_CLOSED:
	case STREAM_FAILED:
		*failed = true;
		return false;
	case STREAM_MOVED:
		break;
	}
	taken = nghttp2_session_mem_recv(http2->session, (uint8_t *)buffer_bytes(in), buffer_length(in));
	in->start = in->end = 0;
	if (taken == NGHTTP2_ERR_FLOODED || taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC || taken < 0)
		*failed =
			nghttp2_session_terminate_session(http2->session,
				taken == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR) != 0;
	return !*failed;
}

/* A client that takes nothing of what waits for it, or asks for nothing, has its time; bytes alone do not prolong it.
 */
static void set_deadline(struct http2 *http2, bool blocked, bool moved)
{
	struct client *connection = http2->connection;
	const struct gateway *gateway = connection->worker->gateway;
	int64_t now = connection->worker->now;

	if (blocked && (moved || !http2->blocked))
		timer_set(&connection->worker->timers, &connection->timer, now + gateway->write_timeout);
	else if (!blocked && http2->streams && !http2->noticed)
		timer_clear(&connection->worker->timers, &connection->timer); /* each stream has its own */
	else if (!blocked && !connection->timer.previous)
		timer_set(&connection->worker->timers, &connection->timer, now + gateway->idle_timeout);
	http2->blocked = blocked;
}

bool http2_step(struct client *connection)
{
	struct http2 *http2 = connection->http2;
	bool failed = false, moved = false, sent;

	do
		sent = send_frames(http2, &failed, &moved);
	while (sent && nghttp2_session_want_read(http2->session) && take_frames(http2, &failed));
	if (failed) {
		client_close(connection);
		return false;
	}
	if (sent && !nghttp2_session_want_read(http2->session) && !nghttp2_session_want_write(http2->session)) {
		end_streams(http2); /* there are any only when the client was sent away */
		client_linger(connection);
		return true;
	}
	set_deadline(http2, !sent, moved);
	return false;
}
