/* One thread, one round a second: names, reachability, keys. It tells the workers nothing but through struct replica
 * and jwks.c. */
#include "upkeep.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "jwks.h"
#include "log.h"
#include "rules.h"
#include "scope.h"

enum { RESOLVE_ROUNDS = 30, PROBE_ROUNDS = 2, PROBE_TIMEOUT_MS = 500 };

static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static bool stopping;

static void resolve(struct replica *replica)
{
	struct endpoint found = { 0 };

	if (!endpoint_resolve(replica->host, replica->port, &found))
		return; /* the last known address stays */
	pthread_mutex_lock(&replica->lock);
	replica->endpoint = found;
	pthread_mutex_unlock(&replica->lock);
}

/* Without a descriptor nothing is learnt about the service: what was known of it stays. */
static bool connects(const struct endpoint *endpoint, bool did)
{
	auto_fd int fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t length = sizeof(error);

	if (!endpoint->length)
		return false;
	if (fd < 0)
		return did;
	if (connect(fd, (const struct sockaddr *)&endpoint->address, endpoint->length) == 0)
		return true;
	if (errno != EINPROGRESS || poll(&ready, 1, PROBE_TIMEOUT_MS) != 1)
		return false;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

static void probe(const struct upstream_service *service, struct replica *replica)
{
	struct endpoint endpoint;
	bool reachable;

	pthread_mutex_lock(&replica->lock);
	endpoint = replica->endpoint;
	pthread_mutex_unlock(&replica->lock);
	reachable = connects(&endpoint, atomic_load(&replica->reachable));
	if (atomic_exchange(&replica->reachable, reachable) != reachable)
		log_info(reachable ? "upstream is reachable" : "upstream cannot be reached", "{s:s s:s s:s}", "service",
			service->name, "host", replica->host, "port", replica->port);
}

void upkeep_look(struct rules *rules, bool resolve_names)
{
	for (size_t i = 0; i < rules->service_count; i++) {
		struct upstream_service *service = &rules->services[i];

		for (size_t k = 0; k < service->replica_count; k++) {
			if (resolve_names || !service->replicas[k].endpoint.length)
				resolve(&service->replicas[k]);
			probe(service, &service->replicas[k]);
		}
	}
}

static void tend_upstreams(struct gateway *gateway, unsigned round)
{
	struct rules *rules;

	if (round % PROBE_ROUNDS != 0)
		return;
	rules = gateway_hold_rules(gateway, NULL);
	upkeep_look(rules, round % RESOLVE_ROUNDS == 0);
	rules_release(rules);
}

/* True when it is time to stop. */
static bool pause_for_a_second(void)
{
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_mutex_lock(&lock);
	if (!stopping)
		pthread_cond_timedwait(&wake, &lock, &until);
	stop = stopping;
	pthread_mutex_unlock(&lock);
	return stop;
}

static void *run(void *context)
{
	struct gateway *gateway = context;
	unsigned round = 0;

	do {
		tend_upstreams(gateway, round++);
		jwks_tick(gateway->jwks_url);
	} while (!pause_for_a_second());
	return NULL;
}

bool upkeep_start(struct gateway *gateway)
{
	return pthread_create(&thread, NULL, run, gateway) == 0;
}

void upkeep_stop(void)
{
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_signal(&wake);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
}
