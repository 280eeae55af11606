/* Owns the place where responses arrive (the Assertion Consumer Service). A response counts only for a request of ours
 * that is still open, in the browser that made it, once. */
#include <string.h>
#include <time.h>
#include "metrics.h"
#include "saml.h"
#include "schema.h"
#include "text.h"
#include "identity.sql.h"

static int refuse(struct request *rq, int status, const char *why)
{
	log_warning(
		"a response of an identity provider was refused", "{s:s s:s}", "why", why, "request", rq->request_id);
	metrics_count("portico_saml_responses_total", "outcome", "refused");
	return reply_error_page(rq, status,
		"La risposta del gestore di identità non è valida: l'accesso non è avvenuto. Torna al servizio e "
		"ricomincia.");
}

static int return_to_client(struct request *rq, const json_t *ended, const char *code)
{
	release_browser(rq, json_text(ended, "login"));
	metrics_count("portico_saml_responses_total", "outcome", "accepted");
	reply_header(rq, "Cache-Control", "no-store");
	return reply_redirect(rq, 302,
		url_with(rq, json_text(ended, "redirectUri"), "code", code, "state", json_text(ended, "state"), "iss",
			issuer(), NULL));
}

/* Who somebody is hangs on the fiscal code. What is not well-formed of the rest is left out. */
static const char *identity_fault(struct request *rq, json_t *attributes)
{
	const char *code = json_text(attributes, "fiscalNumber"), *date = json_text(attributes, "dateOfBirth"),
		   *gender = json_text(attributes, "gender");

	if (!json_text(attributes, "name") || !json_text(attributes, "familyName"))
		return "the name is missing";
	if (!code || strncmp(code, "TINIT-", 6) != 0 || !format_holds("codice-fiscale", code + 6))
		return "fiscalNumber is missing or no Italian fiscal code";
	if (date && !format_holds("date", date))
		json_object_del(attributes, "dateOfBirth");
	if (gender && strcmp(gender, "F") != 0 && strcmp(gender, "M") != 0)
		json_object_del(attributes, "gender");
	return NULL;
}

static int take_answer(struct request *rq, const char *id, const char *browser, const struct saml_expected *expected,
	const struct saml_answer *answer, const char *xml)
{
	const char *code = random_token(rq), *why = identity_fault(rq, answer->attributes);
	const json_t *ended;

	if (why)
		return refuse(rq, 403, why);
	ended = sql_maybe(rq, SQL_END_SAML_LOGIN, id, browser, json_sql(rq, answer->attributes), answer->level,
		expected->entity, answer->name_id, answer->session_index, code, saml_sealed(rq, id, "received", xml));
	if (!ended && rq->problem_slug && strcmp(rq->problem_slug, "person-blocked") == 0)
		return saml_keep(rq, id, "received", "blocked", xml)
			       ? reply_error_page(
					 rq, 403, "L'accesso di questa persona è stato bloccato: rivolgiti al Comune.")
			       : rq->status;
	if (!ended)
		return rq->status;
	if (json_is_null(ended))
		return refuse(rq, 400, "the request was answered before, or is of another browser");
	return return_to_client(rq, ended, code);
}

static int tell_error(struct request *rq, const char *id, const char *browser, const json_t *known,
	const char *error_code, const char *xml)
{
	if (!sql_done(rq, SQL_FAIL_SAML_REQUEST, id, browser, *error_code ? error_code : "error",
		    saml_sealed(rq, id, "received", xml)))
		return rq->status;
	metrics_count("portico_saml_responses_total", "outcome", "error");
	return saml_courtesy_page(rq, error_code, known);
}

/* The request and the browser are known: now the response itself. */
static int judge(
	struct request *rq, const char *id, const char *browser, const json_t *known, xmlDoc *response, const char *xml)
{
	struct saml_expected expected = {
		.federation = json_text(known, "federation"),
		.request = id,
		.provider = json_text(known, "provider"),
		.entity = saml_entity(rq, json_text(known, "federation"), json_text(known, "tenant")),
		.consumer = saml_consumer_url(rq),
		.issued = (time_t)json_int(known, "issued"),
		.now = time(NULL),
		.level = (int)json_int(known, "level"),
		.certificates = json_at(known, "certificates"),
	};
	struct saml_answer answer;

	saml_judge(rq, response, &expected, &answer);
	if (answer.fault)
		return saml_keep(rq, id, "received", "refused", xml) ? refuse(rq, 403, answer.fault) : rq->status;
	if (answer.error_code)
		return tell_error(rq, id, browser, known, answer.error_code, xml);
	return take_answer(rq, id, browser, &expected, &answer, xml);
}

int take_saml_response(struct request *rq)
{
	const char *xml, *relay = json_text(rq->json, "RelayState"), *id, *browser;
	xmlDoc *response = saml_decoded(rq, json_text(rq->json, "SAMLResponse"), &xml);
	const json_t *known;

	if (!response)
		return refuse(rq, 400, "it is not base64 of XML without DTD, comments and repeated IDs");
	id = saml_in_response_to(rq, response);
	known = id ? sql_maybe(rq, SQL_SHOW_SAML_REQUEST, id) : json_null();
	if (!known)
		return rq->status;
	if (json_is_null(known))
		return refuse(rq, 400, "it answers no request that is open");
	browser = bound_browser(rq, json_text(known, "login"));
	if (!browser)
		return refuse(rq, 400, "the request is of another browser");
	if (!relay || !text_same_secret(relay, json_text(known, "relay")))
		return refuse(rq, 400, "RelayState is not ours");
	return judge(rq, id, browser, known, response, xml);
}
