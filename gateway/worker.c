/* The event loop of one worker and what hangs on it: accepting, the clock, deadlines, the end of what was closed. */
#include "worker.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "client.h"
#include "http2.h"
#include "jwks.h"
#include "log.h"
#include "revocations.h"
#include "upstream.h"

enum {
	EVENTS = 256,
	ACCEPT_BATCH = 64,
	TICK_MS = TIMER_TICK_MS,
	LOG_FLUSH_MS = 500,
	DRAIN_MS = 10000,
	BACKLOG = 1024,
	ACCEPT_PAUSE_MS = 100
};

int64_t worker_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void read_clock(struct worker *worker)
{
	worker->now_us = worker_clock_us();
	worker->now = worker->now_us / 1000;
	worker->wall = time(NULL);
}

void worker_schedule(struct worker *worker, struct client *client)
{
	if (client->scheduled)
		return;
	client->scheduled = true;
	client->next_scheduled = worker->scheduled;
	worker->scheduled = client;
}

void worker_bury(struct worker *worker, struct stream *stream)
{
	stream->next_dead = worker->dead;
	worker->dead = stream;
}

static void free_dead(struct worker *worker)
{
	while (worker->dead) {
		struct stream *stream = worker->dead;

		worker->dead = stream->next_dead;
		free(stream);
	}
}

void worker_follow_rules(struct worker *worker)
{
	struct rules_view *view;

	if (worker->view && worker->rules_generation ==
				    atomic_load_explicit(&worker->gateway->rules_generation, memory_order_acquire))
		return;
	view = calloc(1, sizeof(*view));
	if (!view)
		abort();
	view->rules = gateway_hold_rules(worker->gateway, &worker->rules_generation);
	view->pools = upstream_pools_new(worker, view->rules);
	view->next = worker->view;
	worker->view = view;
}

static void drop_view(struct rules_view **at)
{
	struct rules_view *view = *at;

	*at = view->next;
	upstream_pools_free(view->pools, view->rules->service_count);
	rules_release(view->rules);
	free(view);
}

static void drop_old_views(struct worker *worker)
{
	struct rules_view **at = worker->view ? &worker->view->next : &worker->view;

	while (*at) {
		if ((*at)->users)
			at = &(*at)->next;
		else
			drop_view(at);
	}
}

static void run_scheduled(struct worker *worker)
{
	while (worker->scheduled) {
		struct client *client = worker->scheduled;

		worker->scheduled = client->next_scheduled;
		client->scheduled = false;
		client_run(client);
	}
}

/* Past the bound the client gets one sentence instead of silence. */
static void turn_away(struct worker *worker, int fd, enum listener_kind kind)
{
	static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
				     "Content-Length: 82\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
				     "{\"type\":\"/problems/unavailable\",\"title\":\"Service "
				     "Unavailable\",\"status\":503}       ";

	count(&worker->counters.refused_clients, 1);
	if (kind != LISTENER_TLS)
		send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void watch_listener(struct worker *worker, struct stream *listener, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = listener };

	if (listener->fd >= 0)
		epoll_ctl(worker->epoll, EPOLL_CTL_MOD, listener->fd, &event);
}

static void watch_listeners(struct worker *worker, uint32_t events)
{
	watch_listener(worker, &worker->listener, events);
	watch_listener(worker, &worker->tls_listener, events);
	watch_listener(worker, &worker->metrics_listener, events);
}

static void accept_again(struct timer *timer)
{
	watch_listeners((struct worker *)((char *)timer - offsetof(struct worker, accept_pause)), EPOLLIN);
}

/* Without descriptors the listener stays ready whatever we do: looking at it again at once would only burn the time of
 * those who are being served, whose connections' ends give descriptors back. */
static void cannot_accept(struct worker *worker, int cause)
{
	if (!worker->out_of_descriptors)
		log_warning("connections cannot be accepted", "{s:s}", "reason", strerror(cause));
	worker->out_of_descriptors = true;
	watch_listeners(worker, 0);
	timer_set(&worker->timers, &worker->accept_pause, worker->now + ACCEPT_PAUSE_MS);
}

static void all_accepted(struct worker *worker)
{
	if (worker->out_of_descriptors)
		log_info("connections are accepted again", "{}");
	worker->out_of_descriptors = false;
}

static bool has_place(struct worker *worker, const struct peer *peer)
{
	const struct gateway *gateway = worker->gateway;

	return worker->client_count < gateway->max_connections &&
	       (!gateway->address_connections || *connections_of(worker, peer) < gateway->address_connections);
}

/* So many in one turn, lest those who knock hold up those who are served; at the end all of them. */
static void accept_clients(struct worker *worker, struct stream *listener, enum listener_kind kind)
{
	for (unsigned tried = 0; tried < ACCEPT_BATCH || worker->draining; tried++) {
		struct sockaddr_storage address;
		socklen_t length = sizeof(address);
		struct peer peer;
		int on = 1,
		    fd = accept4(listener->fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			if (errno == EAGAIN)
				all_accepted(worker);
			else
				cannot_accept(worker, errno);
			return;
		}
		peer = peer_of(&address);
		if (!has_place(worker, &peer)) {
			turn_away(worker, fd, kind);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		client_run(client_new(worker, fd, &peer, kind));
	}
}

static void listener_ready(struct stream *stream)
{
	accept_clients((struct worker *)((char *)stream - offsetof(struct worker, listener)), stream, LISTENER_PLAIN);
}

static void tls_listener_ready(struct stream *stream)
{
	accept_clients((struct worker *)((char *)stream - offsetof(struct worker, tls_listener)), stream, LISTENER_TLS);
}

static void metrics_listener_ready(struct stream *stream)
{
	accept_clients((struct worker *)((char *)stream - offsetof(struct worker, metrics_listener)), stream,
		LISTENER_METRICS);
}

/* Only to leave epoll_wait: the loop looks at gateway->draining itself. */
static void wake_ready(struct stream *stream)
{
	uint64_t count_of_wakes;

	(void)!read(stream->fd, &count_of_wakes, sizeof(count_of_wakes));
}

static bool listen_on(struct worker *worker, struct stream *stream, const struct endpoint *endpoint,
	void (*ready)(struct stream *stream))
{
	int on = 1, off = 0;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = stream };

	stream->ready = ready;
	stream->fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (stream->fd < 0)
		return false;
	setsockopt(stream->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(stream->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (endpoint->address.ss_family == AF_INET6)
		setsockopt(stream->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	return bind(stream->fd, (const struct sockaddr *)&endpoint->address, endpoint->length) == 0 &&
	       listen(stream->fd, BACKLOG) == 0 && epoll_ctl(worker->epoll, EPOLL_CTL_ADD, stream->fd, &event) == 0;
}

struct worker *worker_new(struct gateway *gateway, bool with_metrics)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		abort();
	worker->gateway = gateway;
	worker->metrics_listener.fd = worker->tls_listener.fd = worker->listener.fd = STREAM_SHUT;
	worker->wake = (struct stream){ .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .ready = wake_ready };
	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	read_clock(worker);
	worker->timers.now = worker->now;
	worker->accept_pause.expired = accept_again;
	worker->tokens = token_cache_new();
	worker->anonymous = principal_anonymous_new();
	worker_follow_rules(worker);
	if (worker->epoll < 0 || !stream_watch(&worker->wake, worker->epoll) ||
		!listen_on(worker, &worker->listener, &gateway->listen, listener_ready) ||
		(gateway->tls_listen.length &&
			!listen_on(worker, &worker->tls_listener, &gateway->tls_listen, tls_listener_ready)) ||
		(with_metrics && !listen_on(worker, &worker->metrics_listener, &gateway->metrics_listen,
					 metrics_listener_ready))) {
		int failure = errno;

		worker_free(worker);
		errno = failure;
		return NULL;
	}
	return worker;
}

/* No new connections: those that the kernel has already made are taken first, they would be reset otherwise. */
static void start_draining(struct worker *worker)
{
	struct client *next;

	worker->draining = true;
	accept_clients(worker, &worker->listener, LISTENER_PLAIN);
	stream_close(&worker->listener);
	if (stream_is_open(&worker->tls_listener))
		accept_clients(worker, &worker->tls_listener, LISTENER_TLS);
	stream_close(&worker->tls_listener);
	stream_close(&worker->metrics_listener);
	for (struct client *client = worker->clients; client; client = next) {
		next = client->next;
		if (client->state == CLIENT_SPEAKS_HTTP2)
			http2_drain(client);
		else if (client->state == CLIENT_READS_HEAD && !client->in.data)
			client_close(client);
	}
}

static int wait_ms(const struct worker *worker)
{
	return worker->timers.count || worker->draining ? TICK_MS : LOG_FLUSH_MS;
}

static void turn(struct worker *worker)
{
	struct epoll_event events[EVENTS];
	int ready = epoll_wait(worker->epoll, events, EVENTS, wait_ms(worker));

	read_clock(worker);
	for (int i = 0; i < ready; i++)
		stream_event(events[i].data.ptr, events[i].events);
	timers_run(&worker->timers, worker->now);
	run_scheduled(worker);
	drop_old_views(worker);
	free_dead(worker);
}

static void *run(void *context)
{
	struct worker *worker = context;
	int64_t flushed = 0, drained_by = 0;

	for (;;) {
		turn(worker);
		if (worker->now - flushed >= LOG_FLUSH_MS) {
			access_log_flush(&worker->log);
			flushed = worker->now;
		}
		if (!worker->draining && atomic_load_explicit(&worker->gateway->draining, memory_order_relaxed)) {
			start_draining(worker);
			drained_by = worker->now + DRAIN_MS;
		}
		if (worker->draining && (!worker->clients || worker->now >= drained_by))
			break;
	}
	while (worker->clients)
		client_close(worker->clients);
	free_dead(worker);
	access_log_flush(&worker->log);
	return NULL;
}

bool worker_start(struct worker *worker)
{
	return pthread_create(&worker->thread, NULL, run, worker) == 0;
}

void worker_drain(struct worker *worker)
{
	uint64_t one = 1;

	atomic_store(&worker->gateway->draining, true);
	(void)!write(worker->wake.fd, &one, sizeof(one));
}

void worker_free(struct worker *worker)
{
	if (worker->thread)
		pthread_join(worker->thread, NULL);
	while (worker->view)
		drop_view(&worker->view);
	free_dead(worker);
	stream_close(&worker->listener);
	stream_close(&worker->tls_listener);
	stream_close(&worker->metrics_listener);
	stream_close(&worker->wake);
	if (worker->epoll >= 0)
		close(worker->epoll);
	token_cache_free(worker->tokens);
	principal_release(worker->anonymous);
	jwks_release(worker->keys);
	revocations_release(worker->revoked);
	buffer_pool_empty(&worker->buffers);
	free(worker);
}
