/* The addresses of a service and what is known of each. The settings give names; upkeep.c asks for their addresses,
 * health.c whether who is there takes requests; the workers only read. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "endpoint.h"

enum { MAX_NAMES = 8, MAX_REPLICAS = 16 };

enum replica_state {
	REPLICA_ABSENT,	     /* no address has this place */
	REPLICA_UNREACHABLE, /* takes no connection, or does not answer: not asked */
	REPLICA_UNREADY,     /* drains, or lacks what it needs: asked when there is no other */
	REPLICA_READY
};

struct replica {
	atomic_uint generation; /* grows when it is another: a new address, or one that was away */
	atomic_int state;
	pthread_mutex_t lock; /* of what follows, and of changes of the two above; not taken per request */
	struct endpoint endpoint;
	char address[ENDPOINT_TEXT];
	unsigned name;	       /* of the service, that the address belongs to */
	unsigned failed_looks; /* in a row */
};

struct upstream_service {
	char name[64];
	bool secure;	/* over TLS */
	char host[264]; /* as the field Host names it: by its first name */
	size_t name_count;
	struct replica_name {
		char host[256], port[6];
	} names[MAX_NAMES];
	atomic_size_t places; /* that are or were taken: the first ones */
	struct replica replicas[MAX_REPLICAS];
	bool overfull; /* a name had more addresses than there are places, and the log says so */
};

void service_init(struct upstream_service *service, const char *name);
/* host:port, also written as http://host:port, or https://host:port for TLS. False when it is none of these, one too
 * many, or TLS for some of the names only. */
bool service_add_name(struct upstream_service *service, const char *text);

/* Asks for the addresses of the names, which may take a while: each is a replica. One that is still there stays as it
 * is; when nothing is found, all do. */
void service_resolve(struct upstream_service *service);

/* Whether it has an address that takes requests. */
bool service_ready(const struct upstream_service *service);

static inline enum replica_state replica_state(const struct replica *replica)
{
	return (enum replica_state)atomic_load_explicit(&replica->state, memory_order_relaxed);
}
