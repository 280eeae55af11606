/* Access tokens (RFC 9068: JWS compact, "at+jwt"): the signature by a key of identity, with the algorithm that belongs
 * to that key and no other, and every claim that a caller must have. */
#pragma once
#include <time.h>
#include "caller.h"
#include "keys.h"

enum { TOKEN_MAX = 6144 };

struct token_rules {
	const char *issuer;
	const char *audience;
};

enum token_verdict {
	TOKEN_VALID,
	TOKEN_REFUSED,	   /* and will be as long as the keys are the same */
	TOKEN_FORGED,	   /* as well, and the signature had to be looked at to know it */
	TOKEN_EARLY,	   /* it may be valid later */
	TOKEN_UNKNOWN_KEY, /* as well, with other keys */
};

/* On TOKEN_VALID *ret_principal is the caller's; otherwise *ret_reason says why (static text, safe to tell the client).
 */
enum token_verdict token_verify(const struct keys *keys, const struct token_rules *rules, const char *token,
	size_t length, time_t now, struct principal **ret_principal, const char **ret_reason);

/* Tokens seen before, by their SHA-256: bounded, for at most a minute, and only as long as the keys are the same. Those
 * that were refused have places of their own, so that nobody can crowd out the valid ones. One worker's. */
struct token_cache;

enum { TOKEN_DIGEST = 32 };

struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *cache);
void token_digest(struct token_cache *cache, const char *token, size_t length, unsigned char digest[TOKEN_DIGEST]);
/* A new reference, or NULL. */
struct principal *token_cache_find(struct token_cache *cache, const unsigned char digest[TOKEN_DIGEST], time_t now);
void token_cache_store(
	struct token_cache *cache, const unsigned char digest[TOKEN_DIGEST], struct principal *principal, time_t now);
/* Why it was refused before, or NULL. reason is static text. */
const char *token_cache_refusal(const struct token_cache *cache, const unsigned char digest[TOKEN_DIGEST], time_t now);
void token_cache_refuse(
	struct token_cache *cache, const unsigned char digest[TOKEN_DIGEST], const char *reason, time_t now);
void token_cache_clear(struct token_cache *cache);
