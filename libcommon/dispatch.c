/* Owns the way from a request, an event or a due task to its handler and back. The handlers decide what happens;
 * nothing here knows a domain word. */
#include "dispatch.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dispatch_state.h"
#include "replay.h"
#include "metrics.h"
#include "reply.h"
#include "service_pages.h"
#include "trace.h"

enum { MAX_JSON_DEPTH = 32, CONTRACTS_MAX = 4 };

static const struct service *the_service;
static struct db *the_db;

/* A contract with its handlers: handlers[i] serves contract operation i. */
static struct binding {
	struct contract *contract;
	const struct operation **handlers;
} bindings[CONTRACTS_MAX];
static size_t binding_count;

static const struct operation *find_operation(const struct operation *operations, const char *id)
{
	for (; operations->id; operations++) {
		if (strcmp(operations->id, id) == 0)
			return operations;
	}
	return NULL;
}

static bool bind_operations(struct binding *binding, const struct operation *operations, char **ret_error)
{
	const char *name = contract_name(binding->contract);
	size_t count;
	const struct contract_operation *declared = contract_operations(binding->contract, &count);

	binding->handlers = calloc(count + 1, sizeof *binding->handlers);
	for (size_t i = 0; i < count; i++) {
		binding->handlers[i] = find_operation(operations, declared[i].id);
		if (!binding->handlers[i] &&
			asprintf(ret_error, "operation %s of openapi/%s.yaml has no handler", declared[i].id, name) > 0)
			return false;
	}
	for (; operations->id; operations++) {
		if (!contract_operation_by_id(binding->contract, operations->id) &&
			asprintf(ret_error, "handler %s has no operation in openapi/%s.yaml", operations->id, name) > 0)
			return false;
	}
	return true;
}

static bool add_contract(const char *folder, const char *name, const struct operation *operations, char **ret_error)
{
	struct binding *binding = &bindings[binding_count];

	if (binding_count == CONTRACTS_MAX) {
		*ret_error = strdup("it serves more contracts than there are places for");
		return false;
	}
	binding->contract = contract_load(folder, name, ret_error);
	if (!binding->contract)
		return false;
	binding_count++;
	return bind_operations(binding, operations, ret_error);
}

bool dispatch_start(const struct service *service, const char *folder, struct db *db, char **ret_error)
{
	the_service = service;
	the_db = db;
	if (!add_contract(folder, service->name, service->operations, ret_error))
		return false;
	for (const struct api *api = service->more; api && api->contract; api++) {
		if (!add_contract(folder, api->contract, api->operations, ret_error))
			return false;
	}
	return true;
}

const char *dispatch_version(void)
{
	return contract_version(bindings[0].contract);
}

void dispatch_stop(void)
{
	for (; binding_count; binding_count--) {
		contract_free(bindings[binding_count - 1].contract);
		free(bindings[binding_count - 1].handlers);
	}
}

/* Row security decides by these two: the person for citizens, the tenant for everyone who works for one. */
static void set_rights(struct request *rq)
{
	rq->subject = rq->caller.kind == CALLER_CITIZEN ? rq->caller.subject : NULL;
	rq->tenant = rq->caller.tenant;
}

static bool read_caller(struct request *rq)
{
	json_t *json;

	if (!auth_read(http_header(rq, "Portico-Caller"), http_header(rq, "Portico-Signature"), rq->method, rq->path,
		    &rq->caller, &json)) {
		problem(rq, 401, "unauthorized", "The request does not come through the gateway.");
		return false;
	}
	arena_json(rq->arena, json);
	set_rights(rq);
	return true;
}

/* The base paths of two contracts differ, so at most one of them knows the path. */
static bool find_route(struct request *rq)
{
	const char *allow = NULL;
	size_t count;

	for (size_t i = 0; i < binding_count && !rq->contract && !allow; i++) {
		const struct binding *binding = &bindings[i];

		rq->contract = contract_match(
			binding->contract, rq->method, rq->path, strlen(rq->path), &rq->state->path_values, &allow);
		if (rq->contract)
			rq->operation =
				binding->handlers[rq->contract - contract_operations(binding->contract, &count)];
	}
	if (rq->contract)
		return true;
	if (!allow) {
		problem(rq, 404, "not-found", "There is no %s.", rq->path);
		return false;
	}
	reply_header(rq, "Allow", allow);
	problem(rq, 405, "method-not-allowed", "%s takes %s, not %s.", rq->path, allow, rq->method);
	return false;
}

static bool check_rights(struct request *rq)
{
	if (auth_allows(rq->contract, &rq->caller))
		return true;
	if (rq->caller.kind == CALLER_ANONYMOUS)
		problem(rq, 401, "unauthorized", "This operation needs an access token.");
	else
		problem(rq, 403, "forbidden", "The token lacks the scope that this operation asks for.");
	return false;
}

/* Media types have no case (RFC 9110, section 8.3.1); the rest of the suite compares them as the contracts write them.
 */
static const char *lower_case(char *text)
{
	for (char *c = text; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return text;
}

static bool check_media_type(struct request *rq)
{
	const char *type = http_header(rq, "Content-Type");
	const struct contract_body *body;

	if (!rq->contract->body_count || !type)
		return true; /* a missing type is judged with the body, in read_body() */
	body = contract_body_for(rq->contract, type);
	if (!body) {
		problem(rq, 415, "unsupported-media-type", "This operation does not take %s.", type);
		return false;
	}
	rq->media_type = lower_case(arena_strndup(rq->arena, type, strcspn(type, "; \t")));
	return true;
}

struct body_plan dispatch_begin(struct request *rq)
{
	struct body_plan plan = { 0 };

	trace_take(rq, http_header(rq, "X-Request-Id"), http_header(rq, "traceparent"));
	request_open(rq, the_service, the_db);
	if (service_page(rq))
		return plan;
	if (read_caller(rq) && find_route(rq) && check_rights(rq) && check_media_type(rq)) {
		plan.limit = rq->contract->max_body;
		plan.stream = rq->contract->stream;
	}
	return plan;
}

static const char *lookup(void *context, enum parameter_place place, const char *name)
{
	return place == IN_HEADER ? http_header(context, name) : http_query(context, name);
}

/* Whoever reads a value again (PostgreSQL, a sibling, a front end) may take fewer levels than jansson does. */
static bool too_deep(const char *text, size_t length)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < length; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '[') && ++depth > MAX_JSON_DEPTH)
			return true;
		else if (!quoted && (text[i] == '}' || text[i] == ']'))
			depth--;
	}
	return false;
}

/* PostgreSQL writes 1e300 as the integer that it is, and then jansson does not read it any more. */
static bool too_large(json_t *value)
{
	const char *name;
	json_t *inner;
	size_t i;

	if (json_is_real(value))
		return fabs(json_real_value(value)) >= 9e18;
	json_array_foreach(value, i, inner)
	{
		if (too_large(inner))
			return true;
	}
	json_object_foreach(value, name, inner)
	{
		if (too_large(inner))
			return true;
	}
	return false;
}

static void read_json(struct request *rq)
{
	json_error_t error;

	if (too_deep(rq->body, rq->body_length)) {
		problem(rq, 400, "malformed-json", "The JSON is nested deeper than %d levels.", MAX_JSON_DEPTH);
		return;
	}
	rq->json = json_loadb(rq->body, rq->body_length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!rq->json)
		problem(rq, 400, "malformed-json", "Line %d, column %d: %s.", error.line, error.column, error.text);
	else if (too_large(rq->json))
		problem(rq, 400, "malformed-json", "A number is larger than 64 bits can say.");
}

static void read_body(struct request *rq, json_t *errors)
{
	const struct contract_body *body;

	if (!rq->body_length) {
		if (rq->contract->body_required)
			json_array_append_new(errors, json_pack("{s:s s:s s:s}", "pointer", "", "code", "required",
							      "detail", "a body is required"));
		return;
	}
	if (!rq->contract->body_count) {
		problem(rq, 413, "content-too-large", "This operation takes no body.");
		return;
	}
	if (!rq->media_type) {
		problem(rq, 415, "unsupported-media-type", "The body has no Content-Type.");
		return;
	}
	if (rq->body_file)
		return;
	body = contract_body_for(rq->contract, rq->media_type);
	if (strcmp(rq->media_type, "application/x-www-form-urlencoded") == 0) {
		rq->json = form_parse(rq->body, rq->body_length);
		if (!rq->json)
			problem(rq, 400, "malformed-form",
				"The body is not a well-formed form, or a field comes twice.");
	} else if (strstr(rq->media_type, "json")) {
		read_json(rq);
	}
	if (rq->json) {
		arena_json(rq->arena, rq->json);
		if (body->schema)
			schema_check(body->schema, rq->json, "", errors);
	}
}

/* All of the input, judged together, so that one answer names every fault. */
static bool check_input(struct request *rq)
{
	json_auto_t *errors = json_array();
	char summary[PROBLEM_SUMMARY_MAX];

	rq->parameters = contract_check_parameters(
		rq->contract, &rq->state->path_values, http_query_names(rq), lookup, rq, errors);
	arena_json(rq->arena, rq->parameters);
	read_body(rq, errors);
	problem_summary(errors, summary);
	if (!rq->status && json_array_size(errors))
		problem_with(rq, 400, "invalid-request", errors, "%s", summary);
	return !rq->status;
}

/* With an Idempotency-Key the first answer is stored in the transaction of its effect, and given again to a repetition.
 */
static void run_once(struct request *rq, const char *key)
{
	rq->state->transactional = true;
	if (!replay_enter(rq, key))
		return;
	request_run(rq, rq->operation->handle);
	if (request_succeeded(rq))
		replay_keep(rq, key);
}

static void run_operation(struct request *rq)
{
	const char *key = rq->contract->idempotent ? header(rq, "Idempotency-Key") : NULL;

	rq->state->transactional = rq->operation->transaction;
	if (key)
		run_once(rq, key);
	else
		request_run(rq, rq->operation->handle);
	request_close(rq);
}

static void account(struct request *rq)
{
	const char *operation = rq->contract ? rq->contract->id : "none";
	double seconds = request_seconds(rq);

	metrics_request(operation, rq->status, seconds);
	log_info("request", "{s:s s:s s:i s:f s:s s:s* s:s* s:s*}", "operation", operation, "method", rq->method,
		"status", rq->status, "ms", seconds * 1000, "caller", auth_kind_name(rq->caller.kind), "client",
		rq->caller.client, "tenant", rq->caller.tenant, "problem", rq->problem_slug);
}

/* The gateway says how long it will wait for the answer, from now on. */
static void read_patience(struct request *rq)
{
	const char *deadline = http_header(rq, "Portico-Deadline");

	if (deadline && strlen(deadline) <= 8)
		rq->state->patience_ms = (int)(request_seconds(rq) * 1000) + atoi(deadline);
}

void dispatch_finish(struct request *rq)
{
	log_context(rq->request_id, rq->traceparent);
	read_patience(rq);
	if (!rq->contract && rq->status && !rq->problem_slug)
		return; /* an operational page */
	if (!rq->status && check_input(rq))
		run_operation(rq);
	account(rq);
	log_context(NULL, NULL);
}
