/* Owns the life of a request whatever brought it (HTTP, an event, a due task): opened, run, its transaction closed. */
#include "dispatch_state.h"
#include "reply.h"
#include "scope.h"

double request_seconds(const struct request *rq)
{
	const struct timespec *started = &rq->state->started;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - started->tv_sec) + (double)(now.tv_nsec - started->tv_nsec) / 1e9;
}

void request_open(struct request *rq, const struct service *service, struct db *db)
{
	rq->service = service;
	rq->state = arena_alloc(rq->arena, sizeof *rq->state);
	rq->state->db = db;
	clock_gettime(CLOCK_MONOTONIC, &rq->state->started);
	log_context(rq->request_id, rq->traceparent);
}

bool request_succeeded(const struct request *rq)
{
	return rq->status >= 200 && rq->status < 400;
}

void request_close(struct request *rq)
{
	struct db_transaction *transaction = steal(rq->state->transaction);
	struct db_failure failure = { 0 };

	if (!transaction)
		return;
	if (!request_succeeded(rq) || rq->state->duplicate || rq->state->replayed) {
		db_rollback(transaction);
		return;
	}
	if (!db_commit(transaction, &failure)) {
		reply_reset(rq);
		request_failed(rq, &failure);
	}
}

void request_run(struct request *rq, operation_handler *handle)
{
	handle(rq);
	if (!rq->status) {
		log_error("handler did not answer", "{s:s}", "operation", rq->contract ? rq->contract->id : rq->path);
		problem(rq, 500, "internal-error", "The request was not answered.");
	}
}
