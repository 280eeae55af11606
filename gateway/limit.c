/* The generic cell rate algorithm on bounded tables. All accesses are relaxed: a bucket is one number, and nothing else
 * is read because of it. */
#include "limit.h"
#include <stdatomic.h>
#include <stdlib.h>

enum {
	SETS = 16384,
	WAYS = 4,
	BUCKETS = SETS * WAYS,
	ALL_BUCKETS = LIMIT_TABLES * BUCKETS,
	WORD = 64,
	SECOND_US = 1000000,
	MOST_TOLD = 86400 /* seconds; who has to wait longer may ask again tomorrow */
};

struct bucket {
	_Atomic uint64_t key;	 /* 0: free */
	_Atomic int64_t full_at; /* in µs */
	_Atomic int64_t taken;	 /* in µs, since it was collected */
	_Atomic int64_t window;
};

struct limits {
	bool shared;
	struct bucket buckets[ALL_BUCKETS];
	_Atomic uint64_t changed[ALL_BUCKETS / WORD]; /* a bit for each bucket that something was taken from */
};

static int64_t get(_Atomic int64_t *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

static void set(_Atomic int64_t *number, int64_t value)
{
	atomic_store_explicit(number, value, memory_order_relaxed);
}

struct limits *limits_new(bool shared)
{
	struct limits *limits = calloc(1, sizeof(*limits));

	if (!limits)
		abort();
	limits->shared = shared;
	return limits;
}

void limits_free(struct limits *limits)
{
	free(limits);
}

static int64_t window_of(struct limit limit)
{
	return (int64_t)limit.seconds * SECOND_US;
}

static struct bucket *set_of(struct limits *limits, enum limit_table table, uint64_t key)
{
	return &limits->buckets[table * BUCKETS + key % SETS * WAYS];
}

static struct bucket *find(struct bucket *buckets, uint64_t key)
{
	for (int i = 0; i < WAYS; i++) {
		if (atomic_load_explicit(&buckets[i].key, memory_order_relaxed) == key)
			return &buckets[i];
	}
	return NULL;
}

/* How much of the bucket is used, of 1. A free one is not used at all. */
static double use_of(struct bucket *bucket, int64_t now_us)
{
	int64_t missing = get(&bucket->full_at) - now_us;

	return missing > 0 ? (double)missing / (double)get(&bucket->window) : 0;
}

static struct bucket *replace(struct bucket *buckets, uint64_t key, struct limit limit, int64_t now_us)
{
	struct bucket *least = &buckets[0];
	double least_use = use_of(least, now_us);

	for (int i = 1; i < WAYS; i++) {
		double use = use_of(&buckets[i], now_us);

		if (use < least_use) {
			least = &buckets[i];
			least_use = use;
		}
	}
	set(&least->full_at, 0);
	set(&least->taken, 0);
	set(&least->window, window_of(limit));
	atomic_store_explicit(&least->key, key, memory_order_relaxed);
	return least;
}

static uint32_t seconds_up(int64_t microseconds)
{
	int64_t seconds = microseconds > 0 ? (microseconds + SECOND_US - 1) / SECOND_US : 0;

	return seconds < MOST_TOLD ? (uint32_t)seconds : MOST_TOLD;
}

static void mark(struct limits *limits, size_t place)
{
	_Atomic uint64_t *word = &limits->changed[place / WORD];
	uint64_t bit = UINT64_C(1) << place % WORD;

	if (!(atomic_load_explicit(word, memory_order_relaxed) & bit))
		atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
}

static void account(struct limits *limits, struct bucket *bucket, int64_t cost)
{
	atomic_fetch_add_explicit(&bucket->taken, cost, memory_order_relaxed);
	mark(limits, (size_t)(bucket - limits->buckets));
}

/* full_at is after the request that is asked for, when it is allowed. */
static struct limit_state state_of(struct limit limit, bool allowed, int64_t full_at, int64_t cost, int64_t now_us)
{
	int64_t window = window_of(limit), missing = full_at > now_us ? full_at - now_us : 0;
	struct limit_state state = { .known = true, .allowed = allowed, .limit = limit, .reset = seconds_up(missing) };

	if (missing < window)
		state.remaining = (uint32_t)((window - missing) / cost);
	if (!allowed)
		state.retry_after = seconds_up(missing + cost - window);
	return state;
}

struct limit_state limit_take(
	struct limits *limits, enum limit_table table, uint64_t key, struct limit limit, int64_t now_us)
{
	int64_t window = window_of(limit), cost, full_at, next;
	struct bucket *buckets = set_of(limits, table, key), *bucket;

	if (!limit.requests)
		return (struct limit_state){ .allowed = true };
	cost = window / limit.requests;
	bucket = find(buckets, key);
	if (!bucket)
		bucket = replace(buckets, key, limit, now_us);
	full_at = get(&bucket->full_at);
	do {
		next = (full_at > now_us ? full_at : now_us) + cost;
		if (next - now_us > window)
			return state_of(limit, false, full_at, cost, now_us);
	} while (!atomic_compare_exchange_weak_explicit(
		&bucket->full_at, &full_at, next, memory_order_relaxed, memory_order_relaxed));
	if (limits->shared)
		account(limits, bucket, cost);
	return state_of(limit, true, next, cost, now_us);
}

struct limit_state limit_look(
	struct limits *limits, enum limit_table table, uint64_t key, struct limit limit, int64_t now_us)
{
	struct bucket *bucket = find(set_of(limits, table, key), key);
	int64_t full_at = bucket ? get(&bucket->full_at) : 0, cost;

	if (!limit.requests)
		return (struct limit_state){ .allowed = true };
	cost = window_of(limit) / limit.requests;
	return state_of(limit, full_at + cost - now_us <= window_of(limit), full_at, cost, now_us);
}

/* Takes the account of one bucket over. False when there is nothing to tell. */
static bool collect(struct limits *limits, size_t place, struct limit_change *change, int64_t now_us)
{
	struct bucket *bucket = &limits->buckets[place];
	int64_t taken = atomic_exchange_explicit(&bucket->taken, 0, memory_order_relaxed);
	int64_t missing = get(&bucket->full_at) - now_us;

	change->place = place;
	change->key = atomic_load_explicit(&bucket->key, memory_order_relaxed);
	change->window = get(&bucket->window);
	change->taken = taken < missing ? taken : missing;
	return change->taken > 0;
}

size_t limits_collect(struct limits *limits, size_t *place, struct limit_change *changes, size_t room, int64_t now_us)
{
	size_t count = 0;

	for (; *place < ALL_BUCKETS && count < room; *place += WORD) {
		_Atomic uint64_t *word = &limits->changed[*place / WORD];
		uint64_t bits = atomic_load_explicit(word, memory_order_relaxed);

		for (; bits && count < room; bits &= bits - 1) {
			uint64_t bit = bits & -bits;

			atomic_fetch_and_explicit(word, ~bit, memory_order_relaxed);
			count += collect(limits, *place + (size_t)__builtin_ctzll(bit), &changes[count], now_us);
		}
		if (bits)
			break; /* the rest of this word next time */
	}
	return count;
}

void limits_put_back(struct limits *limits, const struct limit_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bucket *bucket = &limits->buckets[changes[i].place];

		if (atomic_load_explicit(&bucket->key, memory_order_relaxed) == changes[i].key)
			account(limits, bucket, changes[i].taken);
	}
}

void limits_merge(struct limits *limits, const struct limit_change *change, int64_t full_in, int64_t now_us)
{
	struct bucket *bucket = &limits->buckets[change->place];
	int64_t merged = now_us + full_in + get(&bucket->taken), full_at = get(&bucket->full_at);

	if (atomic_load_explicit(&bucket->key, memory_order_relaxed) != change->key)
		return;
	while (full_at < merged && !atomic_compare_exchange_weak_explicit(&bucket->full_at, &full_at, merged,
					   memory_order_relaxed, memory_order_relaxed))
		;
}
