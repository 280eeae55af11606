/* Owns the form of every error answer. Never decides about an error: callers do. */
#include "problem.h"
#include <stdio.h>
#include <string.h>
#include "service.h"

/* Slugs that any operation may answer; the others are listed under x-problems in the contract of the operation. */
static const char *const common_slugs[] = { "invalid-request", "malformed-json", "malformed-form", "unauthorized",
	"forbidden", "not-found", "method-not-allowed", "content-too-large", "unsupported-media-type",
	"too-many-requests", "unavailable", "internal-error", "version-conflict", "idempotency-key-reused",
	"idempotency-in-flight", "unknown-reference", "invalid-value", NULL };

static const struct {
	int status;
	const char *title;
} titles[] = { { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
	{ 405, "Method Not Allowed" }, { 406, "Not Acceptable" }, { 408, "Request Timeout" }, { 409, "Conflict" },
	{ 410, "Gone" }, { 411, "Length Required" }, { 412, "Precondition Failed" }, { 413, "Content Too Large" },
	{ 414, "URI Too Long" }, { 415, "Unsupported Media Type" }, { 417, "Expectation Failed" },
	{ 422, "Unprocessable Content" }, { 428, "Precondition Required" }, { 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
	{ 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" } };

const char *problem_title(int status)
{
	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
		if (titles[i].status == status)
			return titles[i].title;
	}
	return "Error";
}

json_t *problem_new(int status, const char *slug, const char *detail, const char *instance, const json_t *errors)
{
	char type[128];

	snprintf(type, sizeof type, "/problems/%s", slug);
	return json_pack("{s:s s:s s:i s:s* s:s* s:O*}", "type", type, "title", problem_title(status), "status", status,
		"detail", detail, "instance", instance, "errors", json_array_size(errors) ? (json_t *)errors : NULL);
}

void problem_summary(const json_t *errors, char summary[static PROBLEM_SUMMARY_MAX])
{
	size_t count = json_array_size(errors);

	snprintf(summary, PROBLEM_SUMMARY_MAX, "The request breaks the contract in %zu place%s.", count,
		count == 1 ? "" : "s");
}

static bool listed(const char *const *slugs, const char *slug)
{
	while (slugs && *slugs && strcmp(*slugs, slug) != 0)
		slugs++;
	return slugs && *slugs;
}

static void answer(
	struct request *rq, int status, const char *slug, const json_t *errors, const char *format, va_list args)
{
	const char *detail = arena_vprintf(rq->arena, format, args);
	json_t *document = problem_new(status, slug, detail, rq->path, errors);

	if (rq->contract && !listed(common_slugs, slug) && !listed(rq->contract->problems, slug))
		log_error("problem slug not in the contract", "{s:s s:s}", "operation", rq->contract->id, "slug", slug);
	if (rq->request_id)
		json_object_set_new(document, "requestId", json_string(rq->request_id));
	reply_json(rq, status, document);
	json_decref(document);
	rq->reply_type = "application/problem+json";
	rq->problem_slug = arena_strdup(rq->arena, slug);
	rq->problem_detail = detail;
}

int problem_with(struct request *rq, int status, const char *slug, const json_t *errors, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	answer(rq, status, slug, errors, format, args);
	va_end(args);
	return status;
}

int problem(struct request *rq, int status, const char *slug, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	answer(rq, status, slug, NULL, format, args);
	va_end(args);
	return status;
}
