/* Owns the way to an identity provider: the list of them, the page on which a person chooses, and the request that the
 * browser carries there. */
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include "saml.h"
#include "identity.sql.h"

int list_login_providers(struct request *rq)
{
	reply_header(rq, "Cache-Control", "public, max-age=300");
	return sql_reply(rq, 200, SQL_LIST_LOGIN_PROVIDERS);
}

/* The lowest of the levels named: who names several accepts each of them. */
bool saml_ask_level(struct request *rq, const char *login, const char *acr_values)
{
	char level[2] = { 0 };

	for (const char *at = acr_values; at && (at = strstr(at, SPID_LEVEL)); at += strlen(SPID_LEVEL)) {
		char digit = at[strlen(SPID_LEVEL)];

		if (digit >= '1' && digit <= '3' && (!*level || digit < *level))
			*level = digit;
	}
	return !*level || sql_done(rq, SQL_ASK_SPID_LEVEL, login, level);
}

int saml_continue(struct request *rq, const char *login, const char *provider, const char *binding)
{
	return reply_redirect(rq, 302,
		url_with(rq, arena_printf(rq->arena, "%s/saml/%s", issuer(), provider ? "login" : "providers"),
			"request", login, "provider", provider, "binding", provider ? binding : NULL, NULL));
}

static int no_such_login(struct request *rq)
{
	return reply_error_page(rq, 400,
		"Questa richiesta di accesso è scaduta, è già stata usata o è di un altro browser: "
		"torna al servizio e ricomincia.");
}

/* In another order for everybody, as AgID wants: no provider is to be the first. */
static json_t *shuffled(struct request *rq, const json_t *providers)
{
	json_t *list = arena_json(rq->arena, json_copy((json_t *)providers));

	for (size_t left = json_array_size(list); left > 1; left--) {
		unsigned int chance;
		json_t *last, *taken;

		if (RAND_bytes((unsigned char *)&chance, sizeof chance) != 1)
			abort();
		last = json_incref(json_array_get(list, left - 1));
		taken = json_incref(json_array_get(list, chance % left));
		json_array_set_new(list, chance % left, last);
		json_array_set_new(list, left - 1, taken);
	}
	return list;
}

/* The ways into one federation: links, because a form may not lead to a site that its page does not name. */
static const char *buttons(
	struct request *rq, const char *request, const json_t *providers, const char *federation, const char *verb)
{
	const char *list = "";
	size_t index;
	json_t *provider;

	json_array_foreach((json_t *)providers, index, provider)
	{
		if (strcmp(json_text(provider, "federation"), federation) == 0)
			list = arena_printf(rq->arena, "%s<li><a class=\"button\" href=\"%s\">%s %s</a></li>\n", list,
				html(rq, url_with(rq, "login", "request", request, "provider",
						 json_text(provider, "entityId"), NULL)),
				verb, html(rq, json_text(provider, "name")));
	}
	return list;
}

/* What AgID wants below the providers. */
static const char spid_help[] = "<p><a href=\"https://www.spid.gov.it\">Maggiori informazioni su SPID</a> · "
				"<a href=\"https://www.spid.gov.it/richiedi-spid\">Non hai SPID?</a> · "
				"<a href=\"https://www.spid.gov.it/serve-aiuto\">Serve aiuto?</a></p>\n";

static const char *choice(
	struct request *rq, const char *federation, const char *title, const char *list, const char *help)
{
	return *list ? arena_printf(rq->arena, "<h2 id=\"%s\">%s</h2>\n<ul aria-labelledby=\"%s\">\n%s</ul>\n%s",
			       federation, title, federation, list, help)
		     : "";
}

int show_login_providers(struct request *rq)
{
	const char *request = query(rq, "request"), *browser = bound_browser(rq, request);
	const json_t *login = browser ? sql_maybe(rq, SQL_SHOW_SAML_LOGIN, request, browser) : json_null(), *providers;
	const char *back;

	if (!login)
		return rq->status;
	if (json_is_null(login))
		return no_such_login(rq);
	forget_old_logins(rq, request);
	providers = shuffled(rq, json_at(login, "providers"));
	back = url_with(rq, json_text(login, "redirectUri"), "error", "access_denied", "error_description",
		"the person gave up", "state", json_text(login, "state"), "iss", issuer(), NULL);
	return reply_page(rq, 200, "Accedi",
		arena_printf(rq->arena,
			"<p>Scegli come entrare in <strong>%s</strong>.</p>\n"
			"%s%s"
			"<p><a href=\"%s\">Annulla e torna al servizio</a></p>\n",
			html(rq, json_text(login, "client")),
			choice(rq, "spid", "SPID", buttons(rq, request, providers, "spid", "Entra con SPID di"),
				spid_help),
			choice(rq, "cie", "Carta d'identità elettronica",
				buttons(rq, request, providers, "cie", "Entra con"), ""),
			html(rq, back)),
		NULL);
}

/* ForceAuthn above level 1: no single sign-on there. AssertionConsumerServiceIndex 0 is our only one. */
static const char *authn_request(
	struct request *rq, const json_t *begun, const char *id, const char *entity, const char *destination)
{
	long long level = json_int(begun, "level");

	return arena_printf(rq->arena,
		"<samlp:AuthnRequest xmlns:samlp=\"%s\" xmlns:saml=\"%s\" ID=\"%s\" Version=\"2.0\" "
		"IssueInstant=\"%s\" "
		"Destination=\"%s\"%s AssertionConsumerServiceIndex=\"0\" AttributeConsumingServiceIndex=\"%lld\">"
		"<saml:Issuer Format=\"%s\" NameQualifier=\"%s\">%s</saml:Issuer>"
		"<samlp:NameIDPolicy Format=\"%s\"/><samlp:RequestedAuthnContext Comparison=\"minimum\">"
		"<saml:AuthnContextClassRef>%s%lld</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>"
		"</samlp:AuthnRequest>",
		SAML_PROTOCOL, SAML_ASSERTION, id, saml_utc(rq, (time_t)json_int(begun, "issued")),
		html(rq, destination), level > 1 ? " ForceAuthn=\"true\"" : "", json_int(begun, "attributeSet"),
		SAML_FORMAT_ENTITY, html(rq, entity), html(rq, entity), SAML_FORMAT_TRANSIENT, SPID_LEVEL, level);
}

int begin_saml_login(struct request *rq)
{
	const char *request = query(rq, "request"), *browser = bound_browser(rq, request),
		   *binding = query(rq, "binding"), *id = arena_printf(rq->arena, "_%s", random_hex(rq, 20)),
		   *relay = random_hex(rq, 16), *where, *xml;
	const json_t *begun =
		browser ? sql_maybe(rq, SQL_BEGIN_SAML_LOGIN, request, browser, query(rq, "provider"), id, relay)
			: json_null();
	bool post;

	if (!begun)
		return rq->status;
	if (json_is_null(begun) || !saml_serves(json_text(begun, "federation")))
		return no_such_login(rq);
	where = json_text(begun, strcmp(binding, "post") == 0 ? "ssoPost" : "ssoRedirect");
	post = where ? strcmp(binding, "post") == 0 : !json_text(begun, "ssoRedirect");
	if (!where)
		where = json_text(begun, post ? "ssoPost" : "ssoRedirect");
	xml = authn_request(
		rq, begun, id, saml_entity(rq, json_text(begun, "federation"), json_text(begun, "tenant")), where);
	if (post)
		xml = saml_sign(rq, xml, id);
	if (!saml_keep(rq, id, "sent", "request", xml))
		return rq->status;
	return post ? saml_post(rq, where, "SAMLRequest", xml, relay, json_text(begun, "name"))
		    : saml_redirect(rq, where, "SAMLRequest", xml, relay);
}
