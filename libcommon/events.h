/* Events in and out. Out: SQL calls emit_event(…) in the statement of the effect (migrations/0001_common.sql); the
 * relay moves outbox rows to the Redis stream of this service. In: a consumer group per service reads the streams it
 * declares, and runs a handler with an inbox row in the same transaction as the effect. Redis is transport, never
 * truth. */
#pragma once
#include <stdbool.h>
#include "inbox.h"

struct request;

/* Runs with rq->event (the CloudEvents envelope) and app.tenant set to the event's tenant. Outside calls are allowed
 * before the first sql_ call, which opens the transaction. 2xx commits; 404, 409 and 422 are poison and go to the dead
 * letters with their problem. Anything else is retried, with pauses that grow to a minute, while the later events of
 * its aggregate wait behind it: no answer, 503 and other 5xx (something is down, the event is good) for a day, the rest
 * 20 times; then it goes to the dead letters. Where so many wait that no more of their source are read, what is down
 * has 20 attempts, too, and makes room for other aggregates. */
typedef int event_handler(struct request *rq);

struct event_consumer {
	const char *source; /* the emitting service: "dossier" */
	const char *type;   /* "practice.submitted" */
	event_handler *handle;
};

struct events_options {
	const char *service;  /* stream portico:events:SERVICE, group SERVICE */
	const char *redis;    /* host:port */
	const char *database; /* conninfo of the LISTEN connection */
	struct db *db;
	const struct event_consumer *consumers; /* ends with an empty entry; may be NULL */
	/* Runs one delivery: inbox, handler, commit or roll back (dispatch.c). Returns the status, 200 for a duplicate;
	 * *ret_cause (free it) is the problem as JSON when the status is not 2xx. Called from several threads, for one
	 * aggregate from one at a time. */
	int (*deliver)(const struct event_consumer *consumer, const char *envelope, char **ret_cause);
	int pause_ms;	 /* before the first retry, doubled up to a minute; 0: 500 */
	int attempts;	 /* until an event that fails goes to the dead letters; 0: 20 */
	int patience_ms; /* how long one is retried while something is down; 0: a day */
};

bool events_start(const struct events_options *options);
/* Waits for the handlers that run. False: some still do, and use the database; it may be called again. */
bool events_stop(int wait_ms);

/* Asks the running service to deliver its dead letters again; how many there are, or -1. Works from another process,
 * too. */
long dead_letters_redrive(struct db *db);

struct events_gauges {
	long outbox_depth; /* rows not yet in Redis */
	double outbox_age; /* seconds of the oldest of them */
	long lag;	   /* entries that this service's groups have not been given yet */
	long pending;	   /* given and not acknowledged */
	long dead_letters;
	bool redis_alive;
};
struct events_gauges events_gauges(void);
