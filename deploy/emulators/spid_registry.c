/* Owns the two registries: signed lists of identity providers, ours and those that were added, and what is known of who
 * asks us for logins. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "spid.h"

enum { ADDED_MAX = 20 };

static struct {
	pthread_mutex_t lock;
	size_t count;
	struct {
		char *federation, *metadata;
	} entries[ADDED_MAX];
} added = { .lock = PTHREAD_MUTEX_INITIALIZER };

static atomic_bool tampering;

const char *registry_entity(struct request *rq, const char *federation)
{
	return arena_printf(rq->arena, "%s/%s", config("PORTICO_PUBLIC_URL"), federation);
}

static const char *endpoints(struct request *rq, const char *service, const char *where)
{
	return arena_printf(rq->arena, "<md:%s Binding=\"%s\" Location=\"%s\"/><md:%s Binding=\"%s\" Location=\"%s\"/>",
		service, SAML_BINDING_REDIRECT, html(rq, where), service, SAML_BINDING_POST, html(rq, where));
}

static const char *own_metadata(struct request *rq, const char *federation)
{
	const char *entity = registry_entity(rq, federation),
		   *name = strcmp(federation, "cie") == 0 ? "CIE (emulatore)" : "Gestore di prova (emulatore)";

	return arena_printf(rq->arena,
		"<md:EntityDescriptor entityID=\"%s\"><md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" "
		"protocolSupportEnumeration=\"%s\"><md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data>"
		"<ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>%s"
		"<md:NameIDFormat>%s</md:NameIDFormat>%s</md:IDPSSODescriptor><md:Organization>"
		"<md:OrganizationName xml:lang=\"it\">%s</md:OrganizationName>"
		"<md:OrganizationDisplayName xml:lang=\"it\">%s</md:OrganizationDisplayName>"
		"<md:OrganizationURL xml:lang=\"it\">%s</md:OrganizationURL></md:Organization></md:EntityDescriptor>",
		html(rq, entity), SAML_PROTOCOL, saml_certificate(),
		endpoints(rq, "SingleLogoutService", arena_printf(rq->arena, "%s/slo", entity)), SAML_FORMAT_TRANSIENT,
		endpoints(rq, "SingleSignOnService", arena_printf(rq->arena, "%s/sso", entity)), name, name,
		config("PORTICO_PUBLIC_URL"));
}

static const char *added_metadata(struct request *rq, const char *federation)
{
	const char *all = "";

	pthread_mutex_lock(&added.lock);
	for (size_t i = 0; i < added.count; i++) {
		if (strcmp(added.entries[i].federation, federation) == 0)
			all = arena_printf(rq->arena, "%s%s", all, added.entries[i].metadata);
	}
	pthread_mutex_unlock(&added.lock);
	return all;
}

/* One letter of the names, after signing. */
static const char *tampered(struct request *rq, const char *xml)
{
	char *copy = arena_strdup(rq->arena, xml), *at = strstr(copy, "(emulatore)");

	if (at)
		at[1] = 'E';
	return copy;
}

int registry_show(struct request *rq, const char *federation)
{
	const char
		*id = arena_printf(rq->arena, "_%s", random_hex(rq, 16)),
		*xml = arena_printf(rq->arena,
			"<md:EntitiesDescriptor xmlns:md=\"%s\" xmlns:ds=\"%s\" ID=\"%s\">%s%s</md:EntitiesDescriptor>",
			SAML_METADATA, SAML_DSIG, id, own_metadata(rq, federation), added_metadata(rq, federation));

	xml = saml_sign(rq, xml, id);
	return reply_text(rq, 200, "application/samlmetadata+xml", atomic_load(&tampering) ? tampered(rq, xml) : xml);
}

void registry_tamper(bool on)
{
	atomic_store(&tampering, on);
}

/* The element alone, without an XML declaration. */
bool registry_add(struct request *rq, const char *federation, const char *metadata)
{
	const char *from = strncmp(metadata, "<?xml", 5) == 0 ? strstr(metadata, "?>") : NULL;
	bool room;

	if (!saml_parse(rq, metadata, strlen(metadata)))
		return false;
	pthread_mutex_lock(&added.lock);
	room = added.count < ADDED_MAX;
	if (room) {
		added.entries[added.count].federation = strdup(federation);
		added.entries[added.count++].metadata = strdup(from ? from + 2 : metadata);
	}
	pthread_mutex_unlock(&added.lock);
	return room;
}

void registry_reset(void)
{
	pthread_mutex_lock(&added.lock);
	while (added.count) {
		free(added.entries[--added.count].federation);
		free(added.entries[added.count].metadata);
	}
	pthread_mutex_unlock(&added.lock);
}

static const char *location_of(struct request *rq, const xmlNode *descriptor, const char *name, const char *binding)
{
	for (const xmlNode *each = saml_first(descriptor); each; each = saml_next(each)) {
		const char *how = saml_attribute(rq, each, "Binding");

		if (saml_is(each, SAML_METADATA, name) && how && strcmp(how, binding) == 0)
			return saml_attribute(rq, each, "Location");
	}
	return NULL;
}

static json_t *sets_of(struct request *rq, const xmlNode *descriptor)
{
	json_t *sets = json_make(rq, "{}");

	for (const xmlNode *each = saml_first(descriptor); each; each = saml_next(each)) {
		const char *index = saml_attribute(rq, each, "index");
		json_t *names = json_array();

		for (const xmlNode *one = saml_first(each); one; one = saml_next(one)) {
			const char *name = saml_attribute(rq, one, "Name");

			if (saml_is(one, SAML_METADATA, "RequestedAttribute") && name)
				json_array_append_new(names, json_string(name));
		}
		if (saml_is(each, SAML_METADATA, "AttributeConsumingService") && index)
			json_object_set(sets, index, names);
		json_decref(names);
	}
	return sets;
}

/* In this emulator an entityID is the address of its metadata, and only those of one installation are fetched. */
json_t *registry_service(struct request *rq, const char *entity)
{
	const char *trusted = config("PORTICO_PROVIDERS_TRUSTED"), *at = config("PORTICO_PROVIDERS_AT"), *url = entity,
		   *certificate, *consumer;
	struct client_answer answer;
	const xmlNode *descriptor, *key;
	xmlDoc *doc;
	json_t *certificates;

	if (!entity || strncmp(entity, trusted, strlen(trusted)) != 0)
		return NULL;
	if (*at)
		url = arena_printf(rq->arena, "%s%s", at, entity + strlen(trusted));
	answer = client_send(rq, &(struct client_call){ .url = url, .timeout_ms = 5000 });
	doc = answer.status == 200 ? saml_parse(rq, answer.body, answer.body_length) : NULL;
	descriptor = doc ? saml_only(xmlDocGetRootElement(doc), SAML_METADATA, "SPSSODescriptor") : NULL;
	key = saml_only(saml_only(descriptor, SAML_METADATA, "KeyDescriptor"), SAML_DSIG, "KeyInfo");
	certificate = saml_content(rq, saml_only(saml_only(key, SAML_DSIG, "X509Data"), SAML_DSIG, "X509Certificate"));
	consumer = location_of(rq, descriptor, "AssertionConsumerService", SAML_BINDING_POST);
	certificates = certificate ? json_make(rq, "[s]", certificate) : NULL;
	if (!certificate || !consumer || !saml_signature_holds(rq, xmlDocGetRootElement(doc), certificates))
		return NULL;
	return json_make(rq, "{s:O s:s s:s* s:O}", "certificates", certificates, "consumer", consumer, "logout",
		location_of(rq, descriptor, "SingleLogoutService", SAML_BINDING_REDIRECT), "sets",
		sets_of(rq, descriptor));
}
