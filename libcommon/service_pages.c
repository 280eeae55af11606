/* The pages beside the contract, for those who operate the service: /livez, /readyz, /metrics; and the contract's own
 * /status. */
#include "service_pages.h"
#include <stdlib.h>
#include <string.h>
#include "db.h"
#include "dispatch_state.h"
#include "events.h"
#include "metrics.h"

static struct db *the_db;
static bool stopping;

void service_pages_start(struct db *db)
{
	the_db = db;
}

void service_pages_stop(void)
{
	stopping = true;
}

void service_gauges(void (*gauge)(void *out, const char *name, const char *labels, double value), void *out)
{
	struct db_gauges db = db_gauges(the_db);
	struct events_gauges events = events_gauges();

	gauge(out, "portico_db_connections", "state=\"open\"", db.open);
	gauge(out, "portico_db_connections", "state=\"in_use\"", db.in_use);
	gauge(out, "portico_db_waiting", "", db.waiting);
	gauge(out, "portico_db_wait_timeouts_total", "", (double)db.timeouts);
	gauge(out, "portico_outbox_depth", "", (double)events.outbox_depth);
	gauge(out, "portico_outbox_age_seconds", "", events.outbox_age);
	gauge(out, "portico_consumer_lag", "", (double)events.lag);
	gauge(out, "portico_consumer_pending", "", (double)events.pending);
	gauge(out, "portico_dead_letters", "", (double)events.dead_letters);
	gauge(out, "portico_redis_up", "", events.redis_alive);
}

static void show_metrics(struct request *rq)
{
	char *page = metrics_page_dup(rq->service->name);

	reply_text(rq, 200, "text/plain; version=0.0.4", page);
	free(page);
}

static void show_readiness(struct request *rq)
{
	if (stopping)
		reply_text(rq, 503, "text/plain", "stopping\n");
	else if (!db_alive(the_db))
		reply_text(rq, 503, "text/plain", "the database does not answer\n");
	else
		reply_text(rq, 200, "text/plain", "ready\n");
}

bool service_page(struct request *rq)
{
	if (strcmp(rq->path, "/livez") == 0)
		reply_text(rq, 200, "text/plain", "alive\n");
	else if (strcmp(rq->path, "/readyz") == 0)
		show_readiness(rq);
	else if (strcmp(rq->path, "/metrics") == 0)
		show_metrics(rq);
	return rq->status != 0;
}

int show_status(struct request *rq)
{
	if (!db_alive(rq->state->db)) {
		reply_header(rq, "Retry-After", "5");
		return problem(rq, 503, "unavailable", "The database does not answer.");
	}
	reply_json(rq, 200,
		json_make(rq, "{s:s s:s s:i s:s}", "type", "about:blank", "title", "OK", "status", 200, "detail",
			"The service is up."));
	rq->reply_type = "application/problem+json";
	return 200;
}
