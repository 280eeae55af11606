/* Owns the login page of the demonstration, which stands where SPID and CIE will stand: it proves nothing, so only
 * tenants marked `demo` accept it. What it puts into the session is what SPID gives. */
#include <string.h>
#include "identity.h"
#include "saml.h"
#include "text.h"
#include "identity.sql.h"

/* For citizens; operators have no other login here. */
static const char *real_login(struct request *rq, const char *request, const char *browser)
{
	const json_t *login =
		saml_serves("spid") || saml_serves("cie") ? sql_maybe(rq, SQL_SHOW_SAML_LOGIN, request, browser) : NULL;

	if (!login || json_is_null(login))
		return "";
	return arena_printf(rq->arena,
		"<p><a class=\"button\" href=\"%s\">Entra con SPID o CIE<span>qui con i loro "
		"emulatori</span></a></p>\n",
		html(rq, url_with(rq, "saml/providers", "request", request, NULL)));
}

static const char *people_list(struct request *rq, const json_t *people)
{
	const char *list = "", *tenant = "";
	size_t index;
	json_t *person;

	json_array_foreach(people, index, person)
	{
		const char *note = json_text(person, "note");

		if (strcmp(tenant, json_text(person, "tenant")) != 0) {
			list = arena_printf(rq->arena, "%s%s<h2>%s</h2>\n<ul>\n", list, *tenant ? "</ul>\n" : "",
				html(rq, json_text(person, "tenant")));
			tenant = json_text(person, "tenant");
		}
		list = arena_printf(rq->arena,
			"%s<li><button name=\"person\" value=\"%s\">%s<span>%s</span></button></li>\n", list,
			html(rq, json_text(person, "id")), html(rq, json_text(person, "name")),
			html(rq, note ? note : json_text(person, "id")));
	}
	return arena_printf(rq->arena, "%s%s", list, *tenant ? "</ul>\n" : "");
}

int show_demo_provider(struct request *rq)
{
	const char *request = query(rq, "request"), *browser = bound_browser(rq, request);
	json_t *login = sql_maybe(rq, SQL_SHOW_DEMO_LOGIN, request, browser);

	if (!login)
		return rq->status;
	if (json_is_null(login))
		return reply_no_such_login(rq);
	forget_old_logins(rq, request);
	return reply_page(rq, 200, "Accesso dimostrativo",
		arena_printf(rq->arena,
			"<p class=\"note\">Questa pagina fa le veci di SPID e CIE nelle dimostrazioni. Le persone sono "
			"inventate.</p>\n"
			"%s<p>Scegli con chi entrare in <strong>%s</strong>.</p>\n"
			"<form method=\"post\" action=\"demo-provider\">\n<input type=\"hidden\" name=\"request\" "
			"value=\"%s\">\n"
			"<input type=\"hidden\" name=\"csrf\" value=\"%s\">\n%s<p><button>Annulla e torna "
			"indietro</button></p>\n</form>\n",
			real_login(rq, request, browser), html(rq, json_text(login, "client")), html(rq, request),
			csrf_token(rq, request, browser), people_list(rq, json_at(login, "people"))),
		url_origin(rq, json_text(login, "redirectUri")));
}

int choose_demo_person(struct request *rq)
{
	const char *request = json_text(rq->json, "request"), *browser = bound_browser(rq, request),
		   *code = random_token(rq);
	json_t *ended;

	if (!browser)
		return reply_no_such_login(rq);
	if (!text_same_secret(json_text(rq->json, "csrf"), csrf_token(rq, request, browser)))
		return reply_foreign_form(rq);
	ended = sql_maybe(rq, SQL_END_DEMO_LOGIN, request, browser, json_text(rq->json, "person"), code);
	if (!ended && rq->problem_slug && strcmp(rq->problem_slug, "person-blocked") == 0)
		return reply_error_page(rq, 403, "L'accesso di questa persona è stato bloccato: rivolgiti al Comune.");
	if (!ended)
		return rq->status;
	if (json_is_null(ended))
		return reply_no_such_login(rq);
	if (strcmp(json_text(ended, "outcome"), "refused") == 0)
		return reply_error_page(rq, 403, "L'accesso dimostrativo non garantisce per questa persona.");
	release_browser(rq, request);
	return reply_to_client(rq, ended, code);
}
