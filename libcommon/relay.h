/* From the outbox to the Redis stream of this service. Driven by the session's thread; see relay.c for why nothing is
 * lost. */
#pragma once
#include <stdbool.h>
#include "db_connection.h"

struct relay;

struct relay *relay_new(const char *service, const char *redis);
void relay_free(struct relay *relay);

enum relay_result {
	RELAY_WORKED, /* there may be more */
	RELAY_IDLE,   /* the stream has all that is committed */
	RELAY_SLOW,   /* the stream is full of what a live consumer has not read yet */
	RELAY_FAILED, /* Redis or the database does not answer */
};

/* Moves one batch, on a connection with the worker's role. */
enum relay_result relay_step(struct relay *relay, struct connection *session);

/* Read by other threads: whether Redis answered last, and the last position that it has (-1: not known). */
bool relay_redis_alive(const struct relay *relay);
long long relay_position(const struct relay *relay);

/* Statements of the session, which the relay's come after. */
enum {
	SESSION_LISTEN_OUTBOX,
	SESSION_LISTEN_TASKS,
	SESSION_ROLE,
	SESSION_LEAD,
	SESSION_SLEEP,
	SESSION_WAKE,
	SESSION_BATCH,
	SESSION_TOP,
	SESSION_PLACES
};
