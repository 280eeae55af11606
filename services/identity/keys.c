/* Owns the signing keys: makes them, keeps the current one opened for a few seconds, publishes and rotates them. A
 * private key leaves this process only sealed. */
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "identity.h"
#include "text.h"
#include "identity.sql.h"
#include "scope.h"

/* Tokens live 10 minutes; verifiers may hold the key list for as long; the rest is margin. */
#define PREVIOUS_KEPT "3600"
enum { CACHE_SECONDS = 10, CACHE_WAIT_SECONDS = 1 };

static struct {
	pthread_mutex_t lock;
	time_t until;
	char *kid, *published;
	EVP_PKEY *private;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const char *coordinate(struct request *rq, EVP_PKEY *key, const char *name)
{
	unsigned char bytes[32];
	BIGNUM *number = NULL;
	const char *text;

	if (!EVP_PKEY_get_bn_param(key, name, &number) || BN_bn2binpad(number, bytes, sizeof bytes) < 0)
		abort();
	text = text_base64url(rq->arena, bytes, sizeof bytes);
	BN_free(number);
	return text;
}

static const char *private_pem(struct request *rq, EVP_PKEY *key)
{
	BIO *memory = BIO_new(BIO_s_mem());
	const char *pem;
	char *data;
	long length;

	if (!memory || !PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL))
		abort();
	length = BIO_get_mem_data(memory, &data);
	pem = arena_strndup(rq->arena, data, (size_t)length);
	BIO_free(memory);
	return pem;
}

/* The name of a key is its thumbprint (RFC 7638), so it can never stand for another key. */
static bool make_key(struct request *rq)
{
	auto_pkey EVP_PKEY *key = EVP_EC_gen("P-256");
	const char *x, *y, *kid;
	json_t *public;

	if (!key)
		abort();
	x = coordinate(rq, key, OSSL_PKEY_PARAM_EC_PUB_X);
	y = coordinate(rq, key, OSSL_PKEY_PARAM_EC_PUB_Y);
	kid = sha256_base64url(
		rq, arena_printf(rq->arena, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y));
	public = json_make(rq, "{s:s s:s s:s s:s s:s s:s s:s}", "kty", "EC", "crv", "P-256", "x", x, "y", y, "kid", kid,
		"use", "sig", "alg", "ES256");
	return sql_done(rq, SQL_ADD_SIGNING_KEY, kid, json_sql(rq, public), seal(rq, kid, private_pem(rq, key)));
}

static EVP_PKEY *open_key(struct request *rq, const json_t *key)
{
	const char *pem = unseal(rq, json_text(key, "kid"), json_text(key, "sealed"));
	BIO *memory = pem ? BIO_new_mem_buf(pem, -1) : NULL;
	EVP_PKEY *private = memory ? PEM_read_bio_PrivateKey(memory, NULL, NULL, NULL) : NULL;

	BIO_free(memory);
	return private;
}

static const json_t *current_of(const json_t *list)
{
	size_t index;
	json_t *key;

	json_array_foreach(json_at(list, "keys"), index, key)
	{
		if (strcmp(json_text(key, "state"), "current") == 0)
			return key;
	}
	return NULL;
}

static const char *publish(struct request *rq, const json_t *list)
{
	json_t *keys = json_array();
	size_t index;
	json_t *key;

	json_array_foreach(json_at(list, "keys"), index, key) json_array_append(keys, json_object_get(key, "public"));
	return json_sql(rq, json_make(rq, "{s:o}", "keys", keys));
}

static void replace(char **held, const char *text)
{
	free(*held);
	*held = strdup(text);
}

/* Reads the keys, making the first one where there is none. Called under the lock. */
static bool refresh_cache(struct request *rq)
{
	json_t *list = sql_row(rq, SQL_LIST_SIGNING_KEYS);
	const json_t *current = current_of(list);
	EVP_PKEY *private;

	if (list && !current) {
		if (!make_key(rq))
			return false;
		list = sql_row(rq, SQL_LIST_SIGNING_KEYS);
		current = current_of(list);
	}
	if (!list || !current)
		return false;
	private = open_key(rq, current);
	if (!private) {
		log_error("the signing key cannot be opened: it was sealed under another PORTICO_KEY_SECRET", "{s:s}",
			"kid", json_text(current, "kid"));
		problem(rq, 503, "unavailable", "Tokens cannot be signed now.");
		return false;
	}
	replace(&cache.kid, json_text(current, "kid"));
	EVP_PKEY_free(cache.private);
	cache.private = private;
	replace(&cache.published, publish(rq, list));
	cache.until = time(NULL) + CACHE_SECONDS;
	return true;
}

/* Who holds the lock may be waiting for the database: one does, the others do not queue behind. False: answered. */
static bool lock_cache(struct request *rq)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CACHE_WAIT_SECONDS;
	if (pthread_mutex_clocklock(&cache.lock, CLOCK_MONOTONIC, &until) == 0)
		return true;
	reply_header(rq, "Retry-After", "1");
	problem(rq, 503, "unavailable", "The signing keys cannot be read now.");
	return false;
}

static bool read_cache(struct request *rq, struct signing_key *ret_key, const char **ret_published)
{
	bool known;

	if (!lock_cache(rq))
		return false;
	known = time(NULL) < cache.until || refresh_cache(rq);
	if (known) {
		EVP_PKEY_up_ref(cache.private);
		arena_lease(rq->arena, cache.private, (void (*)(void *))EVP_PKEY_free);
		*ret_key = (struct signing_key){ arena_strdup(rq->arena, cache.kid), cache.private };
		*ret_published = arena_strdup(rq->arena, cache.published);
	}
	pthread_mutex_unlock(&cache.lock);
	return known;
}

bool signing_key(struct request *rq, struct signing_key *ret_key)
{
	const char *published;

	return read_cache(rq, ret_key, &published);
}

json_t *published_keys(struct request *rq)
{
	struct signing_key key;
	const char *published;

	if (!read_cache(rq, &key, &published))
		return NULL;
	return arena_json(rq->arena, json_loads(published, 0, NULL));
}

int show_keys(struct request *rq)
{
	json_t *keys = published_keys(rq);

	if (!keys)
		return rq->status;
	reply_header(rq, "Cache-Control", "public, max-age=600");
	return reply_json(rq, 200, keys);
}

/* Task: see rotate_signing_keys() in the migration. */
int rotate_keys(struct request *rq)
{
	json_t *step = sql_row(rq, SQL_ROTATE_SIGNING_KEYS, config(key_lifetime_setting), config(key_published_setting),
		PREVIOUS_KEPT);

	if (!step)
		return rq->status;
	if (!json_is_true(json_object_get(step, "missing")))
		return reply_empty(rq, 204);
	return make_key(rq) ? reply_empty(rq, 200) : rq->status;
}
