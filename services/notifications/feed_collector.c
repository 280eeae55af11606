/* Owns the way of events into the feed: whole batches from the stream of each service, each batch in one transaction
 * with the position that it ends at, so that an event is in the feed once whatever happens to this process, and only
 * the replica that leads collects. What has no tenant is nobody's to read and is left out. */
#include "feed.h"
#include "db_connection.h"
#include "schema.h"
#include "metrics.h"
#include "notifications.sql.h"
#include "session.h"
#include "stream.h"
#include "tasks.h"

enum { BATCH = 500, LOOK_EVERY_MS = 1000 };
static const char *const sources[] = { "identity", "dossier", "payments", "notifications", "booking", "protocol" };
enum { SOURCES = sizeof sources / sizeof *sources };
static const char group[] = "feed";

static struct stream streams[SOURCES];
static json_t *taken[SOURCES]; /* of the batch that is being read */
static redisContext *redis;
static bool placed;

static bool is_id(const char *text)
{
	return text && format_holds("uuid", text);
}

/* The envelopes are our own; what is no envelope got into Redis by another way, and is not an event. */
static void take(struct stream *stream, long long position, const char *envelope)
{
	json_auto_t *event = json_loads(envelope, JSON_REJECT_DUPLICATES, NULL);
	const char *tenant = json_text(event, "tenant"), *id = json_text(event, "id"), *type = json_text(event, "type"),
		   *subject = json_text(event, "subject");

	if (!is_id(id) || !type || (subject && !is_id(subject))) {
		log_error("an entry of a stream is no event", "{s:s s:I}", "source", stream->source, "position",
			(json_int_t)position);
		metrics_count("portico_feed_refused_total", "source", stream->source);
		return;
	}
	if (tenant)
		json_array_append_new(taken[stream - streams],
			json_pack("{s:I s:s s:s s:s s:s? s:s}", "position", (json_int_t)position, "tenant", tenant,
				"id", id, "type", type, "subject", subject, "envelope", envelope));
}

/* Where the database says, which another replica may have brought further. */
static bool place(struct request *rq)
{
	json_t *positions = sql_row(rq, SQL_LIST_FEED_SOURCES);

	if (!positions)
		return false;
	if (!redis)
		redis = redis_open(config("PORTICO_REDIS"));
	for (int i = 0; redis && i < SOURCES; i++) {
		stream_init(&streams[i], sources[i]);
		streams[i].seen = json_int(positions, sources[i]);
		if (!stream_place(&redis, group, &streams[i]))
			return false;
	}
	return redis != NULL;
}

static bool store(struct request *rq, int i)
{
	const char *last = arena_printf(rq->arena, "%lld", (long long)streams[i].seen);
	json_t *result = sql_row(rq, SQL_COLLECT_EVENTS, sources[i], last, json_sql(rq, taken[i]));

	if (result && json_int(result, "taken") > 0)
		tasks_wake("keep-webhooks");
	return result != NULL;
}

static bool collect_once(struct request *rq)
{
	struct stream *all[SOURCES];
	long long before[SOURCES];
	bool good;

	for (int i = 0; i < SOURCES; i++) {
		all[i] = &streams[i];
		before[i] = streams[i].seen;
		taken[i] = arena_json(rq->arena, json_array());
	}
	good = stream_read(&redis, group, all, SOURCES, BATCH, take);
	for (int i = 0; i < SOURCES; i++) {
		if (streams[i].seen > before[i] && !store(rq, i))
			return false;
	}
	return good;
}

long collector_lag(void)
{
	long lag = 0;

	for (int i = 0; i < SOURCES; i++) {
		if (streams[i].last > streams[i].seen)
			lag += (long)(streams[i].last - streams[i].seen);
	}
	return lag;
}

static void look_ahead(void)
{
	static long long looked_at;

	if (monotonic_ms() - looked_at < LOOK_EVERY_MS)
		return;
	looked_at = monotonic_ms();
	for (int i = 0; redis && i < SOURCES; i++)
		stream_look_ahead(&redis, &streams[i]);
}

/* Reading waits up to a second by itself, so that this is run again at once as long as it goes well. */
int collect_events(struct request *rq)
{
	if (!session_leads()) {
		placed = false;
		return reply_empty(rq, 204);
	}
	placed = (placed || place(rq)) && collect_once(rq);
	look_ahead();
	rq->status = 0;
	return reply_empty(rq, placed ? 200 : 204);
}
