/* Owns the metadata by which AgID and the Ministry know us. It says what is configured and what the tenants' table
 * knows of a municipality; nothing of it is written by hand anywhere. */
#include <openssl/sha.h>
#include <string.h>
#include "saml.h"
#include "saml_attributes.h"
#include "text.h"
#include "identity.sql.h"

#define SPID_EXTENSIONS "https://spid.gov.it/saml-extensions"
#define CIE_EXTENSIONS "https://www.cartaidentita.interno.gov.it/saml-extensions"

/* An ID that changes with the content only. */
static const char *id_of(struct request *rq, const char *text)
{
	char hex[TEXT_SHA256_MAX];

	text_sha256(hex, text, strlen(text));
	return arena_printf(rq->arena, "_%.32s", hex);
}

/* CIE names a service by a UUID of version 4 that stays the same: the digest of the entityID with its bits set. */
static const char *service_uuid(struct request *rq, const char *entity)
{
	char hex[TEXT_SHA256_MAX];

	text_sha256(hex, entity, strlen(entity));
	hex[12] = '4';
	hex[16] = '8';
	return arena_printf(
		rq->arena, "urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static const char *element(struct request *rq, const char *name, const char *text)
{
	return text ? arena_printf(rq->arena, "<%s>%s</%s>", name, html(rq, text), name) : "";
}

static const char *attribute_sets(struct request *rq, const char *federation, const char *entity)
{
	const char *xml = "";

	for (const struct saml_attribute_set *set = saml_attribute_sets(federation); set->name; set++) {
		xml = arena_printf(rq->arena,
			"%s<md:AttributeConsumingService index=\"%d\"><md:ServiceName "
			"xml:lang=\"it\">%s</md:ServiceName>",
			xml, set->index, strcmp(federation, "cie") == 0 ? service_uuid(rq, entity) : set->name);
		for (const char *const *name = set->attributes; *name; name++)
			xml = arena_printf(rq->arena,
				"%s<md:RequestedAttribute Name=\"%s\" "
				"NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:basic\"/>",
				xml, *name);
		xml = arena_printf(rq->arena, "%s</md:AttributeConsumingService>", xml);
	}
	return xml;
}

static const char *descriptor(struct request *rq, const char *federation, const char *entity)
{
	const char *logout = html(rq, saml_logout_url(rq));

	return arena_printf(rq->arena,
		"<md:SPSSODescriptor AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"true\" "
		"protocolSupportEnumeration=\"%s\"><md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data>"
		"<ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
		"<md:SingleLogoutService Binding=\"%s\" Location=\"%s\"/>"
		"<md:SingleLogoutService Binding=\"%s\" Location=\"%s\"/>"
		"<md:NameIDFormat>%s</md:NameIDFormat><md:AssertionConsumerService Binding=\"%s\" Location=\"%s\" "
		"index=\"0\" isDefault=\"true\"/>%s</md:SPSSODescriptor>",
		SAML_PROTOCOL, saml_certificate(), SAML_BINDING_REDIRECT, logout, SAML_BINDING_POST, logout,
		SAML_FORMAT_TRANSIENT, SAML_BINDING_POST, html(rq, saml_consumer_url(rq)),
		attribute_sets(rq, federation, entity));
}

static const char *organization(struct request *rq, const json_t *tenant)
{
	const char *name = html(rq, json_text(tenant, "name")), *site = json_text(tenant, "contacts.website");

	return arena_printf(rq->arena,
		"<md:Organization><md:OrganizationName xml:lang=\"it\">%s</md:OrganizationName>"
		"<md:OrganizationDisplayName xml:lang=\"it\">%s</md:OrganizationDisplayName>"
		"<md:OrganizationURL xml:lang=\"it\">%s</md:OrganizationURL></md:Organization>",
		name, name, html(rq, site ? site : issuer()));
}

static const char *reachable_at(struct request *rq, const char *email, const char *phone)
{
	return arena_printf(rq->arena, "%s%s", element(rq, "md:EmailAddress", email),
		element(rq, "md:TelephoneNumber", phone && *phone ? phone : NULL));
}

static const char *public_contact(struct request *rq, const json_t *tenant)
{
	return arena_printf(rq->arena,
		"<md:ContactPerson contactType=\"other\"><md:Extensions>%s%s<spid:Public/></md:Extensions>%s%s"
		"</md:ContactPerson>",
		element(rq, "spid:IPACode", json_text(tenant, "id")),
		element(rq, "spid:FiscalCode", json_text(tenant, "fiscalCode")),
		element(rq, "md:Company", json_text(tenant, "name")),
		reachable_at(rq, json_text(tenant, "contacts.email"), json_text(tenant, "contacts.phone")));
}

static const char *aggregated_contacts(struct request *rq, const json_t *tenant)
{
	return arena_printf(rq->arena,
		"<md:ContactPerson contactType=\"other\" spid:entityType=\"spid:aggregator\"><md:Extensions>%s"
		"<spid:PublicServicesFullAggregator/></md:Extensions>%s%s</md:ContactPerson>"
		"<md:ContactPerson contactType=\"other\" spid:entityType=\"spid:aggregated\"><md:Extensions>%s%s"
		"<spid:Public/></md:Extensions>%s</md:ContactPerson>",
		element(rq, "spid:VATNumber", config("PORTICO_SPID_AGGREGATOR_VAT")),
		element(rq, "md:Company", config("PORTICO_SPID_AGGREGATOR")),
		reachable_at(rq, config("PORTICO_SPID_AGGREGATOR_EMAIL"), config("PORTICO_SPID_AGGREGATOR_PHONE")),
		element(rq, "spid:IPACode", json_text(tenant, "id")),
		element(rq, "spid:FiscalCode", json_text(tenant, "fiscalCode")),
		element(rq, "md:Company", json_text(tenant, "name")));
}

static const char *cie_contact(struct request *rq, const json_t *tenant)
{
	return arena_printf(rq->arena,
		"<md:ContactPerson contactType=\"administrative\"><md:Extensions><cie:Public/>%s%s%s"
		"<cie:Country>IT</cie:Country></md:Extensions>%s%s</md:ContactPerson>",
		element(rq, "cie:IPACode", json_text(tenant, "id")),
		element(rq, "cie:Municipality", config("PORTICO_CIE_MUNICIPALITY")),
		element(rq, "cie:Province", config("PORTICO_CIE_PROVINCE")),
		element(rq, "md:Company", json_text(tenant, "name")),
		reachable_at(rq, json_text(tenant, "contacts.email"), json_text(tenant, "contacts.phone")));
}

static int reply_metadata(struct request *rq, const char *federation, const char *tenant_id, const char *extensions,
	const char *(*contacts)(struct request *rq, const json_t *tenant))
{
	const json_t *tenant = sql_row(rq, SQL_SHOW_TENANT, tenant_id);
	const char *entity, *inside, *id;

	if (!tenant)
		return rq->status;
	entity = saml_entity(rq, federation, tenant_id);
	inside = arena_printf(rq->arena, "%s%s%s", descriptor(rq, federation, entity), organization(rq, tenant),
		contacts(rq, tenant));
	id = id_of(rq, inside);
	reply_header(rq, "Cache-Control", "public, max-age=3600");
	return reply_text(rq, 200, "application/samlmetadata+xml",
		saml_sign(rq,
			arena_printf(rq->arena,
				"<md:EntityDescriptor xmlns:md=\"%s\" xmlns:ds=\"%s\" xmlns:%s=\"%s\" ID=\"%s\" "
				"entityID=\"%s\">%s</md:EntityDescriptor>",
				SAML_METADATA, SAML_DSIG, federation, extensions, id, html(rq, entity), inside),
			id));
}

static int not_served(struct request *rq, const char *why)
{
	return problem(rq, 404, "not-found", "%s", why);
}

int show_spid_metadata(struct request *rq)
{
	if (!saml_serves("spid"))
		return not_served(rq, "This installation is not part of SPID.");
	return reply_metadata(rq, "spid", config("PORTICO_SPID_TENANT"), SPID_EXTENSIONS, public_contact);
}

int show_aggregated_metadata(struct request *rq)
{
	if (!saml_is_aggregated(path(rq, "tenantId")))
		return not_served(rq, "This municipality is not presented by an aggregator here.");
	return reply_metadata(rq, "spid", path(rq, "tenantId"), SPID_EXTENSIONS, aggregated_contacts);
}

int show_cie_metadata(struct request *rq)
{
	if (!saml_serves("cie"))
		return not_served(rq, "This installation is not part of CIE.");
	return reply_metadata(rq, "cie", config("PORTICO_CIE_TENANT"), CIE_EXTENSIONS, cie_contact);
}
