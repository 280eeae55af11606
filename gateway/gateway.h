/* What all parts of the gateway share: the settings, read once at start and never written afterwards but for the
 * members that say so. What a reload may change is in struct rules. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "endpoint.h"
#include "limit.h"
#include "token.h"

enum { MAX_ORIGINS = 32, MAX_WORKERS = 64 };

struct rules;

struct gateway {
	struct endpoint listen, tls_listen, metrics_listen; /* the last two: length 0 where there is none */
	pthread_mutex_t rules_lock;			    /* of rules, which gateway_reload() replaces */
	struct rules *rules;
	atomic_uint rules_generation;
	struct limits *limits;
	struct token_rules token_rules;
	const char *jwks_url;
	const char *access_log;
	unsigned access_log_sample; /* one of so many requests that went well */
	size_t origin_count;
	const char *origins[MAX_ORIGINS];
	char *origins_text; /* which they point into */
	unsigned workers;
	unsigned hsts;				       /* seconds */
	unsigned address_connections;		       /* of one worker; 0: no limit */
	unsigned max_connections;		       /* the next three: of one worker */
	unsigned upstream_connections, upstream_queue; /* per service */
	int64_t queue_wait, connect_timeout, header_timeout, idle_timeout, body_timeout, write_timeout; /* ms */
	atomic_bool draining; /* SIGTERM has come */
};

extern const struct setting *const gateway_settings[];

/* From the settings, after config_load(). False and a sentence on standard error when one of them does not hold. */
bool gateway_read_settings(struct gateway *gateway);
void gateway_free(struct gateway *gateway);

/* Reads contracts and upstreams anew. The new set is there for all workers, or nothing has changed and a line of the
 * log says why. */
bool gateway_reload(struct gateway *gateway);
/* The current set as a new reference (rules_release() it). *ret_generation, unless NULL, is what rules_generation was
 * then. */
struct rules *gateway_hold_rules(struct gateway *gateway, unsigned *ret_generation);
