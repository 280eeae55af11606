/* Owns the login of operators with an account of ours: a password and a second factor in one form, so that nobody
 * learns which of them was wrong, nor whether there is such an account, from the answer or from how long it takes. */
#include <ctype.h>
#include <string.h>
#include "http.h"
#include "identity.h"
#include "password.h"
#include "text.h"
#include "identity.sql.h"

/* As the gateway saw it. Who calls this service without it shares one throttle. */
static const char *address_of(struct request *rq)
{
	const char *address = http_header(rq, "X-Forwarded-For");

	return address ? address : "unknown";
}

static int reply_form(struct request *rq, int status, const char *request, const char *browser, const char *fault)
{
	json_t *login = sql_maybe(rq, SQL_SHOW_OPERATOR_LOGIN, request, browser);

	if (!login)
		return rq->status;
	if (json_is_null(login))
		return reply_no_such_login(rq);
	return reply_page(rq, status, "Accesso degli operatori",
		arena_printf(rq->arena,
			"%s<p>Entra in <strong>%s</strong> con il tuo account.</p>\n<form method=\"post\" "
			"action=\"operator-login\">\n<input type=\"hidden\" name=\"request\" value=\"%s\">\n"
			"<input type=\"hidden\" name=\"csrf\" value=\"%s\">\n<label for=\"login\">E-mail</label>\n"
			"<input id=\"login\" name=\"login\" type=\"email\" autocomplete=\"username\" maxlength=\"254\" "
			"required>\n"
			"<label for=\"password\">Password</label>\n<input id=\"password\" name=\"password\" "
			"type=\"password\" "
			"autocomplete=\"current-password\" maxlength=\"128\" required>\n<label for=\"code\">Codice "
			"dell'autenticatore, o un codice di recupero</label>\n<input id=\"code\" name=\"code\" "
			"autocomplete=\"one-time-code\" maxlength=\"30\" "
			"required>\n<p><button>Entra</button></p>\n</form>\n",
			fault ? arena_printf(rq->arena, "<p class=\"note\" role=\"alert\">%s</p>\n", fault) : "",
			html(rq, json_text(login, "client")), html(rq, request), csrf_token(rq, request, browser)),
		url_origin(rq, json_text(login, "redirectUri")));
}

int show_operator_login(struct request *rq)
{
	const char *request = query(rq, "request"), *browser = bound_browser(rq, request);

	if (!browser)
		return reply_no_such_login(rq);
	forget_old_logins(rq, request);
	return reply_form(rq, 200, request, browser, NULL);
}

/* Without the dashes and blanks that people read between; upper case. */
static const char *plain_code(struct request *rq, const char *code)
{
	char *plain = arena_alloc(rq->arena, strlen(code) + 1), *out = plain;

	for (; *code; code++) {
		if (*code != '-' && *code != ' ')
			*out++ = (char)toupper((unsigned char)*code);
	}
	return plain;
}

/* The step of a code of the authenticator, or -1. An account that does not exist takes as long. */
static long long step_of(struct request *rq, const json_t *account, const char *code)
{
	static const unsigned char nobody[TOTP_SECRET];
	const unsigned char *secret =
		account ? unseal_totp(rq, json_text(account, "operator"), json_text(account, "totp")) : nobody;

	return secret ? totp_step(secret, code) : -1;
}

static int throttled(struct request *rq, const char *request, const char *browser, const json_t *attempt)
{
	log_warning("logins of operators are throttled", NULL);
	reply_header(rq, "Retry-After", arena_printf(rq->arena, "%lld", json_int(attempt, "retryAfter")));
	return reply_form(rq, 429, request, browser, "Troppi tentativi non riusciti: riprova più tardi.");
}

static int refuse(struct request *rq, const char *request, const char *browser)
{
	log_warning("a login of an operator was refused", NULL);
	return reply_form(rq, 403, request, browser,
		"L'e-mail, la password o il codice non vanno bene. Un codice vale una volta sola.");
}

static int finish(struct request *rq, const char *request, const char *browser, const json_t *account, long long step,
	const char *recovery)
{
	const char *code = random_token(rq);
	json_t *ended = sql_maybe(rq, SQL_END_OPERATOR_LOGIN, request, browser, json_text(account, "operator"),
		step >= 0 ? arena_printf(rq->arena, "%lld", step) : NULL, recovery, address_of(rq), code);

	if (!ended)
		return rq->status;
	if (json_is_null(ended))
		return reply_no_such_login(rq);
	if (strcmp(json_text(ended, "outcome"), "refused") == 0)
		return refuse(rq, request, browser);
	release_browser(rq, request);
	return reply_to_client(rq, ended, code);
}

int log_operator_in(struct request *rq)
{
	const char *request = form(rq, "request"), *browser = bound_browser(rq, request),
		   *code = plain_code(rq, form(rq, "code"));
	const json_t *attempt, *account;
	long long step;
	bool right;

	if (!browser)
		return reply_no_such_login(rq);
	if (!text_same_secret(form(rq, "csrf"), csrf_token(rq, request, browser)))
		return reply_foreign_form(rq);
	attempt = sql_maybe(rq, SQL_BEGIN_ATTEMPT, request, browser, form(rq, "login"), address_of(rq));
	if (!attempt)
		return rq->status;
	if (json_is_null(attempt))
		return reply_no_such_login(rq);
	if (json_at(attempt, "retryAfter"))
		return throttled(rq, request, browser, attempt);
	account = json_is_object(json_at(attempt, "account")) ? json_at(attempt, "account") : NULL;
	if (!password_check(rq, json_text(account, "password"), form(rq, "password"), &right))
		return rq->status;
	step = step_of(rq, account, code);
	if (!right)
		return refuse(rq, request, browser);
	return finish(rq, request, browser, account, step, step >= 0 ? NULL : code);
}

int sweep_operator_logins(struct request *rq)
{
	return sql_done(rq, SQL_SWEEP_OPERATOR_LOGINS) ? reply_empty(rq, 204) : rq->status;
}
