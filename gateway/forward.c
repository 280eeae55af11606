/* One exchange with a service: connection, request, answer. Whatever breaks is answered with a problem as long as the
 * head of the answer has not gone out; after that the client's connection is cut, so that half an answer never looks
 * like a whole one. */
#include "forward.h"
#include <stdlib.h>
#include <string.h>
#include "answer.h"
#include "upstream.h"

static struct upstream_pool *pool_of(struct client *client)
{
	return &client->worker->pools[client->exchange.route->service];
}

static int64_t operation_timeout(const struct exchange *exchange)
{
	return (int64_t)exchange->route->operation->timeout * 1000;
}

static void put_framing(struct writer *writer, enum body_kind kind, uint64_t length)
{
	if (kind == BODY_CHUNKED)
		put_literal(writer, "Transfer-Encoding: chunked\r\n");
	else if (kind == BODY_LENGTH)
		put_number_field(writer, "Content-Length", length);
}

static void put_passed_fields(struct writer *writer, const struct http1_head *head)
{
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http1_field *field = &head->fields[i];

		if (field->dropped)
			continue;
		put(writer, field->name, field->name_length);
		put_literal(writer, ": ");
		put(writer, field->value, field->value_length);
		put_literal(writer, "\r\n");
	}
}

/* A POST without a body says so: some servers want a length. */
static void put_request_framing(struct writer *writer, const struct http1_head *head)
{
	if (head->body == BODY_NONE && head->known[FIELD_CONTENT_LENGTH])
		put_number_field(writer, "Content-Length", 0);
	else
		put_framing(writer, head->body, head->content_length);
}

static bool put_request(struct client *client, const struct asking *asking)
{
	struct exchange *exchange = &client->exchange;
	const struct principal *principal = exchange->principal;
	struct writer writer = writer_of(&exchange->to_upstream);
	char signature[AUTH_SIGNATURE_MAX];

	auth_sign(principal->header, principal->header_length, asking->head.method, asking->path, asking->path_length,
		signature);
	put_text(&writer, asking->head.method);
	put_literal(&writer, " ");
	put(&writer, asking->head.target, asking->head.target_length);
	put_literal(&writer, " HTTP/1.1\r\n");
	put_passed_fields(&writer, &asking->head);
	put_request_framing(&writer, &asking->head);
	put_field(&writer, "X-Request-Id", exchange->request_id);
	put_field(&writer, "traceparent", exchange->traceparent);
	put_field(&writer, "X-Forwarded-For", client->address);
	put_literal(&writer, "X-Forwarded-Proto: http\r\nPortico-Caller: ");
	put(&writer, principal->header, principal->header_length);
	put_literal(&writer, "\r\n");
	put_field(&writer, "Portico-Signature", signature);
	put_literal(&writer, "\r\n");
	writer_commit(&writer, &exchange->to_upstream);
	return !writer.full;
}

/* A request that can be sent twice without a second effect. */
static bool is_idempotent(const struct exchange *exchange, const struct http1_head *head)
{
	if (strcmp(exchange->method, "POST") == 0 || strcmp(exchange->method, "PATCH") == 0)
		return exchange->route->operation->idempotent && head->known[FIELD_IDEMPOTENCY_KEY];
	return true;
}

void forward_start(struct client *client, struct asking *asking)
{
	struct exchange *exchange = &client->exchange;

	buffer_need(&client->worker->buffers, &exchange->to_upstream);
	if (!put_request(client, asking)) {
		answer_problem(client, 431, "header-fields-too-large", "the head of the request is too large");
		return;
	}
	exchange->replayable = true;
	exchange->idempotent = is_idempotent(exchange, &asking->head);
	client->state = CLIENT_FORWARDS;
	if (exchange->expects_continue) {
		struct writer writer;

		buffer_need(&client->worker->buffers, &client->out);
		writer = writer_of(&client->out);
		put_literal(&writer, "HTTP/1.1 100 Continue\r\n\r\n");
		writer_commit(&writer, &client->out);
		exchange->expects_continue = false;
	}
}

void forward_abandon(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	struct buffer_pool *buffers = &client->worker->buffers;

	if (exchange->queued)
		upstream_leave_queue(pool_of(client), client);
	if (exchange->upstream)
		upstream_release(client, false);
	buffer_release(buffers, &exchange->to_upstream);
	buffer_release(buffers, &exchange->from_upstream);
}

/* Answers with a problem, or cuts the connection when the client has part of an answer already. */
static bool fail(struct client *client, int status, const char *slug, const char *detail)
{
	forward_abandon(client);
	if (client->exchange.answer_known)
		client_close(client);
	else if (status == 503)
		answer_later(client, status, slug, detail, 1);
	else
		answer_problem(client, status, slug, detail);
	return false;
}

static bool fail_unavailable(struct client *client)
{
	return fail(client, 503, "unavailable", "the service cannot be reached; nothing was done");
}

static bool acquire(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	const struct gateway *gateway = client->worker->gateway;

	switch (upstream_acquire(pool_of(client), client, exchange->retried)) {
	case UPSTREAM_GIVEN:
		exchange->wait_deadline = client->worker->now + gateway->connect_timeout;
		return true;
	case UPSTREAM_QUEUED:
		exchange->wait_deadline = client->worker->now + gateway->queue_wait;
		return true;
	case UPSTREAM_FULL:
		return fail(
			client, 503, "unavailable", "the service has more requests than it can take; nothing was done");
	case UPSTREAM_DOWN:
		break;
	}
	return fail_unavailable(client);
}

void forward_unconnected(struct client *client)
{
	if (++client->exchange.connect_attempts >= pool_of(client)->service->replica_count)
		fail_unavailable(client);
}

/* The connection broke before the answer was whole. Nothing came back at all: perhaps it was closed by the service just
 * when the request went out, so what may be sent twice is sent once more, over a new connection. */
static bool upstream_broke(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	if (exchange->answer_begun || !exchange->idempotent || !exchange->replayable || exchange->retried)
		return fail(client, 502, "bad-gateway", "the service broke off before it had answered");
	upstream_release(client, false);
	count(&client->worker->counters.upstream_retries, 1);
	exchange->retried = true;
	exchange->sent = exchange->send_failed = false;
	exchange->to_upstream.start = 0;
	return acquire(client);
}

/* What the client has sent goes into the buffer to the service. *moved is set when anything did. False: the exchange
 * failed. */
static bool take_request_body(struct client *client, bool *moved)
{
	struct exchange *exchange = &client->exchange;

	if (exchange->request_body.done)
		return true;
	buffer_need(&client->worker->buffers, &client->in);
	if (buffer_room(&exchange->to_upstream) < 64 && exchange->to_upstream.start) {
		buffer_compact(&exchange->to_upstream);
		exchange->replayable = false;
	}
	switch (body_move(&exchange->request_body, &client->in, &exchange->to_upstream)) {
	case BODY_MALFORMED:
		exchange->refused = true;
		return fail(client, 400, "malformed-request", "a malformed chunk");
	case BODY_TOO_LARGE:
		exchange->refused = true;
		return fail(client, 413, "content-too-large", "the body is larger than this operation takes");
	case BODY_MOVED:
	case BODY_COMPLETE:
		*moved = true;
		break;
	case BODY_WAITS:
		break;
	}
	if (exchange->request_body.done)
		return true;
	if (!buffer_room(&client->in) || client->in.start == client->in.end)
		buffer_compact(&client->in);
	switch (stream_fill(&client->stream, &client->in)) {
	case STREAM_MOVED:
		*moved = true;
		break;
	case STREAM_WAITS:
		break;
	case STREAM_CLOSED:
	case STREAM_FAILED:
		client_close(client);
		return false;
	}
	return true;
}

static bool send_request(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	bool moved = !exchange->sent && !exchange->send_failed;

	while (moved) {
		size_t pending;

		moved = false;
		if (!take_request_body(client, &moved))
			return false;
		pending = buffer_length(&exchange->to_upstream);
		if (stream_flush(&exchange->upstream->stream, &exchange->to_upstream) == STREAM_FAILED) {
			exchange->send_failed = true; /* the service may have answered before it closed */
			exchange->upstream->stream.readable = true;
			return true;
		}
		moved = moved || buffer_length(&exchange->to_upstream) != pending;
	}
	if (!exchange->sent && exchange->request_body.done && !buffer_length(&exchange->to_upstream)) {
		exchange->sent = true;
		exchange->wait_deadline = client->worker->now + operation_timeout(exchange);
	}
	return true;
}

/* How the body goes on to the client: as long as it says, else in chunks, or for HTTP/1.0 until the connection closes.
 */
static enum body_kind answer_framing(struct exchange *exchange, const struct http1_head *head)
{
	if (head->body != BODY_CHUNKED && head->body != BODY_UNTIL_CLOSE)
		return BODY_LENGTH;
	if (!exchange->http10)
		return BODY_CHUNKED;
	exchange->keep_alive = false;
	return BODY_UNTIL_CLOSE;
}

static bool put_answer(struct client *client, const struct http1_head *head, enum body_kind framing)
{
	struct writer writer;

	buffer_need(&client->worker->buffers, &client->out);
	writer = writer_of(&client->out);
	put_literal(&writer, "HTTP/1.1 ");
	put_number(&writer, (uint64_t)head->status);
	put_literal(&writer, " ");
	put_text(&writer, head->reason);
	put_literal(&writer, "\r\n");
	put_passed_fields(&writer, head);
	if (framing != BODY_LENGTH)
		put_framing(&writer, framing, 0);
	else if (head->known[FIELD_CONTENT_LENGTH] && head->status != 204)
		put_number_field(&writer, "Content-Length", head->content_length);
	answer_put_common_fields(&writer, client);
	put_literal(&writer, "\r\n");
	if (writer.full)
		return false;
	writer_commit(&writer, &client->out);
	return true;
}

static bool take_answer_head(struct client *client, size_t length)
{
	struct exchange *exchange = &client->exchange;
	char *data = buffer_bytes(&exchange->from_upstream);
	struct http1_head head;
	enum body_kind framing;

	exchange->from_upstream.start += length;
	exchange->scanned = 0;
	if (http1_parse_answer(data, length, exchange->head_request, &head) || head.status == 101)
		return fail(client, 502, "bad-gateway", "the answer of the service is malformed");
	if (head.status < 200)
		return true;
	if (client->worker->draining || !exchange->request_body.done)
		exchange->keep_alive = false;
	framing = answer_framing(exchange, &head);
	if (!put_answer(client, &head, framing))
		return fail(client, 502, "bad-gateway", "the head of the service's answer is too large");
	exchange->status = head.status;
	exchange->answer_known = true;
	exchange->upstream_reusable = head.keep_alive && head.body != BODY_UNTIL_CLOSE;
	exchange->answer_body = body_start(&head, framing, UINT64_MAX);
	return true;
}

static bool read_answer_head(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	struct buffer *from = &exchange->from_upstream;

	while (!exchange->answer_known) {
		int end = from->data ? http1_head_end(buffer_bytes(from), buffer_length(from), &exchange->scanned) : 0;

		if (end > 0) {
			if (!take_answer_head(client, (size_t)end))
				return false;
			continue;
		}
		if (end < 0 || (from->data && !buffer_room(from)))
			return fail(client, 502, "bad-gateway", "the answer of the service is malformed");
		if (!exchange->upstream->stream.readable)
			return true;
		buffer_need(&client->worker->buffers, from);
		switch (stream_fill(&exchange->upstream->stream, from)) {
		case STREAM_MOVED:
			exchange->answer_begun = true;
			break;
		case STREAM_WAITS:
			return true;
		case STREAM_CLOSED:
		case STREAM_FAILED:
			return upstream_broke(client);
		}
	}
	return true;
}

/* What the service has sent goes into the buffer to the client. */
static bool take_answer_body(struct client *client, bool *moved)
{
	struct exchange *exchange = &client->exchange;
	struct buffer *from = &exchange->from_upstream;

	if (exchange->answer_body.done)
		return true;
	buffer_need(&client->worker->buffers, &client->out);
	if (client->out.start)
		buffer_compact(&client->out);
	switch (body_move(&exchange->answer_body, from, &client->out)) {
	case BODY_MALFORMED:
	case BODY_TOO_LARGE:
		return fail(client, 502, "bad-gateway", "a malformed chunk");
	case BODY_MOVED:
	case BODY_COMPLETE:
		*moved = true;
		break;
	case BODY_WAITS:
		break;
	}
	if (exchange->answer_body.done)
		return true;
	if (!buffer_room(from) || from->start == from->end)
		buffer_compact(from);
	switch (stream_fill(&exchange->upstream->stream, from)) {
	case STREAM_MOVED:
		*moved = true;
		break;
	case STREAM_WAITS:
		break;
	case STREAM_CLOSED:
		if (!buffer_length(from) && body_ends_at_close(&exchange->answer_body, &client->out))
			break;
		return buffer_length(from) ? true : fail(client, 502, "bad-gateway", "the service broke off");
	case STREAM_FAILED:
		return fail(client, 502, "bad-gateway", "the service broke off");
	}
	return true;
}

static bool send_answer(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	bool moved = true;

	while (moved) {
		size_t pending;

		moved = false;
		if (exchange->answer_known && !take_answer_body(client, &moved))
			return false;
		if (exchange->answer_known && exchange->answer_body.done && exchange->upstream)
			upstream_release(client, exchange->upstream_reusable && exchange->sent &&
							 !buffer_length(&exchange->from_upstream));
		if (!client->out.data)
			break;
		pending = buffer_length(&client->out);
		if (stream_flush(&client->stream, &client->out) == STREAM_FAILED) {
			client_close(client);
			return false;
		}
		moved = moved || buffer_length(&client->out) != pending;
	}
	return true;
}

static void set_deadline(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	const struct gateway *gateway = client->worker->gateway;
	int64_t now = client->worker->now, deadline;

	if (exchange->queued || !exchange->upstream || exchange->upstream->connecting)
		deadline =
			exchange->upstream || exchange->queued ? exchange->wait_deadline : now + gateway->write_timeout;
	else if (client->out.data && buffer_length(&client->out))
		deadline = now + gateway->write_timeout;
	else if (!exchange->request_body.done)
		deadline = now + gateway->body_timeout;
	else if (!exchange->answer_known)
		deadline = exchange->sent ? exchange->wait_deadline : now + operation_timeout(exchange);
	else
		deadline = now + operation_timeout(exchange);
	timer_set(&client->worker->timers, &client->timer, deadline);
}

/* Connection, request, answer: each as far as it goes. */
static bool advance(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	if (!exchange->upstream && !exchange->queued && !exchange->answer_known && !acquire(client))
		return false;
	if (exchange->upstream && !exchange->upstream->connecting) {
		if (!send_request(client) || !read_answer_head(client))
			return false;
	}
	return send_answer(client);
}

bool forward_step(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	if (!advance(client))
		return true;
	if (exchange->answer_known && exchange->answer_body.done && !buffer_length(&client->out)) {
		forward_abandon(client);
		client_answer_sent(client);
		return true;
	}
	set_deadline(client);
	return false;
}

void forward_expired(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	if (exchange->queued)
		fail(client, 503, "unavailable", "the service has more requests than it can take; nothing was done");
	else if (exchange->upstream && exchange->upstream->connecting) {
		upstream_failed(client);
		forward_unconnected(client);
	} else if (client->out.data && buffer_length(&client->out))
		client_close(client);
	else if (!exchange->request_body.done && !exchange->answer_known) {
		exchange->refused = true;
		fail(client, 408, "request-timeout", "the body of the request did not arrive in time");
	} else
		fail(client, 504, "gateway-timeout", "the service did not answer in time");
}
