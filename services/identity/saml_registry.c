/* Owns the registry of identity providers: fetches the metadata of each federation, believes only what its signature
 * covers, and replaces what the database knows. Runs as a task, never while somebody waits. */
#include <stdlib.h>
#include <string.h>
#include "metrics.h"
#include "saml.h"
#include "text.h"
#include "identity.sql.h"

static const char *location(struct request *rq, const xmlNode *descriptor, const char *service, const char *binding)
{
	for (const xmlNode *each = saml_first(descriptor); each; each = saml_next(each)) {
		const char *where = saml_attribute(rq, each, "Location"), *how = saml_attribute(rq, each, "Binding");

		if (saml_is(each, SAML_METADATA, service) && where && how && strcmp(how, binding) == 0 &&
			(strncmp(where, "https://", 8) == 0 || strncmp(where, "http://", 7) == 0))
			return where;
	}
	return NULL;
}

static const char *without_spaces(struct request *rq, const char *text)
{
	char *copy = arena_alloc(rq->arena, strlen(text) + 1), *out = copy;

	for (; *text; text++) {
		if (!strchr(" \t\r\n", *text))
			*out++ = *text;
	}
	return copy;
}

/* The certificates for signing: a KeyDescriptor without use serves both purposes. */
static json_t *certificates(struct request *rq, const xmlNode *descriptor)
{
	json_t *list = json_make(rq, "[]");

	for (const xmlNode *each = saml_first(descriptor); each; each = saml_next(each)) {
		const char *use = saml_attribute(rq, each, "use");
		const xmlNode *info = saml_only(each, SAML_DSIG, "KeyInfo"),
			      *data = saml_only(info, SAML_DSIG, "X509Data");
		const char *text = saml_content(rq, saml_only(data, SAML_DSIG, "X509Certificate"));

		if (saml_is(each, SAML_METADATA, "KeyDescriptor") && text && *text &&
			(!use || strcmp(use, "signing") == 0))
			json_array_append_new(list, json_string(without_spaces(rq, text)));
	}
	return list;
}

static const char *name_of(struct request *rq, const xmlNode *entity, const char *fallback)
{
	const xmlNode *organization = saml_only(entity, SAML_METADATA, "Organization");
	const char *name = NULL;

	for (const xmlNode *each = saml_first(organization); each; each = saml_next(each)) {
		if (saml_is(each, SAML_METADATA, "OrganizationDisplayName")) {
			xmlChar *language = xmlGetNsProp((xmlNode *)each, BAD_CAST "lang", XML_XML_NAMESPACE);

			if (!name || (language && strcmp((const char *)language, "it") == 0))
				name = saml_content(rq, each);
			xmlFree(language);
		}
	}
	return name && *name ? name : fallback;
}

/* Appends an identity provider; what is none, or lacks a key or an address, is left out. */
static void read_entity(struct request *rq, const xmlNode *entity, json_t *providers)
{
	const xmlNode *descriptor = saml_only(entity, SAML_METADATA, "IDPSSODescriptor");
	const char *id = saml_attribute(rq, entity, "entityID"),
		   *redirect = location(rq, descriptor, "SingleSignOnService", SAML_BINDING_REDIRECT),
		   *post = location(rq, descriptor, "SingleSignOnService", SAML_BINDING_POST);
	json_t *keys = certificates(rq, descriptor);

	if (!id || !*id || strlen(id) > 1000 || (!redirect && !post) || json_array_size(keys) == 0)
		return;
	json_array_append(providers,
		json_make(rq, "{s:s s:s s:s* s:s* s:s* s:s* s:O}", "entityId", id, "name", name_of(rq, entity, id),
			"ssoRedirect", redirect, "ssoPost", post, "sloRedirect",
			location(rq, descriptor, "SingleLogoutService", SAML_BINDING_REDIRECT), "sloPost",
			location(rq, descriptor, "SingleLogoutService", SAML_BINDING_POST), "certificates", keys));
}

static json_t *read_providers(struct request *rq, const xmlNode *root)
{
	json_t *providers = json_make(rq, "[]");

	if (saml_is(root, SAML_METADATA, "EntityDescriptor"))
		read_entity(rq, root, providers);
	for (const xmlNode *each = saml_first(root); each; each = saml_next(each)) {
		if (saml_is(each, SAML_METADATA, "EntityDescriptor"))
			read_entity(rq, each, providers);
	}
	return providers;
}

static int fail(struct request *rq, const char *federation, const char *why)
{
	log_warning("the registry of identity providers was not refreshed", "{s:s s:s}", "federation", federation,
		"why", why);
	metrics_count("portico_saml_refresh_failures_total", "federation", federation);
	return problem(rq, 503, "unavailable", "%s", why);
}

static int refresh(struct request *rq, const char *federation, const char *url, const char *certificate)
{
	struct client_answer answer = client_send(rq, &(struct client_call){ .url = url, .timeout_ms = 20000 });
	xmlDoc *doc = answer.status == 200 ? saml_parse(rq, answer.body, answer.body_length) : NULL;
	json_t *providers;

	if (!doc)
		return fail(rq, federation, answer.status == 200 ? "what came is not XML without DTD" : "no answer");
	if (*certificate && !saml_signature_holds(rq, xmlDocGetRootElement(doc),
				    json_make(rq, "[s]", without_spaces(rq, certificate))))
		return fail(rq, federation, "the signature is not that of the registry");
	providers = read_providers(rq, xmlDocGetRootElement(doc));
	if (json_array_size(providers) == 0)
		return fail(rq, federation, "it names no identity provider");
	return sql_done(rq, SQL_REPLACE_SAML_PROVIDERS, federation, json_sql(rq, providers)) ? 200 : rq->status;
}

/* Markers and line breaks of a PEM are left out; the base64 alone is accepted too. */
static const char *bare(struct request *rq, const char *pem)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
	const char *from = strstr(pem, begin), *to = strstr(pem, end);

	return from && to ? arena_strndup(rq->arena, from + sizeof begin - 1, (size_t)(to - from) - sizeof begin + 1)
			  : pem;
}

int refresh_saml_registries(struct request *rq)
{
	static const struct {
		const char *federation, *url, *certificate;
	} registries[] = {
		{ "spid", "PORTICO_SPID_REGISTRY", "PORTICO_SPID_REGISTRY_CERTIFICATE" },
		{ "cie", "PORTICO_CIE_REGISTRY", "PORTICO_CIE_REGISTRY_CERTIFICATE" },
	};
	int status = 200;

	for (size_t i = 0; i < sizeof registries / sizeof *registries; i++) {
		const char *federation = registries[i].federation;

		if (saml_serves(federation) && refresh(rq, federation, config(registries[i].url),
						       bare(rq, config(registries[i].certificate))) != 200)
			status = rq->status;
	}
	return status == 200 ? reply_empty(rq, 204) : status;
}
