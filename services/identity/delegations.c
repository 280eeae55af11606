/* Owns the delegations of citizens to citizens. Who may act is decided by one statement each; the code that the
 * delegate needs is shown once, to the grantor. */
#include <openssl/rand.h>
#include <stdlib.h>
#include "identity.h"
#include "password.h"
#include "identity.sql.h"

enum { CODE_BYTES = 10, CODE_LENGTH = 10 };

/* 50 bits, in letters and digits that are not mistaken for each other. */
static const char *random_code(struct request *rq)
{
	unsigned char bytes[CODE_BYTES];

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		abort();
	return arena_strndup(rq->arena, base32(rq, bytes, sizeof bytes), CODE_LENGTH);
}

int create_delegation(struct request *rq)
{
	return sql_reply(rq, 201, SQL_CREATE_DELEGATION, rq->body, random_code(rq));
}

int list_delegations(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_DELEGATIONS, query(rq, "role"), query(rq, "limit"), query(rq, "after"));
}

int change_delegation(struct request *rq)
{
	return sql_reply(rq, 200, SQL_CHANGE_DELEGATION, path(rq, "delegationId"), rq->body);
}

int end_delegation(struct request *rq)
{
	return sql_row(rq, SQL_END_DELEGATION, path(rq, "delegationId")) ? reply_empty(rq, 204) : rq->status;
}

/* A wrong code is an answer and no failure of the statement: it stays counted. */
int accept_delegation(struct request *rq)
{
	const json_t *answer =
		sql_row(rq, SQL_ACCEPT_DELEGATION, path(rq, "delegationId"), json_text(rq->json, "code"));

	if (!answer)
		return rq->status;
	if (!json_is_true(json_at(answer, "accepted")))
		return problem(rq, 422, "wrong-code", "This is not the code of the delegation.");
	return reply_json(rq, 200, json_at(answer, "delegation"));
}
