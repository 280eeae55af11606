/* Signatures and secrets in the form of Standard Webhooks (standardwebhooks.com), for which subscribers find libraries.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arena.h"
#include "scope.h"
#include "webhook.h"

enum { MAC = 32, MAC_TEXT = 45, SECRET_TEXT = 45 }; /* base64 of 32 bytes has 44 characters */
static const char prefix[] = "whsec_";

const char *webhook_new_secret(struct arena *arena)
{
	unsigned char bytes[SECRET_BYTES], text[SECRET_TEXT];

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		abort();
	EVP_EncodeBlock(text, bytes, sizeof bytes);
	return arena_printf(arena, "%s%s", prefix, (const char *)text);
}

bool webhook_secret_bytes(const char *secret, unsigned char bytes[SECRET_BYTES])
{
	unsigned char decoded[SECRET_BYTES + 2]; /* the padding decodes to zeros */

	if (strncmp(secret, prefix, strlen(prefix)) != 0 || strlen(secret) != strlen(prefix) + SECRET_TEXT - 1 ||
		EVP_DecodeBlock(decoded, (const unsigned char *)secret + strlen(prefix), SECRET_TEXT - 1) < 0)
		return false;
	memcpy(bytes, decoded, SECRET_BYTES);
	return true;
}

static void sign(const unsigned char key[SECRET_BYTES], const char *text, size_t length, char mac_text[MAC_TEXT])
{
	unsigned char mac[MAC];

	if (!HMAC(EVP_sha256(), key, SECRET_BYTES, (const unsigned char *)text, length, mac, NULL))
		abort();
	EVP_EncodeBlock((unsigned char *)mac_text, mac, sizeof mac);
}

char *webhook_signature(const struct hook *hook, const char *id, long long timestamp, const char *body)
{
	auto_free char *text = NULL;
	char primary[MAC_TEXT], secondary[MAC_TEXT] = "", *value;
	int length = asprintf(&text, "%s.%lld.%s", id, timestamp, body);

	if (length < 0)
		abort();
	sign(hook->secrets[0], text, (size_t)length, primary);
	if (hook->has_secondary)
		sign(hook->secrets[1], text, (size_t)length, secondary);
	if (asprintf(&value, "v1,%s%s%s", primary, hook->has_secondary ? " v1," : "", secondary) < 0)
		abort();
	return value;
}
