/* Owns the start and the end of what moves events: the session with its relay, the reader with its lanes. */
#include <time.h>
#include "events.h"
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include "common.sql.h"
#include "consumer.h"
#include "dead_letters.h"
#include "deadline.h"
#include "scope.h"
#include "session.h"

static struct events_options options;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stop_asked; /* monotonic; made by events_start */
static bool stopping, started;

bool events_stopping(void)
{
	pthread_mutex_lock(&lock);
	bool now = stopping;
	pthread_mutex_unlock(&lock);
	return now;
}

bool events_pause(int ms)
{
	struct timespec end = deadline_in(CLOCK_MONOTONIC, ms);

	pthread_mutex_lock(&lock);
	while (!stopping && pthread_cond_timedwait(&stop_asked, &lock, &end) == 0)
		;
	bool go = !stopping;
	pthread_mutex_unlock(&lock);
	return go;
}

bool events_start(const struct events_options *given)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&stop_asked, &monotonic);
	pthread_condattr_destroy(&monotonic);
	options = *given;
	stopping = false;
	started = session_start(&options) && consumer_start(&options);
	return started;
}

bool events_stop(int wait_ms)
{
	struct timespec deadline = deadline_in(CLOCK_REALTIME, wait_ms);

	if (!started)
		return true;
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_broadcast(&stop_asked);
	pthread_mutex_unlock(&lock);
	bool consumer_stopped = consumer_stop(&deadline);
	started = !session_stop(&deadline) || !consumer_stopped;
	return !started;
}

int events_deliver(const char *source, const char *type, const char *envelope, char **ret_cause)
{
	const struct event_consumer *consumer = consumer_of(options.consumers, source, type);

	*ret_cause = NULL;
	return consumer ? options.deliver(consumer, envelope, ret_cause) : 422;
}

struct events_gauges events_gauges(void)
{
	const struct db_settings worker = { .worker = true };
	struct events_gauges gauges = { .redis_alive = session_redis_alive() };
	struct db_failure failure;
	char relayed[24];

	if (!started)
		return gauges;
	consumer_gauges(&gauges.lag, &gauges.pending);
	snprintf(relayed, sizeof relayed, "%lld", session_relayed());
	auto_result PGresult *row =
		db_run(options.db, &worker, SQL_EVENT_GAUGES, 1, (const char *[]){ relayed }, &failure);
	if (row) {
		gauges.outbox_depth = atol(PQgetvalue(row, 0, 0));
		gauges.outbox_age = atof(PQgetvalue(row, 0, 1));
		gauges.dead_letters = atol(PQgetvalue(row, 0, 2));
	}
	return gauges;
}
