/* The inside of a running request, shared by dispatch.c, background.c, request.c and sql.c. */
#pragma once
#include <time.h>
#include "db.h"
#include "service.h"

struct dispatch_state {
	struct db *db;
	struct path_values path_values;	     /* of rq->path, by rq->contract */
	struct db_transaction *transaction;  /* open since the first statement; NULL before and after */
	bool transactional;		     /* all statements share one transaction */
	const char *event_source, *event_id; /* the inbox row that opens the transaction of an event */
	bool duplicate;			     /* that event was handled before: nothing to do */
	const char *fingerprint;	     /* of a request with an Idempotency-Key */
	bool replayed;			     /* the answer is a stored one: nothing to commit */
	struct timespec started;
	int patience_ms; /* of who waits for the answer, since then; 0: not known */
};

/* The settings that the statements of rq run under. */
struct db_settings request_settings(const struct request *rq);

/* The shared transaction, begun when it is not open yet; NULL: already answered. */
struct db_transaction *request_transaction(struct request *rq);

/* Answers rq with what a failed statement maps to. */
int request_failed(struct request *rq, const struct db_failure *failure);

/* The clock starts and the log lines of this thread carry the request's ids. */
void request_open(struct request *rq, const struct service *service, struct db *db);
/* Runs the handler; one that did not answer is a bug and answers 500. */
void request_run(struct request *rq, operation_handler *handle);
/* Ends the transaction, if one was opened: success commits, anything else rolls back. */
void request_close(struct request *rq);
bool request_succeeded(const struct request *rq);
double request_seconds(const struct request *rq);
