/* Owns public keys as JSON (RFC 7517): ours and those of clients. Which algorithms fit a key is decided by the key,
 * never by what a token says. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>
#include "identity.h"
#include "text.h"

enum { COORDINATE = 32, RSA_MIN_BITS = 2048, RSA_MAX_BITS = 8192, MAX_NUMBER = RSA_MAX_BITS / 8 + 1 };

static const unsigned char *number_of(struct request *rq, const json_t *jwk, const char *name, size_t *ret_length)
{
	const char *text = json_text(jwk, name);

	return text ? text_base64url_bytes(rq->arena, text, strlen(text), ret_length) : NULL;
}

static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM *parameters)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *p256_new(struct request *rq, const json_t *jwk)
{
	unsigned char point[1 + 2 * COORDINATE] = { 4 };
	char group[] = "P-256";
	OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
		OSSL_PARAM_construct_end() };
	size_t x_length, y_length;
	const unsigned char *x = number_of(rq, jwk, "x", &x_length), *y = number_of(rq, jwk, "y", &y_length);
	const char *curve = json_text(jwk, "crv");

	if (!x || !y || x_length != COORDINATE || y_length != COORDINATE || !curve || strcmp(curve, "P-256") != 0)
		return NULL;
	memcpy(point + 1, x, COORDINATE);
	memcpy(point + 1 + COORDINATE, y, COORDINATE);
	return from_parameters("EC", parameters);
}

static EVP_PKEY *rsa_new(struct request *rq, const json_t *jwk)
{
	size_t n_length, e_length;
	const unsigned char *n = number_of(rq, jwk, "n", &n_length), *e = number_of(rq, jwk, "e", &e_length);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *parameters = NULL;
	BIGNUM *modulus = NULL, *exponent = NULL;
	EVP_PKEY *key = NULL;

	if (build && n && e && n_length <= MAX_NUMBER && e_length <= 4) {
		modulus = BN_bin2bn(n, (int)n_length, NULL);
		exponent = BN_bin2bn(e, (int)e_length, NULL);
	}
	if (modulus && exponent && BN_num_bits(modulus) >= RSA_MIN_BITS && BN_is_odd(exponent) &&
		BN_num_bits(exponent) > 1 && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent))
		parameters = OSSL_PARAM_BLD_to_param(build);
	if (parameters)
		key = from_parameters("RSA", parameters);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(build);
	BN_free(modulus);
	BN_free(exponent);
	return key;
}

static const struct algorithm {
	const char *name, *key_type;
	EVP_PKEY *(*key_new)(struct request *rq, const json_t *jwk);
	bool pss;
} algorithms[] = { { "ES256", "EC", p256_new, false }, { "RS256", "RSA", rsa_new, false },
	{ "PS256", "RSA", rsa_new, true } };

static bool is(const char *text, const char *wanted)
{
	return text && strcmp(text, wanted) == 0;
}

EVP_PKEY *jwk_key(struct request *rq, const json_t *jwk, const char *algorithm, bool *ret_pss)
{
	const char *own = json_text(jwk, "alg"), *use = json_text(jwk, "use");
	EVP_PKEY *key;

	if ((own && !is(algorithm, own)) || (use && !is(use, "sig")))
		return NULL;
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
		if (!is(algorithm, algorithms[i].name) || !is(json_text(jwk, "kty"), algorithms[i].key_type))
			continue;
		*ret_pss = algorithms[i].pss;
		key = algorithms[i].key_new(rq, jwk);
		return key ? arena_lease(rq->arena, key, (void (*)(void *))EVP_PKEY_free) : NULL;
	}
	return NULL;
}

const json_t *jwk_named(const json_t *keys, const char *kid)
{
	size_t index;
	json_t *key;

	json_array_foreach(json_at(keys, "keys"), index, key)
	{
		if (kid && is(json_text(key, "kid"), kid))
			return key;
	}
	return NULL;
}
