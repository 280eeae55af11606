/* Owns the reading of streams for handlers. The position of a source in this service's own database is the truth about
 * what had its effect: after a crash reading starts behind the stored position, with the inbox sorting out what was
 * done already. */
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
#include "scope.h"
#include "session.h"
#include "stream.h"

enum { SAVE_EVERY_MS = 1000, FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 2000 };
#define TYPE_PREFIX "it.portico."

static const struct db_settings worker = { .worker = true };
static struct events_options options;
static struct source sources[STREAMS_MAX];
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
		if (strcmp(sources[i].stream.source, name) == 0)
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
		if (source_count == STREAMS_MAX)
			return false;
		sources[source_count] = (struct source){ 0 };
		stream_init(&sources[source_count++].stream, consumers->source);
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
		if (source && source->stream.seen < position)
			source->stream.seen = position;
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
			(const char *[]){ sources[i].stream.source, position }, &failure);
		if (!result)
			return; /* it would keep us waiting for the next ones, too */
		sources[i].saved = done;
	}
}

static bool place_groups(void)
{
	for (int i = 0; i < source_count; i++) {
		if (!stream_place(&redis, options.service, &sources[i].stream))
			return false;
	}
	return true;
}

static char *text_dup(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return strdup(text ? text : "");
}

static void hand_over(struct stream *stream, long long position, const char *envelope)
{
	struct source *source = (struct source *)stream;
	json_auto_t *event = json_loads(envelope, JSON_REJECT_DUPLICATES, NULL);
	const char *type = json_string_value(json_object_get(event, "type"));
	const struct event_consumer *consumer = consumer_of(options.consumers, stream->source, type);

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

/* Reads and hands over once, from the sources that have room. */
static bool read_once(void)
{
	struct stream *ready[STREAMS_MAX];
	int ready_count = 0, room = SOURCE_WINDOW;

	for (int i = 0; i < source_count; i++) {
		int here = lanes_room(&sources[i]);

		if (here <= 0)
			continue;
		ready[ready_count++] = &sources[i].stream;
		room = here < room ? here : room;
	}
	if (ready_count > 0)
		return stream_read(&redis, options.service, ready, ready_count, room, hand_over);
	lanes_wait_for_room(SAVE_EVERY_MS);
	return true;
}

static void read_while_leading(void)
{
	while (session_leads() && !events_stopping() && read_once()) {
		if (monotonic_ms() - last_save < SAVE_EVERY_MS)
			continue;
		save_positions();
		for (int i = 0; redis && i < source_count; i++)
			stream_look_ahead(&redis, &sources[i].stream);
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
		const struct stream *stream = &sources[i].stream;

		if (stream->last > stream->seen)
			*ret_lag += (long)(stream->last - stream->seen);
	}
}
