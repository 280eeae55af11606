/* From an event to a notice: fetch the thing from its owner and the person from identity, fill the template that is
 * named after the event, write the notice with its deliveries. The outside calls come before the first statement, as no
 * transaction may wait for them. */
#include "consumers.h"
#include <stdlib.h>
#include <string.h>
#include "delivery.h"
#include "notifications.sql.h"
#include "template.h"
#include "wording.h"

/* What one kind of event tells of. */
struct subject_matter {
	const char *owner;     /* the service that owns the thing */
	const char *resource;  /* its collection there */
	const char *id_member; /* of the event's data */
	const char *kind;      /* of the notice's reference, and the name of the data in templates */
	const char *topic;     /* by which citizens choose channels */
	const char *area;      /* where the citizen area shows it */
	/* Every name that the templates of this kind may use; what the thing lacks is null. */
	json_t *(*describe)(struct request *rq, const json_t *thing);
	/* Members of the notice beyond its text; may be NULL. */
	void (*enrich)(struct request *rq, const json_t *thing, json_t *notice);
};

/* Titles and names are one line, whatever was typed into them: in a notice they stand within a line. NULL gives NULL.
 */
static const char *one_line(struct request *rq, const char *text)
{
	char *line = arena_strdup(rq->arena, text);

	for (char *c = line; c && *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7F)
			*c = ' ';
	}
	return line;
}

static json_t *describe_practice(struct request *rq, const json_t *practice)
{
	struct arena *arena = rq->arena;
	const json_t *registration = json_at(practice, "registration"), *fee = json_at(practice, "fee");
	const char *number = registration ? arena_printf(arena, "%lld/%lld", json_int(registration, "number"),
						    json_int(registration, "year"))
					  : NULL;

	return json_make(rq, "{s:s? s:s? s:s? s:s? s:s? s:s? s:s? s:s?}", "title",
		one_line(rq, json_text(practice, "service.title")), "registration", number, "registeredOn",
		wording_moment(arena, json_text(registration, "registeredAt")), "dueOn",
		wording_day(arena, json_text(practice, "terms.dueOn")), "fee",
		fee ? wording_euros(arena, json_int(fee, "amount")) : NULL, "request",
		json_text(practice, "integration.text"), "answerDueOn",
		wording_day(arena, json_text(practice, "integration.answerDueOn")), "reason",
		json_text(practice, "decision.text"));
}

static void enrich_practice(struct request *rq, const json_t *practice, json_t *notice)
{
	const char *due = json_text(practice, "integration.answerDueOn");

	if (due && strcmp(rq->path, "practice.integration-requested") == 0)
		json_object_set_new(notice, "dueOn", json_string(due));
}

static json_t *describe_position(struct request *rq, const json_t *position)
{
	struct arena *arena = rq->arena;

	return json_make(rq, "{s:s? s:s s:s s:s? s:s? s:b s:s?}", "reason", one_line(rq, json_text(position, "reason")),
		"amount", wording_euros(arena, json_int(position, "amount.amount")), "outstanding",
		wording_euros(arena, json_int(position, "outstanding.amount")), "dueOn",
		wording_day(arena, json_text(position, "dueDate")), "noticeNumber", json_text(position, "noticeNumber"),
		"payable", json_is_true(json_at(position, "payable")), "paidOn",
		wording_moment(arena, json_text(position, "paidAt")));
}

/* App IO shows a button that pays; only as long as there is something to pay. */
static void enrich_position(struct request *rq, const json_t *position, json_t *notice)
{
	const char *number = json_text(position, "noticeNumber"), *payee = json_text(position, "creditorFiscalCode");
	const json_t *next = NULL, *instalment;
	size_t index;

	if (!json_is_true(json_at(position, "payable")) || !number || !payee)
		return;
	json_array_foreach(json_at(position, "instalments"), index, instalment)
	{
		const char *its = json_text(instalment, "noticeNumber");

		if (its && strcmp(its, number) == 0)
			next = instalment;
	}
	if (!next)
		return;
	json_object_set(notice, "payment",
		json_make(rq, "{s:s s:s s:O}", "noticeNumber", number, "payeeFiscalCode", payee, "amount",
			json_at(next, "amount")));
	if (json_text(next, "dueDate"))
		json_object_set(notice, "dueOn", json_at(next, "dueDate"));
}

static json_t *describe_appointment(struct request *rq, const json_t *appointment)
{
	return json_make(rq, "{s:s? s:s? s:s? s:s? s:s?}", "office",
		one_line(rq, json_text(appointment, "office.name")), "address",
		one_line(rq, json_text(appointment, "office.address")), "reason",
		one_line(rq, json_text(appointment, "title")), "startsAt",
		wording_moment(rq->arena, json_text(appointment, "startsAt")), "code", json_text(appointment, "code"));
}

static const struct subject_matter practice_matter = { "dossier", "practices", "practiceId", "practice", "practices",
	"/pratiche/", describe_practice, enrich_practice };
static const struct subject_matter conversation_matter = { "dossier", "practices", "practiceId", "practice", "messages",
	"/pratiche/", describe_practice };
static const struct subject_matter position_matter = { "payments", "positions", "positionId", "position", "payments",
	"/pagamenti/", describe_position, enrich_position };
static const struct subject_matter appointment_matter = { "booking", "appointments", "appointmentId", "appointment",
	"bookings", "/appuntamenti/", describe_appointment };

static json_t *fetch_person(struct request *rq, const char *topic)
{
	return client_get(rq, "identity", "/persons/%s?topic=%s", json_text(rq->event, "subject"), topic);
}

/* The template's words with the thing's and the person's data. NULL: already answered, 422 is for the dead letters. */
static const char *fill(struct request *rq, const char *text, const json_t *data)
{
	const char *error = NULL, *filled = template_render(rq->arena, text, data, ESCAPE_NONE, &error);

	if (!filled)
		problem(rq, 422, "template-invalid", "template %s, %s", rq->path, error);
	return filled;
}

static json_t *compose(struct request *rq, const struct subject_matter *matter, const json_t *thing,
	const json_t *person, const json_t *template)
{
	const char *given = json_text(person, "givenName"), *family = json_text(person, "familyName");
	const char *id = json_text(thing, "id"), *area = json_text(template, "sender.areaUrl");
	json_t *data = json_make(rq, "{s:s s:{s:s s:s} s:O}", "municipality", json_text(template, "sender.name"),
		"person", "givenName", given, "name", arena_printf(rq->arena, "%s %s", given, family), matter->kind,
		matter->describe(rq, thing));
	const char *subject = fill(rq, json_text(template, "subject"), data);
	const char *text = subject ? fill(rq, json_text(template, "text"), data) : NULL;
	json_t *notice;

	if (!text)
		return NULL;
	notice = json_make(rq, "{s:s s:I s:s s:s s:s s:s? s:{s:s s:s}}", "template", json_text(template, "id"),
		"version", (json_int_t)json_int(template, "version"), "topic", matter->topic, "subject",
		one_line(rq, subject), "text", text, "link",
		area ? arena_printf(rq->arena, "%s%s%s", area, matter->area, id) : NULL, "reference", "kind",
		matter->kind, "id", id);
	if (matter->enrich)
		matter->enrich(rq, thing, notice);
	return notice;
}

/* What would mislead the person when it is heard late, with the state in which it still holds: she would come to an
 * appointment that was cancelled, or pay again. */
static bool still_holds(const char *event, const json_t *thing)
{
	static const struct {
		const char *event, *state;
	} claims[] = { { "appointment.confirmed", "confirmed" }, { "appointment.moved", "confirmed" },
		{ "position.expired", "expired" } };
	const char *state = json_text(thing, "state");

	for (size_t i = 0; state && i < sizeof claims / sizeof *claims; i++) {
		if (strcmp(claims[i].event, event) == 0)
			return strcmp(claims[i].state, state) == 0;
	}
	return true;
}

/* An event without a person (a company's position, say) has nobody to tell. */
static int notify(struct request *rq, const struct subject_matter *matter)
{
	const char *person_id = json_text(rq->event, "subject");
	json_t *thing, *person, *template, *notice;

	if (!person_id)
		return reply_empty(rq, 204);
	thing = client_get(rq, matter->owner, "/%s/%s", matter->resource,
		json_text(json_at(rq->event, "data"), matter->id_member));
	if (thing && !still_holds(rq->path, thing))
		return reply_empty(rq, 204);
	person = thing ? fetch_person(rq, matter->topic) : NULL;
	template = person ? sql_row(rq, SQL_FIND_TEMPLATE, rq->path, json_text(person, "delivery.language")) : NULL;
	notice = template ? compose(rq, matter, thing, person, template) : NULL;
	if (!notice)
		return rq->status;
	if (!sql_done(rq, SQL_ADD_NOTICE, json_text(rq->event, "id"), person_id, json_sql(rq, notice),
		    plan_deliveries(rq, person, json_at(template, "sender"), json_at(template, "channels"))))
		return rq->status;
	return reply_empty(rq, 204);
}

static int notify_practice(struct request *rq)
{
	return notify(rq, &practice_matter);
}

/* What the citizen wrote herself she knows. */
static int notify_conversation(struct request *rq)
{
	const char *from = json_text(rq->event, "data.from");

	if (from && strcmp(from, "citizen") == 0)
		return reply_empty(rq, 204);
	return notify(rq, &conversation_matter);
}

static int notify_position(struct request *rq)
{
	return notify(rq, &position_matter);
}

static int notify_appointment(struct request *rq)
{
	return notify(rq, &appointment_matter);
}

/* An operator wrote to a citizen: now decide how it reaches her. A person that identity does not know is reached by
 * nobody. */
static int plan_requested(struct request *rq)
{
	const char *id = json_text(rq->event, "data.noticeId");
	json_t *person = fetch_person(rq, "messages"), *notice;
	const char *deliveries = "[]";

	if (!person && rq->status != 404)
		return rq->status;
	rq->status = 0;
	notice = sql_maybe(rq, SQL_SHOW_REQUESTED_NOTICE, id);
	if (!notice)
		return rq->status;
	if (json_is_null(notice))
		return reply_empty(rq, 204);
	if (person)
		deliveries = plan_deliveries(rq, person, json_at(notice, "sender"), json_at(notice, "channels"));
	if (!sql_done(rq, SQL_PLAN_NOTICE, id, deliveries, person ? "delivered" : "permanent-failure"))
		return rq->status;
	return reply_empty(rq, 204);
}

const struct event_consumer consumers[] = {
	{ "dossier", "practice.submitted", notify_practice },
	{ "dossier", "practice.registered", notify_practice },
	{ "dossier", "practice.payment-due", notify_practice },
	{ "dossier", "practice.in-review", notify_practice },
	{ "dossier", "practice.integration-requested", notify_practice },
	{ "dossier", "practice.approved", notify_practice },
	{ "dossier", "practice.rejected", notify_practice },
	{ "dossier", "practice.closed", notify_practice },
	{ "dossier", "practice.withdrawn", notify_practice },
	{ "dossier", "message.posted", notify_conversation },
	{ "payments", "position.created", notify_position },
	{ "payments", "position.paid", notify_position },
	{ "payments", "position.expired", notify_position },
	{ "booking", "appointment.confirmed", notify_appointment },
	{ "booking", "appointment.moved", notify_appointment },
	{ "booking", "appointment.cancelled", notify_appointment },
	{ "notifications", "notice.requested", plan_requested },
	{ 0 },
};
