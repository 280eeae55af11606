/* Fetches the JWKS with the caller header of nobody (the service refuses requests without one) and publishes each new
 * set. A fetch that fails leaves the old set in place. */
#include "jwks.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "caller.h"
#include "log.h"
#include "scope.h"

enum { REFRESH_SECONDS = 300, WANTED_SECONDS = 5, RETRY_SECONDS = 1, MAX_DOCUMENT = 65536 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of current and of the references */
static struct keys *current;
static atomic_uint generation;
static atomic_bool wanted;

struct document {
	size_t length;
	char text[MAX_DOCUMENT];
};

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

static size_t take(char *bytes, size_t size, size_t count, void *context)
{
	struct document *document = context;

	if (count > MAX_DOCUMENT - document->length)
		return 0;
	memcpy(document->text + document->length, bytes, size * count);
	document->length += count;
	return count;
}

static struct curl_slist *caller_headers(const char *url)
{
	struct principal *nobody = principal_anonymous_new();
	const char *authority = strstr(url, "://"), *path = authority ? strchr(authority + 3, '/') : NULL;
	char line[4096], signature[AUTH_SIGNATURE_MAX];
	struct curl_slist *headers;

	auth_sign(nobody->header, nobody->header_length, "GET", path ? path : "/", path ? strlen(path) : 1, signature);
	snprintf(line, sizeof(line), "Portico-Caller: %s", nobody->header);
	headers = curl_slist_append(NULL, line);
	snprintf(line, sizeof(line), "Portico-Signature: %s", signature);
	headers = curl_slist_append(headers, line);
	principal_release(nobody);
	return headers;
}

/* NULL or why it failed. */
static const char *fetch(const char *url, struct document *document)
{
	struct curl_slist *headers = caller_headers(url);
	CURL *curl = curl_easy_init();
	CURLcode code = CURLE_FAILED_INIT;
	long status = 0;

	if (curl) {
		curl_easy_setopt(curl, CURLOPT_URL, url);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, document);
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 3000L);
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(curl, CURLOPT_PROXY, "");
		code = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_cleanup(curl);
	}
	curl_slist_free_all(headers);
	if (code != CURLE_OK)
		return curl_easy_strerror(code);
	return status == 200 ? NULL : "the answer is not 200";
}

static void refresh(const char *url)
{
	auto_free struct document *document = calloc(1, sizeof(*document));
	static bool told;
	const char *failure = document ? fetch(url, document) : "out of memory";
	struct keys *keys = failure ? NULL : keys_new(document->text, document->length);

	if (keys) {
		publish(keys);
		log_info("identity's keys are loaded", "{s:s s:i}", "url", url, "keys", (int)keys->count);
		told = false;
		return;
	}
	if (!told) /* once, not each second of an outage */
		log_warning("identity's keys cannot be fetched", "{s:s s:s}", "url", url, "reason",
			failure ? failure : "the answer holds no key to verify with");
	told = true;
}

void jwks_stop(void)
{
	jwks_release(current);
	current = NULL;
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
