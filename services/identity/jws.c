/* Owns JSON web signatures (RFC 7515, 7518): made with ES256 and a key that was parsed once, and checked against a key
 * list. The key is the one that the list names and the algorithm must fit it, so nothing in a token decides how it is
 * checked. Written on OpenSSL because libjwt forces "typ":"JWT" where RFC 9068 wants "at+jwt", and parses the PEM anew
 * for each signature (1.1 ms). */
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
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

static void release_der(void *der)
{
	OPENSSL_free(der);
}

/* The signature of an elliptic key in the form that OpenSSL wants; others are taken as they are. NULL when malformed.
 */
static const unsigned char *signature_of(struct request *rq, const char *text, const EVP_PKEY *key, size_t *ret_length)
{
	unsigned char *raw = text_base64url_bytes(rq->arena, text, strlen(text), ret_length), *der;
	int length;

	if (!raw || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
		return raw;
	length = *ret_length == 2 * COORDINATE ? der_new(raw, &der) : -1;
	if (length <= 0)
		return NULL;
	*ret_length = (size_t)length;
	return arena_lease(rq->arena, der, release_der);
}

static bool signature_holds(
	struct request *rq, const json_t *jwk, const char *algorithm, const char *token, size_t signed_length)
{
	bool pss = false;
	EVP_PKEY *key = jwk_key(rq, jwk, algorithm, &pss);
	auto_md_ctx EVP_MD_CTX *context = EVP_MD_CTX_new();
	const unsigned char *signature;
	EVP_PKEY_CTX *options;
	size_t length;

	if (!key || !context)
		return false;
	signature = signature_of(rq, token + signed_length + 1, key, &length);
	return signature && EVP_DigestVerifyInit(context, &options, EVP_sha256(), NULL, key) == 1 &&
	       (!pss || (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
				EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
	       EVP_DigestVerify(context, signature, length, (const unsigned char *)token, signed_length) == 1;
}

static json_t *decode_part(struct request *rq, const char *text, size_t length)
{
	size_t size;
	const char *decoded = (const char *)text_base64url_bytes(rq->arena, text, length, &size);
	json_t *json = decoded ? json_loadb(decoded, size, JSON_REJECT_DUPLICATES, NULL) : NULL;

	return arena_json(rq->arena, json);
}

static const char *second_dot(const char *token)
{
	const char *dot = strchr(token, '.');

	return dot ? strchr(dot + 1, '.') : NULL;
}

json_t *jws_verify(struct request *rq, const json_t *keys, const char *type, const char *token)
{
	const char *second = second_dot(token), *typ;
	const json_t *header = second ? decode_part(rq, token, strcspn(token, ".")) : NULL, *key;

	typ = json_text(header, "typ");
	key = jwk_named(keys, json_text(header, "kid"));
	if (!key || json_object_get(header, "crit") || (type && (!typ || strcmp(typ, type) != 0)) ||
		!signature_holds(rq, key, json_text(header, "alg"), token, (size_t)(second - token)))
		return NULL;
	return jws_peek(rq, token);
}

json_t *jws_peek(struct request *rq, const char *token)
{
	const char *second = second_dot(token), *first = strchr(token, '.');

	return second ? decode_part(rq, first + 1, (size_t)(second - first - 1)) : NULL;
}
