/* Pools of one worker: making connections, giving them out, keeping them. upstream_choice.c says to which replica. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>
#include "client.h"
#include "forward.h"
#include "log.h"
#include "upstream_parts.h"

enum { IDLE_MS = 10000, TELL_MS = 10000 };

static void upstream_ready(struct stream *stream);

static void destroy(struct upstream_connection *connection)
{
	struct worker *worker = connection->pool->worker;

	connection->pool->open--;
	count(&upstream_counters(connection->pool, connection->replica)->connections, -1);
	timer_clear(&worker->timers, &connection->timer);
	stream_close(&connection->stream);
	worker_bury(worker, &connection->stream);
}

static void drop_idle(struct upstream_connection *connection)
{
	struct upstream_connection **at = &connection->pool->replicas[connection->replica].idle;

	while (*at != connection)
		at = &(*at)->next_idle;
	*at = connection->next_idle;
	destroy(connection);
}

void upstream_drop_idle(struct upstream_replica *replica)
{
	while (replica->idle)
		drop_idle(replica->idle);
}

static void idle_expired(struct timer *timer)
{
	struct upstream_connection *connection =
		(struct upstream_connection *)((char *)timer - offsetof(struct upstream_connection, timer));

	if (!connection->user)
		drop_idle(connection);
}

/* ---- Connections ---- */

static void give(struct upstream_connection *connection, struct client *client)
{
	struct upstream_pool *pool = connection->pool;
	struct upstream_replica *replica = &pool->replicas[connection->replica];
	struct exchange *exchange = &client->exchange;

	connection->user = client;
	connection->trial = !breaker_is_closed(&replica->breaker);
	replica->breaker.trying = connection->trial;
	replica->outstanding++;
	if (!exchange->retries)
		upstream_earn_retry(pool);
	exchange->upstream = connection;
	exchange->replica = replica->address;
	exchange->given_us = pool->worker->now_us;
	exchange->wait_deadline = pool->worker->now + pool->worker->gateway->connect_timeout;
	exchange->stamped = false;
}

/* A new connection, which need not be made yet; NULL when it cannot be made, or errno says that we have no descriptor.
 */
static struct upstream_connection *connect_to(struct upstream_pool *pool, unsigned replica)
{
	const struct endpoint *endpoint = &pool->replicas[replica].endpoint;
	struct upstream_connection *connection;
	int on = 1, fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return NULL;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)&endpoint->address, endpoint->length) != 0 && errno != EINPROGRESS) {
		close(fd);
		errno = ECONNREFUSED;
		return NULL;
	}
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		abort();
	*connection = (struct upstream_connection){ .stream = { .fd = fd, .ready = upstream_ready },
		.pool = pool,
		.replica = replica,
		.generation = pool->replicas[replica].generation,
		.connecting = true,
		.timer.expired = idle_expired };
	pool->open++;
	count(&upstream_counters(pool, replica)->connections, 1);
	if (stream_watch(&connection->stream, pool->worker->epoll))
		return connection;
	destroy(connection);
	errno = EMFILE;
	return NULL;
}

static struct upstream_connection *take_idle(struct upstream_replica *replica)
{
	struct upstream_connection *connection = replica->idle;

	if (connection)
		replica->idle = connection->next_idle;
	return connection;
}

static bool has_idle(const struct upstream_pool *pool)
{
	for (unsigned i = 0; i < pool->service->places; i++) {
		if (pool->replicas[i].idle)
			return true;
	}
	return false;
}

static bool drop_any_idle(struct upstream_pool *pool)
{
	for (unsigned i = 0; i < pool->service->places; i++) {
		if (pool->replicas[i].idle) {
			drop_idle(pool->replicas[i].idle);
			return true;
		}
	}
	return false;
}

/* ---- Asking for one ---- */

static enum upstream_result enqueue(struct upstream_pool *pool, struct client *client)
{
	const struct principal *principal = client->exchange.principal;
	uint64_t caller = principal->caller.kind == CALLER_ANONYMOUS ? client->peer.key : principal->keys[PER_SUBJECT];

	if (!fair_queue_enter(&pool->queue, &client->exchange.waiting, caller)) {
		count(&pool->counters->refused, 1);
		return UPSTREAM_FULL;
	}
	client->exchange.wait_deadline = pool->worker->now + pool->worker->gateway->queue_wait;
	count(&pool->counters->waiting, 1);
	return UPSTREAM_QUEUED;
}

void upstream_leave_queue(struct upstream_pool *pool, struct client *client)
{
	fair_queue_leave(&pool->queue, &client->exchange.waiting);
	count(&pool->counters->waiting, -1);
}

/* A connection that was used before may have been closed by now: not for a request that failed on such a one. */
enum upstream_result upstream_acquire(struct upstream_pool *pool, struct client *client)
{
	struct exchange *exchange = &client->exchange;
	unsigned replica;

	while ((replica = upstream_choose(pool, exchange)) != NO_REPLICA) {
		bool fresh = exchange->failed & 1u << replica;
		struct upstream_connection *connection = fresh ? NULL : take_idle(&pool->replicas[replica]);

		if (!connection && pool->open >= pool->worker->gateway->upstream_connections && !drop_any_idle(pool))
			return enqueue(pool, client);
		if (!connection)
			connection = connect_to(pool, replica);
		if (connection) {
			give(connection, client);
			return UPSTREAM_GIVEN;
		}
		if (errno != ECONNREFUSED)
			break;
		exchange->unconnected |= 1u << replica;
		count(&upstream_counters(pool, replica)->failures[FAILURE_CONNECT], 1);
		upstream_note(pool, replica, true);
	}
	return UPSTREAM_DOWN;
}

/* As long as there is a place: whoever's turn it is. */
static void serve_queue(struct upstream_pool *pool)
{
	while (pool->queue.length && (pool->open < pool->worker->gateway->upstream_connections || has_idle(pool))) {
		struct waiter *waiter = fair_queue_next(&pool->queue);
		struct client *client = (struct client *)((char *)waiter - offsetof(struct client, exchange.waiting));

		count(&pool->counters->waiting, -1);
		upstream_acquire(pool, client); /* when that fails the client finds out for itself */
		worker_schedule(pool->worker, client);
	}
}

/* ---- Giving it back ---- */

static void put_back(struct upstream_connection *connection)
{
	struct upstream_replica *replica = &connection->pool->replicas[connection->replica];

	connection->next_idle = replica->idle;
	replica->idle = connection;
	timer_set(&connection->pool->worker->timers, &connection->timer, connection->pool->worker->now + IDLE_MS);
}

static bool is_worth_keeping(const struct upstream_connection *connection)
{
	const struct upstream_pool *pool = connection->pool;
	const struct replica *replica = &pool->service->replicas[connection->replica];

	return !connection->stream.hung_up && connection->stream.writable && !pool->worker->draining &&
	       replica_state(replica) == REPLICA_READY && !upstream_is_outdated(connection);
}

void upstream_release(struct client *client, bool reusable)
{
	struct upstream_connection *connection = client->exchange.upstream;
	struct upstream_pool *pool = connection->pool;
	struct upstream_replica *replica = &pool->replicas[connection->replica];

	client->exchange.upstream = NULL;
	connection->user = NULL;
	connection->used = true;
	replica->outstanding--;
	if (connection->trial && !upstream_is_outdated(connection))
		replica->breaker.trying = false; /* given up: the next one tries */
	if (reusable && is_worth_keeping(connection) && stream_quiet(&connection->stream))
		put_back(connection);
	else
		destroy(connection);
	serve_queue(pool);
}

static bool connected(struct upstream_connection *connection)
{
	int error = 0;
	socklen_t length = sizeof(error);

	return getsockopt(connection->stream.fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0 &&
	       !connection->stream.hung_up;
}

/* Once every ten seconds: each attempt fails in the same way. */
void upstream_tell_failure(struct upstream_connection *connection)
{
	struct upstream_pool *pool = connection->pool;

	if (pool->told && pool->worker->now - pool->told < TELL_MS)
		return;
	pool->told = pool->worker->now;
	log_warning("TLS with a back end fails", "{s:s s:s s:s}", "service", pool->service->name, "address",
		pool->replicas[connection->replica].address, "reason", tls_failure(&connection->stream));
}

static enum stream_result shake_hands(struct upstream_connection *connection)
{
	struct stream *stream = &connection->stream;
	const struct upstream_service *service = connection->pool->service;
	const struct replica *replica = &service->replicas[connection->replica];

	if (!stream->tls && !tls_start_client(stream, connection->pool->trust, service->names[replica->name].host))
		return STREAM_FAILED;
	return tls_handshake(stream);
}

/* MOVED: the connection is made, as far as bytes of a request may follow. */
static enum stream_result go_on_connecting(struct upstream_connection *connection)
{
	struct stream *stream = &connection->stream;

	if (!stream->tls && !connected(connection)) /* TLS is to read first what was said before it was hung up */
		return STREAM_FAILED;
	if (connection->pool->service->secure)
		return stream->tls || stream->writable ? shake_hands(connection) : STREAM_WAITS;
	if (!stream->writable)
		return STREAM_WAITS;
	stream->readable = false; /* nothing can have come before the request; a new edge will tell */
	return STREAM_MOVED;
}

/* Something happened to a connection: it is made, it has bytes or room for its user, or it is idle and no longer of
 * use. */
static void upstream_ready(struct stream *stream)
{
	struct upstream_connection *connection = (struct upstream_connection *)stream;
	struct client *user = connection->user;

	if (!user) {
		if (stream->hung_up || !stream_quiet(stream))
			drop_idle(connection);
		return;
	}
	if (connection->connecting) {
		switch (go_on_connecting(connection)) {
		case STREAM_WAITS:
			return;
		case STREAM_MOVED:
			connection->connecting = false;
			break;
		case STREAM_CLOSED:
		case STREAM_FAILED:
			forward_unconnected(user);
			break;
		}
	}
	client_run(user);
}

struct upstream_pool *upstream_pools_new(struct worker *worker, struct rules *rules)
{
	struct upstream_pool *pools = calloc(rules->service_count, sizeof(*pools));
	struct service_counters *counters = counters_new(rules);

	if (!pools)
		abort();
	for (size_t i = 0; i < rules->service_count; i++) {
		pools[i].worker = worker;
		pools[i].service = &rules->services[i];
		pools[i].counters = &counters[i];
		pools[i].trust = rules->trust;
		upstream_fill_credit(&pools[i]);
		fair_queue_init(&pools[i].queue, worker->gateway->upstream_queue);
	}
	return pools;
}

void upstream_pools_free(struct upstream_pool *pools, size_t count_of_pools)
{
	for (size_t i = 0; i < count_of_pools; i++) {
		while (drop_any_idle(&pools[i]))
			;
	}
	free(pools);
}
