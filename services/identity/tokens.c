/* Owns the JWTs: access tokens (RFC 9068) and id tokens are made here with libjwt, and access tokens of ours are read again for
 * revocation and introspection. Reading pins ES256 and the key by its kid and never asks libjwt, whose decoder takes an algorithm from
 * the token itself. */
#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "identity.h"
#include "scope.h"

enum { COORDINATE = 32 };

static const char *sign(struct request *rq, const struct signing_key *key, const char *type, const json_t *claims)
{
	jwt_t *jwt = NULL;
	char *text = NULL;
	const char *token = NULL;

	if (jwt_new(&jwt) == 0 && jwt_add_grants_json(jwt, json_sql(rq, claims)) == 0 && jwt_add_header(jwt, "typ", type) == 0
		&& jwt_add_header(jwt, "kid", key->kid) == 0
		&& jwt_set_alg(jwt, JWT_ALG_ES256, (const unsigned char *)key->pem, (int)strlen(key->pem)) == 0)
		text = jwt_encode_str(jwt);
	if (text)
		token = arena_strdup(rq->arena, text);
	free(text);
	jwt_free(jwt);
	if (!token)
		problem(rq, 503, "unavailable", "Tokens cannot be signed now.");
	return token;
}

static const char *make_access_token(struct request *rq, const struct signing_key *key, const char *client, const json_t *claims)
{
	json_int_t now = time(NULL);

	return sign(rq, key, "at+jwt", json_make(rq, "{s:s s:s s:s s:I s:I s:s s:s s:s s:s s:O* s:O* s:O* s:O* s:O* s:O*}",
		"iss", issuer(), "sub", json_text(claims, "sub"), "aud", "portico", "iat", now, "exp", now + ACCESS_TOKEN_LIFE,
		"jti", random_token(rq), "client_id", client, "scope", json_text(claims, "scope"), "kind", json_text(claims, "kind"),
		"tenant", json_at(claims, "tenant"), "roles", json_at(claims, "roles"), "acr", json_at(claims, "acr"),
		"amr", json_at(claims, "amr"), "sid", json_at(claims, "sid"), "auth_time", json_at(claims, "authTime")));
}

static const char *make_id_token(struct request *rq, const struct signing_key *key, const char *client, const json_t *claims)
{
	json_int_t now = time(NULL);

	return sign(rq, key, "JWT", json_make(rq, "{s:s s:s s:s s:I s:I s:O* s:O* s:O* s:O* s:O*}",
		"iss", issuer(), "sub", json_text(claims, "sub"), "aud", client, "iat", now, "exp", now + ACCESS_TOKEN_LIFE,
		"nonce", json_at(claims, "nonce"), "acr", json_at(claims, "acr"), "amr", json_at(claims, "amr"),
		"sid", json_at(claims, "sid"), "auth_time", json_at(claims, "authTime")));
}

bool has_scope(const char *scopes, const char *wanted)
{
	size_t length = strlen(wanted);

	for (const char *at = scopes; (at = strstr(at, wanted)); at += length) {
		if ((at == scopes || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
	}
	return false;
}

json_t *make_tokens(struct request *rq, const char *client, const json_t *claims, const char *refresh)
{
	const char *scope = json_text(claims, "scope"), *access, *id = NULL;
	struct signing_key key;

	if (!signing_key(rq, &key))
		return NULL;
	access = make_access_token(rq, &key, client, claims);
	if (access && has_scope(scope, "openid"))
		id = make_id_token(rq, &key, client, claims);
	if (rq->status)
		return NULL;
	return json_make(rq, "{s:s s:s s:i s:s s:s* s:s*}", "access_token", access, "token_type", "Bearer", "expires_in", ACCESS_TOKEN_LIFE,
		"scope", scope, "refresh_token", has_scope(scope, "offline_access") ? refresh : NULL, "id_token", id);
}

/* ---- reading */

static EVP_PKEY *public_key_new(struct request *rq, const json_t *jwk)
{
	const char *x = json_text(jwk, "x"), *y = json_text(jwk, "y");
	unsigned char point[1 + 2 * COORDINATE] = { 4 }, *bytes[2];
	size_t lengths[2];
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	bytes[0] = base64url_decode(rq, x, strlen(x), &lengths[0]);
	bytes[1] = base64url_decode(rq, y, strlen(y), &lengths[1]);
	if (context && bytes[0] && bytes[1] && lengths[0] == COORDINATE && lengths[1] == COORDINATE) {
		char group[] = "P-256";
		OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
			OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point), OSSL_PARAM_construct_end() };

		memcpy(point + 1, bytes[0], COORDINATE);
		memcpy(point + 1 + COORDINATE, bytes[1], COORDINATE);
		if (EVP_PKEY_fromdata_init(context) != 1 || EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
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

	raw = base64url_decode(rq, text, strlen(text), &length);
	if (!key || !context || !raw || length != 2 * COORDINATE)
		return false;
	der_length = der_new(raw, &der);
	holds = der_length > 0 && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1
		&& EVP_DigestVerify(context, der, (size_t)der_length, (const unsigned char *)token, signed_length) == 1;
	OPENSSL_free(der);
	return holds;
}

static json_t *decode_part(struct request *rq, const char *text, size_t length)
{
	size_t size;
	const char *decoded = (const char *)base64url_decode(rq, text, length, &size);
	json_t *json = decoded ? json_loadb(decoded, size, JSON_REJECT_DUPLICATES, NULL) : NULL;

	return json ? arena_lease(rq->arena, json, (void (*)(void *))json_decref) : NULL;
}

static const json_t *key_named(const json_t *keys, const char *kid)
{
	size_t index;
	json_t *key;

	json_array_foreach(json_at(keys, "keys"), index, key) {
		if (kid && strcmp(json_text(key, "kid"), kid) == 0)
			return key;
	}
	return NULL;
}

static bool claims_hold(const json_t *claims)
{
	const char *iss = json_text(claims, "iss"), *aud = json_text(claims, "aud");

	return iss && aud && strcmp(iss, issuer()) == 0 && strcmp(aud, "portico") == 0 && json_int(claims, "exp") > time(NULL);
}

json_t *read_access_token(struct request *rq, const char *token)
{
	const char *dot = strchr(token, '.'), *second = dot ? strchr(dot + 1, '.') : NULL, *algorithm, *type;
	json_t *keys = published_keys(rq), *header, *claims;
	const json_t *key;

	if (!keys)
		return NULL;
	header = second ? decode_part(rq, token, (size_t)(dot - token)) : NULL;
	claims = header ? decode_part(rq, dot + 1, (size_t)(second - dot - 1)) : NULL;
	algorithm = json_text(header, "alg");
	type = json_text(header, "typ");
	key = key_named(keys, json_text(header, "kid"));
	if (!claims || !key || !algorithm || strcmp(algorithm, "ES256") != 0 || !type || strcmp(type, "at+jwt") != 0
		|| !signature_holds(rq, key, token, (size_t)(second - token)) || !claims_hold(claims))
		return json_null();
	return claims;
}
