/* The operations of openapi/feed.yaml, in the order of that file. When a handler runs the contract already holds: the
 * caller has the scope, the input matches its schema. A client sees its own subscriptions, an administrator those of
 * the tenant. */
#include "feed.h"
#include <string.h>
#include "db_connection.h"
#include "destination.h"
#include "notifications.sql.h"
#include "session.h"
#include "webhook.h"

static const char *own_client(const struct request *rq)
{
	return rq->caller.kind == CALLER_OPERATOR ? NULL : rq->caller.client;
}

enum { PACE_MS = 100 };

/* Waits with no connection to the database; what other tenants' events wake it for costs a look, so it looks at most
 * every PACE_MS. */
static int list_events(struct request *rq)
{
	long long until = monotonic_ms() + query_number(rq, "wait", 0) * 1000;
	const char *after = query(rq, "after"), *types = json_sql(rq, json_object_get(rq->parameters, "types"));

	for (;;) {
		unsigned long mark = readers_mark();
		json_t *page = sql_row(rq, SQL_LIST_EVENTS, after, types, query(rq, "subject"), query(rq, "limit"));

		if (!page)
			return rq->status;
		bool more = json_is_true(json_at(page, "more"));
		json_object_del(page, "more");
		if (json_array_size(json_at(page, "items")) || (!more && !readers_wait(mark, until)))
			return reply_json(rq, 200, page);
		after = json_text(page, "next");
		if (!more)
			events_pause(PACE_MS);
	}
}

static int show_settings(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_FEED_SETTINGS);
}

static int replace_settings(struct request *rq)
{
	return sql_reply(rq, 200, SQL_REPLACE_FEED_SETTINGS, rq->body);
}

static int list_subscriptions(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_SUBSCRIPTIONS, own_client(rq), query(rq, "after"), query(rq, "limit"));
}

static bool address_refused(struct request *rq)
{
	const char *url = json_text(rq->json, "url"), *wrong = url ? destination_problem(url) : NULL;

	if (wrong)
		problem(rq, 422, "destination-refused", "%s", wrong);
	return wrong != NULL;
}

static int create_subscription(struct request *rq)
{
	const char *secret = webhook_new_secret(rq->arena);

	if (address_refused(rq))
		return rq->status;
	return sql_reply(rq, 201, SQL_CREATE_SUBSCRIPTION, rq->caller.client, rq->body,
		webhook_seal(rq, rq->tenant, rq->caller.client, secret), secret);
}

static int show_subscription(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_SUBSCRIPTION, path(rq, "subscriptionId"), own_client(rq));
}

static int change_subscription(struct request *rq)
{
	if (address_refused(rq))
		return rq->status;
	return sql_reply(rq, 200, SQL_CHANGE_SUBSCRIPTION, path(rq, "subscriptionId"), own_client(rq), rq->body,
		header(rq, "If-Match"));
}

static int delete_subscription(struct request *rq)
{
	if (!sql_row(rq, SQL_DELETE_SUBSCRIPTION, path(rq, "subscriptionId"), own_client(rq)))
		return rq->status;
	return reply_empty(rq, 204);
}

static int rotate_secret(struct request *rq)
{
	const char *secret = webhook_new_secret(rq->arena);

	return sql_reply(rq, 200, SQL_ROTATE_SUBSCRIPTION_SECRET, path(rq, "subscriptionId"), rq->caller.client,
		webhook_seal(rq, rq->tenant, rq->caller.client, secret), secret, rq->body);
}

static int test_subscription(struct request *rq)
{
	return sql_reply(rq, 202, SQL_TEST_SUBSCRIPTION, path(rq, "subscriptionId"), own_client(rq));
}

static int redrive_subscription(struct request *rq)
{
	return sql_reply(rq, 202, SQL_REDRIVE_SUBSCRIPTION, path(rq, "subscriptionId"), own_client(rq));
}

static int list_deliveries(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_DELIVERIES, path(rq, "subscriptionId"), own_client(rq), query(rq, "state"),
		query(rq, "after"), query(rq, "limit"));
}

static int show_delivery(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_DELIVERY, path(rq, "subscriptionId"), own_client(rq), path(rq, "eventId"));
}

static int redrive_delivery(struct request *rq)
{
	return sql_reply(
		rq, 202, SQL_REDRIVE_DELIVERY, path(rq, "subscriptionId"), own_client(rq), path(rq, "eventId"));
}

const struct operation feed_operations[] = { { "showStatus", show_status }, { "listEvents", list_events },
	{ "showSettings", show_settings }, { "replaceSettings", replace_settings },
	{ "listSubscriptions", list_subscriptions }, { "createSubscription", create_subscription },
	{ "showSubscription", show_subscription }, { "changeSubscription", change_subscription },
	{ "deleteSubscription", delete_subscription }, { "rotateSecret", rotate_secret },
	{ "testSubscription", test_subscription }, { "redriveSubscription", redrive_subscription },
	{ "listDeliveries", list_deliveries }, { "showDelivery", show_delivery },
	{ "redriveDelivery", redrive_delivery }, { 0 } };
