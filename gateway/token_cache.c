/* Sets of a few entries, the one that ends first gives way. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "token.h"

enum { SETS = 2048, REFUSED_SETS = 512, WAYS = 4, MAX_SECONDS = 60 };

struct entry {
	unsigned char digest[TOKEN_DIGEST];
	time_t until;
	struct principal *principal; /* NULL: free */
};

struct token_cache {
	EVP_MD *algorithm; /* fetched once: looking it up costs more than the digest of a token */
	EVP_MD_CTX *context;
	struct entry entries[SETS][WAYS];
	struct refusal {
		unsigned char digest[TOKEN_DIGEST];
		time_t until;
		const char *reason; /* NULL: free */
	} refusals[REFUSED_SETS][WAYS];
};

struct token_cache *token_cache_new(void)
{
	struct token_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		abort();
	cache->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	cache->context = EVP_MD_CTX_new();
	if (!cache->algorithm || !cache->context)
		abort();
	return cache;
}

void token_cache_clear(struct token_cache *cache)
{
	for (int set = 0; set < SETS; set++) {
		for (int way = 0; way < WAYS; way++) {
			principal_release(cache->entries[set][way].principal);
			cache->entries[set][way].principal = NULL;
		}
	}
	memset(cache->refusals, 0, sizeof(cache->refusals));
}

void token_cache_free(struct token_cache *cache)
{
	if (!cache)
		return;
	token_cache_clear(cache);
	EVP_MD_CTX_free(cache->context);
	EVP_MD_free(cache->algorithm);
	free(cache);
}

void token_digest(struct token_cache *cache, const char *token, size_t length, unsigned char digest[TOKEN_DIGEST])
{
	if (EVP_DigestInit_ex2(cache->context, cache->algorithm, NULL) != 1 ||
		EVP_DigestUpdate(cache->context, token, length) != 1 ||
		EVP_DigestFinal_ex(cache->context, digest, NULL) != 1)
		abort(); /* without a digest two tokens could be taken for one */
}

static unsigned number_of(const unsigned char digest[TOKEN_DIGEST])
{
	return digest[0] | (unsigned)digest[1] << 8;
}

static struct entry *set_of(struct token_cache *cache, const unsigned char digest[TOKEN_DIGEST])
{
	return cache->entries[number_of(digest) % SETS];
}

struct principal *token_cache_find(struct token_cache *cache, const unsigned char digest[TOKEN_DIGEST], time_t now)
{
	struct entry *set = set_of(cache, digest);

	for (int i = 0; i < WAYS; i++) {
		if (set[i].principal && set[i].until > now && memcmp(set[i].digest, digest, TOKEN_DIGEST) == 0)
			return principal_hold(set[i].principal);
	}
	return NULL;
}

void token_cache_store(
	struct token_cache *cache, const unsigned char digest[TOKEN_DIGEST], struct principal *principal, time_t now)
{
	struct entry *set = set_of(cache, digest), *victim = &set[0];

	for (int i = 1; i < WAYS && victim->principal; i++) {
		if (!set[i].principal || set[i].until < victim->until)
			victim = &set[i];
	}
	principal_release(victim->principal);
	memcpy(victim->digest, digest, TOKEN_DIGEST);
	victim->principal = principal_hold(principal);
	victim->until = principal->expires < now + MAX_SECONDS ? principal->expires : now + MAX_SECONDS;
}

const char *token_cache_refusal(const struct token_cache *cache, const unsigned char digest[TOKEN_DIGEST], time_t now)
{
	const struct refusal *set = cache->refusals[number_of(digest) % REFUSED_SETS];

	for (int i = 0; i < WAYS; i++) {
		if (set[i].until > now && memcmp(set[i].digest, digest, TOKEN_DIGEST) == 0)
			return set[i].reason;
	}
	return NULL;
}

void token_cache_refuse(
	struct token_cache *cache, const unsigned char digest[TOKEN_DIGEST], const char *reason, time_t now)
{
	struct refusal *set = cache->refusals[number_of(digest) % REFUSED_SETS], *victim = &set[0];

	for (int i = 1; i < WAYS; i++) {
		if (set[i].until < victim->until)
			victim = &set[i];
	}
	memcpy(victim->digest, digest, TOKEN_DIGEST);
	victim->reason = reason;
	victim->until = now + MAX_SECONDS;
}
