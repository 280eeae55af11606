/* The life of a client's connection: waits for a head, has it served, waits for the next. Knows nothing of what a
 * request means. */
#include "client.h"
#include <stdlib.h>
#include <sys/socket.h>
#include "answer.h"
#include "exchange.h"
#include "fingerprint.h"
#include "forward.h"
#include "http2.h"
#include "rules.h"
#include "tls.h"

enum { LINGER_MS = 2000, CLIENT_WENT_AWAY = 499 }; /* 499 is for the log only */

static void client_ready(struct stream *stream)
{
	client_run((struct client *)stream);
}

static void set_deadline(struct client *client, int64_t ms)
{
	timer_set(&client->worker->timers, &client->timer, client->worker->now + ms);
}

/* The client is told that nothing more will come, and gets time to read it: a close with unread bytes would reset the
 * connection and could destroy the answer on its way. */
void client_linger(struct client *client)
{
	stream_finish(&client->stream);
	client->state = CLIENT_LINGERS;
	set_deadline(client, LINGER_MS);
}

static void client_expired(struct timer *timer)
{
	struct client *client = (struct client *)((char *)timer - offsetof(struct client, timer));

	switch (client->state) {
	case CLIENT_READS_HEAD:
		/* On a stream of HTTP/2 the rest of the head may still come: it must find nothing that it could
		 * complete. */
		if (client->multiplexed || !client->in.data || !buffer_length(&client->in)) {
			client_close(client);
			return;
		}
		exchange_refuse(client, 408, "the head of the request did not arrive in time");
		break;
	case CLIENT_FORWARDS:
		forward_expired(client);
		break;
	case CLIENT_SPEAKS_HTTP2:
		http2_expired(client);
		return;
	case CLIENT_ANSWERS:
	case CLIENT_LINGERS:
	case CLIENT_SHAKES_HANDS:
	case CLIENT_HAS_ANSWERED:
		client_close(client);
		return;
	}
	if (stream_is_open(&client->stream))
		client_run(client);
}

static void enlist(struct client *client, struct client **list)
{
	client->next = *list;
	if (client->next)
		client->next->previous = &client->next;
	client->previous = list;
	*list = client;
}

static bool start_tls(struct client *client)
{
	worker_follow_rules(client->worker);
	client->handshake = client->worker->view;
	client->handshake->users++;
	client->secure = true;
	client->state = CLIENT_SHAKES_HANDS;
	return tls_start(&client->stream, client->handshake->rules->certificates);
}

static void end_handshake(struct client *client)
{
	if (client->handshake)
		client->handshake->users--;
	client->handshake = NULL;
}

struct client *client_new(struct worker *worker, int fd, const struct peer *peer, enum listener_kind listener)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		abort();
	client->stream = (struct stream){ .fd = fd, .ready = client_ready };
	client->worker = worker;
	client->metrics_only = listener == LISTENER_METRICS;
	client->timer.expired = client_expired;
	client->peer = *peer;
	enlist(client, &worker->clients);
	worker->client_count++;
	(*connections_of(worker, peer))++;
	count(&worker->counters.clients, 1);
	set_deadline(client, worker->gateway->header_timeout);
	if (!stream_watch(&client->stream, worker->epoll) || (listener == LISTENER_TLS && !start_tls(client)))
		client_close(client);
	return client;
}

void client_begin_stream(struct client *client, const struct client *connection, struct client **list)
{
	client->worker = connection->worker;
	client->multiplexed = true;
	client->secure = connection->secure;
	client->peer = connection->peer;
	client->timer.expired = client_expired;
	enlist(client, list);
	set_deadline(client, client->worker->gateway->header_timeout);
}

void client_close(struct client *client)
{
	struct worker *worker = client->worker;

	if (!stream_is_open(&client->stream))
		return;
	http2_free(client->http2);
	client->http2 = NULL;
	end_handshake(client);
	forward_abandon(client);
	if (client->exchange.open && !client->exchange.status)
		client->exchange.status = CLIENT_WENT_AWAY;
	exchange_end(client);
	stream_close(&client->stream);
	timer_clear(&worker->timers, &client->timer);
	buffer_release(&worker->buffers, &client->in);
	buffer_release(&worker->buffers, &client->out);
	*client->previous = client->next;
	if (client->next)
		client->next->previous = client->previous;
	if (!client->multiplexed) {
		worker->client_count--;
		(*connections_of(worker, &client->peer))--;
		count(&worker->counters.clients, -1);
	}
	worker_bury(worker, &client->stream);
}

/* One empty line before a request is passed over (RFC 9112, section 2.2). */
static void skip_newline(struct client *client)
{
	if (client->newline_skipped || buffer_length(&client->in) < 2 ||
		memcmp(buffer_bytes(&client->in), "\r\n", 2) != 0)
		return;
	client->in.start += 2;
	client->newline_skipped = true;
}

static void head_too_large(struct client *client)
{
	if (memchr(buffer_bytes(&client->in), '\n', buffer_length(&client->in)))
		exchange_refuse(client, 431, "the head of the request is too large");
	else
		exchange_refuse(client, 414, "the request target is too long");
}

/* True when the bytes in the buffer have led to an exchange. */
static bool take_head(struct client *client)
{
	int end;

	skip_newline(client);
	if (!buffer_length(&client->in))
		return false;
	end = http1_head_end(buffer_bytes(&client->in), buffer_length(&client->in), &client->scanned);
	if (end > 0) {
		char *head = buffer_bytes(&client->in);

		client->in.start += (size_t)end;
		client->scanned = 0;
		client->newline_skipped = false;
		exchange_begin(client, head, (size_t)end);
		return true;
	}
	if (end < 0) {
		exchange_refuse(client, 400, "a line that does not end in CR LF");
		return true;
	}
	if (buffer_room(&client->in) == 0) {
		if (client->in.start == 0) {
			head_too_large(client);
			return true;
		}
		buffer_compact(&client->in);
	}
	return false;
}

static bool read_head(struct client *client)
{
	for (;;) {
		if (client->in.data && take_head(client))
			return true;
		if (!client->stream.readable)
			break;
		buffer_need(&client->worker->buffers, &client->in);
		if (!buffer_length(&client->in)) /* the last head may have ended where the buffer does */
			buffer_compact(&client->in);
		switch (stream_fill(&client->stream, &client->in)) {
		case STREAM_MOVED:
			continue;
		case STREAM_WAITS:
			break;
		case STREAM_CLOSED:
		case STREAM_FAILED:
			client_close(client);
			return false;
		}
		break;
	}
	/* The time for a head begins with its first byte and is not prolonged by the next ones. */
	if (client->in.data && buffer_length(&client->in) && !client->exchange.started_us) {
		client->exchange.started_us = client->worker->now_us;
		set_deadline(client, client->worker->gateway->header_timeout);
	}
	return false;
}

static bool read_to_the_end(struct client *client)
{
	buffer_need(&client->worker->buffers, &client->in);
	for (;;) {
		client->in.start = client->in.end = 0;
		switch (stream_fill(&client->stream, &client->in)) {
		case STREAM_MOVED:
			continue;
		case STREAM_WAITS:
			return false;
		case STREAM_CLOSED:
		case STREAM_FAILED:
			client_close(client);
			return false;
		}
	}
}

void client_answer_sent(struct client *client)
{
	const struct exchange *exchange = &client->exchange;
	bool next = exchange->keep_alive && exchange->request_body.done && !exchange->refused;
	bool unread = exchange->refused || !exchange->request_body.done || client->stream.readable ||
		      client->stream.rests || (client->in.data && buffer_length(&client->in));

	exchange_end(client);
	if (client->multiplexed) {
		client->state = CLIENT_HAS_ANSWERED;
		http2_answer_sent(client);
	} else if (next && !client->worker->draining) {
		client->state = CLIENT_READS_HEAD;
		set_deadline(client, client->worker->gateway->idle_timeout);
	} else if (unread) {
		client_linger(client);
	} else {
		client_close(client);
	}
}

/* A buffer without bytes goes back, so that an idle connection holds none. */
static void give_back_buffers(struct client *client)
{
	struct buffer_pool *pool = &client->worker->buffers;

	if (client->in.data && !buffer_length(&client->in))
		buffer_release(pool, &client->in);
	if (client->out.data && !buffer_length(&client->out))
		buffer_release(pool, &client->out);
}

/* True when the bytes inside of TLS may be read. */
static bool shake_hands(struct client *client)
{
	switch (tls_handshake(&client->stream)) {
	case STREAM_WAITS:
		return false;
	case STREAM_CLOSED:
	case STREAM_FAILED:
		client_close(client);
		return false;
	case STREAM_MOVED:
		break;
	}
	end_handshake(client);
	client->state = CLIENT_READS_HEAD;
	if (tls_chose_http2(&client->stream)) {
		client->state = CLIENT_SPEAKS_HTTP2;
		client->http2 = http2_new(client);
	}
	return true;
}

static bool step(struct client *client)
{
	switch (client->state) {
	case CLIENT_READS_HEAD:
		return read_head(client);
	case CLIENT_FORWARDS:
		return forward_step(client);
	case CLIENT_ANSWERS:
		return answer_step(client);
	case CLIENT_LINGERS:
		return read_to_the_end(client);
	case CLIENT_SHAKES_HANDS:
		return shake_hands(client);
	case CLIENT_SPEAKS_HTTP2:
		return http2_step(client);
	case CLIENT_HAS_ANSWERED:
		break;
	}
	return false;
}

void client_run(struct client *client)
{
	while (stream_is_open(&client->stream) && step(client))
		;
	if (stream_is_open(&client->stream))
		give_back_buffers(client);
}
