/* Owns the ends of logins that are told: by the front end to us (OpenID Connect RP-Initiated Logout 1.0), and by us to
 * front ends (Back-Channel Logout 1.0). How a session ends is the database's; who ends a session is not asked twice. */
#include <string.h>
#include <time.h>
#include "identity.h"
#include "outside.h"
#include "saml.h"
#include "identity.sql.h"

enum { LOGOUT_TOKEN_LIFE = 120 };

/* A parameter of the query or of the form: both are allowed. */
static const char *asked(struct request *rq, const char *name)
{
	return json_text(rq->json ? rq->json : rq->parameters, name);
}

/* The claims of an id token of ours, however old; NULL when it is none. */
static json_t *read_hint(struct request *rq, const char *hint)
{
	json_t *keys = sql_row(rq, SQL_LIST_HINT_KEYS), *claims = keys ? jws_verify(rq, keys, "JWT", hint) : NULL;
	const char *iss = json_text(claims, "iss");

	return iss && strcmp(iss, issuer()) == 0 && json_text(claims, "aud") && json_text(claims, "sid") ? claims
													 : NULL;
}

static bool is_registered(const json_t *uris, const char *uri)
{
	size_t index;
	json_t *each;

	json_array_foreach(uris, index, each)
	{
		if (strcmp(json_string_value(each), uri) == 0)
			return true;
	}
	return false;
}

static int no_such_session(struct request *rq)
{
	return reply_error_page(rq, 400,
		"La richiesta di uscita non dice quale accesso chiudere: chiudi la sessione dal servizio in cui sei "
		"entrato.");
}

/* Where an identity provider keeps a session of its own, the person goes by there. */
static int say_goodbye(struct request *rq, const json_t *ended, const char *session)
{
	const char *uri = asked(rq, "post_logout_redirect_uri"),
		   *back = uri ? url_with(rq, uri, "state", asked(rq, "state"), NULL) : NULL;
	int told = saml_log_out(rq, session, back);

	if (told)
		return told;
	reply_header(rq, "Cache-Control", "no-store");
	if (back)
		return reply_redirect(rq, 302, back);
	return reply_page(rq, 200, "Sei uscito",
		arena_printf(rq->arena, "<p>L'accesso a <strong>%s</strong> è chiuso.</p>\n",
			html(rq, json_text(ended, "client"))),
		NULL);
}

/* The id token proves that the front end asks for its own login: nobody else can make a browser log out. */
int log_out(struct request *rq)
{
	const char *hint = asked(rq, "id_token_hint"), *named = asked(rq, "client_id"),
		   *uri = asked(rq, "post_logout_redirect_uri"), *client;
	json_t *claims = hint ? read_hint(rq, hint) : NULL, *uris, *ended;

	client = json_text(claims, "aud");
	if (!client || (named && strcmp(named, client) != 0))
		return rq->status ? rq->status : no_such_session(rq);
	uris = sql_maybe(rq, SQL_LOGOUT_URIS, client);
	if (!uris)
		return rq->status;
	if (uri && !is_registered(uris, uri))
		return reply_error_page(rq, 400,
			"L'indirizzo di ritorno non è tra quelli registrati dal servizio (post_logout_redirect_uri).");
	ended = sql_maybe(rq, SQL_END_SESSION_OF_HINT, json_text(claims, "sid"), client, json_text(claims, "sub"));
	if (!ended)
		return rq->status;
	return json_is_null(ended) ? no_such_session(rq) : say_goodbye(rq, ended, json_text(claims, "sid"));
}

static const char *logout_token(struct request *rq, const struct signing_key *key, const json_t *notice)
{
	json_int_t now = time(NULL);

	return jws_sign(rq, key, "logout+jwt",
		json_make(rq, "{s:s s:s s:I s:I s:s s:O s:O s:{s:{}}}", "iss", issuer(), "aud",
			json_text(notice, "client"), "iat", now, "exp", now + LOGOUT_TOKEN_LIFE, "jti",
			random_token(rq), "sid", json_at(notice, "sid"), "sub", json_at(notice, "sub"), "events",
			"http://schemas.openid.net/event/backchannel-logout"));
}

/* 200 and 204 mean done; any other answer of the kind 4xx will not change, all else may. */
static const char *outcome_of(struct request *rq, const char *client, int status, const char *error)
{
	if (status == 200 || status == 204)
		return "told";
	log_warning("a front end did not take a logout", "{s:s s:i s:s*}", "client", client, "status", status, "error",
		status ? NULL : error);
	return status >= 400 && status < 500 && status != 408 && status != 429
		       ? arena_printf(rq->arena, "refused with %d", status)
		       : NULL;
}

/* Task: tells one front end of one end. */
int tell_logout(struct request *rq)
{
	json_t *notice = sql_maybe(rq, SQL_CLAIM_LOGOUT_NOTICE);
	const char *error = NULL, *form;
	struct signing_key key;
	int status;

	if (!notice || json_is_null(notice))
		return notice ? reply_empty(rq, 204) : rq->status;
	if (!signing_key(rq, &key))
		return rq->status;
	form = arena_printf(rq->arena, "logout_token=%s", logout_token(rq, &key, notice));
	status = outside_post(json_text(notice, "uri"), form, &error);
	if (!sql_done(rq, SQL_SETTLE_LOGOUT_NOTICE, json_text(notice, "id"),
		    outcome_of(rq, json_text(notice, "client"), status, error)))
		return rq->status;
	return reply_empty(rq, 200);
}
