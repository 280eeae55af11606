/* Owns the outgoing connections of the process: one kept-alive handle a thread. Never called with a transaction open,
 * and never retries: events and tasks do. */
#include "client.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "dispatch_state.h"
#include "scope.h"
#include "service.h"

enum { MAX_ANSWER = 8 * 1024 * 1024, DEFAULT_TIMEOUT_MS = 10000, CONNECT_TIMEOUT_MS = 2000 };

struct collected {
	char *bytes;
	size_t length;
	bool too_large;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t handle_key;

static void prepare(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	pthread_key_create(&handle_key, (void (*)(void *))curl_easy_cleanup);
}

void *client_handle(void)
{
	CURL *curl;

	pthread_once(&once, prepare);
	curl = pthread_getspecific(handle_key);
	if (curl) {
		curl_easy_reset(curl);
		return curl;
	}
	curl = curl_easy_init();
	pthread_setspecific(handle_key, curl);
	return curl;
}

void client_drop_handle(void *handle)
{
	pthread_setspecific(handle_key, NULL);
	curl_easy_cleanup(handle);
}

static size_t collect(char *data, size_t size, size_t count, void *context)
{
	struct collected *answer = context;
	size_t length = size * count;
	char *larger;

	if (answer->length + length > MAX_ANSWER) {
		answer->too_large = true;
		return 0;
	}
	larger = realloc(answer->bytes, answer->length + length + 1);
	if (!larger)
		return 0;
	answer->bytes = larger;
	memcpy(answer->bytes + answer->length, data, length);
	answer->length += length;
	answer->bytes[answer->length] = '\0';
	return length;
}

/* Redirects are answers here, not orders: Location is read from the header as it was sent. */
struct heads {
	struct arena *arena;
	const char *location;
	int retry_after;
};

static size_t collect_header(char *data, size_t size, size_t count, void *context)
{
	struct heads *heads = context;
	size_t length = size * count;
	char *line = arena_strndup(heads->arena, data, length);

	line[strcspn(line, "\r\n")] = '\0';
	if (strncasecmp(line, "Location:", 9) == 0)
		heads->location = line + 9 + strspn(line + 9, " \t");
	else if (strncasecmp(line, "Retry-After:", 12) == 0)
		heads->retry_after = atoi(line + 12);
	return length;
}

static struct curl_slist *headers_of(const struct request *rq, const struct client_call *call)
{
	struct curl_slist *list = NULL;
	char line[512];

	for (const char *const *header = call->headers; header && *header; header++)
		list = curl_slist_append(list, *header);
	if (rq->request_id) {
		snprintf(line, sizeof line, "X-Request-Id: %s", rq->request_id);
		list = curl_slist_append(list, line);
	}
	if (rq->traceparent) {
		snprintf(line, sizeof line, "traceparent: %s", rq->traceparent);
		list = curl_slist_append(list, line);
	}
	return curl_slist_append(list, "Expect:");
}

static void prepare_call(CURL *curl, const struct client_call *call, struct curl_slist *headers)
{
	long timeout = call->timeout_ms ? call->timeout_ms : DEFAULT_TIMEOUT_MS;

	curl_easy_setopt(curl, CURLOPT_URL, call->url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (call->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)(call->body_length ? call->body_length : strlen(call->body)));
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
	}
	if (call->method)
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
}

struct client_answer client_send(struct request *rq, const struct client_call *call)
{
	struct client_answer answer = { .body = "" };
	struct collected collected = { 0 };
	struct heads heads = { .arena = rq->arena };
	struct curl_slist *headers;
	CURL *curl = client_handle();
	CURLcode code;
	char *type = NULL;
	long status = 0;

	if (rq->state && rq->state->transaction) {
		answer.error = "an outside call with a transaction open is a bug";
		log_error(answer.error, "{s:s}", "path", rq->path ? rq->path : "");
		return answer;
	}
	headers = headers_of(rq, call);
	prepare_call(curl, call, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &collected);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, collect_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &heads);
	code = curl_easy_perform(curl);
	curl_slist_free_all(headers);
	if (collected.bytes)
		answer.body = arena_lease(rq->arena, collected.bytes, free);
	if (code != CURLE_OK) {
		answer.error = collected.too_large ? "the answer is too large" : curl_easy_strerror(code);
		return answer;
	}
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	answer.status = (int)status;
	answer.body_length = collected.length;
	answer.location = heads.location;
	answer.retry_after = heads.retry_after;
	answer.content_type = arena_strdup(rq->arena, type);
	return answer;
}

/* "http://127.0.0.1:8102" for "dossier" out of PORTICO_SERVICES; NULL when it is not listed. */
static const char *address_of(struct request *rq, const char *service)
{
	const char *entry = config("PORTICO_SERVICES");
	size_t length = strlen(service);

	while (*entry) {
		size_t whole = strcspn(entry, ",");

		if (strncmp(entry, service, length) == 0 && entry[length] == '=')
			return arena_strndup(rq->arena, entry + length + 1, whole - length - 1);
		entry += whole + (entry[whole] == ',');
	}
	return NULL;
}

/* Calls a sibling as this service, in the tenant that rq works for. */
static struct client_answer call_sibling(struct request *rq, const char *service, const char *path_asked)
{
	const struct caller self = {
		.kind = CALLER_SERVICE, .tenant = rq->tenant, .client = rq->service->name, .scope = "service"
	};
	const char *address = address_of(rq, service);
	auto_free char *caller = auth_caller_dup(&self);
	const char *plain = arena_strndup(rq->arena, path_asked, strcspn(path_asked, "?"));
	auto_free char *signature = auth_sign_dup(caller, "GET", plain);
	const char *headers[] = { arena_printf(rq->arena, "Portico-Caller: %s", caller),
		arena_printf(rq->arena, "Portico-Signature: %s", signature), "Accept: application/json", NULL };

	if (!address)
		return (struct client_answer){ .error = "the service is not listed in PORTICO_SERVICES" };
	return client_send(rq, &(struct client_call){ .url = arena_printf(rq->arena, "%s%s", address, path_asked),
				       .headers = headers,
				       .timeout_ms = 5000 });
}

json_t *client_get(struct request *rq, const char *service, const char *format, ...)
{
	struct client_answer answer;
	const char *below;
	json_t *json;
	va_list args;

	va_start(args, format);
	below = arena_vprintf(rq->arena, format, args);
	va_end(args);
	answer = call_sibling(rq, service, arena_printf(rq->arena, "/%s/v1%s", service, below));
	if (answer.status == 404) {
		problem(rq, 404, "not-found", "%s has no %s", service, below);
		return NULL;
	}
	json = answer.status == 200 ? json_loads(answer.body, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (!json) {
		problem(rq, 503, "unavailable", "%s answered %d to %s%s%s", service, answer.status, below,
			answer.error ? ": " : "", answer.error ? answer.error : "");
		return NULL;
	}
	return arena_json(rq->arena, json);
}
