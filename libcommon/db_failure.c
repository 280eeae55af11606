/* Maps SQLSTATE to status and slug. Never passes on the server's own words: they may hold values of the row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "db_failure.h"

enum slug_from { FIXED, CONSTRAINT };

/* The first entry whose prefix fits decides. */
static const struct {
	const char *prefix;
	int status;
	enum slug_from slug_from;
	const char *slug;
} mapping[] = {
	{ "23505", 409, CONSTRAINT, "conflict" },      /* unique_violation */
	{ "23P01", 409, CONSTRAINT, "conflict" },      /* exclusion_violation */
	{ "23503", 422, FIXED, "unknown-reference" },  /* foreign_key_violation */
	{ "23514", 422, CONSTRAINT, "invalid-value" }, /* check_violation */
	{ "22", 422, FIXED, "invalid-value" },	       /* data exceptions: a date that is none, a number out of range */
	{ "40", 503, FIXED, "unavailable" },	       /* serialization, deadlock: the client may try again */
	{ "55P03", 503, FIXED, "unavailable" },	       /* lock_timeout */
	{ "57014", 503, FIXED, "unavailable" },	       /* statement_timeout */
	{ "25P03", 503, FIXED, "unavailable" },	       /* idle_in_transaction_session_timeout */
	{ "25006", 503, FIXED, "unavailable" },	       /* read only: this server is no longer the primary */
	{ "53", 503, FIXED, "unavailable" },	       /* out of connections, memory, disk */
	{ "57P", 503, FIXED, "unavailable" },	       /* shutting down or starting */
	{ "58", 503, FIXED, "unavailable" },	       /* input and output errors */
	{ "08", 503, FIXED, "unavailable" },	       /* connection exceptions */
	{ "42501", 403, FIXED, "forbidden" },	       /* row security, or a right that the role lacks */
	{ "", 500, FIXED, "internal-error" },
};

static void set_slug(struct db_failure *failure, const char *text)
{
	snprintf(failure->slug, sizeof failure->slug, "%s", text);
	for (char *at = failure->slug; *at; at++) {
		if (*at == '_')
			*at = '-';
	}
}

/* RAISE … USING ERRCODE 'PT409', MESSAGE 'slot-taken', DETAIL '…': our own words, made for the client. */
static bool refused(const PGresult *result, struct db_failure *failure)
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

	if (strncmp(failure->sqlstate, "PT", 2) != 0)
		return false;
	failure->status = atoi(failure->sqlstate + 2);
	if (failure->status < 400 || failure->status > 599)
		return false;
	snprintf(failure->slug, sizeof failure->slug, "%s", message ? message : "");
	snprintf(failure->detail, sizeof failure->detail, "%s", detail ? detail : "");
	failure->retry_after = failure->status == 503 ? 1 : 0;
	return true;
}

static void map(struct db_failure *failure, const char *constraint)
{
	size_t i = 0;

	while (strncmp(failure->sqlstate, mapping[i].prefix, strlen(mapping[i].prefix)) != 0)
		i++;
	failure->status = mapping[i].status;
	failure->retry_after = failure->status == 503 ? 1 : 0;
	set_slug(failure, mapping[i].slug_from == CONSTRAINT && constraint ? constraint : mapping[i].slug);
}

void db_failure_from(const PGresult *result, struct db_failure *failure)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (!sqlstate) {
		db_failure_unavailable(NULL, failure);
		return;
	}
	*failure = (struct db_failure){ 0 };
	snprintf(failure->sqlstate, sizeof failure->sqlstate, "%s", sqlstate);
	if (!refused(result, failure))
		map(failure, PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
}

void db_failure_unavailable(const char *sqlstate, struct db_failure *failure)
{
	*failure = (struct db_failure){ 0 };
	snprintf(failure->sqlstate, sizeof failure->sqlstate, "%s", sqlstate ? sqlstate : "08006");
	map(failure, NULL);
}
