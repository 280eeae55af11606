/* Owns how a handler's statement runs (in the request's transaction or in its own) and what its failure answers. */
#include "sql.h"
#include <stdio.h>
#include <string.h>
#include "dispatch_state.h"
#include "events.h"
#include "scope.h"
#include "service.h"

/* What is left of the patience of who asked: a statement that outlives it works for nobody. */
static int patience_left(const struct request *rq)
{
	int left = rq->state->patience_ms - (int)(request_seconds(rq) * 1000);

	if (!rq->state->patience_ms)
		return 0;
	return left > 0 ? left : 1;
}

struct db_settings request_settings(const struct request *rq)
{
	return (struct db_settings){ .tenant = rq->tenant,
		.subject = rq->subject,
		.request_id = rq->request_id,
		.traceparent = rq->traceparent,
		.patience_ms = patience_left(rq),
		.worker = rq->worker };
}

/* The server's own words may hold values of the row, so those who refuse nothing by hand get these. */
static const char *in_words(struct request *rq, const struct db_failure *failure)
{
	static const struct {
		const char *slug, *words;
	} known[] = {
		{ "invalid-value",
			"A value cannot be taken: a date or number out of range, or a cursor that no page gave." },
		{ "unknown-reference", "Something that the request refers to is not there." },
		{ "forbidden", "This is not yours to change." },
		{ "unavailable", "Busy or out of reach: nothing was done, try again." },
		{ "idempotency-key-reused", "The key came with another request before." },
		{ "idempotency-in-flight", "The first request with this key is still being served." }
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcmp(failure->slug, known[i].slug) == 0)
			return known[i].words;
	}
	if (failure->status >= 500)
		return problem_title(failure->status);
	return arena_printf(
		rq->arena, "The rule %s does not hold; the operation's description explains it.", failure->slug);
}

int request_failed(struct request *rq, const struct db_failure *failure)
{
	if (failure->status == 503) {
		char seconds[16];

		snprintf(seconds, sizeof seconds, "%d", failure->retry_after > 0 ? failure->retry_after : 1);
		reply_header(rq, "Retry-After", seconds);
	}
	if (failure->status >= 500)
		log_error("statement failed", "{s:s s:s s:i}", "sqlstate", failure->sqlstate, "slug", failure->slug,
			"status", failure->status);
	return problem(
		rq, failure->status, failure->slug, "%s", *failure->detail ? failure->detail : in_words(rq, failure));
}

/* An event's transaction opens with its inbox row, so that its effect happens once however often it is delivered. */
static bool enter_inbox(struct request *rq)
{
	struct dispatch_state *state = rq->state;
	struct db_failure failure = { 0 };

	switch (inbox_enter(state->transaction, state->event_source, state->event_id, &failure)) {
	case INBOX_FRESH:
		return true;
	case INBOX_DUPLICATE:
		state->duplicate = true;
		rq->status = 200;
		return false;
	default:
		request_failed(rq, &failure);
		return false;
	}
}

struct db_transaction *request_transaction(struct request *rq)
{
	struct dispatch_state *state = rq->state;
	struct db_settings settings = request_settings(rq);
	struct db_failure failure = { 0 };

	if (state->transaction)
		return state->duplicate ? NULL : state->transaction;
	state->transaction = db_begin(state->db, &settings, &failure);
	if (!state->transaction) {
		request_failed(rq, &failure);
		return NULL;
	}
	if (state->event_id && !enter_inbox(rq))
		return NULL;
	return state->transaction;
}

static PGresult *run(struct request *rq, const struct sql *sql, int count, const char *const *values)
{
	struct dispatch_state *state = rq->state;
	struct db_settings settings = request_settings(rq);
	struct db_failure failure = { 0 };
	PGresult *result;

	if (state->transactional) {
		struct db_transaction *transaction = request_transaction(rq);

		if (!transaction)
			return NULL;
		result = db_query(transaction, sql, count, values, &failure);
	} else {
		result = db_run(state->db, &settings, sql, count, values, &failure);
	}
	if (!result) {
		log_debug("statement refused", "{s:s s:s}", "statement", sql->name, "sqlstate", failure.sqlstate);
		request_failed(rq, &failure);
	}
	return result;
}

int sql_reply_values(struct request *rq, int status, const struct sql *sql, int count, const char *const *values)
{
	auto_result PGresult *result = run(rq, sql, count, values);

	if (!result)
		return rq->status;
	if (PQntuples(result) == 0 || PQgetisnull(result, 0, 0))
		return problem(rq, 404, "not-found", "There is no such thing here, or it is not yours to see.");
	for (int column = 1; column < PQnfields(result); column++) {
		const char *name = PQfname(result, column);

		if (PQgetisnull(result, 0, column))
			continue;
		if (strcmp(name, "etag") == 0)
			reply_header(rq, "ETag", PQgetvalue(result, 0, column));
		else if (strcmp(name, "location") == 0)
			reply_header(rq, "Location", PQgetvalue(result, 0, column));
	}
	reply_text(rq, status, "application/json", PQgetvalue(result, 0, 0));
	return status;
}

json_t *sql_maybe_values(struct request *rq, const struct sql *sql, int count, const char *const *values)
{
	auto_result PGresult *result = run(rq, sql, count, values);
	json_t *json;

	if (!result)
		return NULL;
	if (PQntuples(result) == 0 || PQgetisnull(result, 0, 0))
		return json_null();
	json = json_loads(PQgetvalue(result, 0, 0), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (!json) {
		log_error("statement gave no JSON", "{s:s}", "statement", sql->name);
		problem(rq, 500, "internal-error", "The answer could not be read.");
		return NULL;
	}
	return arena_json(rq->arena, json);
}

json_t *sql_row_values(struct request *rq, const struct sql *sql, int count, const char *const *values)
{
	json_t *json = sql_maybe_values(rq, sql, count, values);

	if (json && json_is_null(json)) {
		problem(rq, 404, "not-found", "There is no such thing here, or it is not yours to see.");
		return NULL;
	}
	return json;
}

bool sql_done_values(struct request *rq, const struct sql *sql, int count, const char *const *values)
{
	auto_result PGresult *result = run(rq, sql, count, values);

	return result != NULL;
}
