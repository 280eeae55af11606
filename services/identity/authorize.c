/* Owns the authorization endpoint: decides whether a front end may begin a login, and where a refusal goes. Nobody is
 * ever sent to an address that is not, character by character, one that the client registered. */
#include <string.h>
#include "identity.h"
#include "identity.sql.h"

enum { CHALLENGE_LENGTH = 43 }; /* base64url of 32 bytes */

static int refuse(struct request *rq, const char *error, const char *description)
{
	return reply_redirect(rq, 302,
		url_with(rq, query(rq, "redirect_uri"), "error", error, "error_description", description, "state",
			query(rq, "state"), "iss", issuer(), NULL));
}

static bool is(const char *text, const char *wanted)
{
	return text && strcmp(text, wanted) == 0;
}

static bool contains(const json_t *list, const char *text)
{
	size_t index;
	json_t *item;

	json_array_foreach(list, index, item)
	{
		if (is(json_string_value(item), text))
			return true;
	}
	return false;
}

/* Whether any of the scopes asked for (or none at all) is one of the client's. */
static bool asks_something(struct request *rq, const json_t *client)
{
	const char *asked = query(rq, "scope");

	if (!asked || !*asked)
		return true;
	for (const char *at = asked; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
		if (contains(json_at(client, "scopes"), arena_strndup(rq->arena, at, strcspn(at, " "))))
			return true;
	}
	return false;
}

static bool is_challenge(const char *text)
{
	return strlen(text) == CHALLENGE_LENGTH &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == CHALLENGE_LENGTH;
}

/* NULL when the request may go on; else the error code, and *ret_why. */
static const char *fault_of(struct request *rq, const json_t *client, const char **ret_why)
{
	const char *challenge = query(rq, "code_challenge"), *mode = query(rq, "response_mode"),
		   *prompt = query(rq, "prompt");

	*ret_why = NULL;
	if (query(rq, "request"))
		return "request_not_supported";
	if (query(rq, "request_uri"))
		return "request_uri_not_supported";
	*ret_why = "response_type must be code";
	if (!query(rq, "response_type"))
		return "invalid_request";
	if (!is(query(rq, "response_type"), "code"))
		return "unsupported_response_type";
	*ret_why = "response_mode must be query";
	if (mode && !is(mode, "query"))
		return "invalid_request";
	*ret_why = "code_challenge with code_challenge_method S256 is required (RFC 7636)";
	if (!challenge || !is(query(rq, "code_challenge_method"), "S256") || !is_challenge(challenge))
		return "invalid_request";
	*ret_why = "none of these scopes is allowed to this client";
	if (!asks_something(rq, client))
		return "invalid_scope";
	*ret_why = "every login needs the person";
	if (prompt && strstr(prompt, "none"))
		return "login_required";
	*ret_why = "no identity provider serves this client: the demo login is for tenants marked demo";
	if (!json_is_true(json_at(client, "demo")))
		return "access_denied";
	return NULL;
}

int authorize(struct request *rq)
{
	const char *id = random_hex(rq, 16), *browser = random_token(rq), *redirect_uri = query(rq, "redirect_uri"),
		   *error, *why;
	json_t *client = sql_maybe(rq, SQL_FIND_CLIENT, query(rq, "client_id"));

	if (!client)
		return rq->status;
	reply_header(rq, "Cache-Control", "no-store");
	if (json_is_null(client))
		return reply_error_page(rq, 400, "Il servizio che ha chiesto l'accesso non è registrato (client_id).");
	if (!redirect_uri || !contains(json_at(client, "redirectUris"), redirect_uri))
		return reply_error_page(
			rq, 400, "L'indirizzo di ritorno non è tra quelli registrati dal servizio (redirect_uri).");
	error = fault_of(rq, client, &why);
	if (error)
		return refuse(rq, error, why);
	if (!sql_done(rq, SQL_BEGIN_LOGIN, id, browser, query(rq, "client_id"), redirect_uri, query(rq, "scope"),
		    query(rq, "state"), query(rq, "nonce"), query(rq, "code_challenge")))
		return rq->status;
	bind_browser(rq, id, browser);
	return reply_redirect(
		rq, 302, url_with(rq, arena_printf(rq->arena, "%s/demo-provider", issuer()), "request", id, NULL));
}
