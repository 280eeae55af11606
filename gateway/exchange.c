/* The decision on one request, in the order in which it is made: is it well formed, within the limits, known, allowed,
 * of a size and type that the operation takes? Each step either goes on or has answered. */
#include "exchange.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "answer.h"
#include "authorize.h"
#include "forward.h"
#include "metrics.h"
#include "pages.h"
#include "parameters.h"
#include "path.h"
#include "quota.h"
#include "rules.h"

enum { MAX_PATH = 2000 };

static void open_exchange(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	memset(exchange, 0, sizeof(*exchange));
	exchange->open = true;
	exchange->started_us = client->worker->now_us;
	exchange->request_body.done = true;
	quota_count(client);
}

static void name_exchange(struct exchange *exchange, const char *request_id, const char *traceparent)
{
	if (trace_id_holds(request_id))
		memcpy(exchange->request_id, request_id, strlen(request_id) + 1);
	else
		trace_new_id(exchange->request_id);
	if (traceparent_holds(traceparent))
		memcpy(exchange->traceparent, traceparent, TRACEPARENT_LENGTH + 1);
	else
		trace_new_parent(exchange->traceparent);
}

static const char *allowed_origin(const struct gateway *gateway, const char *origin)
{
	for (size_t i = 0; origin && i < gateway->origin_count; i++) {
		if (strcmp(gateway->origins[i], origin) == 0)
			return gateway->origins[i];
	}
	return NULL;
}

void exchange_refuse(struct client *client, int status, const char *detail)
{
	static const struct {
		int status;
		const char *slug;
	} slugs[] = { { 408, "request-timeout" }, { 414, "uri-too-long" }, { 431, "header-fields-too-large" },
		{ 501, "not-implemented" }, { 505, "http-version-not-supported" } };
	const char *slug = "malformed-request";
	struct exchange *exchange = &client->exchange;

	if (!exchange->open) {
		open_exchange(client);
		name_exchange(exchange, NULL, NULL);
	}
	exchange->refused = true;
	for (size_t i = 0; i < sizeof(slugs) / sizeof(slugs[0]); i++) {
		if (slugs[i].status == status)
			slug = slugs[i].slug;
	}
	answer_problem(client, status, slug, detail);
}

/* Notes what the answer and the log will need when the head is gone. */
static bool read_request(struct client *client, char *data, size_t length, struct asking *asking)
{
	struct exchange *exchange = &client->exchange;
	struct http1_head *head = &asking->head;
	int status = http1_parse_request(data, length, head);

	if (status) {
		name_exchange(exchange, NULL, NULL);
		exchange_refuse(client, status, head->fault);
		return false;
	}
	name_exchange(exchange, http1_value(head, FIELD_REQUEST_ID), http1_value(head, FIELD_TRACEPARENT));
	exchange->origin = allowed_origin(client->worker->gateway, http1_value(head, FIELD_ORIGIN));
	exchange->head_request = strcmp(head->method, "HEAD") == 0;
	exchange->http10 = head->minor == 0;
	exchange->keep_alive = head->keep_alive && !client->worker->draining && !client->multiplexed;
	if (client->body_follows && head->body == BODY_NONE && !head->known[FIELD_CONTENT_LENGTH])
		head->body = BODY_UNTIL_CLOSE;
	exchange->request_body =
		body_start(head, head->body == BODY_UNTIL_CLOSE ? BODY_CHUNKED : head->body, UINT64_MAX);
	snprintf(exchange->method, sizeof(exchange->method), "%s", head->method);
	return true;
}

static bool read_expectation(struct client *client, const struct http1_head *head)
{
	const char *expectation = http1_value(head, FIELD_EXPECT);

	if (!expectation)
		return true;
	if (strcasecmp(expectation, "100-continue") != 0) {
		answer_problem(client, 417, "expectation-failed", "no expectation but 100-continue can be met");
		return false;
	}
	client->exchange.expects_continue = head->body != BODY_NONE && head->minor == 1;
	return true;
}

static bool read_path(struct client *client, struct asking *asking)
{
	if (strcmp(asking->head.target, "*") == 0) {
		answer_options(client, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", false);
		return false;
	}
	if (!path_decode(asking->head.target, asking->path, &asking->path_length, &asking->query)) {
		exchange_refuse(client, 400,
			"a path with an empty or dotted segment, or a character that no path or query here has");
		return false;
	}
	if (asking->path_length > MAX_PATH) {
		exchange_refuse(client, 414, "the path is too long");
		return false;
	}
	return true;
}

static void hold_view(struct client *client)
{
	worker_follow_rules(client->worker);
	client->exchange.view = client->worker->view;
	client->exchange.view->users++;
}

static bool find_route(struct client *client, struct asking *asking)
{
	struct exchange *exchange = &client->exchange;
	const char *allow;

	hold_view(client);
	exchange->route = route_find(exchange->view->rules->routes, asking->head.method, asking->path,
		asking->path_length, &asking->values, &allow);
	if (exchange->route) {
		size_t length = asking->head.target_length - (asking->query ? strlen(asking->query) + 1 : 0);

		snprintf(exchange->path, sizeof(exchange->path), "%.*s", (int)length, asking->head.target);
		return true;
	}
	if (!allow)
		answer_problem(client, 404, "not-found", "there is nothing at this path");
	else if (strcmp(asking->head.method, "OPTIONS") == 0)
		answer_options(client, allow, asking->head.known[FIELD_REQUEST_METHOD] != NULL);
	else
		answer_problem_with(client, 405, "method-not-allowed", "the path exists, not with this method",
			(struct extra_field){ "Allow", allow });
	return false;
}

static bool body_acceptable(struct client *client, const struct asking *asking)
{
	const struct contract_operation *operation = client->exchange.route->operation;
	const struct http1_head *head = &asking->head;
	const char *type = http1_value(head, FIELD_CONTENT_TYPE);

	client->exchange.request_body.limit = operation->max_body;
	if (head->body == BODY_NONE)
		return true;
	if (operation->body_count == 0 || (head->body == BODY_LENGTH && head->content_length > operation->max_body)) {
		answer_problem(client, 413, "content-too-large", "the body is larger than this operation takes");
		return false;
	}
	if (!type || !contract_body_for(operation, type)) {
		answer_problem(client, 415, "unsupported-media-type", "this operation does not take this media type");
		return false;
	}
	return true;
}

/* Several Accept fields are one list: what one of them takes, the list takes. */
static bool answer_acceptable(struct client *client, const struct asking *asking)
{
	const struct contract_operation *operation = client->exchange.route->operation;
	const struct http1_head *head = &asking->head;

	if (!head->known[FIELD_ACCEPT])
		return true;
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].id == FIELD_ACCEPT && contract_accepted(operation, head->fields[i].value))
			return true;
	}
	answer_problem(client, 406, "not-acceptable", "this operation answers with no media type that Accept takes");
	return false;
}

static bool allowed(struct client *client, struct asking *asking)
{
	return find_route(client, asking) && authorize(client, asking) && quota_admit(client) &&
	       body_acceptable(client, asking) && answer_acceptable(client, asking) && parameters_hold(client, asking);
}

void exchange_begin(struct client *client, char *data, size_t length)
{
	struct asking asking;

	open_exchange(client);
	if (!read_request(client, data, length, &asking) || !quota_holds(client) ||
		!read_expectation(client, &asking.head) || !read_path(client, &asking))
		return;
	if (pages_answer(client, &asking) || !allowed(client, &asking))
		return;
	if (client->exchange.route->service == client->exchange.view->rules->service_count)
		pages_operate(client, &asking);
	else
		forward_start(client, &asking);
}

void exchange_end(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	const char *operation = exchange->route ? exchange->route->name : "none";

	if (!exchange->open)
		return;
	exchange->open = false;
	metrics_request(operation, exchange->status, (double)(worker_clock_us() - exchange->started_us) / 1e6);
	access_log_request(&client->worker->log, client);
	principal_release(exchange->principal);
	free(exchange->page_memory);
	if (exchange->view)
		exchange->view->users--;
	exchange->view = NULL;
	exchange->route = NULL;
	exchange->principal = NULL;
	exchange->page_memory = NULL;
	exchange->started_us = 0;
}
