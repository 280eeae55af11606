/* The feed's upkeep and its gauges. */
#include "feed.h"
#include <stdio.h>
#include "metrics.h"
#include "notifications.sql.h"
#include "webhook.h"

static int run_while(struct request *rq, const struct sql *sql, const char *count)
{
	json_t *row = sql_row_values(rq, sql, 0, NULL);

	if (!row)
		return rq->status;
	return reply_empty(rq, json_int(row, count) > 0 ? 200 : 204);
}

int tend_webhooks(struct request *rq)
{
	return run_while(rq, SQL_TEND_WEBHOOKS, "moved");
}

int sweep_feed(struct request *rq)
{
	return run_while(rq, SQL_SWEEP_FEED, "removed");
}

int sweep_subscriptions(struct request *rq)
{
	return run_while(rq, SQL_SWEEP_SUBSCRIPTIONS, "removed");
}

static void feed_gauges(metrics_writer *write, void *out)
{
	int known = 0, flying = 0, down = 0;

	webhooks_lock();
	for (const struct hook *hook = hooks; hook; hook = hook->next) {
		known += hook->known;
		flying += hook->flying;
		down += hook_is_down(hook);
	}
	webhooks_unlock();
	write(out, "portico_webhook_known", "Deliveries in memory: queued, on their way or not settled yet.", "",
		known);
	write(out, "portico_webhook_in_flight", "Deliveries on their way.", "", flying);
	write(out, "portico_webhook_endpoints_down", "Endpoints that do not answer.", "", down);
	write(out, "portico_feed_lag", "Events that are not in the feed yet.", "", (double)collector_lag());
}

bool feed_start(void)
{
	if (!sender_start()) {
		fprintf(stderr,
			"notifications: PORTICO_WEBHOOK_NETWORKS is a list of networks like 10.1.0.0/16, by comma\n");
		return false;
	}
	readers_start();
	metrics_add_source(feed_gauges);
	return true;
}
