/* SipHash-2-4 (Aumasson and Bernstein, 2012), which is made for tables whose keys others choose. */
#include "fingerprint.h"
#include <openssl/sha.h>
#include <string.h>

static uint64_t secret_key[2];

void fingerprint_start(const char *secret)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)secret, strlen(secret), digest);
	memcpy(secret_key, digest, sizeof(secret_key));
}

static uint64_t rotate(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static void mix(uint64_t v[4], int rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void take(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mix(v, 2);
	v[0] ^= word;
}

/* Eight bytes, the first one lowest. */
static uint64_t word_of(const unsigned char *bytes, size_t length)
{
	uint64_t word = 0;

	for (size_t i = length; i--;)
		word = word << 8 | bytes[i];
	return word;
}

static uint64_t siphash(const uint64_t key[2], const unsigned char *bytes, size_t length)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
		key[1] ^ 0x7465646279746573u };
	size_t whole = length / 8 * 8;

	for (size_t i = 0; i < whole; i += 8)
		take(v, word_of(bytes + i, 8));
	take(v, word_of(bytes + whole, length - whole) | (uint64_t)length << 56);
	v[2] ^= 0xff;
	mix(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Each kind has a key of its own. */
uint64_t fingerprint(char kind, const void *name, size_t length)
{
	uint64_t key[2] = { secret_key[0] ^ (unsigned char)kind, secret_key[1] };
	uint64_t number = siphash(key, name, length);

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
