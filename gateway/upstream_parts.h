/* What upstream.c (the connections) and upstream_choice.c (which replica) share. */
#pragma once
#include "client.h"
#include "upstream.h"

enum { NO_REPLICA = MAX_REPLICAS };

static inline struct replica_counters *upstream_counters(const struct upstream_pool *pool, unsigned replica)
{
	return &pool->counters->replicas[replica];
}

/* Made to what was in this place before the replica that is there now: how it ends says nothing about that one. */
static inline bool upstream_is_outdated(const struct upstream_connection *connection)
{
	return connection->generation != connection->pool->replicas[connection->replica].generation;
}

/* NO_REPLICA: none of them. */
unsigned upstream_choose(struct upstream_pool *pool, const struct exchange *exchange);
/* How a try went. */
void upstream_note(struct upstream_pool *pool, unsigned replica, bool failed);
void upstream_fill_credit(struct upstream_pool *pool);
void upstream_earn_retry(struct upstream_pool *pool);
void upstream_drop_idle(struct upstream_replica *replica);
/* The connection did not come to speak TLS. */
void upstream_tell_failure(struct upstream_connection *connection);
