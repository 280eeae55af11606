/* Owns the authorization endpoint and the one where a client pushes its request there beforehand (RFC 9126): decides
 * whether a front end may begin a login, and where a refusal goes. Nobody is ever sent to an address that is not,
 * character by character, one that the client registered. */
#include <string.h>
#include "identity.h"
#include "saml.h"
#include "identity.sql.h"

enum { CHALLENGE_LENGTH = 43 }; /* base64url of 32 bytes */

/* Seconds; see pushed_requests in the migration. */
enum { PUSHED_LIFE = 60 };

#define PUSHED "urn:ietf:params:oauth:request_uri:"

/* What may be pushed, and what is read of a request. */
static const char *const names[] = { "response_type", "response_mode", "redirect_uri", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "prompt", "acr_values", "idp", "idp_binding", "request", NULL };

static bool is(const char *text, const char *wanted)
{
	return text && wanted && strcmp(text, wanted) == 0;
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
static bool asks_something(struct request *rq, const char *scope, const json_t *client)
{
	if (!scope || !*scope)
		return true;
	for (const char *at = scope; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
		if (contains(json_at(client, "scopes"), arena_strndup(rq->arena, at, strcspn(at, " "))))
			return true;
	}
	return false;
}

static bool is_challenge(const char *text)
{
	return text && strlen(text) == CHALLENGE_LENGTH &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == CHALLENGE_LENGTH;
}

/* A front end that forgets state or nonce can be made to finish a login that somebody else began. */
static const char *forgotten(const json_t *asked)
{
	const char *state = json_text(asked, "state"), *nonce = json_text(asked, "nonce"),
		   *scope = json_text(asked, "scope");

	if (!state || !*state)
		return "state is required";
	if ((!nonce || !*nonce) && (!scope || !*scope || auth_scope_held(scope, "openid")))
		return "nonce is required with the scope openid";
	return NULL;
}

static bool is_of_operators(const json_t *client)
{
	return is(json_text(client, "kind"), "operators");
}

/* NULL when the request may go on; else the error code, and *ret_why. */
static const char *fault_of(struct request *rq, const json_t *asked, const json_t *client, const char **ret_why)
{
	const char *mode = json_text(asked, "response_mode"), *prompt = json_text(asked, "prompt");

	*ret_why = NULL;
	if (json_text(asked, "request"))
		return "request_not_supported";
	*ret_why = "response_type must be code";
	if (!json_text(asked, "response_type"))
		return "invalid_request";
	if (!is(json_text(asked, "response_type"), "code"))
		return "unsupported_response_type";
	*ret_why = "response_mode must be query";
	if (mode && !is(mode, "query"))
		return "invalid_request";
	*ret_why = "code_challenge with code_challenge_method S256 is required (RFC 7636)";
	if (!is(json_text(asked, "code_challenge_method"), "S256") || !is_challenge(json_text(asked, "code_challenge")))
		return "invalid_request";
	*ret_why = forgotten(asked);
	if (*ret_why)
		return "invalid_request";
	*ret_why = "none of these scopes is allowed to this client";
	if (!asks_something(rq, json_text(asked, "scope"), client))
		return "invalid_scope";
	*ret_why = "every login needs the person";
	if (prompt && strstr(prompt, "none"))
		return "login_required";
	*ret_why = "no identity provider serves this client: the demo login is for tenants marked demo";
	if (!json_is_true(json_at(client, "demo")) && !is_of_operators(client) && !saml_serves("spid") &&
		!saml_serves("cie"))
		return "access_denied";
	return NULL;
}

static int refuse(struct request *rq, const json_t *asked, const char *error, const char *description)
{
	return reply_redirect(rq, 302,
		url_with(rq, json_text(asked, "redirect_uri"), "error", error, "error_description", description,
			"state", json_text(asked, "state"), "iss", issuer(), NULL));
}

static int begin(struct request *rq, const json_t *asked, const json_t *client)
{
	const char *id = random_hex(rq, 16), *browser = random_token(rq);

	if (!sql_done(rq, SQL_BEGIN_LOGIN, id, browser, json_text(client, "id"), json_text(asked, "redirect_uri"),
		    json_text(asked, "scope"), json_text(asked, "state"), json_text(asked, "nonce"),
		    json_text(asked, "code_challenge")))
		return rq->status;
	if (!saml_ask_level(rq, id, json_text(asked, "acr_values")))
		return rq->status;
	bind_browser(rq, id, browser);
	if (is_of_operators(client) && (is(json_text(asked, "idp"), "local") || !json_is_true(json_at(client, "demo"))))
		return reply_redirect(rq, 302,
			url_with(rq, arena_printf(rq->arena, "%s/operator-login", issuer()), "request", id, NULL));
	if (json_text(asked, "idp") || !json_is_true(json_at(client, "demo")))
		return saml_continue(rq, id, json_text(asked, "idp"), json_text(asked, "idp_binding"));
	return reply_redirect(
		rq, 302, url_with(rq, arena_printf(rq->arena, "%s/demo-provider", issuer()), "request", id, NULL));
}

/* A request of the query, or one that was pushed and comes whole from there. */
static int proceed(struct request *rq, const json_t *asked, const json_t *client, bool pushed)
{
	const char *redirect_uri = json_text(asked, "redirect_uri"), *error, *why = NULL;

	if (!contains(json_at(client, "redirectUris"), redirect_uri))
		return reply_error_page(
			rq, 400, "L'indirizzo di ritorno non è tra quelli registrati dal servizio (redirect_uri).");
	if (!pushed && json_text(asked, "request_uri"))
		return refuse(
			rq, asked, "request_uri_not_supported", "only a request_uri of the endpoint par is taken");
	if (!pushed && json_is_true(json_at(client, "pushesRequests")))
		return refuse(rq, asked, "invalid_request", "this client pushes its requests (RFC 9126)");
	error = fault_of(rq, asked, client, &why);
	return error ? refuse(rq, asked, error, why) : begin(rq, asked, client);
}

int authorize(struct request *rq)
{
	const char *reference = query(rq, "request_uri");
	json_t *client = sql_maybe(rq, SQL_FIND_CLIENT, query(rq, "client_id")), *pushed;

	if (!client)
		return rq->status;
	reply_header(rq, "Cache-Control", "no-store");
	if (json_is_null(client))
		return reply_error_page(rq, 400, "Il servizio che ha chiesto l'accesso non è registrato (client_id).");
	if (!reference || strncmp(reference, PUSHED, strlen(PUSHED)) != 0)
		return proceed(rq, rq->parameters, client, false);
	pushed = sql_maybe(rq, SQL_TAKE_PUSHED_REQUEST, reference + strlen(PUSHED), json_text(client, "id"));
	if (!pushed)
		return rq->status;
	if (json_is_null(pushed))
		return reply_error_page(rq, 400,
			"Questa richiesta di accesso è scaduta o è già stata usata: torna al servizio e ricomincia.");
	return proceed(rq, pushed, client, true);
}

static const json_t *what_is_pushed(struct request *rq)
{
	json_t *asked = json_make(rq, "{}");

	for (const char *const *name = names; *name; name++)
		json_object_set(asked, *name, json_object_get(rq->json, *name));
	return asked;
}

int push_request(struct request *rq)
{
	const json_t *asked = what_is_pushed(rq);
	const char *reference = random_token(rq), *error, *why = NULL;
	json_t *proven = prove_client(rq), *client;

	if (!proven)
		return rq->status;
	client = sql_row(rq, SQL_FIND_CLIENT, json_text(proven, "id"));
	if (!client)
		return rq->status;
	if (form(rq, "request_uri") || !contains(json_at(client, "redirectUris"), form(rq, "redirect_uri")))
		return oauth_error(rq, 400, "invalid_request", "redirect_uri must be registered, request_uri absent.");
	error = fault_of(rq, asked, client, &why);
	if (error)
		return oauth_error(rq, 400, error, why);
	if (!sql_done(rq, SQL_PUSH_REQUEST, reference, json_text(client, "id"), json_sql(rq, asked)))
		return rq->status;
	reply_header(rq, "Cache-Control", "no-store");
	return reply_json(rq, 201,
		json_make(rq, "{s:s s:i}", "request_uri", arena_printf(rq->arena, PUSHED "%s", reference), "expires_in",
			PUSHED_LIFE));
}
