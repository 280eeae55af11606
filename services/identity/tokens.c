/* Owns what tokens say: access tokens (RFC 9068) and id tokens are made here, and access tokens of ours are read again
 * for revocation and introspection. How they are signed is jws.c's. */
#include <string.h>
#include <time.h>
#include "identity.h"

/* Of an access token, in seconds. */
static json_int_t life_of(const json_t *claims)
{
	json_int_t left = json_int(claims, "notAfter") - time(NULL);

	return json_at(claims, "notAfter") && left < ACCESS_TOKEN_LIFE ? left : ACCESS_TOKEN_LIFE;
}

static const char *make_access_token(
	struct request *rq, const struct signing_key *key, const char *client, const json_t *claims)
{
	json_int_t now = time(NULL);

	return jws_sign(rq, key, "at+jwt",
		json_make(rq, "{s:s s:s s:s s:I s:I s:s s:s s:s s:s s:O* s:O* s:O* s:O* s:O* s:O* s:O*}", "iss",
			issuer(), "sub", json_text(claims, "sub"), "aud", "portico", "iat", now, "exp",
			now + life_of(claims), "jti", random_token(rq), "client_id", client, "scope",
			json_text(claims, "scope"), "kind", json_text(claims, "kind"), "tenant",
			json_at(claims, "tenant"), "roles", json_at(claims, "roles"), "acr", json_at(claims, "acr"),
			"amr", json_at(claims, "amr"), "sid", json_at(claims, "sid"), "act", json_at(claims, "act"),
			"auth_time", json_at(claims, "authTime")));
}

static const char *make_id_token(
	struct request *rq, const struct signing_key *key, const char *client, const json_t *claims)
{
	json_int_t now = time(NULL);

	return jws_sign(rq, key, "JWT",
		json_make(rq, "{s:s s:s s:s s:I s:I s:O* s:O* s:O* s:O* s:O*}", "iss", issuer(), "sub",
			json_text(claims, "sub"), "aud", client, "iat", now, "exp", now + ACCESS_TOKEN_LIFE, "nonce",
			json_at(claims, "nonce"), "acr", json_at(claims, "acr"), "amr", json_at(claims, "amr"), "sid",
			json_at(claims, "sid"), "auth_time", json_at(claims, "authTime")));
}

json_t *make_tokens(struct request *rq, const char *client, const json_t *claims, const char *refresh)
{
	const char *scope = json_text(claims, "scope"), *access, *id;
	struct signing_key key;

	if (!signing_key(rq, &key))
		return NULL;
	access = make_access_token(rq, &key, client, claims);
	id = auth_scope_held(scope, "openid") ? make_id_token(rq, &key, client, claims) : NULL;
	return json_make(rq, "{s:s s:s s:i s:s s:s* s:s* s:s*}", "access_token", access, "token_type", "Bearer",
		"expires_in", (int)life_of(claims), "scope", scope, "refresh_token",
		auth_scope_held(scope, "offline_access") ? refresh : NULL, "id_token", id, "issued_token_type",
		json_at(claims, "act") ? ACCESS_TOKEN_TYPE : NULL);
}

static bool claims_hold(const json_t *claims)
{
	const char *iss = json_text(claims, "iss"), *aud = json_text(claims, "aud");

	return iss && aud && strcmp(iss, issuer()) == 0 && strcmp(aud, "portico") == 0 &&
	       json_int(claims, "exp") > time(NULL);
}

json_t *read_access_token(struct request *rq, const char *token)
{
	json_t *keys = published_keys(rq), *claims;

	if (!keys)
		return NULL;
	claims = jws_verify(rq, keys, "at+jwt", token);
	return claims && claims_hold(claims) ? claims : json_null();
}
