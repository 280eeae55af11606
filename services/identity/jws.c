/* Owns JSON web signatures with ES256 (RFC 7515, 7518): made with a key that was parsed once, and checked against a key
 * list. The algorithm is pinned and the key is the one that the list names, so nothing in a token decides how it is
 * checked. Written on OpenSSL because libjwt forces "typ":"JWT" where RFC 9068 wants "at+jwt", and parses the PEM anew
 * for each signature (1.1 ms). */
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include "identity.h"
#include "text.h"
#include "scope.h"

enum { COORDINATE = 32 };

/* JWS wants r ‖ s, OpenSSL gives DER. */
static bool raw_signature(const unsigned char *der, size_t length, unsigned char raw[static 2 * COORDINATE])
{
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)length);
	bool fits = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, COORDINATE) == COORDINATE &&
		    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + COORDINATE, COORDINATE) == COORDINATE;

	ECDSA_SIG_free(signature);
	return fits;
}

const char *jws_sign(struct request *rq, const struct signing_key *key, const char *type, const json_t *claims)
{
	const char *head = json_sql(rq, json_make(rq, "{s:s s:s s:s}", "alg", "ES256", "typ", type, "kid", key->kid));
	const char *body = json_sql(rq, claims);
	const char *text = arena_printf(rq->arena, "%s.%s", text_base64url(rq->arena, head, strlen(head)),
		text_base64url(rq->arena, body, strlen(body)));
	auto_md_ctx EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char der[128], raw[2 * COORDINATE];
	size_t length = sizeof der;

	if (!context || EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->private) != 1 ||
		EVP_DigestSign(context, der, &length, (const unsigned char *)text, strlen(text)) != 1 ||
		!raw_signature(der, length, raw))
		abort();
	return arena_printf(rq->arena, "%s.%s", text, text_base64url(rq->arena, raw, sizeof raw));
}

static EVP_PKEY *public_key_new(struct request *rq, const json_t *jwk)
{
	const char *x = json_text(jwk, "x"), *y = json_text(jwk, "y");
	unsigned char point[1 + 2 * COORDINATE] = { 4 }, *bytes[2];
	size_t lengths[2];
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	bytes[0] = text_base64url_bytes(rq->arena, x, strlen(x), &lengths[0]);
	bytes[1] = text_base64url_bytes(rq->arena, y, strlen(y), &lengths[1]);
	if (context && bytes[0] && bytes[1] && lengths[0] == COORDINATE && lengths[1] == COORDINATE) {
		char group[] = "P-256";
		OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
			OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
			OSSL_PARAM_construct_end() };

		memcpy(point + 1, bytes[0], COORDINATE);
		memcpy(point + 1 + COORDINATE, bytes[1], COORDINATE);
		if (EVP_PKEY_fromdata_init(context) != 1 ||
			EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
			key = NULL;
	}
	EVP_PKEY_CTX_free(context);
	return key;
}

/* JWS has r ‖ s, OpenSSL wants DER. */
static int der_new(const unsigned char *raw, unsigned char **ret_der)
{
	ECDSA_SIG *signature = ECDSA_SIG_new();
	int length;

	ECDSA_SIG_set0(signature, BN_bin2bn(raw, COORDINATE, NULL), BN_bin2bn(raw + COORDINATE, COORDINATE, NULL));
	*ret_der = NULL;
	length = i2d_ECDSA_SIG(signature, ret_der);
	ECDSA_SIG_free(signature);
	return length;
}

static bool signature_holds(struct request *rq, const json_t *jwk, const char *token, size_t signed_length)
{
	const char *text = token + signed_length + 1;
	auto_pkey EVP_PKEY *key = public_key_new(rq, jwk);
	auto_md_ctx EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char *raw, *der;
	size_t length;
	bool holds;
	int der_length;

	raw = text_base64url_bytes(rq->arena, text, strlen(text), &length);
	if (!key || !context || !raw || length != 2 * COORDINATE)
		return false;
	der_length = der_new(raw, &der);
	holds = der_length > 0 && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestVerify(context, der, (size_t)der_length, (const unsigned char *)token, signed_length) == 1;
	OPENSSL_free(der);
	return holds;
}

static json_t *decode_part(struct request *rq, const char *text, size_t length)
{
	size_t size;
	const char *decoded = (const char *)text_base64url_bytes(rq->arena, text, length, &size);
	json_t *json = decoded ? json_loadb(decoded, size, JSON_REJECT_DUPLICATES, NULL) : NULL;

	return arena_json(rq->arena, json);
}

static const json_t *key_named(const json_t *keys, const char *kid)
{
	size_t index;
	json_t *key;

	json_array_foreach(json_at(keys, "keys"), index, key)
	{
		if (kid && strcmp(json_text(key, "kid"), kid) == 0)
			return key;
	}
	return NULL;
}

json_t *jws_verify(struct request *rq, const json_t *keys, const char *type, const char *token)
{
	const char *dot = strchr(token, '.'), *second = dot ? strchr(dot + 1, '.') : NULL, *algorithm, *typ;
	const json_t *header = second ? decode_part(rq, token, (size_t)(dot - token)) : NULL, *key;

	algorithm = json_text(header, "alg");
	typ = json_text(header, "typ");
	key = key_named(keys, json_text(header, "kid"));
	if (!key || !algorithm || strcmp(algorithm, "ES256") != 0 || !typ || strcmp(typ, type) != 0 ||
		!signature_holds(rq, key, token, (size_t)(second - token)))
		return NULL;
	return decode_part(rq, dot + 1, (size_t)(second - dot - 1));
}
