/* What the other services' events mean here: the practice moves on, or the one-call view learns of a due, an
 * appointment, a notice, a person. Events are thin, so the owner is asked first; the event's sequence orders what was
 * heard of one thing. */
#include <string.h>
#include "dossier.h"
#include "dossier.sql.h"

static const char *sequence(struct request *rq)
{
	return arena_printf(rq->arena, "%lld", json_int(rq->event, "sequence"));
}

/* The practice that a registration, a position or an appointment is for; NULL when it is for something else. */
static const char *practice_of(const json_t *resource)
{
	const char *kind = json_text(resource, "reference.kind");

	return kind && strcmp(kind, "practice") == 0 ? json_text(resource, "reference.id") : NULL;
}

static const json_t *owner_tells(struct request *rq, const char *service, const char *collection)
{
	return client_get(rq, service, "/%s/%s", collection, json_text(rq->event, "aggregate"));
}

static int done(struct request *rq, bool kept)
{
	return kept ? reply_empty(rq, 204) : rq->status;
}

/* The number of a submission starts the practice on its way; that of a decision ends it. Heard late, it may be annulled
 * already. */
static int registration_created(struct request *rq)
{
	const json_t *registration;
	const char *practice, *purpose, *entry;

	if (!practice_of(json_at(rq->event, "data")))
		return reply_empty(rq, 204);
	registration = owner_tells(rq, "protocol", "registrations");
	if (!registration)
		return rq->status;
	practice = practice_of(registration);
	purpose = json_text(registration, "reference.purpose");
	entry = json_sql(
		rq, json_make(rq, "{s:O s:O s:O s:O s:O s:O*}", "id", json_at(registration, "id"), "number",
			    json_at(registration, "number"), "year", json_at(registration, "year"), "protocol",
			    json_at(registration, "protocol"), "registeredAt", json_at(registration, "registeredAt"),
			    "annulledAt", json_at(registration, "annulment.at")));
	if (purpose && strcmp(purpose, "submission") == 0)
		return done(rq, sql_done(rq, SQL_REGISTER_PRACTICE, practice, entry) &&
					sql_done(rq, SQL_ADVANCE_PRACTICE, practice));
	if (purpose && strcmp(purpose, "decision") == 0)
		return done(rq, sql_done(rq, SQL_ISSUE_DECISION, practice, entry));
	return reply_empty(rq, 204);
}

static int registration_annulled(struct request *rq)
{
	const char *practice = practice_of(json_at(rq->event, "data"));

	if (!practice)
		return reply_empty(rq, 204);
	return done(rq, sql_done(rq, SQL_ANNUL_REGISTRATION, json_text(rq->event, "aggregate"), practice));
}

/* A debtor who is no person of this area has no dossier. */
static int position_changed(struct request *rq)
{
	const json_t *position = owner_tells(rq, "payments", "positions");
	const char *practice, *state;

	if (!position)
		return rq->status;
	practice = practice_of(position);
	state = json_text(position, "state");
	if (json_text(position, "debtor.personId") &&
		!sql_done(rq, SQL_KEEP_DUE, json_sql(rq, position), sequence(rq), practice))
		return rq->status;
	if (practice && state && strcmp(state, "paid") == 0)
		return done(rq,
			sql_done(rq, SQL_SETTLE_PRACTICE, practice, json_sql(rq, json_at(position, "amount.amount"))));
	return reply_empty(rq, 204);
}

static int appointment_changed(struct request *rq)
{
	const json_t *appointment = owner_tells(rq, "booking", "appointments");

	if (!appointment)
		return rq->status;
	return done(rq,
		sql_done(rq, SQL_KEEP_APPOINTMENT, json_sql(rq, appointment), sequence(rq), practice_of(appointment)));
}

static int notice_updated(struct request *rq)
{
	const json_t *notice = owner_tells(rq, "notifications", "notices");

	if (!notice)
		return rq->status;
	return done(rq, sql_done(rq, SQL_KEEP_NOTICE, json_sql(rq, notice), sequence(rq), practice_of(notice)));
}

/* A person belongs to no tenant: the row is hers, so it is written in her name. */
static int person_updated(struct request *rq)
{
	const json_t *person = owner_tells(rq, "identity", "persons");

	if (!person)
		return rq->status;
	rq->subject = json_text(person, "id");
	return done(rq, sql_done(rq, SQL_HOLD_APPLICANT, rq->subject) &&
				sql_done(rq, SQL_KEEP_APPLICANT, json_sql(rq, person), sequence(rq)));
}

const struct event_consumer dossier_consumers[] = {
	{ "protocol", "registration.created", registration_created },
	{ "protocol", "registration.annulled", registration_annulled },
	{ "payments", "position.created", position_changed },
	{ "payments", "position.partly-paid", position_changed },
	{ "payments", "position.paid", position_changed },
	{ "payments", "position.expired", position_changed },
	{ "payments", "position.cancelled", position_changed },
	{ "booking", "appointment.confirmed", appointment_changed },
	{ "booking", "appointment.moved", appointment_changed },
	{ "booking", "appointment.cancelled", appointment_changed },
	{ "notifications", "notice.updated", notice_updated },
	{ "identity", "person.updated", person_updated },
	{ 0 },
};
