/* One thread, one question every 300 ms: with the cursor of the last answer, so that an answer is empty as a rule and
 * nothing is published then. */
#include "revocations.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "fetch.h"
#include "log.h"
#include "metrics.h"
#include "ticker.h"

enum { INTERVAL_MS = 300, TIMEOUT_MS = 2000, FULL_PAGE = 1000, MAX_CURSOR = 64, MAX_URL = 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of current and of the references */
static struct revoked *current;
static atomic_uint generation;

static struct ticker ticker;
static struct fetcher *fetcher;
static const char *address;
static char cursor[MAX_CURSOR]; /* empty: from the beginning */
static _Atomic time_t answered_at;

static const struct caller gateway_itself = { .kind = CALLER_SERVICE, .client = "gateway", .scope = "service" };

struct revoked *revocations_hold(unsigned *ret_generation)
{
	struct revoked *revoked;

	pthread_mutex_lock(&lock);
	revoked = current;
	if (revoked)
		revoked->references++;
	*ret_generation = atomic_load(&generation);
	pthread_mutex_unlock(&lock);
	return revoked;
}

void revocations_release(struct revoked *revoked)
{
	bool last;

	if (!revoked)
		return;
	pthread_mutex_lock(&lock);
	last = --revoked->references == 0;
	pthread_mutex_unlock(&lock);
	if (last)
		free(revoked);
}

unsigned revocations_generation(void)
{
	return atomic_load_explicit(&generation, memory_order_acquire);
}

static void publish(struct revoked *revoked)
{
	struct revoked *old;

	pthread_mutex_lock(&lock);
	old = current;
	current = revoked;
	atomic_fetch_add(&generation, 1);
	pthread_mutex_unlock(&lock);
	revocations_release(old);
}

static time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* NULL, or why it is no answer. The cursor goes into the next URL as it is. */
static const char *read_answer(const char *text, size_t length, size_t *ret_count)
{
	json_auto_t *answer = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	const json_t *items = json_object_get(answer, "items");
	const char *next = json_string_value(json_object_get(answer, "next"));

	if (!json_is_array(items) || !next || strlen(next) >= sizeof(cursor) ||
		next[strspn(next, "0123456789-")] != '\0')
		return "the answer is not one of listRevocations";
	*ret_count = json_array_size(items);
	if (*ret_count)
		publish(revoked_new(current, items, seconds_now()));
	strcpy(cursor, next);
	return NULL;
}

static const char *ask(size_t *ret_count)
{
	char url[MAX_URL];
	const char *text, *failure;
	size_t length;

	snprintf(url, sizeof(url), "%s%s%s", address, *cursor ? "?after=" : "", cursor);
	failure = fetcher_get(fetcher, url, TIMEOUT_MS, &text, &length);
	return failure ? failure : read_answer(text, length, ret_count);
}

/* Page after page until there is no more. Gives the pause before the next question, in ms. */
static int catch_up(void *unused)
{
	static bool told;
	const char *failure;
	size_t count = 0;

	do
		failure = ask(&count);
	while (!failure && count == FULL_PAGE);
	if (!failure)
		atomic_store(&answered_at, seconds_now());
	if (failure && !told) /* once, not three times a second */
		log_warning("identity's revocations cannot be fetched", "{s:s s:s}", "url", address, "reason", failure);
	else if (!failure && told)
		log_info("identity's revocations are followed again", "{}");
	told = failure != NULL;
	return INTERVAL_MS;
}

static void write_gauges(metrics_writer *write, void *out)
{
	struct revoked *revoked;
	unsigned ignored;

	revoked = revocations_hold(&ignored);
	write(out, "portico_gateway_revocations", "Sessions, clients and subjects that are refused.", "",
		revoked ? (double)revoked->count : 0);
	write(out, "portico_gateway_revocations_age_seconds", "Since identity last told what was revoked.", "",
		(double)(seconds_now() - atomic_load(&answered_at)));
	revocations_release(revoked);
}

bool revocations_start(const char *url)
{
	if (!*url)
		return true;
	address = url;
	fetcher = fetcher_new(&gateway_itself);
	atomic_store(&answered_at, seconds_now());
	metrics_add_source(write_gauges);
	catch_up(NULL);
	return ticker_start(&ticker, catch_up, NULL);
}

void revocations_stop(void)
{
	ticker_stop(&ticker);
	fetcher_free(fetcher);
	revocations_release(current);
	current = NULL;
}
