/* Owns what a transaction is: BEGIN, the settings that row security decides by, statements, COMMIT, in as few round
 * trips as can be. A statement is sent at most once, unless the server said, before anything ran, that this connection
 * was over. */
#include "db.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "db_failure.h"
#include "db_pool.h"
#include "scope.h"

struct db_transaction {
	struct db *db;
	struct connection *connection;
	struct db_settings settings;
	bool begun, failed;
};

static const struct prepared begin_statement = { "begin", "BEGIN", PLACE_BEGIN };
static const struct prepared commit_statement = { "commit", "COMMIT", PLACE_COMMIT };
static const struct prepared rollback_statement = { "rollback", "ROLLBACK", PLACE_ROLLBACK };
static const struct prepared alive_statement = { "alive", "SELECT 1", PLACE_ALIVE };
static const struct prepared settings_statement = { "settings",
	"SELECT set_config('statement_timeout', $6, true), set_config('app.tenant', $1, true), "
	"set_config('app.subject', $2, true), set_config('app.request_id', "
	"$3, true), "
	"set_config('app.traceparent', $4, true), "
	"set_config('role', CASE $5 WHEN 'worker' THEN current_database() || '_worker' ELSE 'none' END, true)",
	PLACE_SETTINGS };

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void add_begin(struct exchange *exchange, const struct db_settings *settings)
{
	bool hurried = settings->patience_ms > 0 && settings->patience_ms < DB_STATEMENT_TIMEOUT_MS;
	char timeout[16];
	const char *values[] = { or_empty(settings->tenant), or_empty(settings->subject),
		or_empty(settings->request_id), or_empty(settings->traceparent), settings->worker ? "worker" : "",
		timeout };

	snprintf(timeout, sizeof timeout, "%d", hurried ? settings->patience_ms : DB_STATEMENT_TIMEOUT_MS);
	exchange_add(exchange, &begin_statement, 0, NULL, false);
	exchange_add(exchange, &settings_statement, 6, values, false);
}

/* The server ended this connection before it began: an administrator, a restart, an idle timeout. Nothing has run. */
static bool nothing_ran(const struct db_failure *failure, int step)
{
	return step == 0 && (strncmp(failure->sqlstate, "57P", 3) == 0 || strcmp(failure->sqlstate, "25P03") == 0);
}

struct call {
	struct db *db;
	const struct db_settings *settings;
	const struct sql *sql;
	int count;
	const char *const *values;
	bool commit;
};

/* BEGIN, settings and the statement (and COMMIT) on a connection of the pool; *ret_connection is to be given back. */
static PGresult *first_statement(const struct call *call, struct connection **connection, struct db_failure *failure)
{
	struct prepared statement = prepared_of(call->db->set, call->sql);

	for (int attempt = 0;; attempt++) {
		struct exchange exchange = { .connection = *connection };
		int step = -1;

		add_begin(&exchange, call->settings);
		exchange_add(&exchange, &statement, call->count, call->values, true);
		if (call->commit)
			exchange_add(&exchange, &commit_statement, 0, NULL, false);
		PGresult *result = exchange_run(&exchange, DB_EXCHANGE_MS, failure, &step);
		if (result || attempt > 0 || !nothing_ran(failure, step))
			return result;
		(*connection)->broken = true;
		pool_give(call->db, *connection);
		*connection = pool_take(call->db, failure);
		if (!*connection)
			return NULL;
	}
}

static void roll_back(struct connection *connection)
{
	struct exchange exchange = { .connection = connection };
	struct db_failure ignored;

	if (connection->broken || PQtransactionStatus(connection->pg) == PQTRANS_IDLE)
		return;
	exchange_add(&exchange, &rollback_statement, 0, NULL, false);
	PQclear(exchange_run(&exchange, DB_EXCHANGE_MS, &ignored, NULL));
}

PGresult *db_run(struct db *db, const struct db_settings *settings, const struct sql *sql, int count,
	const char *const *values, struct db_failure *failure)
{
	struct call call = { db, settings, sql, count, values, .commit = true };
	struct connection *connection = pool_take(db, failure);
	PGresult *result;

	if (!connection)
		return NULL;
	result = first_statement(&call, &connection, failure);
	if (connection) {
		roll_back(connection);
		pool_give(db, connection);
	}
	return result;
}

struct db_transaction *db_begin(struct db *db, const struct db_settings *settings, struct db_failure *failure)
{
	struct connection *connection = pool_take(db, failure);
	struct db_transaction *transaction;

	if (!connection)
		return NULL;
	transaction = calloc(1, sizeof *transaction);
	if (!transaction)
		abort();
	*transaction = (struct db_transaction){ db, connection, *settings, false, false };
	return transaction;
}

static PGresult *later_statement(
	struct db_transaction *transaction, const struct call *call, struct db_failure *failure)
{
	struct prepared statement = prepared_of(call->db->set, call->sql);
	struct exchange exchange = { .connection = transaction->connection };

	exchange_add(&exchange, &statement, call->count, call->values, true);
	return exchange_run(&exchange, DB_EXCHANGE_MS, failure, NULL);
}

PGresult *db_query(struct db_transaction *transaction, const struct sql *sql, int count, const char *const *values,
	struct db_failure *failure)
{
	struct call call = { transaction->db, &transaction->settings, sql, count, values, .commit = false };
	PGresult *result;

	if (transaction->failed || !transaction->connection) {
		db_failure_unavailable(NULL, failure);
		return NULL;
	}
	if (transaction->begun)
		result = later_statement(transaction, &call, failure);
	else
		result = first_statement(&call, &transaction->connection, failure);
	transaction->begun = true;
	transaction->failed = !result;
	return result;
}

static void end(struct db_transaction *transaction)
{
	if (transaction->connection)
		pool_give(transaction->db, transaction->connection);
	free(transaction);
}

bool db_commit(struct db_transaction *transaction, struct db_failure *failure)
{
	struct exchange exchange = { .connection = transaction->connection };

	*failure = (struct db_failure){ 0 };
	if (transaction->failed) {
		db_failure_unavailable(NULL, failure);
		db_rollback(transaction);
		return false;
	}
	if (transaction->begun) {
		exchange_add(&exchange, &commit_statement, 0, NULL, false);
		exchange_run(&exchange, DB_EXCHANGE_MS, failure, NULL);
	}
	end(transaction);
	return failure->status == 0;
}

void db_rollback(struct db_transaction *transaction)
{
	if (transaction->begun && transaction->connection)
		roll_back(transaction->connection);
	end(transaction);
}

bool db_alive(struct db *db)
{
	struct db_failure failure;
	struct connection *connection = pool_take(db, &failure);
	auto_result PGresult *result = NULL;

	if (connection) {
		struct exchange exchange = { .connection = connection };

		exchange_add(&exchange, &alive_statement, 0, NULL, true);
		result = exchange_run(&exchange, 1000, &failure, NULL);
		pool_give(db, connection);
	}
	return result != NULL;
}
