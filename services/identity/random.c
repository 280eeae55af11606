/* Owns random values and digests. Never keeps any of them beyond the request. */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include "identity.h"
#include "text.h"

const char *random_token(struct request *rq)
{
	unsigned char bytes[32];

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		abort(); /* without randomness nothing that this service gives out is worth anything */
	return text_base64url(rq->arena, bytes, sizeof bytes);
}

const char *random_hex(struct request *rq, size_t count)
{
	return text_random_hex(rq->arena, count);
}

const char *sha256_base64url(struct request *rq, const char *text)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length = 0;

	if (!EVP_Digest(text, strlen(text), digest, &length, EVP_sha256(), NULL))
		abort();
	return text_base64url(rq->arena, digest, length);
}
