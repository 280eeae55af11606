/* One thread with its own listening socket, event loop, token cache, connections and buffers. Workers share the
 * settings, the limits and nothing else, so none waits for another. */
#pragma once
#include "access_log.h"
#include "buffer.h"
#include "gateway.h"
#include "peer.h"
#include "stream.h"
#include "timers.h"

struct client;
struct upstream_pool;

/* The rules as one worker holds them, with its connections to their services. After a reload the requests that are
 * under way keep the view that they began with. */
struct rules_view {
	struct rules *rules;
	struct upstream_pool *pools; /* by index of the service */
	unsigned users;		     /* requests under way */
	struct rules_view *next;     /* an older one */
};

struct worker_counters { /* written by the worker, read by /metrics */
	atomic_long clients, refused_clients, token_hits, token_misses;
};

enum { ADDRESS_SLOTS = 16384 };

struct worker {
	struct gateway *gateway;
	pthread_t thread;
	int epoll;
	struct stream listener, tls_listener, metrics_listener, wake;
	int64_t now, now_us; /* of this turn of the loop, monotonic */
	time_t wall;	     /* of this turn, seconds since 1970 */
	char date[32];	     /* wall as in the field Date */
	time_t date_of;
	bool draining;
	bool out_of_descriptors; /* said so in the log; until all who knocked were let in */
	struct timer accept_pause;
	struct timers timers;
	struct buffer_pool buffers;
	struct rules_view *view; /* the current one; older ones behind it until they have no users */
	unsigned rules_generation;
	struct client *clients;
	size_t client_count;
	uint32_t connections[ADDRESS_SLOTS]; /* of clients, by address; few addresses share a slot */
	struct client *scheduled;	     /* to be run again in this turn */
	struct stream *dead;		     /* freed at the end of the turn: events of this turn may still name them */
	struct keys *keys;
	unsigned keys_generation;
	struct revoked *revoked; /* NULL: nothing yet */
	unsigned revoked_generation;
	struct token_cache *tokens;
	struct principal *anonymous;
	struct access_log log;
	struct worker_counters counters;
};

struct worker *worker_new(struct gateway *gateway, bool with_metrics);
bool worker_start(struct worker *worker);
/* Stops accepting, lets what runs finish, at most ten seconds; then the thread ends. */
void worker_drain(struct worker *worker);
void worker_free(struct worker *worker); /* joins the thread */

/* Takes over rules that were reloaded. Cheap: called for every request. */
void worker_follow_rules(struct worker *worker);

void worker_schedule(struct worker *worker, struct client *client);
/* stream is closed; the object it begins is freed at the end of the turn. */
void worker_bury(struct worker *worker, struct stream *stream);

int64_t worker_clock_us(void);

static inline uint32_t *connections_of(struct worker *worker, const struct peer *peer)
{
	return &worker->connections[peer->key % ADDRESS_SLOTS];
}

static inline void count(atomic_long *counter, long change)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + change, memory_order_relaxed);
}
