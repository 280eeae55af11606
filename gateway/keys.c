/* JWK to key, for EC P-256, RSA from 2048 bits and Ed25519; a symmetric key is never accepted here. */
#include "keys.h"
#include "arena.h"
#include "text.h"
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	enum token_algorithm algorithm;
} algorithms[] = { { "ES256", ALGORITHM_ES256 }, { "RS256", ALGORITHM_RS256 }, { "PS256", ALGORITHM_PS256 },
	{ "EdDSA", ALGORITHM_EDDSA } };

enum token_algorithm algorithm_named(const char *name)
{
	for (size_t i = 0; name && i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (strcmp(algorithms[i].name, name) == 0)
			return algorithms[i].algorithm;
	}
	return ALGORITHM_NONE;
}

static ssize_t read_bytes(const json_t *jwk, const char *name, unsigned char *out, size_t size)
{
	const json_t *value = json_object_get(jwk, name);

	return json_is_string(value)
		       ? text_base64url_decode(json_string_value(value), json_string_length(value), out, size)
		       : -1;
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM *parameters)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}

static struct p256 *read_ec(const json_t *jwk)
{
	unsigned char x[32], y[32];
	const char *curve = json_string_value(json_object_get(jwk, "crv"));

	if (!curve || strcmp(curve, "P-256") != 0 || read_bytes(jwk, "x", x, 32) != 32 ||
		read_bytes(jwk, "y", y, 32) != 32)
		return NULL;
	return p256_new(x, y);
}

static EVP_PKEY *read_rsa(const json_t *jwk)
{
	unsigned char modulus[1024], exponent[8];
	ssize_t modulus_length = read_bytes(jwk, "n", modulus, sizeof(modulus));
	ssize_t exponent_length = read_bytes(jwk, "e", exponent, sizeof(exponent));
	OSSL_PARAM_BLD *builder;
	OSSL_PARAM *parameters = NULL;
	BIGNUM *n, *e;
	EVP_PKEY *key = NULL;

	if (modulus_length < 256 || exponent_length < 1)
		return NULL;
	builder = OSSL_PARAM_BLD_new();
	n = BN_bin2bn(modulus, (int)modulus_length, NULL);
	e = BN_bin2bn(exponent, (int)exponent_length, NULL);
	if (builder && n && e && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
		OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		parameters = OSSL_PARAM_BLD_to_param(builder);
	if (parameters)
		key = key_from("RSA", parameters);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(builder);
	BN_free(n);
	BN_free(e);
	if (key && EVP_PKEY_get_bits(key) < 2048) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

static EVP_PKEY *read_ed25519(const json_t *jwk)
{
	unsigned char point[32];
	const char *curve = json_string_value(json_object_get(jwk, "crv"));

	if (!curve || strcmp(curve, "Ed25519") != 0 || read_bytes(jwk, "x", point, sizeof(point)) != 32)
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point, sizeof(point));
}

/* The algorithm is what the key says; a key that says none gets the one its type has, and an RSA key, which could have
 * two, is left out. */
static bool read_key(const json_t *jwk, struct token_key *key)
{
	const char *type = json_string_value(json_object_get(jwk, "kty"));
	const json_t *named = json_object_get(jwk, "alg");
	enum token_algorithm algorithm = algorithm_named(json_string_value(named));

	if (!type || (named && algorithm == ALGORITHM_NONE))
		return false;
	if (strcmp(type, "EC") == 0 && (!named || algorithm == ALGORITHM_ES256)) {
		key->algorithm = ALGORITHM_ES256;
		key->p256 = read_ec(jwk);
	} else if (strcmp(type, "OKP") == 0 && (!named || algorithm == ALGORITHM_EDDSA)) {
		key->algorithm = ALGORITHM_EDDSA;
		key->key = read_ed25519(jwk);
	} else if (strcmp(type, "RSA") == 0 && (algorithm == ALGORITHM_RS256 || algorithm == ALGORITHM_PS256)) {
		key->algorithm = algorithm;
		key->key = read_rsa(jwk);
	}
	return key->p256 || key->key;
}

static bool begin_verification(const struct keys *keys, struct token_key *key)
{
	EVP_PKEY_CTX *parameters;

	key->verification = EVP_MD_CTX_new();
	if (!key->verification || EVP_DigestVerifyInit(key->verification, &parameters,
					  key->algorithm == ALGORITHM_EDDSA ? NULL : keys->sha256, NULL, key->key) != 1)
		return false;
	return key->algorithm != ALGORITHM_PS256 ||
	       (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static const char *algorithm_name(enum token_algorithm algorithm)
{
	size_t i = 0;

	while (algorithms[i].algorithm != algorithm)
		i++;
	return algorithms[i].name;
}

/* {"alg":"ES256","typ":"at+jwt","kid":"…"} in base64url. */
static void write_header(struct token_key *key)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	struct arena *arena = arena_new();
	const char *text = arena_printf(
		arena, "{\"alg\":\"%s\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", algorithm_name(key->algorithm), key->id);
	const char *encoded = text_base64url(arena, text, strlen(text));

	if (strspn(key->id, plain) == strlen(key->id) && strlen(encoded) < sizeof(key->header)) {
		strcpy(key->header, encoded);
		key->header_length = strlen(encoded);
	}
	arena_free(arena);
}

static void add_key(struct keys *keys, const json_t *jwk)
{
	const char *id = json_string_value(json_object_get(jwk, "kid"));
	const char *use = json_string_value(json_object_get(jwk, "use"));
	struct token_key *slot = &keys->keys[keys->count];

	if (keys->count == KEYS_MAX || !id || !*id || strlen(id) >= sizeof(slot->id) || keys_find(keys, id) ||
		(use && strcmp(use, "sig") != 0))
		return;
	if (!read_key(jwk, slot))
		return;
	if (slot->key && !begin_verification(keys, slot))
		abort();
	memcpy(slot->id, id, strlen(id) + 1);
	write_header(slot);
	keys->count++;
}

struct keys *keys_new(const char *text, size_t length)
{
	json_t *document = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL), *jwk;
	struct keys *keys = calloc(1, sizeof(*keys));
	size_t index;

	if (!keys)
		abort();
	keys->references = 1;
	keys->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!keys->sha256)
		abort();
	json_array_foreach(json_object_get(document, "keys"), index, jwk) add_key(keys, jwk);
	json_decref(document);
	if (keys->count)
		return keys;
	keys_free(keys);
	return NULL;
}

void keys_free(struct keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < keys->count; i++) {
		EVP_MD_CTX_free(keys->keys[i].verification);
		EVP_PKEY_free(keys->keys[i].key);
		p256_free(keys->keys[i].p256);
	}
	EVP_MD_free(keys->sha256);
	free(keys);
}

const struct token_key *keys_by_header(const struct keys *keys, const char *header, size_t length)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (keys->keys[i].header_length == length && length &&
			memcmp(keys->keys[i].header, header, length) == 0)
			return &keys->keys[i];
	}
	return NULL;
}

const struct token_key *keys_find(const struct keys *keys, const char *id)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (strcmp(keys->keys[i].id, id) == 0)
			return &keys->keys[i];
	}
	return NULL;
}
