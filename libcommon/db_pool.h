/* The pool: at most so many connections, opened when needed, waited for within a bound. */
#pragma once
#include <pthread.h>
#include "db_connection.h"

/* Places of connection.prepared: libcommon's own few first, then libcommon's statements, then the set's. */
enum { PLACE_BEGIN, PLACE_SETTINGS, PLACE_COMMIT, PLACE_ROLLBACK, PLACE_ALIVE, PLACES_OWN };

struct db {
	char *conninfo;
	char application[64];
	const struct sql_set *set;
	int size, wait_ms;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	struct connection **idle; /* a stack: the one used last is warm */
	int idle_count, open, waiting;
	unsigned long timeouts;
};

/* A connection that was alive a moment ago, or NULL and *failure. */
struct connection *pool_take(struct db *db, struct db_failure *failure);
/* Gives it back; closes it when it is broken or not between transactions. */
void pool_give(struct db *db, struct connection *connection);

/* How many statements a connection of this set may prepare, and where this one stands. */
int prepared_places(const struct sql_set *set);
struct prepared prepared_of(const struct sql_set *set, const struct sql *sql);
