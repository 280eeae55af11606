/* Owns the connections. A connection that died while it was idle is replaced before anything is sent on it, so a
 * restarted server costs nobody an error; one that dies under a statement is dropped, and the statement is not
 * repeated. */
#include "db_pool.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common.sql.h"
#include "db_failure.h"
#include "deadline.h"

int prepared_places(const struct sql_set *set)
{
	return PLACES_OWN + common_sql.statement_count + set->statement_count;
}

struct prepared prepared_of(const struct sql_set *set, const struct sql *sql)
{
	bool common = sql >= common_sql.statements && sql < common_sql.statements + common_sql.statement_count;
	const struct sql_set *home = common ? &common_sql : set;
	struct prepared prepared = { .text = sql->text, .place = PLACES_OWN + sql->index };

	if (sql != home->statements + sql->index)
		abort();
	if (!common)
		prepared.place += common_sql.statement_count;
	snprintf(prepared.name, sizeof prepared.name, "%s.%s", common ? "common" : "own", sql->name);
	return prepared;
}

struct db *db_new(const char *conninfo, const struct sql_set *set, int pool_size, int wait_ms)
{
	struct db *db = calloc(1, sizeof *db);
	pthread_condattr_t monotonic;

	if (!db)
		abort();
	db->conninfo = strdup(conninfo);
	db->idle = calloc((size_t)pool_size, sizeof(*db->idle));
	if (!db->conninfo || !db->idle)
		abort();
	snprintf(db->application, sizeof db->application, "portico-%s", set->name);
	db->set = set;
	db->size = pool_size;
	db->wait_ms = wait_ms;
	pthread_mutex_init(&db->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&db->freed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return db;
}

void db_free(struct db *db)
{
	if (!db)
		return;
	while (db->idle_count > 0)
		connection_close(db->idle[--db->idle_count]);
	pthread_cond_destroy(&db->freed);
	pthread_mutex_destroy(&db->lock);
	free(db->idle);
	free(db->conninfo);
	free(db);
}

/* With the lock held: waits until a connection is idle or may be opened. False when that took too long. */
static bool wait_for_place(struct db *db)
{
	struct timespec deadline = deadline_in(CLOCK_MONOTONIC, db->wait_ms);
	int error = 0;

	db->waiting++;
	while (db->idle_count == 0 && db->open == db->size && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&db->freed, &db->lock, &deadline);
	db->waiting--;
	if (db->idle_count == 0 && db->open == db->size) {
		db->timeouts++;
		return false;
	}
	return true;
}

static void forget(struct db *db)
{
	pthread_mutex_lock(&db->lock);
	db->open--;
	pthread_cond_signal(&db->freed);
	pthread_mutex_unlock(&db->lock);
}

static struct connection *open_new(struct db *db, struct db_failure *failure)
{
	struct connection *connection =
		connection_open(db->conninfo, db->application, prepared_places(db->set), failure);

	if (!connection)
		forget(db);
	return connection;
}

struct connection *pool_take(struct db *db, struct db_failure *failure)
{
	for (;;) {
		struct connection *connection = NULL;

		pthread_mutex_lock(&db->lock);
		bool found = wait_for_place(db);
		if (found && db->idle_count > 0)
			connection = db->idle[--db->idle_count];
		else if (found)
			db->open++;
		pthread_mutex_unlock(&db->lock);
		if (!found) {
			db_failure_unavailable("53300", failure);
			return NULL;
		}
		if (!connection)
			return open_new(db, failure);
		if (connection_fresh(connection))
			return connection;
		connection_close(connection);
		forget(db);
	}
}

void pool_give(struct db *db, struct connection *connection)
{
	if (connection->broken || PQtransactionStatus(connection->pg) != PQTRANS_IDLE) {
		connection_close(connection);
		forget(db);
		return;
	}
	pthread_mutex_lock(&db->lock);
	db->idle[db->idle_count++] = connection;
	pthread_cond_signal(&db->freed);
	pthread_mutex_unlock(&db->lock);
}

struct db_gauges db_gauges(struct db *db)
{
	pthread_mutex_lock(&db->lock);
	struct db_gauges gauges = { db->open, db->open - db->idle_count, db->waiting, db->timeouts };
	pthread_mutex_unlock(&db->lock);
	return gauges;
}
