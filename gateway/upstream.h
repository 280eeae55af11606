/* A worker's connections to the services: kept alive, bounded, with a bounded queue behind the bound. Which replica a
 * request goes to is decided here; what becomes of a request that fails is forward_attempt.c's. */
#pragma once
#include "breaker.h"
#include "fair_queue.h"
#include "rules.h"
#include "stream.h"
#include "timers.h"
#include "upstream_counters.h"

struct client;
struct worker;

struct upstream_connection {
	struct stream stream;
	struct upstream_pool *pool;
	unsigned replica;
	unsigned generation; /* of the replica, when it was made */
	bool connecting;
	bool used;	     /* has carried a request before */
	bool trial;	     /* of a replica whose breaker is open */
	struct client *user; /* NULL: idle */
	struct timer timer;  /* of idleness */
	struct upstream_connection *next_idle;
};

struct upstream_replica {
	unsigned generation; /* of the struct replica that the rest is about */
	struct endpoint endpoint;
	char address[ENDPOINT_TEXT];
	struct upstream_connection *idle; /* the one used last is first */
	unsigned outstanding;
	struct breaker breaker;
};

struct upstream_pool { /* one service */
	struct worker *worker;
	struct upstream_service *service;
	struct service_counters *counters;
	unsigned open;
	const struct trust *trust; /* for a service that is asked over TLS */
	int64_t told;		   /* when the log last said that TLS fails */
	unsigned retry_credit;	   /* in fifths of a retry: each request adds one */
	struct upstream_replica replicas[MAX_REPLICAS];
	struct fair_queue queue;
};

struct upstream_pool *upstream_pools_new(struct worker *worker, struct rules *rules);
/* None of the connections is in use. */
void upstream_pools_free(struct upstream_pool *pools, size_t count_of_pools);

enum upstream_result { UPSTREAM_GIVEN, UPSTREAM_QUEUED, UPSTREAM_FULL, UPSTREAM_DOWN };

/* Gives the client a connection (which may still be connecting), or a place in the queue. */
enum upstream_result upstream_acquire(struct upstream_pool *pool, struct client *client);
/* Milliseconds until it is worth asking again, after UPSTREAM_DOWN. */
int64_t upstream_pause(const struct upstream_pool *pool);
void upstream_leave_queue(struct upstream_pool *pool, struct client *client);

/* The client is done with its connection. */
void upstream_release(struct client *client, bool reusable);
/* The head of an answer has come: whatever it says, the replica works. */
void upstream_answered(struct client *client);
/* The client's connection or the answer failed. The connection is still the client's. */
void upstream_failed(struct client *client, enum upstream_failure failure);

/* Whether the replica that the client waits for is still one that requests are sent to. */
bool upstream_is_sound(const struct client *client);
/* Whether another one would take its request. */
bool upstream_has_another(const struct client *client);
/* Takes one retry of the request out of the budget: a fifth of the requests, and at once as many as can be under way,
 * because all of them fail together when a replica dies. */
bool upstream_may_retry(struct client *client);
