/* Approval and rejection: the document is made and in its place before the statement that records it; the practice is
 * held meanwhile, so that of two who decide at once the second finds it decided. */
#include <string.h>
#include "dossier.h"
#include "dossier.sql.h"
#include "paper.h"
#include "store.h"

static int decide(struct request *rq, const char *action, const char *text)
{
	const char *id = path(rq, "practiceId"), *size;
	char digest[TEXT_SHA256_MAX];
	const json_t *facts;
	struct paper paper;

	if (!sql_done(rq, SQL_HOLD_PRACTICE, id))
		return rq->status;
	facts = sql_row(rq, SQL_LOCK_DECISION, id, action);
	if (!facts)
		return rq->status;
	if (!paper_decision(rq, facts, strcmp(action, "approve") == 0, text, &paper) ||
		!store_write(rq, paper.bytes, paper.length, digest))
		return rq->status;
	size = arena_printf(rq->arena, "%zu", paper.length);
	return sql_reply(
		rq, 200, SQL_DECIDE_PRACTICE, id, action, rq->caller.subject, text, "provvedimento.pdf", size, digest);
}

int approve_practice(struct request *rq)
{
	return decide(rq, "approve", json_text(rq->json, "note"));
}

int reject_practice(struct request *rq)
{
	return decide(rq, "reject", json_text(rq->json, "reason"));
}
