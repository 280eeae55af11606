/* Owns the reading of an AuthnRequest by the official rules: each fault has the number of AgID's table of messages. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "spid.h"

static bool refuse(struct request *rq, const char *why)
{
	reply_page(rq, 403, "Richiesta non valida",
		arena_printf(rq->arena,
			"<p>Formato richiesta non corretto: %s. Contattare il gestore del servizio.</p>\n",
			html(rq, why)),
		NULL);
	return false;
}

static const char *form_field(struct request *rq, const char *name)
{
	json_t *form = form_parse(rq->body, rq->body_length);

	return form ? json_string_value(json_object_get(arena_json(rq->arena, form), name)) : NULL;
}

static const char *covered(struct request *rq)
{
	return url_with(rq, "", "SAMLRequest", http_query(rq, "SAMLRequest"), "RelayState",
		       http_query(rq, "RelayState"), "SigAlg", http_query(rq, "SigAlg"), NULL) +
	       1;
}

static bool same(const char *text, const char *wanted)
{
	return text && strcmp(text, wanted) == 0;
}

static const char *level_fault(struct request *rq, const xmlNode *root, struct asked *asked)
{
	const xmlNode *context = saml_only(root, SAML_PROTOCOL, "RequestedAuthnContext");
	const char *class_ref = saml_content(rq, saml_only(context, SAML_ASSERTION, "AuthnContextClassRef"));
	size_t prefix = strlen(SPID_LEVEL);

	if (!class_ref || strncmp(class_ref, SPID_LEVEL, prefix) != 0 || strlen(class_ref) != prefix + 1 ||
		!strchr("123", class_ref[prefix]))
		return "nr12";
	asked->level = class_ref[prefix] - '0';
	if (asked->level > 1 && !same(saml_attribute(rq, root, "ForceAuthn"), "true"))
		return "nr12";
	return NULL;
}

/* In the order of the table. NULL: nothing is wrong. */
static const char *fault_of(struct request *rq, const xmlNode *root, struct asked *asked)
{
	const char *instant = saml_attribute(rq, root, "IssueInstant"), *to = saml_attribute(rq, root, "Destination"),
		   *consumer = saml_attribute(rq, root, "AssertionConsumerServiceURL"),
		   *index = saml_attribute(rq, root, "AssertionConsumerServiceIndex"),
		   *set = saml_attribute(rq, root, "AttributeConsumingServiceIndex"),
		   *entity = registry_entity(rq, asked->federation), *fault;
	const xmlNode *policy = saml_only(root, SAML_PROTOCOL, "NameIDPolicy");
	time_t when, now = time(NULL);

	if (!same(saml_attribute(rq, root, "Version"), "2.0"))
		return "nr09";
	if (!asked->id || !*asked->id ||
		(!strchr("_", *asked->id) && !strchr("abcdefghijklmnopqrstuvwxyz", *asked->id | 32)))
		return "nr11";
	if ((fault = level_fault(rq, root, asked)))
		return fault;
	if (!saml_time(instant, &when) || when > now + SAML_CLOCK_SKEW || when < now - LOGIN_LIFE)
		return "nr13";
	if (!same(to, entity) && !same(to, arena_printf(rq->arena, "%s/sso", entity)))
		return "nr14";
	if (saml_attribute(rq, root, "IsPassive"))
		return "nr15";
	if (index ? consumer || strcmp(index, "0") != 0 : !same(consumer, json_text(asked->known, "consumer")))
		return "nr16";
	if (!same(saml_attribute(rq, policy, "Format"), SAML_FORMAT_TRANSIENT) ||
		saml_attribute(rq, policy, "AllowCreate"))
		return "nr17";
	if (!set || !json_object_get(json_at(asked->known, "sets"), set))
		return "nr18";
	asked->set = atoi(set);
	return NULL;
}

bool request_read(struct request *rq, const char *federation, struct asked *ret_asked)
{
	bool post = strcmp(rq->method, "POST") == 0;
	const char *message = post ? form_field(rq, "SAMLRequest") : http_query(rq, "SAMLRequest"), *xml;
	xmlDoc *doc = !message ? NULL : post ? saml_decoded(rq, message, &xml) : saml_inflated(rq, message);
	xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL, *issuer = saml_only(root, SAML_ASSERTION, "Issuer");
	const char *service = saml_content(rq, issuer);
	json_t *known;

	*ret_asked = (struct asked){ .federation = federation,
		.service = service,
		.id = saml_attribute(rq, root, "ID"),
		.relay = post ? form_field(rq, "RelayState") : http_query(rq, "RelayState") };
	if (!saml_is(root, SAML_PROTOCOL, "AuthnRequest"))
		return refuse(rq, "non è una AuthnRequest (messaggio 4)");
	known = ret_asked->known = registry_service(rq, service);
	if (!known || !same(saml_attribute(rq, issuer, "Format"), SAML_FORMAT_ENTITY) ||
		!same(saml_attribute(rq, issuer, "NameQualifier"), service))
		return refuse(rq, "Issuer non corretto o servizio sconosciuto (messaggio 10)");
	if (post ? !saml_signature_holds(rq, root, json_at(known, "certificates"))
		 : saml_only(root, SAML_DSIG, "Signature") ||
				!saml_query_holds(rq, covered(rq), http_query(rq, "SigAlg"),
					http_query(rq, "Signature"), json_at(known, "certificates")))
		return refuse(rq, "firma non valida (messaggio 5)");
	ret_asked->fault = fault_of(rq, root, ret_asked);
	return true;
}
