/* Owns who this installation is towards SPID and CIE: its key, its entities and its addresses. */
#include <string.h>
#include "saml.h"

bool saml_serves(const char *federation)
{
	return *config(strcmp(federation, "cie") == 0 ? "PORTICO_CIE_TENANT" : "PORTICO_SPID_TENANT");
}

bool saml_is_aggregated(const char *tenant)
{
	return saml_serves("spid") && *config("PORTICO_SPID_AGGREGATOR") &&
	       strcmp(tenant, config("PORTICO_SPID_TENANT")) != 0;
}

/* AgID wants the code of the activity in the entityID of an aggregated body. */
const char *saml_entity(struct request *rq, const char *federation, const char *tenant)
{
	if (strcmp(federation, "spid") == 0 && saml_is_aggregated(tenant))
		return arena_printf(rq->arena, "%s/spid/pub-ag-full/%s", issuer(), tenant);
	return arena_printf(rq->arena, "%s/%s/metadata", issuer(), federation);
}

const char *saml_consumer_url(struct request *rq)
{
	return arena_printf(rq->arena, "%s/saml/responses", issuer());
}

const char *saml_logout_url(struct request *rq)
{
	return arena_printf(rq->arena, "%s/saml/logout", issuer());
}

bool saml_start(void)
{
	const char *key = config("PORTICO_SAML_KEY"), *pem = config("PORTICO_SAML_CERTIFICATE");

	if (!saml_serves("spid") && !saml_serves("cie"))
		return true;
	if (!saml_signature_start(key, pem)) {
		log_error("SPID and CIE need PORTICO_SAML_KEY, an RSA key of at least 2048 bits in PEM, and its "
			  "certificate in PORTICO_SAML_CERTIFICATE",
			"{}");
		return false;
	}
	if (saml_serves("spid") &&
		(!*config("PORTICO_SPID_REGISTRY") || !*config("PORTICO_SPID_REGISTRY_CERTIFICATE"))) {
		log_error(
			"SPID (PORTICO_SPID_TENANT) needs PORTICO_SPID_REGISTRY and PORTICO_SPID_REGISTRY_CERTIFICATE",
			"{}");
		return false;
	}
	if (saml_serves("cie") && !*config("PORTICO_CIE_REGISTRY_CERTIFICATE") &&
		strncmp(config("PORTICO_CIE_REGISTRY"), "https://", 8) != 0) {
		log_error("CIE (PORTICO_CIE_TENANT) needs PORTICO_CIE_REGISTRY, at an https address or with "
			  "PORTICO_CIE_REGISTRY_CERTIFICATE",
			"{}");
		return false;
	}
	if (*config("PORTICO_SPID_AGGREGATOR") &&
		(!*config("PORTICO_SPID_AGGREGATOR_VAT") || !*config("PORTICO_SPID_AGGREGATOR_EMAIL"))) {
		log_error("an aggregator (PORTICO_SPID_AGGREGATOR) also has PORTICO_SPID_AGGREGATOR_VAT and _EMAIL",
			"{}");
		return false;
	}
	if (saml_serves("cie") && (!*config("PORTICO_CIE_MUNICIPALITY") || !*config("PORTICO_CIE_PROVINCE"))) {
		log_error(
			"CIE (PORTICO_CIE_TENANT) also needs PORTICO_CIE_MUNICIPALITY and PORTICO_CIE_PROVINCE", "{}");
		return false;
	}
	return true;
}
