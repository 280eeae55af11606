/* Owns random values, digests and base64url. Never keeps any of them beyond the request. */
#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include "identity.h"

/* Without randomness nothing that this service gives out is worth anything. */
static void fill_random(unsigned char *bytes, size_t length)
{
	if (RAND_bytes(bytes, (int)length) != 1)
		abort();
}

const char *base64url(struct request *rq, const void *data, size_t length)
{
	char *text = arena_alloc(rq->arena, (length + 2) / 3 * 4 + 1);
	int written = EVP_EncodeBlock((unsigned char *)text, data, (int)length);

	while (written > 0 && text[written - 1] == '=')
		text[--written] = '\0';
	for (char *c = text; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return text;
}

unsigned char *base64url_decode(struct request *rq, const char *text, size_t length, size_t *ret_length)
{
	size_t padded = (length + 3) / 4 * 4;
	char *standard = arena_alloc(rq->arena, padded + 1);
	unsigned char *data = arena_alloc(rq->arena, padded / 4 * 3 + 1);

	if (length % 4 == 1)
		return NULL;
	for (size_t i = 0; i < padded; i++) {
		char c = i < length ? text[i] : '=';

		if (i < length && !isalnum((unsigned char)c) && c != '-' && c != '_')
			return NULL;
		standard[i] = c == '-' ? '+' : c == '_' ? '/' : c;
	}
	if (EVP_DecodeBlock(data, (unsigned char *)standard, (int)padded) < 0)
		return NULL;
	*ret_length = length * 3 / 4;
	data[*ret_length] = '\0';
	return data;
}

const char *random_token(struct request *rq)
{
	unsigned char bytes[32];

	fill_random(bytes, sizeof bytes);
	return base64url(rq, bytes, sizeof bytes);
}

const char *random_hex(struct request *rq, size_t count)
{
	char *text = arena_alloc(rq->arena, 2 * count + 1);
	unsigned char *bytes = arena_alloc(rq->arena, count);

	fill_random(bytes, count);
	for (size_t i = 0; i < count; i++) {
		text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	return text;
}

const char *sha256_base64url(struct request *rq, const char *text)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length = 0;

	if (!EVP_Digest(text, strlen(text), digest, &length, EVP_sha256(), NULL))
		abort();
	return base64url(rq, digest, length);
}

bool same_secret(const char *one, const char *other)
{
	size_t length = strlen(one);

	return length == strlen(other) && CRYPTO_memcmp(one, other, length) == 0;
}
