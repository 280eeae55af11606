/* Owns the form of a sealed text. Never keeps a key. */
#include "seal.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include "text.h"

enum { KEY = 32, NONCE = 12, TAG = 16 };

static void release_cipher(EVP_CIPHER_CTX **context)
{
	EVP_CIPHER_CTX_free(*context);
}
#define auto_cipher __attribute__((cleanup(release_cipher)))

static void derive_key(unsigned char key[static KEY], const char *secret, const char *purpose)
{
	if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)purpose, strlen(purpose), key,
		    NULL))
		abort();
}

const char *seal_text(struct arena *arena, const char *secret, const char *purpose, const char *label, const char *text)
{
	auto_cipher EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	size_t length = strlen(text);
	unsigned char key[KEY], *sealed = arena_alloc(arena, NONCE + length + TAG);
	int written;

	derive_key(key, secret, purpose);
	if (!context || RAND_bytes(sealed, NONCE) != 1 ||
		!EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, sealed) ||
		!EVP_EncryptUpdate(context, NULL, &written, (const unsigned char *)label, (int)strlen(label)) ||
		!EVP_EncryptUpdate(context, sealed + NONCE, &written, (const unsigned char *)text, (int)length) ||
		!EVP_EncryptFinal_ex(context, sealed + NONCE + written, &written) ||
		!EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG, sealed + NONCE + length))
		abort();
	return text_base64url(arena, sealed, NONCE + length + TAG);
}

const char *seal_open(
	struct arena *arena, const char *secret, const char *purpose, const char *label, const char *sealed)
{
	auto_cipher EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	unsigned char key[KEY], *data, *text;
	size_t length;
	int written;

	data = text_base64url_bytes(arena, sealed, strlen(sealed), &length);
	if (!context || !data || length < NONCE + TAG)
		return NULL;
	text = arena_alloc(arena, length);
	derive_key(key, secret, purpose);
	if (!EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, data) ||
		!EVP_DecryptUpdate(context, NULL, &written, (const unsigned char *)label, (int)strlen(label)) ||
		!EVP_DecryptUpdate(context, text, &written, data + NONCE, (int)(length - NONCE - TAG)) ||
		!EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG, data + length - TAG) ||
		EVP_DecryptFinal_ex(context, text + written, &written) != 1)
		return NULL;
	return (const char *)text;
}
