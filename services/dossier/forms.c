/* The forms of the catalogue: schema objects that live in the database. A draft is free; here is where a submission is
 * held to its form, and where a form is filled in with what is known. */
#include <string.h>
#include "dossier.h"
#include "dossier.sql.h"
#include "scope.h"

static void release_schema(void *schema)
{
	schema_free(schema);
}

static const struct schema *compile_form(struct request *rq, const json_t *form)
{
	auto_free char *error = NULL;
	struct schema *schema = schema_new(form, form, NULL, NULL, &error);

	if (!schema) {
		problem(rq, 500, "internal-error", "The form of this service is faulty: %s.", error);
		return NULL;
	}
	return arena_lease(rq->arena, schema, release_schema);
}

/* Faults of each answer by itself; that the form is not complete is no fault of a prefilled value. */
static void drop_faulty(const struct schema *schema, json_t *prefill)
{
	json_auto_t *errors = json_array();
	json_t *error;
	size_t i;

	schema_check(schema, prefill, "", errors);
	json_array_foreach(errors, i, error)
	{
		const char *pointer = json_text(error, "pointer");

		if (pointer && *pointer == '/')
			json_object_deln(prefill, pointer + 1, strcspn(pointer + 1, "/"));
	}
}

int show_service_form(struct request *rq)
{
	const json_t *form = sql_row(rq, SQL_SHOW_SERVICE_FORM, path(rq, "serviceId"));
	const struct schema *schema;

	if (!form)
		return rq->status;
	schema = compile_form(rq, json_at(form, "schema"));
	if (!schema)
		return rq->status;
	drop_faulty(schema, json_at(form, "prefill"));
	return reply_json(rq, 200, form);
}

static bool form_holds(struct request *rq, const json_t *draft)
{
	const struct schema *schema = compile_form(rq, json_at(draft, "form"));
	json_auto_t *errors = json_array();
	int count;

	if (!schema)
		return false;
	count = schema_check(schema, json_at(draft, "data"), "/data", errors);
	if (count)
		problem_with(rq, 422, "form-invalid", errors, "The form has %d fault%s.", count, count == 1 ? "" : "s");
	return !count;
}

static bool attachments_there(struct request *rq, const json_t *draft)
{
	const json_t *missing = json_at(draft, "missing");
	json_auto_t *errors = json_array();
	json_t *kind;
	size_t i;

	json_array_foreach(missing, i, kind) json_array_append_new(
		errors, json_pack("{s:s s:s s:s+}", "pointer", "/documents", "code", "required", "detail",
				"an attachment is missing, kind ", json_string_value(kind)));
	if (json_array_size(errors))
		problem_with(
			rq, 422, "attachment-missing", errors, "The service asks for attachments that are not there.");
	return !json_array_size(errors);
}

int submit_practice(struct request *rq)
{
	const json_t *draft;

	if (!sql_done(rq, SQL_HOLD_APPLICANT, rq->subject) || !sql_done(rq, SQL_HOLD_PRACTICE, path(rq, "practiceId")))
		return rq->status;
	draft = sql_row(rq, SQL_LOCK_SUBMISSION, path(rq, "practiceId"));
	if (!draft || !form_holds(rq, draft) || !attachments_there(rq, draft))
		return rq->status;
	return sql_reply(rq, 200, SQL_SUBMIT_PRACTICE, path(rq, "practiceId"));
}
