/* Owns the rules for a response: the grammar that SPID and CIE allow and nothing around it, who says it, to whom, when,
 * in answer to what. Every element that is read is one that stands where the grammar wants it, below the signature that
 * covers it; an element that the grammar does not know refuses the whole. */
#include <ctype.h>
#include <string.h>
#include "saml.h"
#include "saml_attributes.h"

#define BEARER "urn:oasis:names:tc:SAML:2.0:cm:bearer"

enum { ID_MAX = 256 };

struct reading {
	struct request *rq;
	const struct saml_expected *expected;
	struct saml_answer *answer;
};

static bool refuse(struct reading *r, const char *fault)
{
	r->answer->fault = fault;
	return false;
}

static bool same(const char *text, const char *wanted)
{
	return text && strcmp(text, wanted) == 0;
}

static const char *attribute(struct reading *r, const xmlNode *node, const char *name)
{
	return saml_attribute(r->rq, node, name);
}

/* Not before the request and not in the future. */
static bool is_fresh(struct reading *r, const char *instant)
{
	time_t when;

	return saml_time(instant, &when) && when >= r->expected->issued - 1 &&
	       when <= r->expected->now + SAML_CLOCK_SKEW;
}

static bool is_past(struct reading *r, const char *instant)
{
	time_t when;

	return saml_time(instant, &when) && when <= r->expected->now + SAML_CLOCK_SKEW;
}

static bool is_future(struct reading *r, const char *instant)
{
	time_t when;

	return saml_time(instant, &when) && when > r->expected->now;
}

static bool head_holds(struct reading *r, const xmlNode *element)
{
	const char *id = attribute(r, element, "ID");

	if (!id || !*id || strlen(id) > ID_MAX)
		return refuse(r, "ID missing");
	if (!same(attribute(r, element, "Version"), "2.0"))
		return refuse(r, "Version is not 2.0");
	if (!is_fresh(r, attribute(r, element, "IssueInstant")))
		return refuse(r, "IssueInstant is missing, malformed, before the request or in the future");
	return true;
}

/* SPID wants the Format of an assertion's Issuer; CIE leaves it out; a Response may leave it out in both. */
static bool issuer_holds(struct reading *r, const xmlNode *issuer, bool format_needed)
{
	const char *format = attribute(r, issuer, "Format");

	if (!saml_is(issuer, SAML_ASSERTION, "Issuer") || !same(saml_content(r->rq, issuer), r->expected->provider))
		return refuse(r, "Issuer is not the provider that was asked");
	if (format ? !same(format, SAML_FORMAT_ENTITY) : format_needed)
		return refuse(r, "Format of the Issuer is not entity");
	return true;
}

/* Takes a signature that is there, and says where the rest begins. */
static const xmlNode *behind_signature(const xmlNode *node)
{
	return saml_is(node, SAML_DSIG, "Signature") ? saml_next(node) : node;
}

/* "ErrorCode nr22" somewhere in the message: "nr22". The sub-status is printed wrongly in the rules, so it does not
 * count. */
static const char *error_code(struct reading *r, const xmlNode *status)
{
	const char *message = saml_content(r->rq, saml_only(status, SAML_PROTOCOL, "StatusMessage")),
		   *code = message ? strstr(message, "nr") : NULL;
	size_t digits = code ? strspn(code + 2, "0123456789") : 0;

	return digits == 1 || digits == 2 ? arena_strndup(r->rq->arena, code, 2 + digits) : "";
}

static bool name_id_holds(struct reading *r, const xmlNode *name_id)
{
	const char *text = saml_content(r->rq, name_id), *qualifier = attribute(r, name_id, "NameQualifier");

	if (!saml_is(name_id, SAML_ASSERTION, "NameID") || !text || !*text || strlen(text) > ID_MAX)
		return refuse(r, "NameID missing");
	if (!same(attribute(r, name_id, "Format"), SAML_FORMAT_TRANSIENT))
		return refuse(r, "Format of the NameID is not transient");
	if (!qualifier || !*qualifier)
		return refuse(r, "NameQualifier missing");
	r->answer->name_id = text;
	return true;
}

static bool subject_holds(struct reading *r, const xmlNode *subject)
{
	const xmlNode *name_id = saml_first(subject), *confirmation = saml_next(name_id),
		      *data = saml_first(confirmation);
	const char *not_before = attribute(r, data, "NotBefore");

	if (!saml_is(subject, SAML_ASSERTION, "Subject") || !name_id_holds(r, name_id))
		return r->answer->fault ? false : refuse(r, "Subject missing");
	if (!saml_is(confirmation, SAML_ASSERTION, "SubjectConfirmation") || saml_next(confirmation) ||
		!same(attribute(r, confirmation, "Method"), BEARER))
		return refuse(r, "there is no single SubjectConfirmation by bearer");
	if (!saml_is(data, SAML_ASSERTION, "SubjectConfirmationData") || saml_next(data) || saml_first(data))
		return refuse(r, "SubjectConfirmationData missing");
	if (!same(attribute(r, data, "Recipient"), r->expected->consumer))
		return refuse(r, "Recipient is somebody else");
	if (!same(attribute(r, data, "InResponseTo"), r->expected->request))
		return refuse(r, "InResponseTo of the subject is another request");
	if (!is_future(r, attribute(r, data, "NotOnOrAfter")) || (not_before && !is_past(r, not_before)))
		return refuse(r, "the subject's confirmation is not valid now");
	return true;
}

static bool conditions_hold(struct reading *r, const xmlNode *conditions)
{
	const xmlNode *restriction = saml_first(conditions), *audience = saml_first(restriction);

	if (!saml_is(conditions, SAML_ASSERTION, "Conditions"))
		return refuse(r, "Conditions missing");
	if (!is_past(r, attribute(r, conditions, "NotBefore")) ||
		!is_future(r, attribute(r, conditions, "NotOnOrAfter")))
		return refuse(r, "the assertion is not valid now");
	if (!saml_is(restriction, SAML_ASSERTION, "AudienceRestriction") || saml_next(restriction) ||
		!saml_is(audience, SAML_ASSERTION, "Audience") || saml_next(audience))
		return refuse(r, "there is no single Audience");
	if (!same(saml_content(r->rq, audience), r->expected->entity))
		return refuse(r, "Audience is somebody else");
	return true;
}

/* The level asked for or a higher one: the request said "minimum". */
static bool level_holds(struct reading *r, const char *class_ref)
{
	size_t prefix = strlen(SPID_LEVEL);

	if (!class_ref || strncmp(class_ref, SPID_LEVEL, prefix) != 0 || strlen(class_ref) != prefix + 1 ||
		!strchr("123", class_ref[prefix]))
		return refuse(r, "AuthnContextClassRef is no level of SPID");
	if (class_ref[prefix] - '0' < r->expected->level)
		return refuse(r, "the level is below the one that was asked for");
	r->answer->level = class_ref;
	return true;
}

static bool statement_holds(struct reading *r, const xmlNode *statement)
{
	const xmlNode *context = saml_only(statement, SAML_ASSERTION, "AuthnContext");
	const char *index = attribute(r, statement, "SessionIndex");

	if (!saml_is(statement, SAML_ASSERTION, "AuthnStatement") || !context)
		return refuse(r, "AuthnStatement or its AuthnContext missing");
	if (!is_past(r, attribute(r, statement, "AuthnInstant")))
		return refuse(r, "AuthnInstant is missing, malformed or in the future");
	r->answer->session_index = index && *index && strlen(index) <= ID_MAX ? index : NULL;
	return level_holds(r, saml_content(r->rq, saml_only(context, SAML_ASSERTION, "AuthnContextClassRef")));
}

/* Attributes that nobody asked for stay out, whoever sends them. */
static bool is_known(const char *federation, const char *name)
{
	for (const struct saml_attribute_set *set = saml_attribute_sets(federation); set->name; set++) {
		for (const char *const *known = set->attributes; *known; known++) {
			if (strcmp(*known, name) == 0)
				return true;
		}
	}
	return false;
}

static bool attributes_hold(struct reading *r, const xmlNode *statement)
{
	json_t *attributes = json_make(r->rq, "{}");

	if (!saml_is(statement, SAML_ASSERTION, "AttributeStatement") || saml_next(statement) || !saml_first(statement))
		return refuse(r, "there is no single AttributeStatement with attributes at the end");
	for (const xmlNode *each = saml_first(statement); each; each = saml_next(each)) {
		const xmlNode *value = saml_first(each);
		const char *name = attribute(r, each, "Name"), *text = saml_content(r->rq, value);

		if (!saml_is(each, SAML_ASSERTION, "Attribute") || !name || !*name ||
			!saml_is(value, SAML_ASSERTION, "AttributeValue") || !text)
			return refuse(r, "an Attribute has no name or no value");
		if (json_object_get(attributes, name))
			return refuse(r, "an Attribute comes twice");
		if (*text && is_known(r->expected->federation, name))
			json_object_set_new(attributes, name, json_string(text));
	}
	r->answer->attributes = attributes;
	return true;
}

static bool assertion_holds(struct reading *r, xmlNode *assertion)
{
	const xmlNode *issuer = saml_first(assertion), *subject, *conditions, *authentication;

	if (!saml_is(assertion, SAML_ASSERTION, "Assertion") || saml_next(assertion))
		return refuse(r, "there is no single Assertion at the end");
	if (!saml_signature_holds(r->rq, assertion, r->expected->certificates))
		return refuse(r, "the Assertion is not signed by the provider");
	if (!head_holds(r, assertion) || !issuer_holds(r, issuer, strcmp(r->expected->federation, "spid") == 0))
		return false;
	if (!saml_is(saml_next(issuer), SAML_DSIG, "Signature"))
		return refuse(r, "the signature of the Assertion is out of place");
	subject = behind_signature(saml_next(issuer));
	conditions = saml_next(subject);
	authentication = saml_next(conditions);
	return subject_holds(r, subject) && conditions_hold(r, conditions) && statement_holds(r, authentication) &&
	       attributes_hold(r, saml_next(authentication));
}

static bool envelope_holds(struct reading *r, const xmlNode *response)
{
	if (!saml_is(response, SAML_PROTOCOL, "Response"))
		return refuse(r, "this is no Response");
	if (!head_holds(r, response))
		return false;
	if (!same(attribute(r, response, "InResponseTo"), r->expected->request))
		return refuse(r, "InResponseTo is another request");
	if (!same(attribute(r, response, "Destination"), r->expected->consumer))
		return refuse(r, "Destination is somebody else");
	return issuer_holds(r, saml_first(response), false);
}

static void judge(struct reading *r, xmlNode *response)
{
	const xmlNode *second = saml_next(saml_first(response)), *status = behind_signature(second), *code;

	if (!envelope_holds(r, response))
		return;
	if (saml_is(second, SAML_DSIG, "Signature") &&
		!saml_signature_holds(r->rq, response, r->expected->certificates)) {
		refuse(r, "the signature of the Response is not the provider's");
		return;
	}
	code = saml_first(status);
	if (!saml_is(status, SAML_PROTOCOL, "Status") || !saml_is(code, SAML_PROTOCOL, "StatusCode") ||
		!attribute(r, code, "Value")) {
		refuse(r, "Status or StatusCode missing");
		return;
	}
	if (!same(attribute(r, code, "Value"), SAML_STATUS_SUCCESS))
		r->answer->error_code = error_code(r, status);
	else
		assertion_holds(r, saml_next(status));
}

void saml_judge(
	struct request *rq, xmlDoc *response, const struct saml_expected *expected, struct saml_answer *ret_answer)
{
	struct reading reading = { rq, expected, ret_answer };

	*ret_answer = (struct saml_answer){ 0 };
	judge(&reading, xmlDocGetRootElement(response));
}

const char *saml_in_response_to(struct request *rq, xmlDoc *response)
{
	const char *id = saml_attribute(rq, xmlDocGetRootElement(response), "InResponseTo");

	return id && strlen(id) <= ID_MAX ? id : NULL;
}
