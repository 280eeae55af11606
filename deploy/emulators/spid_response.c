/* Owns the response: a good one, an error by AgID's table, or one with a fault that was asked for, to see that it is
 * refused. */
#include <string.h>
#include <time.h>
#include "spid.h"

static bool is(const struct said *said, const char *fault)
{
	return said->fault && strcmp(said->fault, fault) == 0;
}

static const char *without_declaration(const char *xml)
{
	const char *end = strncmp(xml, "<?xml", 5) == 0 ? strstr(xml, "?>") : NULL;

	return end ? end + 3 : xml;
}

/* The attributes of the set that was asked for, as far as the person has them. */
static const char *attributes(struct request *rq, const struct said *said, const json_t *known)
{
	const json_t *names = json_object_get(json_at(known, "sets"), arena_printf(rq->arena, "%d", said->set));
	const char *xml = "";
	size_t index;
	json_t *name;

	json_array_foreach((json_t *)names, index, name)
	{
		const char *value = json_text(said->person, json_string_value(name));

		if (value && !is(said, "no-fiscal-code"))
			xml = arena_printf(rq->arena,
				"%s<saml:Attribute Name=\"%s\"><saml:AttributeValue xsi:type=\"xs:string\">%s"
				"</saml:AttributeValue></saml:Attribute>",
				xml, json_string_value(name), html(rq, value));
	}
	return *xml ? xml
		    : "<saml:Attribute Name=\"spidCode\"><saml:AttributeValue>PROVA00000000</saml:AttributeValue>"
		      "</saml:Attribute>";
}

static const char *assertion(struct request *rq, const struct said *said, const char *name_id, const json_t *known)
{
	const char *entity = registry_entity(rq, said->federation),
		   *id = arena_printf(rq->arena, "_%s", random_hex(rq, 16)), *now = saml_utc(rq, time(NULL)),
		   *end = saml_utc(rq, time(NULL) + (is(said, "expired") ? -60 : 300)), *xml;

	xml = arena_printf(rq->arena,
		"<saml:Assertion xmlns:saml=\"%s\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" "
		"xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" ID=\"%s\" Version=\"2.0\" IssueInstant=\"%s\">"
		"<saml:Issuer Format=\"%s\">%s</saml:Issuer><saml:Subject><saml:NameID Format=\"%s\" "
		"NameQualifier=\"%s\">%s</saml:NameID><saml:SubjectConfirmation "
		"Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"><saml:SubjectConfirmationData InResponseTo=\"%s\" "
		"NotOnOrAfter=\"%s\" Recipient=\"%s\"/></saml:SubjectConfirmation></saml:Subject>"
		"<saml:Conditions NotBefore=\"%s\" NotOnOrAfter=\"%s\"><saml:AudienceRestriction><saml:Audience>%s"
		"</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement "
		"AuthnInstant=\"%s\"%s>"
		"<saml:AuthnContext><saml:AuthnContextClassRef>%s%d</saml:AuthnContextClassRef></saml:AuthnContext>"
		"</saml:AuthnStatement><saml:AttributeStatement>%s</saml:AttributeStatement></saml:Assertion>",
		SAML_ASSERTION, id, now, SAML_FORMAT_ENTITY, html(rq, entity), SAML_FORMAT_TRANSIENT, html(rq, entity),
		name_id, html(rq, said->request), end, html(rq, said->consumer), now, end,
		is(said, "other-audience") ? "https://elsewhere.example/metadata" : html(rq, said->service), now,
		said->session ? arena_printf(rq->arena, " SessionIndex=\"%s\"", said->session) : "", SPID_LEVEL,
		is(said, "lower-level") ? said->level - 1 : said->level, attributes(rq, said, known));
	return is(said, "unsigned-assertion") ? xml : without_declaration(saml_sign(rq, xml, id));
}

static const char *status_of(struct request *rq, const struct said *said)
{
	bool mine = said->error && strcmp(said->error, "nr19") >= 0; /* up to 18 it is the service's mistake */

	if (!said->error)
		return "<samlp:Status><samlp:StatusCode Value=\"" SAML_STATUS_SUCCESS "\"/></samlp:Status>";
	return arena_printf(rq->arena,
		"<samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:%s\"><samlp:StatusCode "
		"Value=\"urn:oasis:names:tc:SAML:2.0:status:%s\"/></samlp:StatusCode><samlp:StatusMessage>ErrorCode %s"
		"</samlp:StatusMessage></samlp:Status>",
		mine ? "Responder" : "Requester", mine ? "AuthnFailed" : "RequestUnsupported", html(rq, said->error));
}

/* One character of the signed part, after signing. */
static const char *tampered(struct request *rq, const char *xml)
{
	char *copy = arena_strdup(rq->arena, xml), *at = strstr(copy, "TINIT-");

	if (at)
		at[6] = at[6] == 'A' ? 'B' : 'A';
	return copy;
}

int response_send(struct request *rq, const struct said *said)
{
	json_t *known = registry_service(rq, said->service);
	const char *id = arena_printf(rq->arena, "_%s", random_hex(rq, 16)), *name_id = random_hex(rq, 16), *xml;
	struct said whole = *said;

	if (!known)
		return problem(rq, 400, "invalid-request", "The service provider is not known (any more).");
	if (!whole.error && whole.level == 1)
		whole.session = sessions_open(rq, whole.federation, whole.service, name_id);
	if (is(said, "other-request"))
		whole.request = "_of-somebody-else";
	xml = arena_printf(rq->arena,
		"<samlp:Response xmlns:samlp=\"%s\" xmlns:saml=\"%s\" ID=\"%s\" Version=\"2.0\" IssueInstant=\"%s\" "
		"InResponseTo=\"%s\" Destination=\"%s\"><saml:Issuer "
		"Format=\"%s\">%s</saml:Issuer>%s%s</samlp:Response>",
		SAML_PROTOCOL, SAML_ASSERTION, id, saml_utc(rq, time(NULL)), html(rq, whole.request),
		html(rq, whole.consumer), SAML_FORMAT_ENTITY, html(rq, registry_entity(rq, whole.federation)),
		status_of(rq, &whole), whole.error ? "" : assertion(rq, &whole, name_id, known));
	if (!is(said, "unsigned-assertion"))
		xml = saml_sign(rq, xml, id);
	if (is(said, "tampered"))
		xml = tampered(rq, xml);
	if (is(said, "entity"))
		xml = arena_printf(rq->arena, "<!DOCTYPE a [<!ENTITY b \"c\">]>%s", without_declaration(xml));
	return saml_post(rq, whole.consumer, "SAMLResponse", xml, whole.relay, "il servizio");
}
