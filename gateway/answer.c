/* The gateway's own words. What is left of a request's body is read and thrown away when that is cheap, else the
 * connection ends. */
#include "answer.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "problem.h"

enum { DISCARD_MAX = 65536 };

static void put_date(struct writer *writer, struct worker *worker)
{
	if (worker->date_of != worker->wall) {
		struct tm utc;

		gmtime_r(&worker->wall, &utc);
		strftime(worker->date, sizeof(worker->date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
		worker->date_of = worker->wall;
	}
	put_field(writer, "Date", worker->date);
}

void answer_put_common_fields(struct writer *writer, struct client *client)
{
	const struct exchange *exchange = &client->exchange;

	put_field(writer, "X-Request-Id", exchange->request_id);
	put_field(writer, "traceparent", exchange->traceparent);
	if (exchange->rate.known) {
		put_number_field(writer, "X-RateLimit-Limit", exchange->rate.limit.requests);
		put_number_field(writer, "X-RateLimit-Remaining", exchange->rate.remaining);
		put_number_field(writer, "X-RateLimit-Reset", exchange->rate.reset);
	}
	if (client->worker->gateway->origin_count)
		put_literal(writer, "Vary: Origin\r\n");
	if (exchange->origin) {
		put_field(writer, "Access-Control-Allow-Origin", exchange->origin);
		put_literal(writer,
			"Access-Control-Expose-Headers: ETag, Location, Retry-After, X-Request-Id, traceparent, "
			"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
			"Idempotent-Replayed, Content-Disposition, WWW-Authenticate\r\n");
	}
	if (client->secure && client->worker->gateway->hsts) {
		put_literal(writer, "Strict-Transport-Security: max-age=");
		put_number(writer, client->worker->gateway->hsts);
		put_literal(writer, "\r\n");
	}
	if (!exchange->keep_alive)
		put_literal(writer, "Connection: close\r\n");
	else if (exchange->http10)
		put_literal(writer, "Connection: keep-alive\r\n");
}

/* A body that the client will not send, cannot be read, or is not worth reading ends the connection. */
static void settle_connection(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	struct body *body = &exchange->request_body;

	body->limit = UINT64_MAX; /* what is thrown away may be larger than what the operation takes */
	if (exchange->refused || client->worker->draining)
		exchange->keep_alive = false;
	if (!body->done && (exchange->expects_continue || body->from != BODY_LENGTH || body->left > DISCARD_MAX))
		exchange->keep_alive = false;
}

static void begin(struct client *client, int status, const char *media_type, size_t length, struct extra_field extra)
{
	struct writer writer;
	const char *reason = status == 200 ? "OK" : status == 204 ? "No Content" : problem_title(status);

	settle_connection(client);
	client->exchange.status = status;
	client->state = CLIENT_ANSWERS;
	timer_set(
		&client->worker->timers, &client->timer, client->worker->now + client->worker->gateway->write_timeout);
	buffer_need(&client->worker->buffers, &client->out);
	writer = writer_of(&client->out);
	put_literal(&writer, "HTTP/1.1 ");
	put_number(&writer, (uint64_t)status);
	put_literal(&writer, " ");
	put_text(&writer, reason);
	put_literal(&writer, "\r\n");
	put_date(&writer, client->worker);
	if (media_type) {
		put_field(&writer, "Content-Type", media_type);
		put_number_field(&writer, "Content-Length", length);
		put_literal(&writer, "Cache-Control: no-store\r\n");
	}
	if (extra.name)
		put_field(&writer, extra.name, extra.value);
	answer_put_common_fields(&writer, client);
	put_literal(&writer, "\r\n");
	writer_commit(&writer, &client->out);
}

void answer_page(struct client *client, int status, const char *media_type, char *text)
{
	answer_text(client, status, media_type, text);
	client->exchange.page_memory = text;
}

void answer_text(struct client *client, int status, const char *media_type, const char *text)
{
	struct exchange *exchange = &client->exchange;

	begin(client, status, media_type, strlen(text), (struct extra_field){ 0 });
	exchange->page = text;
	exchange->page_length = exchange->head_request ? 0 : strlen(text);
}

static void put_problem(struct client *client, int status, const char *slug, const char *detail, const json_t *errors,
	struct extra_field extra)
{
	struct exchange *exchange = &client->exchange;
	json_t *problem = problem_new(status, slug, detail, *exchange->path ? exchange->path : NULL, errors);
	char *text;

	json_object_set_new(problem, "requestId", json_string(exchange->request_id));
	text = json_dumps(problem, JSON_COMPACT);
	json_decref(problem);
	if (!text)
		abort();
	begin(client, status, "application/problem+json", strlen(text), extra);
	exchange->problem = slug;
	exchange->page = exchange->page_memory = text;
	exchange->page_length = exchange->head_request ? 0 : strlen(text);
}

void answer_problem_with(
	struct client *client, int status, const char *slug, const char *detail, struct extra_field extra)
{
	put_problem(client, status, slug, detail, NULL, extra);
}

void answer_invalid(struct client *client, const json_t *errors)
{
	char summary[PROBLEM_SUMMARY_MAX];

	problem_summary(errors, summary);
	put_problem(client, 400, "invalid-request", summary, errors, (struct extra_field){ 0 });
}

void answer_problem(struct client *client, int status, const char *slug, const char *detail)
{
	answer_problem_with(client, status, slug, detail, (struct extra_field){ 0 });
}

void answer_unauthorized(struct client *client, const char *error, const char *detail)
{
	char challenge[200];

	if (error)
		snprintf(challenge, sizeof(challenge), "Bearer error=\"%s\", error_description=\"%s\"", error, detail);
	else
		snprintf(challenge, sizeof(challenge), "Bearer");
	answer_problem_with(client, 401, "unauthorized", detail, (struct extra_field){ "WWW-Authenticate", challenge });
}

void answer_later(struct client *client, int status, const char *slug, const char *detail, unsigned seconds)
{
	char text[12];

	snprintf(text, sizeof(text), "%u", seconds ? seconds : 1);
	answer_problem_with(client, status, slug, detail, (struct extra_field){ "Retry-After", text });
}

void answer_options(struct client *client, const char *allow, bool preflight)
{
	char fields[700];

	if (!preflight || !client->exchange.origin) {
		begin(client, 204, NULL, 0, (struct extra_field){ "Allow", allow });
		return;
	}
	snprintf(fields, sizeof(fields),
		"%s\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, Accept, Accept-Language, "
		"Idempotency-Key, "
		"If-Match, If-None-Match, Range, X-Request-Id, traceparent, tracestate\r\nAccess-Control-Max-Age: 7200",
		allow);
	begin(client, 204, NULL, 0, (struct extra_field){ "Access-Control-Allow-Methods", fields });
}

static void discard_body(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	while (!exchange->request_body.done && exchange->keep_alive) {
		buffer_need(&client->worker->buffers, &client->in);
		if (body_move(&exchange->request_body, &client->in, NULL) == BODY_COMPLETE)
			break;
		buffer_compact(&client->in);
		switch (stream_fill(&client->stream, &client->in)) {
		case STREAM_MOVED:
			continue;
		case STREAM_WAITS:
			return;
		case STREAM_CLOSED:
		case STREAM_FAILED:
			exchange->keep_alive = false;
		}
	}
}

static void fill_from_page(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	size_t left = exchange->page_length - exchange->page_sent, room;

	buffer_compact(&client->out);
	room = buffer_room(&client->out);
	if (left > room)
		left = room;
	memcpy(client->out.data + client->out.end, exchange->page + exchange->page_sent, left);
	client->out.end += left;
	exchange->page_sent += left;
}

bool answer_step(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	for (;;) {
		if (exchange->page_sent < exchange->page_length)
			fill_from_page(client);
		if (stream_flush(&client->stream, &client->out) == STREAM_FAILED) {
			client_close(client);
			return false;
		}
		if (buffer_length(&client->out))
			return false;
		if (exchange->page_sent == exchange->page_length)
			break;
	}
	discard_body(client);
	if (exchange->keep_alive && !exchange->request_body.done)
		return false;
	client_answer_sent(client);
	return true;
}
