/* Registers what citizens submit and what offices decide, told by the dossier's events. The dossier says what it is
 * about, identity who the person is; the one statement that gives the number is the same as for any other registration.
 */
#include "intake.h"
#include <string.h>
#include "protocol.sql.h"
#include "text.h"

/* The application itself is a document too: its digest is that of the answers as canonical JSON (sorted members, no
 * blanks). */
static json_t *application_document(struct request *rq, const json_t *practice)
{
	const json_t *answers = json_at(practice, "data");
	char *text = answers ? json_dumps(answers, JSON_COMPACT | JSON_SORT_KEYS) : strdup("{}");
	char digest[TEXT_SHA256_MAX];

	arena_lease(rq->arena, text, free);
	text_sha256(digest, text, strlen(text));
	return json_pack("{s:s s:s s:I s:s}", "name", "istanza.json", "mediaType", "application/json", "size",
		(json_int_t)strlen(text), "sha256", digest);
}

static json_t *document_entry(const json_t *document)
{
	return json_pack("{s:s s:s s:I s:s}", "name", json_text(document, "name"), "mediaType",
		json_text(document, "mediaType"), "size", json_int(document, "size"), "sha256",
		json_text(document, "sha256"));
}

/* The applicant as a correspondent. The dossier knows her name unless she has never been seen there before: then
 * identity does. */
static json_t *applicant(struct request *rq, const json_t *practice)
{
	const char *name = json_text(practice, "applicant.name");
	const char *fiscal_code = json_text(practice, "applicant.fiscalCode");
	json_t *person;

	if (!name || !fiscal_code) {
		person = client_get(rq, "identity", "/persons/%s", json_text(practice, "applicant.personId"));
		if (!person)
			return NULL;
		name = arena_printf(
			rq->arena, "%s %s", json_text(person, "givenName"), json_text(person, "familyName"));
		fiscal_code = json_text(person, "fiscalCode");
	}
	return json_make(rq, "{s:s s:s}", "name", name, "fiscalCode", fiscal_code);
}

static int register_for(
	struct request *rq, const json_t *practice, const char *direction, const char *purpose, json_t *documents)
{
	json_t *person = applicant(rq, practice);
	json_t *registration;

	if (!person) {
		json_decref(documents);
		return rq->status;
	}
	registration = json_make(rq, "{s:s s:s s:o s:O* s:o* s:{s:s s:s s:s}}", "direction", direction, "object",
		json_text(practice, "object"), "documents", documents, "sender",
		strcmp(direction, "in") == 0 ? person : NULL, "recipients",
		strcmp(direction, "out") == 0 ? json_pack("[O]", person) : NULL, "reference", "kind", "practice", "id",
		json_text(practice, "id"), "purpose", purpose);
	return sql_reply(rq, 201, SQL_CREATE_REGISTRATION, json_sql(rq, registration), rq->service->name,
		json_text(practice, "applicant.personId"));
}

int register_submission(struct request *rq)
{
	json_t *practice = client_get(rq, "dossier", "/practices/%s", json_text(rq->event, "data.practiceId"));
	json_t *documents, *document;
	size_t i;

	if (!practice)
		return rq->status;
	documents = json_array();
	json_array_append_new(documents, application_document(rq, practice));
	json_array_foreach(json_at(practice, "documents"), i, document)
		json_array_append_new(documents, document_entry(document));
	return register_for(rq, practice, "in", "submission", documents);
}

int register_decision(struct request *rq)
{
	json_t *practice = client_get(rq, "dossier", "/practices/%s", json_text(rq->event, "data.practiceId"));
	json_t *document = json_at(practice, "decision.document");

	if (!practice)
		return rq->status;
	if (!document)
		return problem(rq, 503, "unavailable", "The decision has no document yet.");
	return register_for(rq, practice, "out", "decision", json_pack("[o]", document_entry(document)));
}
