/* What all parts of the gateway share: the settings and the tables made from them. Read once at start and never written
 * afterwards, but for the members that say so. */
#pragma once
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "limit.h"
#include "route.h"
#include "token.h"

enum { MAX_SERVICES = 32, MAX_REPLICAS = 8, MAX_ORIGINS = 32, MAX_WORKERS = 64 };

struct endpoint {
	struct sockaddr_storage address;
	socklen_t length; /* 0: not known */
};

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

struct gateway {
	struct endpoint listen, metrics_listen;
	size_t service_count;
	struct upstream_service services[MAX_SERVICES];
	struct routes *routes;
	struct limits *limits;
	struct token_rules token_rules;
	const char *jwks_url;
	const char *access_log;
	size_t origin_count;
	const char *origins[MAX_ORIGINS];
	char *origins_text; /* which they point into */
	unsigned workers;
	uint32_t limit_address, limit_caller;	       /* requests a minute; 0: no limit */
	unsigned max_connections;		       /* the next three: of one worker */
	unsigned upstream_connections, upstream_queue; /* per service */
	int64_t queue_wait, connect_timeout, header_timeout, idle_timeout, body_timeout, write_timeout; /* ms */
	atomic_bool draining; /* SIGTERM has come */
};

extern const struct setting *const gateway_settings[];

/* From the settings, after config_load(). False and a sentence on standard error when one of them does not hold. */
bool gateway_read_settings(struct gateway *gateway);
bool gateway_load_routes(struct gateway *gateway);
void gateway_free(struct gateway *gateway);

/* "127.0.0.1:8080" or "[::1]:8080". */
bool endpoint_parse(const char *text, struct endpoint *ret_endpoint);
