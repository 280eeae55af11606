/* One connection: opened within a bound, driven in pipeline mode, every wait with a deadline. Shared by the pool, the
 * relay's session and the migrations' check; knows no pool. */
#pragma once
#include "db.h"

enum {
	DB_STATEMENT_TIMEOUT_MS = 5000,
	DB_LOCK_TIMEOUT_MS = 2000,
	DB_IDLE_IN_TRANSACTION_MS = 10000,
	DB_CONNECT_MS = 2000,
	DB_EXCHANGE_MS = 6000, /* a little more than the server's own timeout, so that the server speaks first */
	DB_STEPS_MAX = 12,
};

struct connection {
	PGconn *pg;
	bool *prepared; /* by place: libcommon's own few, its statements, the set's */
	bool broken;	/* lost, or in a state nobody knows: only to be closed */
};

/* A statement with its place in connection.prepared. */
struct prepared {
	char name[96];
	const char *text;
	int place;
};

/* What travels in one round trip. */
struct exchange {
	struct connection *connection;
	int count;
	struct step {
		int place;   /* ≥ 0: this step prepares that statement */
		bool wanted; /* its result is the exchange's */
	} steps[DB_STEPS_MAX];
};

/* NULL and *failure when the server does not answer within DB_CONNECT_MS. places: how many statements it may prepare.
 */
struct connection *connection_open(
	const char *conninfo, const char *application, int places, struct db_failure *failure);
void connection_close(struct connection *connection);
/* False when an idle connection has been closed or spoken to by the server meanwhile. */
bool connection_fresh(const struct connection *connection);

/* Queues the statement, preceded by its preparation when it is the first time. Nothing is sent yet. */
void exchange_add(
	struct exchange *exchange, const struct prepared *statement, int count, const char *const *values, bool wanted);
/* Sends all, reads all. The wanted result (the caller's), or NULL with *failure. *ret_step, when not NULL, is the step
 * that failed. */
PGresult *exchange_run(struct exchange *exchange, int timeout_ms, struct db_failure *failure, int *ret_step);

/* The wall of time that a bounded wait runs against. */
long long monotonic_ms(void);
