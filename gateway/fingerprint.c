/* SHA-256 with the secret in front, cut to 64 bits: made once a connection or token, so its cost does not matter. */
#include "fingerprint.h"
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 256 };

static unsigned char key[SHA256_DIGEST_LENGTH];

void fingerprint_start(const char *secret)
{
	SHA256((const unsigned char *)secret, strlen(secret), key);
}

uint64_t fingerprint(char kind, const void *name, size_t length)
{
	unsigned char text[sizeof(key) + 1 + MAX_NAME], digest[SHA256_DIGEST_LENGTH];
	uint64_t number;

	if (length > MAX_NAME)
		abort(); /* two names that differ only behind that would be one */
	memcpy(text, key, sizeof(key));
	text[sizeof(key)] = (unsigned char)kind;
	memcpy(text + sizeof(key) + 1, name, length);
	SHA256(text, sizeof(key) + 1 + length, digest);
	memcpy(&number, digest, sizeof(number));
	return number ? number : 1;
}

uint64_t fingerprint_of_part(uint64_t whole, const char *part)
{
	for (; *part; part++) {
		whole = (whole ^ (unsigned char)*part) * 0x9e3779b97f4a7c15u;
		whole ^= whole >> 29;
	}
	return whole ? whole : 1;
}
