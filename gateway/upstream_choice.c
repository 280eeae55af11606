/* Which replica a request goes to, and what is held against it afterwards. Of those that are ready the least busy one
 * is asked. A well-formed answer is never a failure, whatever its status: 502 to 504 of a service are about what stands
 * behind it, mostly behind all of its replicas, and a replica that lacks something of its own says so at /readyz. */
#include <string.h>
#include "upstream_parts.h"

enum { RETRY_COST = 5 };

static unsigned most_credit(const struct upstream_pool *pool)
{
	return RETRY_COST * pool->worker->gateway->upstream_connections;
}

void upstream_fill_credit(struct upstream_pool *pool)
{
	pool->retry_credit = most_credit(pool);
}

void upstream_earn_retry(struct upstream_pool *pool)
{
	if (pool->retry_credit < most_credit(pool))
		pool->retry_credit++;
}

void upstream_note(struct upstream_pool *pool, unsigned i, bool failed)
{
	struct breaker *breaker = &pool->replicas[i].breaker;
	bool was_closed = breaker_is_closed(breaker);

	if (failed)
		breaker_failed(breaker, pool->worker->now);
	else
		breaker_succeeded(breaker);
	if (was_closed != breaker_is_closed(breaker))
		count(&upstream_counters(pool, i)->breaker_open, was_closed ? 1 : -1);
}

/* Another one has come to this place: nothing that is known of the old one holds. */
static void take_over(struct upstream_pool *pool, unsigned i)
{
	struct replica *shared = &pool->service->replicas[i];
	struct upstream_replica *own = &pool->replicas[i];
	bool moved;

	upstream_drop_idle(own);
	upstream_note(pool, i, false);
	pthread_mutex_lock(&shared->lock);
	moved = strcmp(own->address, shared->address) != 0;
	own->generation = atomic_load_explicit(&shared->generation, memory_order_relaxed);
	own->endpoint = shared->endpoint;
	strcpy(own->address, shared->address);
	pthread_mutex_unlock(&shared->lock);
	if (moved)
		counters_reset(upstream_counters(pool, i));
}

static enum replica_state follow(struct upstream_pool *pool, unsigned i)
{
	struct replica *shared = &pool->service->replicas[i];
	enum replica_state state = replica_state(shared);

	if (pool->replicas[i].generation != atomic_load_explicit(&shared->generation, memory_order_acquire))
		take_over(pool, i);
	if (state != REPLICA_READY)
		upstream_drop_idle(&pool->replicas[i]);
	return state;
}

/* How glad we are to send a request there. One that is due for a trial goes first, or it would never be tried, but with
 * a request that can be sent again elsewhere; where a request has failed before it goes only when there is nowhere
 * else. */
enum preference { REFUSED, LAST_RESORT, READY, TRIAL, NOT_FAILED = 4 };

static unsigned preference(struct upstream_pool *pool, unsigned i, const struct exchange *exchange)
{
	const struct breaker *breaker = &pool->replicas[i].breaker;
	enum replica_state state = follow(pool, i);
	unsigned not_failed = exchange->failed & 1u << i ? 0 : NOT_FAILED;

	if (state < REPLICA_UNREADY || (exchange->unconnected & 1u << i))
		return REFUSED;
	if (breaker_is_closed(breaker))
		return not_failed + (state == REPLICA_READY ? READY : LAST_RESORT);
	if (!breaker_is_due(breaker, pool->worker->now))
		return REFUSED;
	return not_failed + (state == REPLICA_READY && exchange->idempotent && !exchange->failed ? TRIAL : LAST_RESORT);
}

unsigned upstream_choose(struct upstream_pool *pool, const struct exchange *exchange)
{
	unsigned best = NO_REPLICA, highest = REFUSED, places = (unsigned)pool->service->places;

	for (unsigned i = 0; i < places; i++) {
		unsigned one = preference(pool, i, exchange);

		if (one > highest ||
			(one && one == highest && pool->replicas[i].outstanding < pool->replicas[best].outstanding)) {
			best = i;
			highest = one;
		}
	}
	return best;
}

static bool is_current(const struct upstream_pool *pool, unsigned i, unsigned generation)
{
	return generation == atomic_load_explicit(&pool->service->replicas[i].generation, memory_order_relaxed);
}

bool upstream_is_sound(const struct client *client)
{
	const struct upstream_connection *connection = client->exchange.upstream;
	const struct upstream_pool *pool = connection->pool;
	unsigned i = connection->replica;

	return replica_state(&pool->service->replicas[i]) >= REPLICA_UNREADY &&
	       is_current(pool, i, connection->generation) &&
	       (connection->trial || breaker_is_closed(&pool->replicas[i].breaker));
}

bool upstream_has_another(const struct client *client)
{
	const struct upstream_connection *connection = client->exchange.upstream;
	const struct upstream_pool *pool = connection->pool;

	for (unsigned i = 0; i < pool->service->places; i++) {
		const struct upstream_replica *own = &pool->replicas[i];

		if (i != connection->replica && replica_state(&pool->service->replicas[i]) == REPLICA_READY &&
			(breaker_is_closed(&own->breaker) || !is_current(pool, i, own->generation)))
			return true;
	}
	return false;
}

int64_t upstream_pause(const struct upstream_pool *pool)
{
	int64_t pause = BREAKER_LONGEST_PAUSE_MS;

	for (unsigned i = 0; i < pool->service->places; i++) {
		const struct breaker *breaker = &pool->replicas[i].breaker;
		int64_t left = breaker->until - pool->worker->now;

		if (replica_state(&pool->service->replicas[i]) < REPLICA_UNREADY || left < BREAKER_FIRST_PAUSE_MS)
			return BREAKER_FIRST_PAUSE_MS;
		if (left < pause)
			pause = left;
	}
	return pause;
}

void upstream_answered(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	struct upstream_connection *connection = exchange->upstream;

	exchange->upstream_us = connection->pool->worker->now_us - exchange->given_us;
	counters_answered(upstream_counters(connection->pool, connection->replica), exchange->upstream_us);
	if (!upstream_is_outdated(connection))
		upstream_note(connection->pool, connection->replica, false);
	connection->trial = false;
}

/* A kept connection that ends without an answer says nothing about the replica: it may have been idle for too long. */
void upstream_failed(struct client *client, enum upstream_failure failure)
{
	struct upstream_connection *connection = client->exchange.upstream;

	count(&upstream_counters(connection->pool, connection->replica)->failures[failure], 1);
	if (failure == FAILURE_CONNECT && connection->stream.tls)
		upstream_tell_failure(connection);
	if (failure == FAILURE_CUT || (failure == FAILURE_BROKEN && connection->used) ||
		upstream_is_outdated(connection))
		return;
	upstream_note(connection->pool, connection->replica, true);
	connection->trial = false;
}

bool upstream_may_retry(struct client *client)
{
	struct upstream_connection *connection = client->exchange.upstream;
	struct upstream_pool *pool = connection->pool;

	if (pool->retry_credit < RETRY_COST) {
		count(&pool->counters->withheld, 1);
		return false;
	}
	pool->retry_credit -= RETRY_COST;
	count(&upstream_counters(pool, connection->replica)->retries, 1);
	return true;
}
