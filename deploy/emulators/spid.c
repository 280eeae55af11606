/* An emulator of SPID and of CIE id for the local stack, tests and front-end teams: a signed registry for each, and one
 * identity provider in each that reads requests by the official rules and answers as they say, faults included. Not the
 * real federation: everybody may be anybody. Browsers use:
 *
 *   GET, POST /spid/sso, /cie/sso   AuthnRequest; then a page on which to choose a person, an error (messages 19 to 30)
 * or a fault of the response GET /spid/slo, /cie/slo         single logout GET /spid/sessions              sessions of
 * level 1, each with a link that ends it there
 *
 * Tests and the service provider use:
 *
 *   GET    /registry/spid, /registry/cie    the signed metadata of the providers
 *   POST   /emulator/registry/spid          adds the metadata of another provider (XML, EntityDescriptor)
 *   DELETE /emulator/registry               only our own providers again
 *   PATCH  /emulator/knobs                  {"tamperRegistry": true}: the lists are not what was signed
 *
 * Faults: tampered, unsigned-assertion, expired, other-audience, other-request, lower-level, no-fiscal-code, entity. */
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>
#include "spid.h"

static const struct setting settings[] = {
	{ "PORTICO_PUBLIC_URL", NULL, "Where browsers find this emulator: http://127.0.0.1:8185." },
	{ "PORTICO_FEDERATION_KEY", NULL, "RSA key, PEM, that signs registries and responses.", .secret = true },
	{ "PORTICO_FEDERATION_CERTIFICATE", NULL, "Its certificate, PEM.", .secret = true },
	{ "PORTICO_PROVIDERS_TRUSTED", NULL,
		"What entityIDs of service providers begin with; each is the address of its metadata." },
	{ "PORTICO_PROVIDERS_AT", "",
		"Where that is found from here, when browsers have another address: "
		"http://gateway:8100/identity/v1/." },
	{ 0 },
};

static const struct {
	const char *code, *label;
} errors[] = { { "nr19", "Credenziali sbagliate più volte" }, { "nr20", "Nessuna credenziale di questo livello" },
	{ "nr21", "Tempo scaduto" }, { "nr22", "Consenso negato" }, { "nr23", "Identità sospesa o revocata" },
	{ "nr25", "Annullato dall'utente" }, { "nr30", "Identità di altro tipo" } };

static const char *const faults[] = { "tampered", "unsigned-assertion", "expired", "other-audience", "other-request",
	"lower-level", "no-fiscal-code", "entity" };

static const char *hidden(struct request *rq, const char *name, const char *value)
{
	return arena_printf(
		rq->arena, "<input type=\"hidden\" name=\"%s\" value=\"%s\">\n", name, html(rq, value ? value : ""));
}

static const char *button(struct request *rq, const char *name, const char *value, const char *label)
{
	return arena_printf(rq->arena, "<li><button name=\"%s\" value=\"%s\">%s<span>%s</span></button></li>\n", name,
		value, html(rq, label), value);
}

static const char *choices(struct request *rq)
{
	const char *list = "<h2>Persone</h2>\n<ul>\n";
	size_t index;
	json_t *person;

	json_array_foreach((json_t *)people_list(), index, person) list = arena_printf(rq->arena, "%s%s", list,
		button(rq, "person", json_text(person, "fiscalNumber") + strlen("TINIT-"),
			arena_printf(rq->arena, "%s %s", json_text(person, "name"), json_text(person, "familyName"))));
	list = arena_printf(rq->arena, "%s</ul>\n<h2>Errori</h2>\n<ul>\n", list);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		list = arena_printf(rq->arena, "%s%s", list, button(rq, "error", errors[i].code, errors[i].label));
	list = arena_printf(rq->arena, "%s</ul>\n<h2>Risposte sbagliate, da rifiutare</h2>\n<ul>\n", list);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		list = arena_printf(rq->arena, "%s%s", list, button(rq, "fault", faults[i], "Risposta sbagliata"));
	return arena_printf(rq->arena, "%s</ul>\n", list);
}

static int begin_login(struct request *rq, const char *federation)
{
	struct asked asked;

	if (!request_read(rq, federation, &asked))
		return rq->status;
	if (asked.fault)
		return response_send(rq, &(struct said){ .federation = federation,
						 .service = asked.service,
						 .request = asked.id ? asked.id : "",
						 .consumer = json_text(asked.known, "consumer"),
						 .relay = asked.relay,
						 .error = asked.fault });
	return reply_page(rq, 200, "Gestore di identità di prova",
		arena_printf(rq->arena,
			"<p class=\"note\">Questo è un emulatore: le persone sono inventate.</p>\n<p>Il servizio "
			"chiede il livello "
			"%d.</p>\n<form method=\"post\" action=\"answer\">\n%s%s%s%s%s%s%s</form>\n",
			asked.level, hidden(rq, "request", asked.id), hidden(rq, "service", asked.service),
			hidden(rq, "consumer", json_text(asked.known, "consumer")), hidden(rq, "relay", asked.relay),
			hidden(rq, "level", arena_printf(rq->arena, "%d", asked.level)),
			hidden(rq, "set", arena_printf(rq->arena, "%d", asked.set)), choices(rq)),
		NULL);
}

static int end_login(struct request *rq, const char *federation)
{
	json_t *form = form_parse(rq->body, rq->body_length);
	const char *level = form ? json_text(arena_json(rq->arena, form), "level") : NULL;
	struct said said = { .federation = federation,
		.request = json_text(form, "request"),
		.service = json_text(form, "service"),
		.consumer = json_text(form, "consumer"),
		.relay = json_text(form, "relay"),
		.error = json_text(form, "error"),
		.fault = json_text(form, "fault"),
		.level = level ? atoi(level) : 0,
		.set = json_text(form, "set") ? atoi(json_text(form, "set")) : 0 };

	said.person = said.fault ? json_array_get(people_list(), 0) : people_find(json_text(form, "person"));
	if (!said.request || !said.service || !said.consumer || said.level < 1 || (!said.error && !said.person))
		return problem(
			rq, 400, "invalid-request", "request, service, consumer, level and a choice are needed.");
	return response_send(rq, &said);
}

static bool is_federation(const char *name)
{
	return strcmp(name, "spid") == 0 || strcmp(name, "cie") == 0;
}

static int answer(struct request *rq)
{
	const char *part[2];

	if (emulator_route(rq, "GET", "/registry/*", part) && is_federation(*part))
		return registry_show(rq, *part);
	if (emulator_route(rq, "POST", "/emulator/registry/*", part) && is_federation(*part))
		return registry_add(rq, *part, rq->body) ? reply_empty(rq, 204)
							 : problem(rq, 400, "invalid-request", "This is no metadata.");
	if (emulator_route(rq, "PATCH", "/emulator/knobs", part)) {
		registry_tamper(json_is_true(json_at(emulator_body(rq), "tamperRegistry")));
		return reply_empty(rq, 204);
	}
	if (emulator_route(rq, "DELETE", "/emulator/registry", part)) {
		registry_reset();
		return reply_empty(rq, 204);
	}
	if ((emulator_route(rq, "GET", "/*/sso", part) || emulator_route(rq, "POST", "/*/sso", part)) &&
		is_federation(*part))
		return begin_login(rq, *part);
	if (emulator_route(rq, "POST", "/*/answer", part) && is_federation(*part))
		return end_login(rq, *part);
	if (emulator_route(rq, "GET", "/*/slo", part) && is_federation(*part))
		return sessions_take(rq, *part);
	if (emulator_route(rq, "GET", "/*/sessions", part) && is_federation(*part))
		return sessions_show(rq, *part);
	if (emulator_route(rq, "GET", "/*/sessions/*", part) && is_federation(*part))
		return sessions_end(rq, part[0], part[1]);
	return problem(rq, 404, "not-found", "The emulator has nothing here.");
}

static bool start(void)
{
	xmlInitParser();
	if (!people_list() ||
		!saml_signature_start(config("PORTICO_FEDERATION_KEY"), config("PORTICO_FEDERATION_CERTIFICATE"))) {
		fprintf(stderr, "spid does not start: PORTICO_FEDERATION_KEY and _CERTIFICATE are no RSA key and its "
				"certificate\n");
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static const struct emulator spid = {
		.name = "spid", .settings = settings, .start = start, .answer = answer, .max_body = 1024 * 1024
	};

	return emulator_main(argc, argv, &spid);
}
