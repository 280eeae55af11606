/* Errors by RFC 9457: application/problem+json with type /problems/SLUG, title, status, detail, instance and errors[].
 */
#pragma once
#include <jansson.h>
#include <stdarg.h>

struct request;

/* Answers rq with a problem and returns status, so that a handler ends with `return problem(…)`.
 * slug must be one the operation lists under x-problems in its contract, or one of the common slugs of problem.c. */
int problem(struct request *rq, int status, const char *slug, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The same with errors[], each {"pointer" or "parameter", "code", "detail"}; errors is borrowed and may be NULL. */
int problem_with(struct request *rq, int status, const char *slug, const json_t *errors, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* The document itself, for those who answer without a request (the gateway). errors may be NULL; it is borrowed.
 * Each entry of errors: {"pointer": "/applicant/fiscalCode" or "parameter": "limit", "code": "format", "detail": "…"}.
 */
json_t *problem_new(int status, const char *slug, const char *detail, const char *instance, const json_t *errors);

/* What a 400 `invalid-request` says of its errors[]: one sentence, wherever the request is refused. */
enum { PROBLEM_SUMMARY_MAX = 80 };
void problem_summary(const json_t *errors, char summary[static PROBLEM_SUMMARY_MAX]);

/* The English reason phrase of an HTTP status: "Not Found". */
const char *problem_title(int status);
