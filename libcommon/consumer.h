/* Events in: one reader for all the streams that a service consumes, and lanes that run the handlers. */
#pragma once
#include <time.h>
#include "events.h"

bool consumer_start(const struct events_options *options);
bool consumer_stop(const struct timespec *deadline); /* false: not all of it has stopped; may be called again */
void consumer_gauges(long *ret_lag, long *ret_pending);

/* The entry for a source and a type as on the wire ("it.portico.practice.submitted"), or NULL. */
const struct event_consumer *consumer_of(const struct event_consumer *consumers, const char *source, const char *type);
