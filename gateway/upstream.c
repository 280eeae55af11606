/* Pools of one worker. A replica whose connection failed is asked last for a second; the least busy of the others is
 * asked first. */
#include "upstream.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>
#include "client.h"
#include "forward.h"

enum { DOWN_MS = 1000, IDLE_MS = 10000 };

static void upstream_ready(struct stream *stream);

static void destroy(struct upstream_connection *connection)
{
	struct worker *worker = connection->pool->worker;

	connection->pool->open--;
	count(&worker->counters.upstream_connections, -1);
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

static void idle_expired(struct timer *timer)
{
	struct upstream_connection *connection =
		(struct upstream_connection *)((char *)timer - offsetof(struct upstream_connection, timer));

	if (!connection->user)
		drop_idle(connection);
}

/* Of the replicas that are not down the least busy one; when all are down the one that was so first. */
static unsigned choose_replica(const struct upstream_pool *pool)
{
	int64_t now = pool->worker->now;
	unsigned best = 0;

	for (unsigned i = 1; i < pool->service->replica_count; i++) {
		const struct upstream_replica *one = &pool->replicas[i], *other = &pool->replicas[best];
		bool one_down = one->down_until > now, other_down = other->down_until > now;

		if (one_down != other_down ? other_down
			: one_down	   ? one->down_until < other->down_until
					   : one->outstanding < other->outstanding)
			best = i;
	}
	return best;
}

static void give(struct upstream_connection *connection, struct client *client)
{
	connection->user = client;
	connection->pool->replicas[connection->replica].outstanding++;
	client->exchange.upstream = connection;
}

/* A socket that is connecting, or -1. */
static int open_socket(struct replica *replica)
{
	struct endpoint endpoint;
	int fd, on = 1;

	pthread_mutex_lock(&replica->lock);
	endpoint = replica->endpoint;
	pthread_mutex_unlock(&replica->lock);
	if (!endpoint.length)
		return -1;
	fd = socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)&endpoint.address, endpoint.length) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

static bool connect_to(struct upstream_pool *pool, unsigned replica, struct client *client)
{
	struct upstream_connection *connection;
	int fd = open_socket(&pool->service->replicas[replica]);

	if (fd < 0) {
		pool->replicas[replica].down_until = pool->worker->now + DOWN_MS;
		return false;
	}
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		abort();
	*connection = (struct upstream_connection){ .stream = { .fd = fd, .ready = upstream_ready },
		.pool = pool,
		.replica = replica,
		.connecting = true,
		.timer.expired = idle_expired };
	pool->open++;
	count(&pool->worker->counters.upstream_connections, 1);
	if (!stream_watch(&connection->stream, pool->worker->epoll)) {
		destroy(connection);
		return false;
	}
	give(connection, client);
	return true;
}

static bool drop_any_idle(struct upstream_pool *pool)
{
	for (unsigned i = 0; i < pool->service->replica_count; i++) {
		if (pool->replicas[i].idle) {
			drop_idle(pool->replicas[i].idle);
			return true;
		}
	}
	return false;
}

static void enqueue(struct upstream_pool *pool, struct client *client)
{
	client->exchange.queued = true;
	client->exchange.queue_next = NULL;
	*pool->queue_end = client;
	pool->queue_end = &client->exchange.queue_next;
	pool->waiting++;
	count(&pool->worker->counters.upstream_waiting, 1);
}

void upstream_leave_queue(struct upstream_pool *pool, struct client *client)
{
	struct client **at = &pool->queue;

	while (*at != client)
		at = &(*at)->exchange.queue_next;
	*at = client->exchange.queue_next;
	if (pool->queue_end == &client->exchange.queue_next)
		pool->queue_end = at;
	client->exchange.queued = false;
	pool->waiting--;
	count(&pool->worker->counters.upstream_waiting, -1);
}

enum upstream_result upstream_acquire(struct upstream_pool *pool, struct client *client, bool fresh)
{
	const struct gateway *gateway = pool->worker->gateway;

	for (size_t tries = 0; tries < pool->service->replica_count; tries++) {
		unsigned replica = choose_replica(pool);
		struct upstream_connection *idle = pool->replicas[replica].idle;

		if (idle && !fresh) {
			pool->replicas[replica].idle = idle->next_idle;
			give(idle, client);
			return UPSTREAM_GIVEN;
		}
		if (pool->open >= gateway->upstream_connections && !drop_any_idle(pool)) {
			if (pool->waiting >= gateway->upstream_queue)
				return UPSTREAM_FULL;
			enqueue(pool, client);
			return UPSTREAM_QUEUED;
		}
		if (connect_to(pool, replica, client))
			return UPSTREAM_GIVEN;
	}
	return UPSTREAM_DOWN;
}

/* Whoever waits longest is next: with this connection, or with the place that one has left. */
static bool serve_queue(struct upstream_pool *pool, struct upstream_connection *connection)
{
	struct client *next = pool->queue;

	if (!next)
		return false;
	upstream_leave_queue(pool, next);
	if (connection)
		give(connection, next);
	worker_schedule(pool->worker, next);
	return true;
}

static void put_back(struct upstream_connection *connection)
{
	struct upstream_replica *replica = &connection->pool->replicas[connection->replica];

	connection->next_idle = replica->idle;
	replica->idle = connection;
	timer_set(&connection->pool->worker->timers, &connection->timer, connection->pool->worker->now + IDLE_MS);
}

void upstream_release(struct client *client, bool reusable)
{
	struct upstream_connection *connection = client->exchange.upstream;
	struct upstream_pool *pool = connection->pool;

	client->exchange.upstream = NULL;
	connection->user = NULL;
	connection->used = true;
	pool->replicas[connection->replica].outstanding--;
	if (!reusable || connection->stream.hung_up || connection->stream.readable || !connection->stream.writable ||
		pool->worker->draining) {
		destroy(connection);
		serve_queue(pool, NULL);
	} else if (!serve_queue(pool, connection)) {
		put_back(connection);
	}
}

void upstream_failed(struct client *client)
{
	struct upstream_connection *connection = client->exchange.upstream;

	connection->pool->replicas[connection->replica].down_until = connection->pool->worker->now + DOWN_MS;
	upstream_release(client, false);
}

static bool connected(struct upstream_connection *connection)
{
	int error = 0;
	socklen_t length = sizeof(error);

	return getsockopt(connection->stream.fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0 &&
	       !connection->stream.hung_up;
}

/* Something happened to a connection: it is made, it has bytes or room for its user, or it is idle and no longer of
 * use. */
static void upstream_ready(struct stream *stream)
{
	struct upstream_connection *connection = (struct upstream_connection *)stream;
	struct client *user = connection->user;

	if (!user) {
		if (stream->readable || stream->hung_up)
			drop_idle(connection);
		return;
	}
	if (connection->connecting) {
		if (!connected(connection)) {
			upstream_failed(user);
			forward_unconnected(user);
			client_run(user);
			return;
		}
		if (!stream->writable)
			return;
		connection->connecting = false;
		connection->pool->replicas[connection->replica].down_until = 0;
		stream->readable = false; /* nothing can have come before the request; a new edge will tell */
	}
	client_run(user);
}

struct upstream_pool *upstream_pools_new(struct worker *worker, struct rules *rules)
{
	struct upstream_pool *pools = calloc(rules->service_count, sizeof(*pools));

	if (!pools)
		abort();
	for (size_t i = 0; i < rules->service_count; i++) {
		pools[i].worker = worker;
		pools[i].service = &rules->services[i];
		pools[i].queue_end = &pools[i].queue;
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
