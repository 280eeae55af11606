/* Owns what other services' events mean here: a fee that is due makes a position, a withdrawal takes it back, and a
 * person who becomes known gets the bills that bear her fiscal code. */
#include <string.h>
#include "payments.h"
#include "payments.sql.h"

/* The body that createPosition would get for the fee of this practice. */
static const char *position_of(struct request *rq, const json_t *practice, const json_t *person)
{
	const char *name =
		arena_printf(rq->arena, "%s %s", json_text(person, "givenName"), json_text(person, "familyName"));
	const char *fee = json_text(practice, "fee.title"), *service = json_text(practice, "service.title");
	const char *reason = fee ? arena_printf(rq->arena, "%s - %s", fee, service) : service;

	return json_sql(rq, json_make(rq, "{s:{s:s s:s s:s} s:s s:I s:s s:{s:s s:s}}", "debtor", "fiscalCode",
				    json_text(person, "fiscalCode"), "name", name, "personId", json_text(person, "id"),
				    "reason", reason, "amount", (json_int_t)json_int(practice, "fee.amount"), "dueDate",
				    json_text(practice, "fee.dueDate"), "reference", "kind", "practice", "id",
				    json_text(practice, "id")));
}

static bool is_due(const json_t *practice)
{
	const char *state = json_text(practice, "state");

	return state && strcmp(state, "payment-due") == 0;
}

/* A practice that moved on before this was heard, because she gave it up, owes nothing. */
int practice_payment_due(struct request *rq)
{
	const char *id = json_text(rq->event, "aggregate");
	const json_t *practice = client_get(rq, "dossier", "/practices/%s", id), *person, *before;

	if (!practice)
		return rq->status;
	if (!is_due(practice))
		return reply_empty(rq, 204);
	person = client_get(rq, "identity", "/persons/%s", json_text(practice, "applicant.personId"));
	if (!person)
		return rq->status;
	before = sql_maybe(rq, SQL_LOCK_POSITION, NULL, id);
	if (!before)
		return rq->status;
	if (json_is_null(before) && !sql_row(rq, SQL_CREATE_POSITION, position_of(rq, practice, person)))
		return rq->status;
	return reply_empty(rq, 204);
}

/* What was paid stays paid: only an unpaid position is cancelled. */
int practice_withdrawn(struct request *rq)
{
	const json_t *position = sql_maybe(rq, SQL_LOCK_POSITION, NULL, json_text(rq->event, "aggregate"));

	if (!position)
		return rq->status;
	if (!json_is_null(position) && json_int(position, "settled") == 0 &&
		!sql_done(rq, SQL_CANCEL_POSITION, json_text(position, "id"), "Pratica ritirata"))
		return rq->status;
	return reply_empty(rq, 204);
}

/* A person belongs to no tenant, and her bills to several: the worker's work. */
int person_updated(struct request *rq)
{
	const json_t *person = client_get(rq, "identity", "/persons/%s", json_text(rq->event, "aggregate"));

	if (!person)
		return rq->status;
	rq->worker = true;
	if (!sql_done(rq, SQL_HOLD_DEBTOR, json_text(person, "fiscalCode")) ||
		!sql_done(rq, SQL_LEARN_PERSON, json_text(person, "fiscalCode"), json_text(person, "id")))
		return rq->status;
	return reply_empty(rq, 204);
}
