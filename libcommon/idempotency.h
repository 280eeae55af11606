/* Idempotency-Key: the same call twice has one effect and one answer, for 24 hours. Works in the transaction of the
 * effect, so that effect and answer are stored together or not at all. Knows nothing of requests: the dispatcher calls
 * it. */
#pragma once
#include "db.h"

enum idempotency_state {
	IDEMPOTENCY_FRESH,   /* go on, and store the answer before the commit */
	IDEMPOTENCY_REPLAY,  /* *ret_stored is the answer */
	IDEMPOTENCY_REFUSED, /* failure: 422 idempotency-key-reused, 409 idempotency-in-flight, or the database's */
};

struct idempotency_call {
	const char *caller; /* who: one caller never sees another's answers. The tenant of the transaction counts too */
	const char *operation; /* operationId */
	const char *key;
	const char *fingerprint; /* of method, path, parameters and body: another one under the same key is a mistake */
};

struct idempotency_answer {
	int status;
	const char *headers; /* a JSON object as text, or NULL */
	const char *body;    /* UTF-8 text, or NULL */
};

/* First statement of the transaction, in one round trip with its BEGIN. The strings of *ret_stored live in *ret_result,
 * which the caller PQclears (NULL unless REPLAY). After anything but FRESH only db_rollback is left. */
enum idempotency_state idempotency_begin(struct db_transaction *transaction, const struct idempotency_call *call,
	struct idempotency_answer *ret_stored, PGresult **ret_result, struct db_failure *failure);

/* Last statement before db_commit. */
bool idempotency_store(struct db_transaction *transaction, const struct idempotency_call *call,
	const struct idempotency_answer *answer, struct db_failure *failure);
