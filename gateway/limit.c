/* The generic cell rate algorithm on a bounded table. A bucket that is full again is worth nothing, so the one that
 * fills first is the one that gives way when a set of the table is crowded. */
#include "limit.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

enum { SETS = 16384, WAYS = 4, MINUTE_US = 60000000 };

struct bucket {
	_Atomic uint64_t key;	 /* 0: free */
	_Atomic int64_t full_at; /* in µs */
};

struct limits {
	uint64_t seed;
	struct bucket buckets[SETS][WAYS];
};

struct limits *limits_new(void)
{
	struct limits *limits = calloc(1, sizeof(*limits));

	if (!limits || getrandom(&limits->seed, sizeof(limits->seed), 0) != sizeof(limits->seed))
		abort();
	return limits;
}

void limits_free(struct limits *limits)
{
	free(limits);
}

uint64_t limit_key(const struct limits *limits, char kind, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;
	uint64_t hash = limits->seed ^ (unsigned char)kind;

	for (size_t i = 0; i < length; i++) {
		hash = (hash ^ byte[i]) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	hash *= 0xbf58476d1ce4e5b9u;
	hash ^= hash >> 32;
	return hash ? hash : 1;
}

/* The bucket of key: its own, a free one, or the one that is nearest to full. */
static struct bucket *find_bucket(struct limits *limits, uint64_t key)
{
	struct bucket *set = limits->buckets[key % SETS], *best = &set[0];

	for (int i = 0; i < WAYS; i++) {
		if (atomic_load_explicit(&set[i].key, memory_order_relaxed) == key)
			return &set[i];
	}
	for (int i = 1; i < WAYS; i++) {
		if (atomic_load_explicit(&set[i].full_at, memory_order_relaxed) <
			atomic_load_explicit(&best->full_at, memory_order_relaxed))
			best = &set[i];
	}
	atomic_store_explicit(&best->full_at, 0, memory_order_relaxed);
	atomic_store_explicit(&best->key, key, memory_order_relaxed);
	return best;
}

static uint32_t seconds_up(int64_t microseconds)
{
	return microseconds > 0 ? (uint32_t)((microseconds + 999999) / 1000000) : 0;
}

struct limit_state limit_take(struct limits *limits, uint64_t key, uint32_t per_minute, int64_t now_us)
{
	struct limit_state state = { .allowed = true };
	int64_t cost, full_at, next;
	struct bucket *bucket;

	if (!per_minute)
		return state;
	bucket = find_bucket(limits, key);
	cost = MINUTE_US / (int64_t)per_minute;
	full_at = atomic_load_explicit(&bucket->full_at, memory_order_relaxed);
	do {
		next = (full_at > now_us ? full_at : now_us) + cost;
		state.allowed = next - now_us <= MINUTE_US;
		if (!state.allowed)
			break;
	} while (!atomic_compare_exchange_weak_explicit(
		&bucket->full_at, &full_at, next, memory_order_relaxed, memory_order_relaxed));
	state.known = true;
	state.limit = per_minute;
	if (state.allowed) {
		state.remaining = (uint32_t)((MINUTE_US - (next - now_us)) / cost);
		state.reset = seconds_up(next - now_us);
	} else {
		state.reset = seconds_up(full_at - now_us);
		state.retry_after = seconds_up(next - now_us - MINUTE_US);
	}
	return state;
}
