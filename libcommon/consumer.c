/* Owns the reading of streams. The position of a source in this service's own database is the truth about what had its
 * effect; the group in Redis only shows it to the relay and to operators, and is made again from the position whenever
 * it is missing. So there is nothing to acknowledge and nothing to claim: XREADGROUP … NOACK, and after a crash reading
 * starts behind the stored position, with the inbox sorting out what was done already. */
#include "consumer.h"
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common.sql.h"
#include "db_connection.h"
#include "lanes.h"
#include "log.h"
#include "redis.h"
#include "scope.h"
#include "session.h"

enum { SOURCES_MAX = 16, SAVE_EVERY_MS = 1000, FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 2000 };
#define TYPE_PREFIX "it.portico."

static const struct db_settings worker = { .worker = true };
static struct events_options options;
static struct source sources[SOURCES_MAX];
static int source_count;
static redisContext *redis;
static pthread_t thread;
static bool running, reading; /* reading: the thread is to be joined */
static long long last_save;

const struct event_consumer *consumer_of(const struct event_consumer *consumers, const char *source, const char *type)
{
	if (!consumers || !type || strncmp(type, TYPE_PREFIX, strlen(TYPE_PREFIX)) != 0)
		return NULL;
	for (; consumers->source; consumers++) {
		if (strcmp(consumers->source, source) == 0 && strcmp(consumers->type, type + strlen(TYPE_PREFIX)) == 0)
			return consumers;
	}
	return NULL;
}

static struct source *source_named(const char *name)
{
	for (int i = 0; i < source_count; i++) {
		if (strcmp(sources[i].name, name) == 0)
			return &sources[i];
	}
	return NULL;
}

static bool collect_sources(const struct event_consumer *consumers)
{
	source_count = 0;
	for (; consumers && consumers->source; consumers++) {
		if (source_named(consumers->source))
			continue;
		if (source_count == SOURCES_MAX)
			return false;
		struct source *source = &sources[source_count++];
		*source = (struct source){ .name = consumers->source };
		snprintf(source->stream, sizeof source->stream, "portico:events:%s", source->name);
		snprintf(source->replay, sizeof source->replay, "portico:events:%s:replay", source->name);
	}
	return true;
}

/* Another replica may have gone further while this one did not lead. */
static bool load_positions(void)
{
	struct db_failure failure;
	auto_result PGresult *rows = db_run(options.db, &worker, SQL_LIST_EVENT_POSITIONS, 0, NULL, &failure);

	if (!rows)
		return false;
	for (int i = 0; i < PQntuples(rows); i++) {
		struct source *source = source_named(PQgetvalue(rows, i, 0));
		long long position = atoll(PQgetvalue(rows, i, 1));

		if (source && source->saved < position)
			source->saved = position;
		if (source && source->seen < position)
			source->seen = position;
	}
	return true;
}

static void save_positions(void)
{
	last_save = monotonic_ms();
	for (int i = 0; i < source_count; i++) {
		long long done = lanes_done(&sources[i]);
		struct db_failure failure;
		char position[24];

		if (done <= sources[i].saved)
			continue;
		snprintf(position, sizeof position, "%lld", done);
		auto_result PGresult *result = db_run(options.db, &worker, SQL_SET_EVENT_POSITION, 2,
			(const char *[]){ sources[i].name, position }, &failure);
		if (!result)
			return; /* it would keep us waiting for the next ones, too */
		sources[i].saved = done;
	}
}

/* The group stands where this reader is, whatever Redis remembers of it. */
static bool place_group(struct source *source)
{
	char id[32];

	snprintf(id, sizeof id, "%lld-0", (long long)source->seen);
	auto_reply redisReply *created =
		redis_do(&redis, "XGROUP", "CREATE", source->stream, options.service, id, "MKSTREAM");
	if (!created)
		return false;
	if (created->type != REDIS_REPLY_ERROR)
		return true;
	auto_reply redisReply *placed = redis_do(&redis, "XGROUP", "SETID", source->stream, options.service, id);
	return placed && placed->type != REDIS_REPLY_ERROR;
}

static bool place_groups(void)
{
	for (int i = 0; i < source_count; i++) {
		if (!place_group(&sources[i]))
			return false;
	}
	return true;
}

static char *text_dup(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return strdup(text ? text : "");
}

/* One entry: its position, then previous and event as name, value, name, value. */
static void hand_over(struct source *source, long long position, const redisReply *fields)
{
	const char *envelope = fields->elements == 4 ? fields->element[3]->str : "";
	json_auto_t *event = json_loads(envelope, JSON_REJECT_DUPLICATES, NULL);
	const char *type = json_string_value(json_object_get(event, "type"));
	const struct event_consumer *consumer = consumer_of(options.consumers, source->name, type);

	source->seen = position;
	if (!consumer) {
		lanes_pass(source, position);
		return;
	}
	struct entry *entry = calloc(1, sizeof *entry);
	if (!entry)
		abort();
	entry->source = source;
	entry->position = position;
	entry->consumer = consumer;
	entry->id = text_dup(event, "id");
	entry->tenant = text_dup(event, "tenant");
	entry->aggregate = text_dup(event, "aggregate");
	entry->envelope = strdup(envelope);
	lanes_add(entry);
}

/* Entries between the last one read and this one are gone from the stream: asks the relay to fill it again from there.
 */
static void ask_for_replay(struct source *source)
{
	char position[24];

	snprintf(position, sizeof position, "%lld", (long long)source->seen);
	auto_reply redisReply *reply = redis_do(&redis, "SET", source->replay, position, "NX");
	log_warning("events are missing from the stream", "{s:s s:I s:b}", "source", source->name, "after",
		(json_int_t)source->seen, "asked", reply != NULL);
}

/* The entries of one stream. False when some are missing before them: they are not taken. */
static bool take_entries(struct source *source, const redisReply *entries)
{
	for (size_t i = 0; i < entries->elements; i++) {
		const redisReply *entry = entries->element[i];

		if (entry->elements != 2 || entry->element[1]->type != REDIS_REPLY_ARRAY)
			continue;
		const redisReply *fields = entry->element[1];
		long long previous = fields->elements == 4 ? redis_position(fields->element[1]) : 0;
		long long position = redis_position(entry->element[0]);
		if (previous > source->seen) {
			ask_for_replay(source);
			return false;
		}
		if (position > source->seen)
			hand_over(source, position, fields);
	}
	return true;
}

static redisReply *read_group(void)
{
	const char *arguments[10 + 2 * SOURCES_MAX] = { "XREADGROUP", "GROUP", options.service, options.service,
		"COUNT", NULL, "BLOCK", "1000", "NOACK", "STREAMS" };
	struct source *ready[SOURCES_MAX];
	int ready_count = 0, room = SOURCE_WINDOW, count = 10;
	char limit[16];

	for (int i = 0; i < source_count; i++) {
		int here = lanes_room(&sources[i]);

		if (here <= 0)
			continue;
		ready[ready_count++] = &sources[i];
		room = here < room ? here : room;
	}
	snprintf(limit, sizeof limit, "%d", room);
	arguments[5] = limit;
	for (int i = 0; i < ready_count; i++)
		arguments[count++] = ready[i]->stream;
	for (int i = 0; i < ready_count; i++)
		arguments[count++] = ">";
	return redis_call(&redis, count, arguments);
}

static bool any_room(void)
{
	for (int i = 0; i < source_count; i++) {
		if (lanes_room(&sources[i]) > 0)
			return true;
	}
	return false;
}

/* Reads and hands over once. False when the groups must be placed again: Redis is gone or has lost them, or entries are
 * missing. */
static bool read_once(void)
{
	if (!any_room()) {
		lanes_wait_for_room(SAVE_EVERY_MS);
		return true;
	}
	auto_reply redisReply *reply = read_group();
	if (!reply || reply->type == REDIS_REPLY_ERROR)
		return false;
	for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
		const redisReply *stream = reply->element[i];
		struct source *source = NULL;

		for (int k = 0; k < source_count; k++) {
			if (strcmp(sources[k].stream, stream->element[0]->str) == 0)
				source = &sources[k];
		}
		if (source && !take_entries(source, stream->element[1]))
			return false;
	}
	return true;
}

/* How far the streams are, for the lag. */
static void look_ahead(void)
{
	for (int i = 0; redis && i < source_count; i++) {
		auto_reply redisReply *info = redis_do(&redis, "XINFO", "STREAM", sources[i].stream);

		for (size_t k = 0; info && info->type == REDIS_REPLY_ARRAY && k + 1 < info->elements; k += 2) {
			if (strcmp(info->element[k]->str, "last-generated-id") == 0)
				sources[i].stream_last = redis_position(info->element[k + 1]);
		}
	}
}

static void read_while_leading(void)
{
	while (session_leads() && !events_stopping() && read_once()) {
		if (monotonic_ms() - last_save < SAVE_EVERY_MS)
			continue;
		save_positions();
		look_ahead();
		if (!redis)
			return;
	}
}

static void *run(void *unused)
{
	int pause = FIRST_PAUSE_MS;

	while (!events_stopping()) {
		long long began = monotonic_ms();

		if (session_leads() && !redis)
			redis = redis_open(options.redis);
		if (session_leads() && redis && load_positions() && place_groups())
			read_while_leading();
		save_positions();
		pause = monotonic_ms() - began > 1000  ? FIRST_PAUSE_MS
			: pause < LONGEST_PAUSE_MS / 2 ? pause * 2
						       : LONGEST_PAUSE_MS;
		events_pause(session_leads() ? pause : FIRST_PAUSE_MS);
	}
	return NULL;
}

bool consumer_start(const struct events_options *given)
{
	options = *given;
	running = false;
	if (!collect_sources(options.consumers))
		return false;
	if (source_count == 0)
		return true;
	running = reading = lanes_start(&options) && pthread_create(&thread, NULL, run, NULL) == 0;
	return running;
}

bool consumer_stop(const struct timespec *deadline)
{
	if (!running)
		return true;
	bool lanes_stopped = lanes_stop(deadline);
	reading = reading && pthread_timedjoin_np(thread, NULL, deadline) != 0;
	if (reading || !lanes_stopped)
		return false;
	save_positions();
	lanes_forget();
	if (redis)
		redisFree(redis);
	redis = NULL;
	running = false;
	return true;
}

void consumer_gauges(long *ret_lag, long *ret_pending)
{
	*ret_lag = 0;
	*ret_pending = running ? lanes_pending() : 0;
	for (int i = 0; i < source_count; i++) {
		if (sources[i].stream_last > sources[i].seen)
			*ret_lag += (long)(sources[i].stream_last - sources[i].seen);
	}
}
