/* A set of public keys as identity publishes it (JWKS, RFC 7517), each parsed once and tied to one algorithm.
 * Immutable. */
#pragma once
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include "p256.h"

enum { KEYS_MAX = 16 };

enum token_algorithm { ALGORITHM_NONE, ALGORITHM_ES256, ALGORITHM_RS256, ALGORITHM_PS256, ALGORITHM_EDDSA };

struct token_key {
	char id[128];
	enum token_algorithm algorithm;
	EVP_PKEY *key;		  /* NULL for ES256 */
	struct p256 *p256;	  /* for ES256 */
	EVP_MD_CTX *verification; /* begun with key; copied for each token, which costs less than to begin anew */
	char header[300]; /* of a token as identity writes it for this key, in base64url; "" when the id is an odd one
			   */
	size_t header_length;
};

struct keys {
	unsigned references; /* counted under jwks.c's lock */
	EVP_MD *sha256;	     /* fetched once: looking it up costs more than the digest of a token */
	size_t count;
	struct token_key keys[KEYS_MAX];
};

/* From the text of a JWKS. Keys that cannot verify our tokens (symmetric, for encryption, unknown curves) are left out;
 * NULL when the text is none or no key is left. */
struct keys *keys_new(const char *text, size_t length);
void keys_free(struct keys *keys);

/* The key of a token whose header is just what identity writes: it need not be read then. NULL: read it. */
const struct token_key *keys_by_header(const struct keys *keys, const char *header, size_t length);
const struct token_key *keys_find(const struct keys *keys, const char *id);
enum token_algorithm algorithm_named(const char *name);
