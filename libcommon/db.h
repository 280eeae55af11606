/* PostgreSQL: a bounded pool, statements prepared on first use, and settings that row security decides by.
 * Knows nothing of HTTP beyond the status that an SQLSTATE maps to. Answers no request: sql.h does, on top of this. */
#pragma once
#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

struct sql { /* one statement of sql/, embedded by CMake: "create_practice" is SQL_CREATE_PRACTICE */
	const char *name;
	int index;
	const char *text;
};

struct sql_set { /* all statements and migrations of one service, ordered by name */
	const char *name;
	const struct sql *statements;
	int statement_count;
	const struct sql *migrations;
	int migration_count;
};

/* What a transaction runs under; NULL members are set to ''. No setting, no rows. */
struct db_settings {
	const char *tenant;	/* app.tenant: operators, partners, events */
	const char *subject;	/* app.subject: citizens, or those they represent */
	const char *request_id; /* app.request_id, app.traceparent: recorded with each event emitted */
	const char *traceparent;
	int patience_ms; /* no statement takes longer; 0: than any may */
	bool worker; /* SET LOCAL ROLE to the service's worker role, which sees every tenant: background work only */
};

struct db_failure {
	int status; /* 0: none; else the HTTP status it maps to (409, 422, 404, 503, 500) */
	char sqlstate[6];
	char slug[64];	  /* problem slug, e.g. from RAISE … USING ERRCODE 'PT409', MESSAGE 'slot-taken' */
	char detail[256]; /* from DETAIL of that RAISE; never the server's own message */
	int retry_after;  /* seconds, with 503 */
};

struct db;
struct db_transaction;

/* set's and libcommon's statements may be run. pool_size connections at most, opened when needed. */
struct db *db_new(const char *conninfo, const struct sql_set *set, int pool_size, int wait_ms);
void db_free(struct db *db);

/* BEGIN, settings, the statement and COMMIT in one round trip. The result (the caller's, PQclear) or NULL with
 * *failure. */
PGresult *db_run(struct db *db, const struct db_settings *settings, const struct sql *sql, int count,
	const char *const *values, struct db_failure *failure);

/* A transaction of several statements. BEGIN and settings travel with the first statement. After a failure only
 * db_rollback is left. db_commit and db_rollback give the transaction back; db_commit is false when the commit failed.
 * The settings' strings are borrowed until the first statement. */
struct db_transaction *db_begin(struct db *db, const struct db_settings *settings, struct db_failure *failure);
PGresult *db_query(struct db_transaction *transaction, const struct sql *sql, int count, const char *const *values,
	struct db_failure *failure);
bool db_commit(struct db_transaction *transaction, struct db_failure *failure);
void db_rollback(struct db_transaction *transaction);

/* SELECT 1 within a second: for /readyz. */
bool db_alive(struct db *db);

struct db_gauges {
	int open, in_use, waiting;
	unsigned long timeouts; /* bounded waits that ran out */
};
struct db_gauges db_gauges(struct db *db);

/* migrate.c: applies libcommon's migrations, then the set's, in order, under an advisory lock, each in its own
 * transaction together with its checksum; a changed file that was already applied is an error. Prints what it does. 0
 * or an exit code. */
int migrate_run(const char *owner_conninfo, const struct sql_set *set);
/* Prepares every statement against the migrated database; prints each one that fails. 0 or an exit code. */
int migrate_check(const char *conninfo, const struct sql_set *set);
/* True when every embedded migration is applied with its checksum; *ret_missing (static storage) names the first that
 * is not. */
bool migrate_done(struct db *db, const struct sql_set *set, const char **ret_missing);
