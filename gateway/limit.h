/* Token buckets: a bucket holds the requests of a whole window. All of them may come at once; then they come back one
 * by one, evenly over the window. It is kept as one number, the time at which it will be full again (GCRA), so that
 * taking from it is one atomic operation and no worker ever waits for another.
 *
 * One table for all workers of the process, because what X-RateLimit-* says must not depend on which worker a
 * connection fell to. The table is bounded. When a set of it is crowded, the bucket gives way of which the smallest
 * share is used: an exhausted one outlives any number of fresh ones. Buckets of addresses, which anybody can have many
 * of, have a table of their own, so that they never push out those of callers, who had to prove who they are. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limits;

struct limit {		   /* requests in a window */
	uint32_t requests; /* 0: no limit */
	uint32_t seconds;
};

enum limit_table { LIMIT_ADDRESSES, LIMIT_CALLERS, LIMIT_TABLES };

struct limit_state {
	bool known; /* a limit applies */
	bool allowed;
	struct limit limit;
	uint32_t remaining;
	uint32_t reset;	      /* seconds until all of the limit is there again */
	uint32_t retry_after; /* seconds until the next request is allowed, when this one is not */
};

/* shared: keeps account of what is taken, for limit_share.c. */
struct limits *limits_new(bool shared);
void limits_free(struct limits *limits);

/* Takes one request out of the bucket key, a fingerprint. */
struct limit_state limit_take(
	struct limits *limits, enum limit_table table, uint64_t key, struct limit limit, int64_t now_us);
/* What limit_take() would find, without taking. */
struct limit_state limit_look(
	struct limits *limits, enum limit_table table, uint64_t key, struct limit limit, int64_t now_us);

/* What was taken out of one bucket, in µs of its window. */
struct limit_change {
	size_t place; /* of the bucket in the tables */
	uint64_t key;
	int64_t taken, window;
};

/* Collects up to room changes from *place (0 at first) on; fewer than room: that was all. What was taken and has come
 * back meanwhile is of no interest to anybody and left out. */
size_t limits_collect(struct limits *limits, size_t *place, struct limit_change *changes, size_t room, int64_t now_us);
/* They could not be told: they will be collected again. */
void limits_put_back(struct limits *limits, const struct limit_change *changes, size_t count);
/* All replicas together have taken so much that the bucket will be full in so many µs. */
void limits_merge(struct limits *limits, const struct limit_change *change, int64_t full_in, int64_t now_us);
