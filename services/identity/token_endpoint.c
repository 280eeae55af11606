/* Owns the endpoints that clients call with a form: token, revocation, introspection. The client proves itself first;
 * whether a code or a refresh token is good is decided by one statement each (migrations/0002_authorization.sql), so
 * that of many at once one wins. */
#include <string.h>
#include "identity.h"
#include "identity.sql.h"

int reply_tokens(struct request *rq, const json_t *client, const json_t *claims, const char *refresh)
{
	json_t *tokens = make_tokens(rq, json_text(client, "id"), claims, refresh);

	if (!tokens)
		return rq->status;
	reply_header(rq, "Cache-Control", "no-store");
	return reply_json(rq, 200, tokens);
}

static bool is_verifier(const char *text)
{
	size_t length = strlen(text);

	return length >= 43 && length <= 128 &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") == length;
}

static int grant_code(struct request *rq, const json_t *client)
{
	const char *code = form(rq, "code"), *verifier = form(rq, "code_verifier"),
		   *redirect_uri = form(rq, "redirect_uri");
	const char *refresh = random_token(rq);
	json_t *claims;

	if (!code || !verifier || !redirect_uri)
		return oauth_error(rq, 400, "invalid_request", "code, code_verifier and redirect_uri are required.");
	claims = sql_maybe(rq, SQL_REDEEM_CODE, code, json_text(client, "id"), redirect_uri,
		is_verifier(verifier) ? sha256_base64url(rq, verifier) : "", refresh);
	if (!claims)
		return rq->status;
	if (json_is_null(claims))
		return oauth_error(rq, 400, "invalid_grant", "The code is not good (any more), or it is not yours.");
	return reply_tokens(rq, client, claims, refresh);
}

static int grant_refresh(struct request *rq, const json_t *client)
{
	const char *refresh = form(rq, "refresh_token"), *successor = random_token(rq);
	json_t *claims;

	if (!refresh)
		return oauth_error(rq, 400, "invalid_request", "refresh_token is required.");
	claims = sql_maybe(rq, SQL_ROTATE_REFRESH, refresh, json_text(client, "id"), successor, form(rq, "scope"));
	if (!claims)
		return rq->status;
	if (json_is_null(claims))
		return oauth_error(
			rq, 400, "invalid_grant", "The refresh token is not good (any more), or it is not yours.");
	if (json_text(claims, "error"))
		return oauth_error(
			rq, 400, json_text(claims, "error"), "A refresh can narrow the scopes, not widen them.");
	return reply_tokens(rq, client, claims, successor);
}

/* Those of the scopes asked for that the client has; all of them when none is asked for; NULL when nothing is left. */
static const char *own_scopes(struct request *rq, const json_t *client)
{
	const char *asked = form(rq, "scope"), *granted = NULL;
	size_t index;
	json_t *scope;

	json_array_foreach(json_at(client, "scopes"), index, scope)
	{
		const char *name = json_string_value(scope);
		bool wanted = !asked || !*asked ||
			      strstr(arena_printf(rq->arena, " %s ", asked), arena_printf(rq->arena, " %s ", name));

		if (wanted)
			granted = granted ? arena_printf(rq->arena, "%s %s", granted, name) : name;
	}
	return granted;
}

static int grant_client(struct request *rq, const json_t *client)
{
	const char *scopes = own_scopes(rq, client);

	if (!json_is_true(json_at(client, "confidential")) || strcmp(json_text(client, "kind"), "partner") != 0)
		return oauth_error(rq, 400, "unauthorized_client", "Client credentials are for partners' back ends.");
	if (!scopes)
		return oauth_error(rq, 400, "invalid_scope", "None of these scopes is allowed to this client.");
	return reply_tokens(rq, client,
		json_make(rq, "{s:s s:s s:s s:s}", "sub", json_text(client, "id"), "kind", "partner", "tenant",
			json_text(client, "tenant"), "scope", scopes),
		NULL);
}

int issue_token(struct request *rq)
{
	static const struct {
		const char *name;
		int (*grant)(struct request *rq, const json_t *client);
	} grants[] = { { "authorization_code", grant_code }, { "refresh_token", grant_refresh },
		{ "client_credentials", grant_client },
		{ "urn:ietf:params:oauth:grant-type:token-exchange", grant_exchange } };
	const char *type = form(rq, "grant_type");
	json_t *client;

	if (!type)
		return oauth_error(rq, 400, "invalid_request", "grant_type is required.");
	client = prove_client(rq);
	if (!client)
		return rq->status;
	for (size_t i = 0; i < sizeof grants / sizeof *grants; i++) {
		if (strcmp(type, grants[i].name) == 0)
			return grants[i].grant(rq, client);
	}
	return oauth_error(rq, 400, "unsupported_grant_type", NULL);
}

int revoke_token(struct request *rq)
{
	const char *token = form(rq, "token");
	json_t *client = prove_client(rq), *claims;

	if (!client)
		return rq->status;
	if (!token)
		return oauth_error(rq, 400, "invalid_request", "token is required.");
	claims = read_access_token(rq, token);
	if (!claims || !sql_done(rq, SQL_REVOKE_TOKEN, token, json_text(claims, "sid"), json_text(client, "id")))
		return rq->status;
	return reply_empty(rq, 200);
}

static int inactive(struct request *rq)
{
	return reply_json(rq, 200, json_make(rq, "{s:b}", "active", 0));
}

static int active(struct request *rq, json_t *claims)
{
	json_object_set_new(claims, "active", json_true());
	return reply_json(rq, 200, claims);
}

static int inspect_access(struct request *rq, json_t *claims)
{
	if (json_text(claims, "sid")) {
		json_t *stands = sql_maybe(rq, SQL_SESSION_STANDS, json_text(claims, "sid"));

		if (!stands)
			return rq->status;
		if (json_is_null(stands))
			return inactive(rq);
	}
	return active(rq, claims);
}

/* A token of another client is none of the asker's business. */
static int inspect(struct request *rq, const char *token, const char *client)
{
	json_t *claims = read_access_token(rq, token);

	if (!claims)
		return rq->status;
	if (!json_is_null(claims))
		return strcmp(json_text(claims, "client_id"), client) == 0 ? inspect_access(rq, claims) : inactive(rq);
	claims = sql_maybe(rq, SQL_INSPECT_REFRESH, token, client);
	if (!claims)
		return rq->status;
	return json_is_null(claims) ? inactive(rq) : active(rq, claims);
}

int introspect_token(struct request *rq)
{
	const char *token = form(rq, "token");
	json_t *client = prove_client(rq);

	if (!client)
		return rq->status;
	if (!json_is_true(json_at(client, "confidential")))
		return oauth_error(rq, 401, "invalid_client", "Introspection is for clients with credentials.");
	if (!token)
		return oauth_error(rq, 400, "invalid_request", "token is required.");
	reply_header(rq, "Cache-Control", "no-store");
	return inspect(rq, token, json_text(client, "id"));
}
