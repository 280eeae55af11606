/* Owns what is known of webhooks in memory: the hooks, their queues, their breakers. Neither the network nor the
 * database. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "webhook.h"

enum { FIRST_PAUSE_MS = 5000, LONGEST_PAUSE_MS = 300000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct call *outcomes, **last_outcome = &outcomes;
struct hook *hooks;

void webhooks_lock(void)
{
	pthread_mutex_lock(&lock);
}

void webhooks_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

struct hook *hook_by_id(const char *id)
{
	struct hook *hook = hooks;

	while (hook && strcmp(hook->id, id) != 0)
		hook = hook->next;
	return hook;
}

bool hook_is_down(const struct hook *hook)
{
	return hook->failures >= HOOK_DOWN;
}

bool hook_may_send(const struct hook *hook, long long now)
{
	if (hook->gone)
		return false;
	if (hook_is_down(hook))
		return hook->flying == 0 && now >= hook->closed_until;
	return hook->flying < hook->concurrency;
}

struct call *hook_find(const struct hook *hook, const char *event_id)
{
	struct call *call = hook->all;

	while (call && strcmp(call->id, event_id) != 0)
		call = call->later;
	return call;
}

void hook_queue(struct hook *hook, const char *id, int attempts, const char *body)
{
	struct call *call = calloc(1, sizeof *call);

	if (!call || !(call->body = strdup(body)))
		abort();
	call->hook = hook;
	call->attempts = attempts;
	strncpy(call->id, id, sizeof call->id - 1);
	call->later = hook->all;
	if (hook->all)
		hook->all->earlier = call;
	hook->all = call;
	hook->known++;
	*hook->last = call;
	hook->last = &call->next;
}

struct call *hook_take(struct hook *hook)
{
	struct call *call = hook->first;

	if (!call)
		return NULL;
	hook->first = call->next;
	if (!hook->first)
		hook->last = &hook->first;
	call->next = NULL;
	hook->flying++;
	return call;
}

/* Doubled with each failure while it is down, a quarter more or less. */
static long long pause_after(int failures)
{
	long long pause = FIRST_PAUSE_MS;

	for (int i = HOOK_DOWN; i < failures && pause < LONGEST_PAUSE_MS; i++)
		pause *= 2;
	if (pause > LONGEST_PAUSE_MS)
		pause = LONGEST_PAUSE_MS;
	return pause * 3 / 4 + random() % (pause / 2);
}

void hook_tell(struct call *call, long long now)
{
	struct hook *hook = call->hook;

	hook->flying--;
	if (call->ok) {
		hook->back |= hook_is_down(hook);
		hook->failures = 0;
	} else {
		hook->failures++;
		if (hook_is_down(hook))
			hook->closed_until = now + pause_after(hook->failures);
	}
	*last_outcome = call;
	last_outcome = &call->next;
}

struct call *outcomes_take(void)
{
	struct call *taken = outcomes;

	outcomes = NULL;
	last_outcome = &outcomes;
	return taken;
}

void outcomes_give_back(struct call *given)
{
	while (given) {
		struct call *call = given;

		given = call->next;
		call->next = NULL;
		*last_outcome = call;
		last_outcome = &call->next;
	}
}

void call_forget(struct call *call)
{
	struct hook *hook = call->hook;

	*(call->earlier ? &call->earlier->later : &hook->all) = call->later;
	if (call->later)
		call->later->earlier = call->earlier;
	hook->known--;
	free(call->body);
	free(call);
}

static void forget_queue(struct hook *hook)
{
	while (hook->first) {
		struct call *call = hook->first;

		hook->first = call->next;
		call_forget(call);
	}
	hook->last = &hook->first;
}

static void hook_free(struct hook *hook)
{
	free(hook->tenant);
	free(hook->id);
	free(hook->client);
	free(hook->url);
	free(hook);
}

void hooks_clean(void)
{
	for (struct hook **at = &hooks; *at;) {
		struct hook *hook = *at;

		if (hook->gone)
			forget_queue(hook);
		if (hook->gone && hook->known == 0) {
			*at = hook->next;
			hook_free(hook);
		} else {
			at = &hook->next;
		}
	}
}
