/* SQL for handlers: one call, one statement, and the answer when it fails. Values are text or NULL; each statement
 * gives zero or one row with one JSON column in the API's own shape. In an operation marked .transaction (and in one
 * called with an Idempotency-Key, and in every event handler) all calls share one transaction, which 2xx commits and
 * anything else rolls back; elsewhere each call is its own. */
#pragma once
#include <jansson.h>
#include "db.h"

struct request;

/* Runs and answers: the row's JSON with status; zero rows: 404 not-found. A column "etag" or "location" beside the JSON
 * becomes that header. */
#define sql_reply(rq, status, sql, ...) sql_reply_values(rq, status, sql, SQL_VALUES(__VA_ARGS__))
/* Runs and gives the row's JSON (owned by the request); NULL: already answered (404 not-found on zero rows, else by
 * SQLSTATE). */
#define sql_row(rq, sql, ...) sql_row_values(rq, sql, SQL_VALUES(__VA_ARGS__))
/* As sql_row, but zero rows is a JSON null, not an answer. */
#define sql_maybe(rq, sql, ...) sql_maybe_values(rq, sql, SQL_VALUES(__VA_ARGS__))
/* Runs a statement whose row, if any, is not needed. False: already answered. */
#define sql_done(rq, sql, ...) sql_done_values(rq, sql, SQL_VALUES(__VA_ARGS__))

#define SQL_VALUES(...)                                                                                                \
	(int)(sizeof((const char *[]){ NULL, ##__VA_ARGS__ }) / sizeof(char *)) - 1,                                   \
		(const char *[]){ NULL, ##__VA_ARGS__ } + 1

int sql_reply_values(struct request *rq, int status, const struct sql *sql, int count, const char *const *values);
json_t *sql_row_values(struct request *rq, const struct sql *sql, int count, const char *const *values);
json_t *sql_maybe_values(struct request *rq, const struct sql *sql, int count, const char *const *values);
bool sql_done_values(struct request *rq, const struct sql *sql, int count, const char *const *values);
