/* Owns how a client proves itself at the endpoints that it calls with a form: by its secret, by a signature of its key,
 * or, a public one, by nothing. Never says why a secret is wrong. */
#include <string.h>
#include <strings.h>
#include <time.h>
#include "http.h"
#include "identity.h"
#include "text.h"
#include "identity.sql.h"

enum { ASSERTION_LIFE = 300, CLOCK_SKEW = 60, JTI_MAX = 200 };

int oauth_error(struct request *rq, int status, const char *error, const char *description)
{
	reply_header(rq, "Cache-Control", "no-store");
	if (status == 401 && http_header(rq, "Authorization"))
		reply_header(rq, "WWW-Authenticate", "Basic realm=\"portico\"");
	return reply_json(rq, status, json_make(rq, "{s:s s:s*}", "error", error, "error_description", description));
}

const char *form(struct request *rq, const char *name)
{
	return json_text(rq->json, name);
}

static bool is_utf8(const char *text)
{
	json_auto_t *string = json_string(text);

	return string != NULL;
}

/* RFC 6749, section 2.3.1: id and secret are form-encoded before they are joined. False when the header is no such
 * thing. */
static bool read_basic(struct request *rq, const char *authorization, const char **ret_id, const char **ret_secret)
{
	const char *text = authorization + strlen("Basic "), *decoded, *colon;
	char *unpadded = arena_strdup(rq->arena, text);
	size_t length;

	for (char *c = unpadded; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	decoded = (const char *)text_base64url_bytes(rq->arena, unpadded, strcspn(unpadded, "="), &length);
	colon = decoded ? strchr(decoded, ':') : NULL;
	if (!colon)
		return false;
	*ret_id = form_decode(rq, decoded, (size_t)(colon - decoded));
	*ret_secret = form_decode(rq, colon + 1, strlen(colon + 1));
	return *ret_id && *ret_secret && is_utf8(*ret_id) && is_utf8(*ret_secret);
}

static json_t *not_proven(struct request *rq, const char *why)
{
	oauth_error(rq, 401, "invalid_client", why);
	return NULL;
}

/* The issuer and nothing beside it: an assertion that another server could have asked for is not for us. */
static bool is_for_us(const json_t *audience)
{
	if (json_is_array(audience) && json_array_size(audience) == 1)
		audience = json_array_get(audience, 0);
	return json_is_string(audience) && strcmp(json_string_value(audience), issuer()) == 0;
}

/* RFC 7523, section 3. */
static const char *fault_of_assertion(const json_t *claims)
{
	const char *iss = json_text(claims, "iss"), *sub = json_text(claims, "sub"), *jti = json_text(claims, "jti");
	long long now = time(NULL), expires = json_int(claims, "exp");

	if (!iss || !sub || strcmp(iss, sub) != 0)
		return "iss and sub of the assertion must both be the client.";
	if (!is_for_us(json_object_get(claims, "aud")))
		return "aud of the assertion must be the issuer of this server and nothing else.";
	if (expires <= now || expires > now + ASSERTION_LIFE + CLOCK_SKEW)
		return "exp of the assertion must lie in the future, at most five minutes.";
	if (json_int(claims, "nbf") > now + CLOCK_SKEW || json_int(claims, "iat") > now + CLOCK_SKEW)
		return "The assertion is of the future.";
	return jti && *jti && strlen(jti) <= JTI_MAX ? NULL : "The assertion needs a jti of at most 200 characters.";
}

static json_t *prove_by_key(struct request *rq, const char *assertion)
{
	const char *type = form(rq, "client_assertion_type"), *named = form(rq, "client_id"), *fault;
	const char *id = json_text(jws_peek(rq, assertion), "sub");
	json_t *found, *claims, *taken;

	if (!type || strcmp(type, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer") != 0) {
		oauth_error(rq, 400, "invalid_request", "client_assertion_type must be …:jwt-bearer (RFC 7523).");
		return NULL;
	}
	if (!id || (named && strcmp(named, id) != 0))
		return not_proven(rq, NULL);
	found = sql_maybe(rq, SQL_FIND_CLIENT_KEYS, id);
	if (!found)
		return NULL;
	claims = json_is_null(found) ? NULL : jws_verify(rq, json_at(found, "keys"), NULL, assertion);
	if (!claims)
		return not_proven(rq, "No key of this client has signed the assertion.");
	fault = fault_of_assertion(claims);
	if (fault)
		return not_proven(rq, fault);
	taken = sql_maybe(rq, SQL_TAKE_ASSERTION, id, json_text(claims, "jti"),
		arena_printf(rq->arena, "%lld", json_int(claims, "exp")));
	if (!taken)
		return NULL;
	return json_is_null(taken) ? not_proven(rq, "This assertion was used before.") : json_at(found, "client");
}

static json_t *prove_by_secret(struct request *rq, const char *id, const char *secret)
{
	json_t *client = sql_maybe(rq, SQL_AUTHENTICATE_CLIENT, id, secret);

	return json_is_null(client) ? not_proven(rq, NULL) : client;
}

json_t *prove_client(struct request *rq)
{
	const char *authorization = http_header(rq, "Authorization"), *id = form(rq, "client_id"),
		   *secret = form(rq, "client_secret"), *assertion = form(rq, "client_assertion"), *named = id;
	bool basic = authorization && strncasecmp(authorization, "Basic ", 6) == 0;

	if (basic + (secret != NULL) + (assertion != NULL) > 1) {
		oauth_error(rq, 400, "invalid_request", "The client authenticates twice.");
		return NULL;
	}
	if (assertion)
		return prove_by_key(rq, assertion);
	if (basic && (!read_basic(rq, authorization, &id, &secret) || (named && strcmp(named, id) != 0)))
		return not_proven(rq, NULL);
	return prove_by_secret(rq, id, secret);
}
