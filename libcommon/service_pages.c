/* The pages beside the contract, for those who operate the service: /livez, /readyz, /metrics; and the contract's own
 * /status. */
#include "service_pages.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "db.h"
#include "dispatch_state.h"
#include "events.h"
#include "metrics.h"

static struct db *the_db;
static atomic_bool stopping;

void service_pages_start(struct db *db)
{
	the_db = db;
}

void service_pages_stop(void)
{
	stopping = true;
}

bool service_stopping(void)
{
	return stopping;
}

void service_gauges(metrics_writer *write, void *out)
{
	struct db_gauges db = db_gauges(the_db);
	struct events_gauges events = events_gauges();

	write(out, "portico_db_connections", "Connections to the database.", "state=\"open\"", db.open);
	write(out, "portico_db_connections", NULL, "state=\"in_use\"", db.in_use);
	write(out, "portico_db_waiting", "Threads that wait for a connection.", "", db.waiting);
	write(out, "portico_db_wait_timeouts_total", "Waits that ran out.", "", (double)db.timeouts);
	write(out, "portico_outbox_depth", "Events not yet in the stream.", "", (double)events.outbox_depth);
	write(out, "portico_outbox_age_seconds", "Age of the oldest of them.", "", events.outbox_age);
	write(out, "portico_consumer_lag", "Events not yet given to this service.", "", (double)events.lag);
	write(out, "portico_consumer_pending", "Events given and not yet done.", "", (double)events.pending);
	write(out, "portico_dead_letters", "Events given up, until they are redriven.", "",
		(double)events.dead_letters);
	write(out, "portico_redis_up", "1 while Redis answers.", "", events.redis_alive);
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
