/* The operations of openapi/protocol.yaml, in the order of that file. Owns the registers; what is registered stays with
 * its owner. */
#include <string.h>
#include "intake.h"
#include "protocol.sql.h"
#include "service.h"

static int list_registers(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_REGISTERS);
}

static int list_registrations(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_REGISTRATIONS, query(rq, "direction"), query(rq, "aoo"), query(rq, "year"),
		query(rq, "number"), query(rq, "q"), query(rq, "referenceId"), query(rq, "limit"), query(rq, "after"));
}

static const char *author(const struct request *rq)
{
	return rq->caller.subject ? rq->caller.subject : rq->caller.client;
}

/* What the suite registers by itself moves a practice on: nobody else may come before it. It does so once: after an
 * annulment an operator does. */
static bool is_reserved(const json_t *registration)
{
	const char *kind = json_text(registration, "reference.kind"),
		   *purpose = json_text(registration, "reference.purpose");

	return kind && strcmp(kind, "practice") == 0 && purpose && strcmp(purpose, "other") != 0;
}

static int create_registration(struct request *rq)
{
	const json_t *annulled = NULL;

	if (is_reserved(rq->json)) {
		if (rq->caller.kind == CALLER_OPERATOR) {
			annulled = sql_maybe(rq, SQL_FIND_ANNULLED, json_sql(rq, json_at(rq->json, "reference")));
			if (!annulled)
				return rq->status;
		}
		if (!json_is_object(annulled))
			return problem(rq, 422, "reserved-reference",
				"Submissions and decisions of practices are registered by themselves: purpose is "
				"other. Only in the place of an annulled one does an operator register one.");
	}
	return sql_reply(rq, 201, SQL_CREATE_REGISTRATION, rq->body, author(rq), json_text(annulled, "personId"));
}

static int show_registration(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_REGISTRATION, path(rq, "registrationId"));
}

static int annul_registration(struct request *rq)
{
	return sql_reply(rq, 200, SQL_ANNUL_REGISTRATION, path(rq, "registrationId"), rq->body, author(rq));
}

static const struct operation operations[] = {
	{ "showStatus", show_status },
	{ "listDeadLetters", list_dead_letters },
	{ "redriveDeadLetters", redrive_tenant_dead_letters },
	{ "redriveDeadLetter", redrive_dead_letter },
	{ "listRegisters", list_registers },
	{ "listRegistrations", list_registrations },
	{ "createRegistration", create_registration },
	{ "showRegistration", show_registration },
	{ "annulRegistration", annul_registration },
	{ 0 },
};

static const struct event_consumer consumers[] = {
	{ "dossier", "practice.submitted", register_submission },
	{ "dossier", "practice.approved", register_decision },
	{ "dossier", "practice.rejected", register_decision },
	{ 0 },
};

static const struct service protocol = {
	.name = "protocol", .operations = operations, .consumers = consumers, .sql = &protocol_sql
};

int main(int argc, char **argv)
{
	return service_main(argc, argv, &protocol);
}
