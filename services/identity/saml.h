/* What the files of the SAML service provider (SPID and CIE) share. The library underneath is xmlsec, which is also
 * underneath Lasso: what is verified and what is read are the same nodes of the same tree, nothing is parsed twice. */
#pragma once
#include <libxml/tree.h>
#include <time.h>
#include "identity.h"

#define SAML_ASSERTION "urn:oasis:names:tc:SAML:2.0:assertion"
#define SAML_PROTOCOL "urn:oasis:names:tc:SAML:2.0:protocol"
#define SAML_METADATA "urn:oasis:names:tc:SAML:2.0:metadata"
#define SAML_DSIG "http://www.w3.org/2000/09/xmldsig#"
#define SAML_BINDING_POST "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
#define SAML_BINDING_REDIRECT "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
#define SAML_FORMAT_ENTITY "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
#define SAML_FORMAT_TRANSIENT "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
#define SAML_STATUS_SUCCESS "urn:oasis:names:tc:SAML:2.0:status:Success"
#define SPID_LEVEL "https://www.spid.gov.it/SpidL"

/* How far the clock of an identity provider may be from ours. */
enum { SAML_CLOCK_SKEW = 30 };

/* saml_settings.c: who we are towards the two federations */
bool saml_start(void);			  /* false: it has said why */
bool saml_serves(const char *federation); /* "spid" or "cie" is configured */
/* Whether a municipality is a service provider of its own, presented by us as the aggregator. Else the one that is
 * configured speaks for all. */
bool saml_is_aggregated(const char *tenant);
/* The entityID that speaks for a municipality in a federation. */
const char *saml_entity(struct request *rq, const char *federation, const char *tenant);
const char *saml_consumer_url(struct request *rq); /* where responses arrive */
const char *saml_logout_url(struct request *rq);   /* where logout messages arrive */

/* saml_xml.c: XML from strangers, as a tree that cannot hurt */
/* NULL when it is not well-formed, has a DTD or a processing instruction, or two equal IDs. The tree belongs to the
 * request and has no comments. */
xmlDoc *saml_parse(struct request *rq, const char *text, size_t length);
bool saml_is(const xmlNode *node, const char *space, const char *name);
xmlNode *saml_first(const xmlNode *parent); /* the first child element, or NULL */
xmlNode *saml_next(const xmlNode *node);    /* the next sibling element, or NULL */
/* The only child element of that name; NULL when there is none or more than one. */
xmlNode *saml_only(const xmlNode *parent, const char *space, const char *name);
const char *saml_attribute(struct request *rq, const xmlNode *node, const char *name); /* NULL when absent */
/* The text of an element without children, without the space around it; NULL when it has children or is absent. */
const char *saml_content(struct request *rq, const xmlNode *node);
bool saml_time(const char *text, time_t *ret_time); /* xs:dateTime in UTC, as SAML wants it */
const char *saml_utc(struct request *rq, time_t when);

/* saml_signature.c */
bool saml_signature_start(const char *key_pem, const char *certificate_pem); /* false: they do not hold or match */
const char *saml_certificate(void);					     /* ours, base64 of the DER */
/* The document with an enveloped signature: behind the Issuer where the root has one, else first. */
const char *saml_sign(struct request *rq, const char *xml, const char *id);
/* True when the element carries exactly one signature as its own child, over itself as a whole, made with a key of one
 * of the certificates (base64 DER). Nothing of the message says which key. */
bool saml_signature_holds(struct request *rq, xmlNode *element, const json_t *certificates);
/* HTTP-Redirect: the query with SigAlg and Signature appended; and whether that of a message is good. raw is the query
 * as it was sent. */
const char *saml_sign_query(struct request *rq, const char *query_text);
bool saml_query_holds(struct request *rq, const char *signed_text, const char *algorithm, const char *signature,
	const json_t *certificates);

/* saml_binding.c: how messages travel */
const char *saml_deflated(struct request *rq, const char *xml);			   /* raw DEFLATE, base64 */
xmlDoc *saml_inflated(struct request *rq, const char *text);			   /* NULL: not a message */
xmlDoc *saml_decoded(struct request *rq, const char *text, const char **ret_text); /* base64; NULL: not a message */
const char *saml_base64(struct request *rq, const void *bytes, size_t length);
unsigned char *saml_unbase64(struct request *rq, const char *text, size_t *ret_length);
/* Sends the browser with a message to an address: name is SAMLRequest or SAMLResponse. */
int saml_redirect(struct request *rq, const char *location, const char *name, const char *xml, const char *relay);
int saml_post(struct request *rq, const char *location, const char *name, const char *xml, const char *relay,
	const char *whom);

/* saml_response.c: the rules for an answer */
struct saml_expected {
	const char *federation, *request, *provider, *entity, *consumer;
	time_t issued, now;
	int level;
	const json_t *certificates;
};
struct saml_answer {
	const char *fault;	/* why it is refused; NULL when it is good */
	const char *error_code; /* what the provider says went wrong: "nr22", or "" for a status without code */
	const char *level;	/* https://www.spid.gov.it/SpidL2 */
	const char *name_id, *session_index;
	json_t *attributes;
};
void saml_judge(
	struct request *rq, xmlDoc *response, const struct saml_expected *expected, struct saml_answer *ret_answer);
/* The ID of the request that the response claims to answer, before anything else is believed. */
const char *saml_in_response_to(struct request *rq, xmlDoc *response);

/* saml_courtesy.c */
int saml_courtesy_page(struct request *rq, const char *error_code, const json_t *login);

/* saml_log.c: what was sent and received, sealed */
const char *saml_sealed(struct request *rq, const char *request, const char *direction, const char *xml);
bool saml_keep(struct request *rq, const char *request, const char *direction, const char *outcome, const char *xml);
int seal_saml_log(struct request *rq);

/* saml_logout.c: tells the provider of a session that was ended here, where that provider keeps one. 0: there is
 * nothing to tell; else the status answered (a redirect to the provider, from which the person comes back to
 * return_to). */
int saml_log_out(struct request *rq, const char *session, const char *return_to);

/* saml_request.c: for the authorization endpoint */
/* Keeps the level that acr_values asks for; false: already answered. */
bool saml_ask_level(struct request *rq, const char *login, const char *acr_values);
/* Sends the browser on to the provider that the front end named (its entityID), or to the page with all of them. */
int saml_continue(struct request *rq, const char *login, const char *provider, const char *binding);

/* the operations and tasks */
int show_spid_metadata(struct request *rq);
int show_aggregated_metadata(struct request *rq);
int show_cie_metadata(struct request *rq);
int list_login_providers(struct request *rq);
int show_login_providers(struct request *rq);
int begin_saml_login(struct request *rq);
int take_saml_response(struct request *rq);
int follow_saml_logout(struct request *rq);
int take_saml_logout(struct request *rq);
int refresh_saml_registries(struct request *rq);
