/* Fetches the JWKS with the caller header of nobody (the service refuses requests without one) and publishes each set
 * that differs from the last: with a new set the workers forget all tokens they have verified. A fetch that fails
 * leaves the old set in place. */
#include "jwks.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include "fetch.h"
#include "log.h"
#include "text.h"

enum { REFRESH_SECONDS = 60, WANTED_SECONDS = 5, RETRY_SECONDS = 1, TIMEOUT_MS = 3000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of current and of the references */
static struct keys *current;
static atomic_uint generation;
static atomic_bool wanted;
static struct fetcher *fetcher; /* jwks_tick()'s */

struct keys *jwks_hold(unsigned *ret_generation)
{
	struct keys *keys;

	pthread_mutex_lock(&lock);
	keys = current;
	if (keys)
		keys->references++;
	*ret_generation = atomic_load(&generation);
	pthread_mutex_unlock(&lock);
	return keys;
}

void jwks_release(struct keys *keys)
{
	bool last;

	if (!keys)
		return;
	pthread_mutex_lock(&lock);
	last = --keys->references == 0;
	pthread_mutex_unlock(&lock);
	if (last)
		keys_free(keys);
}

unsigned jwks_generation(void)
{
	return atomic_load_explicit(&generation, memory_order_acquire);
}

void jwks_want(void)
{
	atomic_store_explicit(&wanted, true, memory_order_relaxed);
}

static void publish(struct keys *keys)
{
	struct keys *old;

	pthread_mutex_lock(&lock);
	old = current;
	current = keys;
	atomic_fetch_add(&generation, 1);
	pthread_mutex_unlock(&lock);
	jwks_release(old);
}

static void publish_new(struct keys *keys, const char *url, const char *text, size_t length)
{
	static char published[TEXT_SHA256_MAX];
	char digest[TEXT_SHA256_MAX];

	text_sha256(digest, text, length);
	if (strcmp(digest, published) == 0) {
		keys_free(keys);
		return;
	}
	memcpy(published, digest, sizeof(published));
	log_info("identity's keys are loaded", "{s:s s:i}", "url", url, "keys", (int)keys->count);
	publish(keys);
}

static void refresh(const char *url)
{
	static const struct caller nobody = { .kind = CALLER_ANONYMOUS, .scope = "" };
	static bool told;
	const char *text, *failure;
	size_t length;
	struct keys *keys;

	if (!fetcher)
		fetcher = fetcher_new(&nobody);
	failure = fetcher_get(fetcher, url, TIMEOUT_MS, &text, &length);
	keys = failure ? NULL : keys_new(text, length);
	if (keys) {
		publish_new(keys, url, text, length);
		told = false;
		return;
	}
	if (!told) /* once, not each second of an outage */
		log_warning("identity's keys cannot be fetched", "{s:s s:s}", "url", url, "reason",
			failure ? failure : "the answer holds no key to verify with");
	told = true;
	jwks_want();
}

void jwks_stop(void)
{
	jwks_release(current);
	current = NULL;
	fetcher_free(fetcher);
}

void jwks_tick(const char *url)
{
	static time_t last = -REFRESH_SECONDS;
	struct timespec now;
	time_t age;

	clock_gettime(CLOCK_MONOTONIC, &now);
	age = now.tv_sec - last;
	if (age < (!current ? RETRY_SECONDS : atomic_load(&wanted) ? WANTED_SECONDS : REFRESH_SECONDS))
		return;
	atomic_store(&wanted, false);
	last = now.tv_sec;
	refresh(url);
}
