/* What a reload replaces as a whole: the contracts as routes, the services behind them, the certificates. Immutable
 * once it is made, but for what is known of each replica; whoever uses it holds a reference, so the old set lives until
 * its last request is answered. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include "docs.h"
#include "gateway.h"
#include "replica.h"
#include "quota_plan.h"
#include "route.h"
#include "tls.h"

enum { MAX_SERVICES = 64 };

struct service_counters;

struct rules {
	atomic_uint references;
	size_t own_services; /* the first ones; behind them are those of partners, without which we are ready, too */
	size_t service_count;
	struct upstream_service services[MAX_SERVICES];
	atomic_uint counter_sets;
	struct service_counters *_Atomic counters[MAX_WORKERS]; /* upstream_counters.c */
	struct routes *routes; /* of the services in their order, partners last, then of the gateway itself */
	struct docs *docs;
	struct quota_plan *plan;
	struct certificates *certificates; /* NULL without TLS */
	struct trust *trust;		   /* NULL when no back end is asked over TLS */
};

/* From the settings, the folder of contracts and that of certificates. On failure NULL and *ret_error (free it) is one
 * sentence. */
struct rules *rules_new(char **ret_error);
struct rules *rules_hold(struct rules *rules);
void rules_release(struct rules *rules);
