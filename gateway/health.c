/* A round is a connection and a GET /readyz for each replica, side by side over poll(). One that does not answer in
 * time is given a second chance before it counts as unreachable: a busy machine is not a broken one. A refused
 * connection leaves no doubt. */
#include "health.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "log.h"
#include "rules.h"
#include "ticker.h"

enum {
	ROUND_MS = 250,	  /* between two looks at what is not ready */
	READY_MS = 1000,  /* at what is */
	ANSWER_MS = 1000, /* the time that it has to answer */
	CHANCES = 2,
	STATUS_LINE = 12 /* "HTTP/1.1 200" */
};

static struct ticker ticker;

enum finding { FOUND_NOTHING, FOUND_READY, FOUND_UNREADY, FOUND_REFUSED, FOUND_SILENT };

struct look {
	struct upstream_service *service;
	struct replica *replica;
	unsigned generation; /* of the replica, when the look began */
	int fd;
	bool asked;
	char answer[STATUS_LINE + 1];
	size_t length;
};

struct round {
	size_t count;
	struct look looks[MAX_SERVICES * MAX_REPLICAS];
	struct pollfd ready[MAX_SERVICES * MAX_REPLICAS];
};

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum replica_state judge(struct replica *replica, enum finding finding)
{
	replica->failed_looks = finding == FOUND_SILENT ? replica->failed_looks + 1 : 0;
	switch (finding) {
	case FOUND_READY:
		return REPLICA_READY;
	case FOUND_UNREADY:
		return REPLICA_UNREADY;
	case FOUND_REFUSED:
		return REPLICA_UNREACHABLE;
	case FOUND_SILENT:
		return replica->failed_looks >= CHANCES ? REPLICA_UNREACHABLE : replica_state(replica);
	case FOUND_NOTHING:
		break;
	}
	return replica_state(replica);
}

/* Which comes back from being unreachable is a new one: what the workers hold against the old one is over. */
static void apply(const struct look *look, enum finding finding)
{
	static const char *const words[] = { [REPLICA_ABSENT] = "upstream is gone",
		[REPLICA_UNREACHABLE] = "upstream cannot be reached",
		[REPLICA_UNREADY] = "upstream is not ready",
		[REPLICA_READY] = "upstream is ready" };
	struct replica *replica = look->replica;
	enum replica_state before, after;
	char address[ENDPOINT_TEXT];

	pthread_mutex_lock(&replica->lock);
	before = after = replica_state(replica);
	if (before != REPLICA_ABSENT && atomic_load(&replica->generation) == look->generation)
		after = judge(replica, finding);
	if (before == REPLICA_UNREACHABLE && after != before)
		atomic_fetch_add(&replica->generation, 1);
	atomic_store(&replica->state, after);
	strcpy(address, replica->address);
	pthread_mutex_unlock(&replica->lock);
	if (after != before)
		log_info(words[after], "{s:s s:s}", "service", look->service->name, "address", address);
}

static void end(struct round *round, size_t i, enum finding finding)
{
	if (round->looks[i].fd >= 0)
		close(round->looks[i].fd);
	round->ready[i].fd = -1;
	apply(&round->looks[i], finding);
}

/* Without a descriptor nothing is learnt about the replica: what was known of it stays. */
static void begin(struct round *round, struct upstream_service *service, struct replica *replica)
{
	struct look *look = &round->looks[round->count];
	struct endpoint endpoint;

	pthread_mutex_lock(&replica->lock);
	endpoint = replica->endpoint;
	*look = (struct look){ service, replica, .generation = atomic_load(&replica->generation) };
	pthread_mutex_unlock(&replica->lock);
	look->fd = socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	round->ready[round->count] = (struct pollfd){ .fd = look->fd, .events = POLLOUT };
	round->count++;
	if (look->fd >= 0 && connect(look->fd, (const struct sockaddr *)&endpoint.address, endpoint.length) != 0 &&
		errno != EINPROGRESS)
		end(round, round->count - 1, FOUND_REFUSED);
}

/* FOUND_NOTHING: not yet. */
static enum finding ask(struct look *look)
{
	char request[512];
	int error = 0, length;
	socklen_t size = sizeof(error);

	if (getsockopt(look->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error)
		return FOUND_REFUSED;
	if (look->service->secure)
		return FOUND_READY; /* a partner's: it has a door, and that is all we want to know */
	length = snprintf(request, sizeof(request),
		"GET /readyz HTTP/1.1\r\nHost: %s\r\nUser-Agent: portico-gateway\r\nConnection: close\r\n\r\n",
		look->service->host);
	look->asked = true;
	return send(look->fd, request, (size_t)length, MSG_NOSIGNAL) == length ? FOUND_NOTHING : FOUND_SILENT;
}

static enum finding listen_to(struct look *look)
{
	ssize_t got = recv(look->fd, look->answer + look->length, STATUS_LINE - look->length, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return FOUND_NOTHING;
	if (got <= 0)
		return FOUND_SILENT;
	look->length += (size_t)got;
	if (look->length < STATUS_LINE)
		return FOUND_NOTHING;
	if (strncmp(look->answer, "HTTP/1.", 7) != 0)
		return FOUND_SILENT;
	return look->answer[9] == '5' ? FOUND_UNREADY : FOUND_READY;
}

static void go_on(struct round *round, size_t i)
{
	struct look *look = &round->looks[i];
	enum finding finding = look->asked ? listen_to(look) : ask(look);

	if (finding == FOUND_NOTHING)
		round->ready[i].events = POLLIN;
	else
		end(round, i, finding);
}

static bool any_open(const struct round *round)
{
	for (size_t i = 0; i < round->count; i++) {
		if (round->ready[i].fd >= 0)
			return true;
	}
	return false;
}

static void wait_for_answers(struct round *round)
{
	int64_t until = clock_ms() + ANSWER_MS, left;

	while (any_open(round) && (left = until - clock_ms()) > 0) {
		if (poll(round->ready, round->count, (int)left) <= 0)
			continue;
		for (size_t i = 0; i < round->count; i++) {
			if (round->ready[i].fd >= 0 && round->ready[i].revents)
				go_on(round, i);
		}
	}
	for (size_t i = 0; i < round->count; i++) {
		if (round->ready[i].fd >= 0)
			end(round, i, FOUND_SILENT);
	}
}

static bool is_due(const struct replica *replica, bool also_ready)
{
	enum replica_state state = replica_state(replica);

	return state != REPLICA_ABSENT && (also_ready || state != REPLICA_READY);
}

void health_look(struct rules *rules, bool also_ready)
{
	struct round *round = malloc(sizeof(*round));

	if (!round)
		abort();
	round->count = 0;
	for (size_t i = 0; i < rules->service_count; i++) {
		struct upstream_service *service = &rules->services[i];

		for (size_t k = 0; k < service->places; k++) {
			if (is_due(&service->replicas[k], also_ready))
				begin(round, service, &service->replicas[k]);
		}
	}
	wait_for_answers(round);
	free(round);
}

static int look_round(void *context)
{
	static int64_t looked; /* at all of them */
	struct rules *rules = gateway_hold_rules(context, NULL);
	int64_t now = clock_ms();
	bool all = now - looked >= READY_MS;

	if (all)
		looked = now;
	health_look(rules, all);
	rules_release(rules);
	return ROUND_MS;
}

bool health_start(struct gateway *gateway)
{
	return ticker_start(&ticker, look_round, gateway);
}

void health_stop(void)
{
	ticker_stop(&ticker);
}
