/* Owns the events that could not have their effect: kept with their cause, delivered again when asked. */
#include "dead_letters.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common.sql.h"
#include "log.h"
#include "scope.h"
#include "service.h"

static const struct db_settings worker = { .worker = true };

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

bool dead_letter_add(struct db *db, const struct dead_letter *letter)
{
	char position[24], status[16], attempts[16];
	const char *values[] = { or_empty(letter->tenant), letter->source, letter->event_id, position, letter->envelope,
		status, letter->cause ? letter->cause : "{}", attempts };
	struct db_failure failure;

	snprintf(position, sizeof position, "%lld", letter->position);
	snprintf(status, sizeof status, "%d", letter->status);
	snprintf(attempts, sizeof attempts, "%d", letter->attempts);
	auto_result PGresult *result = db_run(db, &worker, SQL_ADD_DEAD_LETTER, 8, values, &failure);
	log_error("event goes to the dead letters", "{s:s s:s s:i s:i s:b}", "source", letter->source, "event",
		letter->event_id, "status", letter->status, "attempts", letter->attempts, "stored", result != NULL);
	return result != NULL;
}

long dead_letters_redrive(struct db *db)
{
	struct db_failure failure;
	auto_result PGresult *result = db_run(db, &worker, SQL_REDRIVE_DEAD_LETTERS, 0, NULL, &failure);

	return result ? atol(PQgetvalue(result, 0, 0)) : -1;
}

/* A task: one dead letter that was asked for is delivered; it is gone after its effect, else it stays with the new
 * cause. */
int redrive_dead_letters(struct request *rq)
{
	json_t *letter = sql_maybe(rq, SQL_TAKE_DEAD_LETTER);

	if (!letter)
		return rq->status;
	if (json_is_null(letter))
		return reply_empty(rq, 204);
	const char *tenant = json_text(letter, "tenant"), *source = json_text(letter, "source"),
		   *id = json_text(letter, "id");
	auto_free char *cause = NULL;
	int status =
		events_deliver(source, json_text(letter, "type"), json_sql(rq, json_at(letter, "envelope")), &cause);

	if (status >= 200 && status < 300)
		return sql_done(rq, SQL_DROP_DEAD_LETTER, tenant, source, id) ? reply_empty(rq, 200) : rq->status;
	char number[16];
	snprintf(number, sizeof number, "%d", status);
	return sql_done(rq, SQL_KEEP_DEAD_LETTER, tenant, source, id, number, cause ? cause : "{}")
		       ? reply_empty(rq, 200)
		       : rq->status;
}

int list_dead_letters(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_DEAD_LETTERS, query(rq, "after"), query(rq, "limit"));
}

int redrive_tenant_dead_letters(struct request *rq)
{
	return sql_reply(rq, 202, SQL_REDRIVE_DEAD_LETTER, NULL);
}

int redrive_dead_letter(struct request *rq)
{
	return sql_reply(rq, 202, SQL_REDRIVE_DEAD_LETTER, path(rq, "eventId"));
}
