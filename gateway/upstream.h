/* A worker's connections to the services: kept alive, bounded, with a bounded queue behind the bound. */
#pragma once
#include "rules.h"
#include "stream.h"
#include "timers.h"

struct client;
struct worker;

struct upstream_connection {
	struct stream stream;
	struct upstream_pool *pool;
	unsigned replica;
	bool connecting;
	bool used;	     /* has carried a request before */
	struct client *user; /* NULL: idle */
	struct timer timer;  /* of idleness */
	struct upstream_connection *next_idle;
};

struct upstream_pool { /* one service */
	struct worker *worker;
	struct upstream_service *service;
	unsigned open;
	struct upstream_replica {
		struct upstream_connection *idle; /* the one used last is first */
		unsigned outstanding;
		int64_t down_until; /* a connection failed: others first until then */
	} replicas[MAX_REPLICAS];
	struct client *queue, **queue_end;
	unsigned waiting;
};

struct upstream_pool *upstream_pools_new(struct worker *worker, struct rules *rules);
/* None of the connections is in use. */
void upstream_pools_free(struct upstream_pool *pools, size_t count_of_pools);

enum upstream_result { UPSTREAM_GIVEN, UPSTREAM_QUEUED, UPSTREAM_FULL, UPSTREAM_DOWN };

/* Gives the client a connection (which may still be connecting), or a place in the queue. fresh: not one that was used
 * before. */
enum upstream_result upstream_acquire(struct upstream_pool *pool, struct client *client, bool fresh);
/* The client is done with its connection. */
void upstream_release(struct client *client, bool reusable);
/* The client's connection could not be made in time. */
void upstream_failed(struct client *client);
void upstream_leave_queue(struct upstream_pool *pool, struct client *client);
