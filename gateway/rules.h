/* What a reload replaces as a whole: the contracts as routes, the services behind them, the certificates. Immutable
 * once it is made, but for what is known of each replica; whoever uses it holds a reference, so the old set lives until
 * its last request is answered. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "gateway.h"
#include "quota_plan.h"
#include "route.h"
#include "tls.h"

enum { MAX_SERVICES = 64, MAX_REPLICAS = 8 };

/* One address of an upstream service. upkeep.c keeps endpoint and reachable up to date. */
struct replica {
	char host[256], port[6];
	pthread_mutex_t lock; /* of endpoint; taken to open a connection, not per request */
	struct endpoint endpoint;
	atomic_bool reachable;
};

struct upstream_service {
	char name[64];
	size_t replica_count;
	struct replica replicas[MAX_REPLICAS];
};

struct rules {
	atomic_uint references;
	size_t service_count;
	struct upstream_service services[MAX_SERVICES];
	struct routes *routes;
	struct quota_plan *plan;
	struct certificates *certificates; /* NULL without TLS */
};

/* From the settings, the folder of contracts and that of certificates. On failure NULL and *ret_error (free it) is one
 * sentence. */
struct rules *rules_new(char **ret_error);
struct rules *rules_hold(struct rules *rules);
void rules_release(struct rules *rules);
