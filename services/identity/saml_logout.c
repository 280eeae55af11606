/* Owns single logout, both ways: we tell the provider that a session ended here, and a provider tells us that it ended
 * there. Only providers that keep a session (level 1) take part; a message counts only with their signature. */
#include <ctype.h>
#include <string.h>
#include <time.h>
#include "saml.h"
#include "text.h"
#include "identity.sql.h"

static int refuse(struct request *rq, const char *why)
{
	log_warning("a logout message was refused", "{s:s}", "why", why);
	return reply_error_page(rq, 400, "Il messaggio di uscita del gestore di identità non è valido.");
}

static const char *issuer_element(struct request *rq, const char *entity)
{
	return arena_printf(rq->arena, "<saml:Issuer Format=\"%s\" NameQualifier=\"%s\">%s</saml:Issuer>",
		SAML_FORMAT_ENTITY, html(rq, entity), html(rq, entity));
}

/* The provider's redirect endpoint if it has one, else the one for forms. */
static int send(struct request *rq, const json_t *provider, const char *name, const char *id, const char *xml,
	const char *relay)
{
	const char *redirect = json_text(provider, "sloRedirect");

	if (!saml_keep(rq, id, "sent", "logout", xml))
		return rq->status;
	return redirect ? saml_redirect(rq, redirect, name, xml, relay)
			: saml_post(rq, json_text(provider, "sloPost"), name, saml_sign(rq, xml, id), relay,
				  json_text(provider, "name"));
}

static const char *destination(const json_t *provider)
{
	const char *redirect = json_text(provider, "sloRedirect");

	return redirect ? redirect : json_text(provider, "sloPost");
}

int saml_log_out(struct request *rq, const char *session, const char *return_to)
{
	const char *id = arena_printf(rq->arena, "_%s", random_hex(rq, 20)), *relay = random_hex(rq, 16), *xml;
	const json_t *asked = sql_maybe(rq, SQL_BEGIN_SAML_LOGOUT, session, id, relay, return_to);

	if (!asked)
		return rq->status;
	if (json_is_null(asked))
		return 0;
	xml = arena_printf(rq->arena,
		"<samlp:LogoutRequest xmlns:samlp=\"%s\" xmlns:saml=\"%s\" ID=\"%s\" Version=\"2.0\" "
		"IssueInstant=\"%s\" Destination=\"%s\">%s<saml:NameID Format=\"%s\" "
		"NameQualifier=\"%s\">%s</saml:NameID>"
		"<samlp:SessionIndex>%s</samlp:SessionIndex></samlp:LogoutRequest>",
		SAML_PROTOCOL, SAML_ASSERTION, id, saml_utc(rq, time(NULL)), html(rq, destination(asked)),
		issuer_element(rq, json_text(asked, "entity")), SAML_FORMAT_TRANSIENT,
		html(rq, json_text(asked, "provider")), html(rq, json_text(asked, "nameId")),
		html(rq, json_text(asked, "sessionIndex")));
	return send(rq, asked, "SAMLRequest", id, xml, relay);
}

/* What a message came with. For a redirect, signed_text is the part of the query that is signed. */
struct message {
	xmlDoc *doc;
	const char *relay, *signed_text, *algorithm, *signature;
};

/* The signature covers the query as it was sent: some write their escapes in lower case. */
static const char *lower_escapes(struct request *rq, const char *text)
{
	char *copy = arena_strdup(rq->arena, text);

	for (char *at = copy; (at = strchr(at, '%')); at++) {
		at[1] = (char)tolower((unsigned char)at[1]);
		at[2] = (char)tolower((unsigned char)at[2]);
	}
	return copy;
}

static bool is_signed(struct request *rq, const struct message *message, const json_t *provider)
{
	const json_t *certificates = json_at(provider, "certificates");

	if (message->signed_text)
		return saml_query_holds(
			       rq, message->signed_text, message->algorithm, message->signature, certificates) ||
		       saml_query_holds(rq, lower_escapes(rq, message->signed_text), message->algorithm,
			       message->signature, certificates);
	return saml_signature_holds(rq, xmlDocGetRootElement(message->doc), certificates);
}

/* Who sent it, by its Issuer; NULL: answered. */
static const json_t *sender(struct request *rq, const struct message *message)
{
	const xmlNode *root = xmlDocGetRootElement(message->doc);
	const char *entity = saml_content(rq, saml_only(root, SAML_ASSERTION, "Issuer")),
		   *to = saml_attribute(rq, root, "Destination"), *instant = saml_attribute(rq, root, "IssueInstant"),
		   *end = saml_attribute(rq, root, "NotOnOrAfter");
	const json_t *provider = entity ? sql_maybe(rq, SQL_SHOW_SAML_PROVIDER, entity) : json_null();
	time_t when;

	if (!provider)
		return NULL;
	if (json_is_null(provider) || !is_signed(rq, message, provider))
		return refuse(rq, "it is not signed by a provider of the registry"), NULL;
	if (!to || strcmp(to, saml_logout_url(rq)) != 0 || !saml_time(instant, &when) ||
		when > time(NULL) + SAML_CLOCK_SKEW || when < time(NULL) - LOGIN_LIFE ||
		(end && (!saml_time(end, &when) || when <= time(NULL))))
		return refuse(rq, "Destination or IssueInstant is not ours and now"), NULL;
	return provider;
}

static int answer_request(struct request *rq, const struct message *message, const json_t *provider)
{
	const xmlNode *root = xmlDocGetRootElement(message->doc);
	const char *id = saml_attribute(rq, root, "ID"), *own = arena_printf(rq->arena, "_%s", random_hex(rq, 20)),
		   *name_id = saml_content(rq, saml_only(root, SAML_ASSERTION, "NameID")),
		   *index = saml_content(rq, saml_only(root, SAML_PROTOCOL, "SessionIndex")), *entity;
	const json_t *ended;

	if (!id || !*id || !name_id || !*name_id || !destination(provider))
		return refuse(rq, "ID, NameID or an address for the answer is missing");
	ended = sql_row(rq, SQL_END_PROVIDER_SESSIONS, json_text(provider, "provider"), name_id, index);
	if (!ended)
		return rq->status;
	entity = json_text(ended, "entity")
			 ? json_text(ended, "entity")
			 : saml_entity(rq, json_text(provider, "federation"), config("PORTICO_SPID_TENANT"));
	return send(rq, provider, "SAMLResponse", own,
		arena_printf(rq->arena,
			"<samlp:LogoutResponse xmlns:samlp=\"%s\" xmlns:saml=\"%s\" ID=\"%s\" Version=\"2.0\" "
			"IssueInstant=\"%s\" InResponseTo=\"%s\" Destination=\"%s\">%s<samlp:Status>"
			"<samlp:StatusCode Value=\"%s\"/></samlp:Status></samlp:LogoutResponse>",
			SAML_PROTOCOL, SAML_ASSERTION, own, saml_utc(rq, time(NULL)), html(rq, id),
			html(rq, destination(provider)), issuer_element(rq, entity), SAML_STATUS_SUCCESS),
		message->relay);
}

static int take_answer(struct request *rq, const struct message *message, const json_t *provider)
{
	const xmlNode *root = xmlDocGetRootElement(message->doc),
		      *code = saml_first(saml_only(root, SAML_PROTOCOL, "Status"));
	const char *id = saml_attribute(rq, root, "InResponseTo"), *value = saml_attribute(rq, code, "Value");
	const json_t *asked =
		id ? sql_maybe(rq, SQL_END_SAML_LOGOUT, id, json_text(provider, "provider"), message->relay)
		   : json_null();
	bool whole;

	if (!asked)
		return rq->status;
	if (json_is_null(asked))
		return refuse(rq, "it answers no logout of ours");
	if (json_text(asked, "returnTo")) {
		reply_header(rq, "Cache-Control", "no-store");
		return reply_redirect(rq, 302, json_text(asked, "returnTo"));
	}
	whole = value && strcmp(value, SAML_STATUS_SUCCESS) == 0;
	return reply_page(rq, 200, "Uscita",
		whole ? "<p>Sei uscito, anche presso il tuo gestore di identità.</p>\n"
		      : "<p>Sei uscito da questo servizio. Presso il tuo gestore di identità la sessione può essere "
			"ancora "
			"aperta: chiudi il browser.</p>\n",
		NULL);
}

static int take(struct request *rq, const struct message *message)
{
	const json_t *provider;

	if (!message->doc)
		return refuse(rq, "it is no message");
	provider = sender(rq, message);
	if (!provider)
		return rq->status;
	if (saml_is(xmlDocGetRootElement(message->doc), SAML_PROTOCOL, "LogoutRequest"))
		return answer_request(rq, message, provider);
	if (saml_is(xmlDocGetRootElement(message->doc), SAML_PROTOCOL, "LogoutResponse"))
		return take_answer(rq, message, provider);
	return refuse(rq, "it is neither a LogoutRequest nor a LogoutResponse");
}

/* What the signature of a redirect covers, encoded as all providers encode it. */
static const char *covered(struct request *rq, const char *name, const char *value)
{
	return url_with(rq, "", name, value, "RelayState", query(rq, "RelayState"), "SigAlg", query(rq, "SigAlg"),
		       NULL) +
	       1;
}

int follow_saml_logout(struct request *rq)
{
	const char *asked = query(rq, "SAMLRequest"), *answered = query(rq, "SAMLResponse"),
		   *text = asked ? asked : answered;
	struct message message = {
		.relay = query(rq, "RelayState"), .algorithm = query(rq, "SigAlg"), .signature = query(rq, "Signature")
	};

	if (!text || (asked && answered))
		return refuse(rq, "there is not one message");
	message.doc = saml_inflated(rq, text);
	message.signed_text = covered(rq, asked ? "SAMLRequest" : "SAMLResponse", text);
	return take(rq, &message);
}

int take_saml_logout(struct request *rq)
{
	const char *asked = json_text(rq->json, "SAMLRequest"), *answered = json_text(rq->json, "SAMLResponse"), *xml;
	struct message message = { .relay = json_text(rq->json, "RelayState") };

	if (!asked == !answered)
		return refuse(rq, "there is not one message");
	message.doc = saml_decoded(rq, asked ? asked : answered, &xml);
	return take(rq, &message);
}
