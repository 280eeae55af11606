/* Idempotency-Key on top of the functions of migrations/0001_common.sql, which hold the rules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common.sql.h"
#include "idempotency.h"
#include "scope.h"

static enum idempotency_state refused(struct db_failure *failure, int status, const char *slug)
{
	*failure = (struct db_failure){ .status = status, .retry_after = status == 409 ? 1 : 0 };
	snprintf(failure->slug, sizeof failure->slug, "%s", slug);
	return IDEMPOTENCY_REFUSED;
}

static const char *column(const PGresult *result, int index)
{
	return PQgetisnull(result, 0, index) ? NULL : PQgetvalue(result, 0, index);
}

enum idempotency_state idempotency_begin(struct db_transaction *transaction, const struct idempotency_call *call,
	struct idempotency_answer *ret_stored, PGresult **ret_result, struct db_failure *failure)
{
	const char *values[] = { call->caller, call->operation, call->key, call->fingerprint };

	*ret_result = NULL;
	auto_result PGresult *result = db_query(transaction, SQL_IDEMPOTENCY_BEGIN, 4, values, failure);
	if (!result)
		return IDEMPOTENCY_REFUSED;
	const char *state = PQgetvalue(result, 0, 0);
	if (strcmp(state, "fresh") == 0)
		return IDEMPOTENCY_FRESH;
	if (strcmp(state, "reused") == 0)
		return refused(failure, 422, "idempotency-key-reused");
	if (strcmp(state, "in-flight") == 0)
		return refused(failure, 409, "idempotency-in-flight");
	*ret_stored =
		(struct idempotency_answer){ atoi(PQgetvalue(result, 0, 1)), column(result, 2), column(result, 3) };
	*ret_result = steal(result);
	return IDEMPOTENCY_REPLAY;
}

bool idempotency_store(struct db_transaction *transaction, const struct idempotency_call *call,
	const struct idempotency_answer *answer, struct db_failure *failure)
{
	char status[16];
	const char *values[] = { call->caller, call->operation, call->key, call->fingerprint, status, answer->headers,
		answer->body };

	snprintf(status, sizeof status, "%d", answer->status);
	auto_result PGresult *result = db_query(transaction, SQL_IDEMPOTENCY_STORE, 7, values, failure);
	return result != NULL;
}
