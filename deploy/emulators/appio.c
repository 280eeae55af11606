/* The App IO emulator: the part of the official services API (v4.0.0, /api/v1) that a sender uses, with its statuses
 * and its limits on what a message may be, and knobs under /emulator that make it misbehave:
 *
 *   GET /                             the messages, for people
 *   GET, DELETE /emulator/messages    the messages taken, oldest first (?fiscal_code=), or forget them
 *   GET /emulator/calls               the latest calls of the API with their time and status
 *   GET /emulator/profiles            who has the app
 *   PUT, DELETE /emulator/profiles/CODE    {"sender_allowed": true, "preferred_languages": ["it_IT"]}
 *   GET, PUT /emulator/behaviour      {"mode": normal | limited (429) | failing (500) | slow | lost (taken, then 504),
 *                                      "calls": all | profiles | messages | status, "times": n or -1, "retry_after":
 * seconds, "delay_ms": n, "outcome": what becomes of messages: PROCESSED, ACCEPTED, REJECTED …} */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "appio_state.h"
#include "emulator.h"
#include "schema.h"
#include "text.h"

/* NewMessage of the official contract. */
static const char message_schema_text[] =
	"{\"type\":\"object\",\"required\":[\"content\"],\"properties\":{"
	"\"time_to_live\":{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":3600,\"maximum\":604800},"
	"\"fiscal_code\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}"
	"[A-Z]"
	"[0-9LMNPQRSTUV]{3}[A-Z]$\"},"
	"\"feature_level_type\":{\"type\":\"string\",\"enum\":[\"STANDARD\",\"ADVANCED\"]},"
	"\"default_addresses\":{\"type\":\"object\",\"properties\":{\"email\":{\"type\":\"string\",\"format\":"
	"\"email\"}}},"
	"\"content\":{\"type\":\"object\",\"required\":[\"subject\",\"markdown\"],\"properties\":{"
	"\"subject\":{\"type\":\"string\",\"minLength\":10,\"maxLength\":120},"
	"\"markdown\":{\"type\":\"string\",\"minLength\":80,\"maxLength\":10000},"
	"\"require_secure_channels\":{\"type\":\"boolean\"},"
	"\"due_date\":{\"type\":\"string\",\"format\":\"date-time\",\"pattern\":\"Z$\"},"
	"\"payment_data\":{\"type\":\"object\",\"required\":[\"amount\",\"notice_number\"],\"properties\":{"
	"\"amount\":{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1,\"maximum\":9999999999},"
	"\"notice_number\":{\"type\":\"string\",\"pattern\":\"^[0123][0-9]{17}$\"},"
	"\"invalid_after_due_date\":{\"type\":\"boolean\"},"
	"\"payee\":{\"type\":\"object\",\"required\":[\"fiscal_code\"],\"properties\":{"
	"\"fiscal_code\":{\"type\":\"string\",\"pattern\":\"^[0-9]{11}$\"}}}}}}}}}";

static const char behaviour_schema_text[] =
	"{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
	"\"mode\":{\"type\":\"string\",\"enum\":[\"normal\",\"limited\",\"failing\",\"slow\",\"lost\"]},"
	"\"calls\":{\"type\":\"string\",\"enum\":[\"all\",\"profiles\",\"messages\",\"status\"]},"
	"\"times\":{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":-1,\"maximum\":1000000},"
	"\"retry_after\":{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":0,\"maximum\":3600},"
	"\"delay_ms\":{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":0,\"maximum\":60000},"
	"\"outcome\":{\"type\":\"string\",\"enum\":[\"ACCEPTED\",\"THROTTLED\",\"FAILED\",\"PROCESSED\",\"REJECTED\"]}}"
	"}";

static struct schema *message_schema, *behaviour_schema;

static int refuse(struct request *rq, int status, const char *detail)
{
	reply_json(rq, status,
		json_make(rq, "{s:s s:s s:i s:s}", "type", "about:blank", "title", problem_title(status), "status",
			status, "detail", detail));
	rq->reply_type = "application/problem+json";
	return status;
}

/* The first thing that is wrong with a body by its schema, or NULL. */
static const char *first_fault(struct request *rq, const struct schema *schema, const json_t *body)
{
	json_t *errors = json_make(rq, "[]");
	const json_t *first;

	if (!body)
		return "the body is no JSON object";
	if (!schema_check(schema, body, "", errors))
		return NULL;
	first = json_array_get(errors, 0);
	return arena_printf(rq->arena, "%s: %s", json_text(first, "pointer"), json_text(first, "detail"));
}

static const json_t *reachable_profile(struct request *rq, const char *fiscal_code)
{
	const json_t *profile = fiscal_code ? json_object_get(appio_profiles(), fiscal_code) : NULL;

	if (!profile)
		refuse(rq, 404, "No user found for the provided fiscal code.");
	return profile;
}

static int get_profile(struct request *rq, const char *fiscal_code)
{
	const json_t *profile = reachable_profile(rq, fiscal_code);

	return profile ? reply_json(rq, 200, profile) : rq->status;
}

static int submit_message(struct request *rq, const char *service, const char *fiscal_code)
{
	json_t *message = emulator_body(rq);
	const char *fault = first_fault(rq, message_schema, message), *id;
	const json_t *profile;

	if (fault)
		return refuse(rq, 400, fault);
	fiscal_code = fiscal_code ? fiscal_code : json_text(message, "fiscal_code");
	if (!fiscal_code)
		return refuse(rq, 400, "/fiscal_code: is required");
	profile = json_object_get(appio_profiles(), fiscal_code);
	if (!profile || !json_is_true(json_object_get(profile, "sender_allowed")))
		return refuse(rq, 403, "The sender is not allowed to write to this user.");
	id = appio_take_message(service, fiscal_code, message);
	reply_header(rq, "Location", arena_printf(rq->arena, "/api/v1/messages/%s/%s", fiscal_code, id));
	return reply_json(rq, 201, json_make(rq, "{s:s}", "id", id));
}

static int get_message(struct request *rq, const char *service, const char *fiscal_code, const char *id)
{
	const json_t *entry = appio_find_message(fiscal_code, id);

	if (!entry || strcmp(json_text(entry, "message.sender_service_id"), service) != 0)
		return refuse(rq, 404, "No message found for the provided ID.");
	return reply_json(rq, 200, entry);
}

/* Which part of the API a request asks for: "profiles", "messages" or "status"; NULL when there is no such operation.
 */
static const char *call_of(struct request *rq, const char **parts)
{
	if (emulator_route(rq, "POST", "/api/v1/profiles", parts) ||
		emulator_route(rq, "GET", "/api/v1/profiles/*", parts))
		return "profiles";
	if (emulator_route(rq, "POST", "/api/v1/messages", parts) ||
		emulator_route(rq, "POST", "/api/v1/messages/*", parts))
		return "messages";
	return emulator_route(rq, "GET", "/api/v1/messages/*/*", parts) ? "status" : NULL;
}

static int serve_call(struct request *rq, const char *call, const char *const *parts)
{
	const char *service = appio_service_of(http_header(rq, "Ocp-Apim-Subscription-Key"));

	if (!service)
		return refuse(rq, 401, "Access denied due to missing or invalid subscription key.");
	if (strcmp(call, "profiles") == 0)
		return get_profile(rq, parts[0] ? parts[0] : json_text(emulator_body(rq), "fiscal_code"));
	if (strcmp(call, "messages") == 0)
		return submit_message(rq, service, parts[0]);
	return get_message(rq, service, parts[0], parts[1]);
}

static int misbehave(struct request *rq, const char *mode, const char *call, const char *const *parts)
{
	if (strcmp(mode, "limited") == 0) {
		reply_header(
			rq, "Retry-After", arena_printf(rq->arena, "%lld", json_int(appio_behaviour(), "retry_after")));
		return refuse(rq, 429, "Rate limit is exceeded.");
	}
	if (strcmp(mode, "failing") == 0)
		return refuse(rq, 500, "The message cannot be delivered.");
	serve_call(rq, call, parts);
	return strcmp(mode, "lost") == 0 ? refuse(rq, 504, "The gateway did not get an answer in time.") : rq->status;
}

static void wait_as_told(const char *mode)
{
	long long delay;

	appio_lock();
	delay = json_int(appio_behaviour(), "delay_ms");
	appio_unlock();
	if (strcmp(mode, "slow") == 0)
		nanosleep(&(struct timespec){ delay / 1000, delay % 1000 * 1000000 }, NULL);
}

static int answer_call(struct request *rq, const char *call, const char *const *parts)
{
	const char *mode;

	appio_lock();
	mode = arena_strdup(rq->arena, appio_mode_of(call));
	appio_unlock();
	wait_as_told(mode);
	appio_lock();
	if (strcmp(mode, "normal") == 0)
		serve_call(rq, call, parts);
	else
		misbehave(rq, mode, call, parts);
	appio_note_call(call, rq->status);
	appio_unlock();
	return rq->status;
}

/* A message as one would describe it: the content's members beside id, fiscal_code, service and status. */
static json_t *flat_message(struct request *rq, const json_t *entry)
{
	const json_t *message = json_at(entry, "message");
	json_t *flat = json_make(rq, "{s:O s:O s:O s:O s:O}", "id", json_at(message, "id"), "fiscal_code",
		json_at(message, "fiscal_code"), "service", json_at(message, "sender_service_id"), "created_at",
		json_at(message, "created_at"), "status", json_at(entry, "status"));

	json_object_update(flat, json_at(message, "content"));
	return flat;
}

static int list_messages(struct request *rq)
{
	const char *fiscal_code = http_query(rq, "fiscal_code");
	json_t *items = json_make(rq, "[]"), *entry;
	size_t index;

	json_array_foreach(appio_messages(), index, entry)
	{
		if (!fiscal_code || strcmp(json_text(entry, "message.fiscal_code"), fiscal_code) == 0)
			json_array_append(items, flat_message(rq, entry));
	}
	return reply_json(rq, 200, json_make(rq, "{s:O}", "items", items));
}

static int put_profile(struct request *rq, const char *fiscal_code)
{
	json_t *given = emulator_body(rq);

	if (!given || !json_is_boolean(json_object_get(given, "sender_allowed")))
		return refuse(rq, 400, "sender_allowed must be true or false");
	if (!json_object_get(given, "preferred_languages"))
		json_object_set(given, "preferred_languages", json_make(rq, "[s]", "it_IT"));
	json_object_set(appio_profiles(), fiscal_code, given);
	return reply_json(rq, 200, given);
}

static int put_behaviour(struct request *rq)
{
	json_t *given = emulator_body(rq);
	const char *fault = first_fault(rq, behaviour_schema, given);

	if (fault)
		return refuse(rq, 400, fault);
	json_object_update(appio_behaviour(), given);
	return reply_json(rq, 200, appio_behaviour());
}

static int show_page(struct request *rq)
{
	const char *rows = "";
	size_t count = json_array_size(appio_messages());

	for (size_t i = count; i > 0 && i + 100 > count; i--) {
		const json_t *entry = json_array_get(appio_messages(), i - 1);

		rows = arena_printf(rq->arena,
			"%s<article><p>%s &middot; %s &middot; %s &middot; %s</p><h2>%s</h2><pre>%s</pre></article>\n",
			rows, json_text(entry, "message.created_at"), json_text(entry, "message.sender_service_id"),
			json_text(entry, "message.fiscal_code"), json_text(entry, "status"),
			text_escaped(rq->arena, json_text(entry, "message.content.subject")),
			text_escaped(rq->arena, json_text(entry, "message.content.markdown")));
	}
	return reply_text(rq, 200, "text/html; charset=utf-8",
		arena_printf(rq->arena,
			"<!DOCTYPE html><html lang=\"en\"><title>App IO emulator</title><style>body{font:16px "
			"sans-serif;max-width:50em;"
			"margin:2em auto}pre{white-space:pre-wrap}article{border-top:1px solid #ccc}</style><h1>App IO "
			"emulator</h1>"
			"<p>%zu messages, the newest first.</p>\n%s</html>\n",
			count, rows));
}

static int answer_knob(struct request *rq, const char **parts)
{
	if (emulator_route(rq, "GET", "/", parts))
		return show_page(rq);
	if (emulator_route(rq, "GET", "/emulator/messages", parts))
		return list_messages(rq);
	if (emulator_route(rq, "GET", "/emulator/calls", parts))
		return reply_json(rq, 200, json_make(rq, "{s:O}", "items", appio_calls()));
	if (emulator_route(rq, "GET", "/emulator/profiles", parts))
		return reply_json(rq, 200, appio_profiles());
	if (emulator_route(rq, "GET", "/emulator/behaviour", parts))
		return reply_json(rq, 200, appio_behaviour());
	if (emulator_route(rq, "PUT", "/emulator/behaviour", parts))
		return put_behaviour(rq);
	if (emulator_route(rq, "PUT", "/emulator/profiles/*", parts))
		return put_profile(rq, parts[0]);
	if (emulator_route(rq, "DELETE", "/emulator/profiles/*", parts)) {
		json_object_del(appio_profiles(), parts[0]);
		return reply_empty(rq, 204);
	}
	if (emulator_route(rq, "DELETE", "/emulator/messages", parts)) {
		json_array_clear(appio_messages());
		json_array_clear(appio_calls());
		return reply_empty(rq, 204);
	}
	return refuse(rq, 404, "There is no such operation.");
}

static int answer(struct request *rq)
{
	const char *parts[2] = { NULL }, *call = call_of(rq, parts);

	if (call)
		return answer_call(rq, call, parts);
	appio_lock();
	answer_knob(rq, parts);
	appio_unlock();
	return rq->status;
}

static struct schema *compile(const char *text)
{
	json_t *definition = json_loads(text, 0, NULL);
	char *error = NULL;
	struct schema *schema = definition ? schema_new(definition, definition, NULL, NULL, &error) : NULL;

	if (!schema)
		fprintf(stderr, "appio does not start: its own schema: %s\n", error ? error : "not JSON");
	return schema;
}

static bool start(void)
{
	if (!appio_state_start(config("PORTICO_APPIO_KEYS"), config("PORTICO_APPIO_PROFILES"))) {
		fprintf(stderr, "appio does not start: PORTICO_APPIO_KEYS is not a JSON object of tenant and key\n");
		return false;
	}
	message_schema = compile(message_schema_text);
	behaviour_schema = compile(behaviour_schema_text);
	return message_schema && behaviour_schema;
}

int main(int argc, char **argv)
{
	static const struct setting settings[] = {
		{ "PORTICO_APPIO_KEYS", "{}", "Subscription keys as a JSON object: tenant and key.", .secret = true },
		{ "PORTICO_APPIO_PROFILES", "BNCNNA85C52A944U,CNTDVD83P28A944Y,LRSMRA90B57A662S,GRCPLA58R30A944T",
			"Fiscal codes of those who have the app at the start, separated by commas." },
		{ 0 },
	};
	static const struct emulator appio = {
		.name = "appio", .settings = settings, .start = start, .answer = answer, .max_body = 262144
	};

	return emulator_main(argc, argv, &appio);
}
