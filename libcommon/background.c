/* Owns the requests that no client waits for: deliveries of events and runs of tasks. They use the same handlers' tools
 * as HTTP requests do, so a handler does not care what brought it. */
#include "background.h"
#include "dispatch_state.h"
#include "metrics.h"
#include "trace.h"

static const struct service *the_service;
static struct db *the_db;

void background_start(const struct service *service, struct db *db)
{
	the_service = service;
	the_db = db;
}

/* A request that no client waits for. */
static struct request *background_request(struct arena *arena, const char *path_shown)
{
	struct request *rq = arena_alloc(arena, sizeof *rq);

	*rq = (struct request){
		.arena = arena, .method = "", .path = path_shown, .body = "", .reply_body = (char *)"", .reply_file = -1
	};
	rq->caller = (struct caller){ .kind = CALLER_SERVICE, .client = the_service->name, .scope = "service" };
	return rq;
}

static char *cause_dup(const struct request *rq)
{
	json_auto_t *cause = json_pack(
		"{s:i s:s* s:s*}", "status", rq->status, "problem", rq->problem_slug, "detail", rq->problem_detail);

	return json_dumps(cause, JSON_COMPACT);
}

int background_event(const struct event_consumer *consumer, const char *envelope, char **ret_cause)
{
	struct arena *arena = arena_new();
	struct request *rq = background_request(arena, consumer->type);
	int status;

	*ret_cause = NULL;
	rq->event = json_loads(envelope, JSON_REJECT_DUPLICATES, NULL);
	arena_json(arena, rq->event);
	trace_take(rq, json_text(rq->event, "requestid"), json_text(rq->event, "traceparent"));
	request_open(rq, the_service, the_db);
	rq->tenant = rq->caller.tenant = json_text(rq->event, "tenant");
	rq->state->transactional = true;
	rq->state->event_source = consumer->source;
	rq->state->event_id = json_text(rq->event, "id");
	if (rq->state->event_id)
		request_run(rq, consumer->handle);
	else
		problem(rq, 422, "malformed-event", "The envelope is not JSON or has no id.");
	request_close(rq);
	status = rq->status;
	if (!request_succeeded(rq))
		*ret_cause = cause_dup(rq);
	metrics_request(consumer->type, status, request_seconds(rq));
	log_context(NULL, NULL);
	arena_free(arena);
	return status;
}

int background_task(const struct task *task)
{
	struct arena *arena = arena_new();
	struct request *rq = background_request(arena, task->name);
	int status;

	trace_take(rq, NULL, NULL);
	request_open(rq, the_service, the_db);
	rq->worker = true;
	request_run(rq, task->run);
	request_close(rq);
	status = rq->status;
	if (status >= 500)
		log_warning("task failed", "{s:s s:i s:s*}", "task", task->name, "status", status, "problem",
			rq->problem_slug);
	metrics_request(task->name, status, request_seconds(rq));
	log_context(NULL, NULL);
	arena_free(arena);
	return status;
}
