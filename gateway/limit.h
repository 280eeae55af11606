/* Requests per minute, by address and by caller: token buckets kept as one number each (the time at which the bucket
 * will be full again). One table for all workers, because a limit that is published in X-RateLimit-* must not depend on
 * which worker a connection fell to; a bucket is one atomic word, so no worker ever waits for another. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limits;

struct limit_state {
	bool known; /* a limit applies */
	bool allowed;
	uint32_t limit; /* requests in a minute */
	uint32_t remaining;
	uint32_t reset;	      /* seconds until all of the limit is there again */
	uint32_t retry_after; /* seconds until the next request is allowed, when this one is not */
};

struct limits *limits_new(void);
void limits_free(struct limits *limits);

/* The bucket of bytes (an address, a subject), with a kind so that the two never meet. */
uint64_t limit_key(const struct limits *limits, char kind, const void *bytes, size_t length);

/* Takes one request out of the bucket. per_minute 0: no limit. */
struct limit_state limit_take(struct limits *limits, uint64_t key, uint32_t per_minute, int64_t now_us);
