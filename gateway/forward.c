/* One exchange with a service: the way there. forward_attempt.c finds a connection, forward_answer.c is the way back.
 * Whatever breaks is answered with a problem as long as the head of the answer has not gone out; after that the
 * client's connection is cut, so that half an answer never looks like a whole one. */
#include "forward.h"
#include <stdlib.h>
#include <string.h>
#include "answer.h"
#include "forward_parts.h"

enum { SLOWEST_BODY = 4 }; /* bytes a millisecond */

void forward_put_framing(struct writer *writer, enum body_kind kind, uint64_t length)
{
	if (kind == BODY_CHUNKED)
		put_literal(writer, "Transfer-Encoding: chunked\r\n");
	else if (kind == BODY_LENGTH)
		put_number_field(writer, "Content-Length", length);
}

void forward_put_fields(struct writer *writer, const struct http1_head *head)
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
		forward_put_framing(
			writer, head->body == BODY_UNTIL_CLOSE ? BODY_CHUNKED : head->body, head->content_length);
}

/* Signed with the key of the service, which for a partner is one of its own. */
static void put_caller(struct writer *writer, const struct exchange *exchange, const struct asking *asking)
{
	const struct principal *principal = exchange->principal;
	const struct partner *partner = exchange->route->partner;
	char signature[AUTH_SIGNATURE_MAX];

	if (partner && !partner->knows_caller)
		return;
	auth_sign(partner ? &partner->key : NULL, principal->header, principal->header_length, asking->head.method,
		asking->path, asking->path_length, signature);
	put_literal(writer, "Portico-Caller: ");
	put(writer, principal->header, principal->header_length);
	put_literal(writer, "\r\n");
	put_field(writer, "Portico-Signature", signature);
}

/* A partner's back end is asked by its own name, our services by the one that the client used. */
static void put_host(struct writer *writer, const struct exchange *exchange, const struct http1_head *head)
{
	const struct route *route = exchange->route;

	if (route->partner) {
		put_field(writer, "Host", exchange->view->rules->services[route->service].host);
		if (head->known[FIELD_HOST])
			put_field(writer, "X-Forwarded-Host", http1_value(head, FIELD_HOST));
	} else if (!head->known[FIELD_HOST]) {
		put_literal(writer, "Host: \r\n"); /* HTTP/1.0 may go without, HTTP/1.1 may not */
	}
}

static bool put_request(struct client *client, const struct asking *asking)
{
	struct exchange *exchange = &client->exchange;
	struct writer writer = writer_of(&exchange->to_upstream);

	put_text(&writer, asking->head.method);
	put_literal(&writer, " ");
	put(&writer, asking->head.target, asking->head.target_length);
	put_literal(&writer, " HTTP/1.1\r\n");
	forward_put_fields(&writer, &asking->head);
	put_host(&writer, exchange, &asking->head);
	put_request_framing(&writer, &asking->head);
	put_field(&writer, "X-Request-Id", exchange->request_id);
	put_field(&writer, "traceparent", exchange->traceparent);
	put_field(&writer, "X-Forwarded-For", client->peer.address);
	put_field(&writer, "X-Forwarded-Proto", client->secure ? "https" : "http");
	put_caller(&writer, exchange, asking);
	put_literal(&writer, "Portico-Deadline: ");
	exchange->deadline_at = (size_t)(writer.at - exchange->to_upstream.data);
	put(&writer, "00000000", DEADLINE_DIGITS);
	put_literal(&writer, "\r\n\r\n");
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

	if (exchange->route->partner)
		partner_drop_ours(&asking->head);
	buffer_need(&client->worker->buffers, &exchange->to_upstream);
	if (!put_request(client, asking)) {
		answer_problem(client, 431, "header-fields-too-large", "the head of the request is too large");
		return;
	}
	exchange->replayable = true;
	if (exchange->request_body.done)
		exchange->deadline = client->worker->now + forward_timeout(exchange);
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

	if (exchange->waiting.lane)
		upstream_leave_queue(forward_pool(client), client);
	if (exchange->upstream)
		upstream_release(client, false);
	buffer_release(buffers, &exchange->to_upstream);
	buffer_release(buffers, &exchange->from_upstream);
}

/* Answers with a problem, or cuts the connection when the client has part of an answer already. */
bool forward_fail(struct client *client, int status, const char *slug, const char *detail)
{
	forward_abandon(client);
	if (client->exchange.answer_known)
		client_close(client);
	else
		answer_problem(client, status, slug, detail);
	return false;
}

bool forward_fault(struct client *client, enum upstream_failure failure, const char *detail)
{
	upstream_failed(client, failure);
	return forward_fail(client, 502, "bad-gateway", detail);
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
		return forward_fail(client, 400, "malformed-request", "a malformed chunk");
	case BODY_TOO_LARGE:
		exchange->refused = true;
		return forward_fail(client, 413, "content-too-large", "the body is larger than this operation takes");
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
		if (exchange->request_body.from == BODY_UNTIL_CLOSE) {
			*moved = !buffer_length(&client->in) &&
				 body_ends_at_close(&exchange->request_body, &exchange->to_upstream);
			break;
		}
		/* fall through */
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

	forward_stamp_deadline(client);
	while (moved) {
		size_t pending;

		moved = false;
		if (!take_request_body(client, &moved))
			return false;
		if (exchange->request_body.done && !exchange->deadline)
			exchange->deadline = client->worker->now + forward_timeout(exchange);
		pending = buffer_length(&exchange->to_upstream);
		if (stream_flush(&exchange->upstream->stream, &exchange->to_upstream) == STREAM_FAILED) {
			exchange->send_failed = true; /* the service may have answered before it closed */
			exchange->upstream->stream.readable = true;
			return true;
		}
		moved = moved || buffer_length(&exchange->to_upstream) != pending;
	}
	if (!exchange->sent && exchange->request_body.done && !buffer_length(&exchange->to_upstream))
		exchange->sent = true;
	return true;
}

/* A body may pause, and has to keep to the slowest pace on the whole: who sends a byte now and then would hold a
 * connection to the service for days. */
static int64_t body_deadline(const struct client *client)
{
	const struct exchange *exchange = &client->exchange;
	int64_t patience = client->worker->gateway->body_timeout, pause = client->worker->now + patience;
	int64_t whole =
		exchange->started_us / 1000 + patience + (int64_t)(exchange->request_body.passed / SLOWEST_BODY);

	return whole < pause ? whole : pause;
}

static bool is_waiting(const struct exchange *exchange)
{
	return exchange->waiting.lane || (exchange->upstream && exchange->upstream->connecting);
}

static int64_t next_deadline(const struct client *client)
{
	const struct exchange *exchange = &client->exchange;
	int64_t patience = client->worker->now + client->worker->gateway->write_timeout;

	if (is_waiting(exchange))
		return exchange->deadline && exchange->deadline < exchange->wait_deadline ? exchange->deadline
											  : exchange->wait_deadline;
	if (!exchange->upstream || (client->out.data && buffer_length(&client->out)))
		return patience;
	if (!exchange->request_body.done)
		return body_deadline(client);
	if (!exchange->answer_known)
		return forward_answer_deadline(client);
	return client->worker->now + forward_timeout(exchange);
}

/* Connection, request, answer: each as far as it goes. */
static bool advance(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	if (!exchange->upstream && !exchange->waiting.lane && !exchange->answer_known && !forward_acquire(client))
		return false;
	if (exchange->upstream && !exchange->upstream->connecting) {
		if (!send_request(client) || !forward_read_head(client))
			return false;
	}
	return forward_send_answer(client);
}

/* Nobody waits for the answer, and no harm is done when the service does not get the request, or not to its end. Who
 * has only closed his side may well wait (RFC 9112, section 9.6), so that is not taken for a goodbye. */
static bool is_abandoned(const struct client *client)
{
	const struct exchange *exchange = &client->exchange;

	return client->stream.reset && !exchange->answer_known && (exchange->idempotent || !exchange->upstream);
}

bool forward_step(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	if (is_abandoned(client)) {
		client_close(client);
		return true;
	}
	if (!advance(client))
		return true;
	if (exchange->answer_known && exchange->answer_body.done && !buffer_length(&client->out)) {
		forward_abandon(client);
		client_answer_sent(client);
		return true;
	}
	timer_set(&client->worker->timers, &client->timer, next_deadline(client));
	return false;
}

/* The body of the request stands still: the service does not take what is here for it, or there is nothing to take. */
static void body_expired(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	if (buffer_length(&exchange->to_upstream)) {
		upstream_failed(client, FAILURE_TIMEOUT);
		forward_fail(
			client, 504, "gateway-timeout", "the service did not take the body of the request in time");
		return;
	}
	exchange->refused = true;
	forward_fail(client, 408, "request-timeout", "the body of the request did not arrive in time");
}

void forward_expired(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	if (exchange->waiting.lane) {
		count(&forward_pool(client)->counters->refused, 1);
		forward_crowded(client);
	} else if (exchange->upstream && exchange->upstream->connecting) {
		forward_unconnected(client);
	} else if (client->out.data && buffer_length(&client->out)) {
		client_close(client);
	} else if (!exchange->request_body.done && !exchange->answer_known) {
		body_expired(client);
	} else if (!exchange->answer_known) {
		forward_overdue(client);
	} else {
		forward_fault(client, FAILURE_CUT, "the service stopped in the middle of its answer");
	}
}
