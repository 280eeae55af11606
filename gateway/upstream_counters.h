/* What the services cost and how they fail, by replica: each worker counts for itself, /metrics adds up. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>
#include "metrics.h"
#include "replica.h"

struct gateway;
struct rules;

enum upstream_failure {
	FAILURE_CONNECT, /* no connection */
	FAILURE_BROKEN,	 /* it ended before the head of the answer */
	FAILURE_TIMEOUT, /* no answer in time */
	FAILURE_GARBAGE, /* what came is no answer */
	FAILURE_CUT,	 /* the body of the answer broke off */
	FAILURE_KINDS
};

enum { LATENCY_BOUNDS = 8 };

struct replica_counters {
	atomic_long connections, breaker_open; /* now */
	atomic_long retries;		       /* of requests that it failed */
	atomic_long failures[FAILURE_KINDS];
	atomic_long answers[LATENCY_BOUNDS + 1], microseconds; /* to the head of the answer */
};

struct service_counters {     /* of one worker */
	atomic_long waiting;  /* now */
	atomic_long refused;  /* that waited in vain, or found no place to wait */
	atomic_long withheld; /* retries that there was no budget for */
	struct replica_counters replicas[MAX_REPLICAS];
};

/* One for each service, for one more worker. They live as long as the rules. */
struct service_counters *counters_new(struct rules *rules);

void counters_answered(struct replica_counters *counters, int64_t microseconds);
/* Another replica has the place. Connections to the old one that are in use are counted until they end. */
void counters_reset(struct replica_counters *counters);

/* The lines of /metrics. */
void counters_write(struct rules *rules, metrics_writer *write, void *out);
