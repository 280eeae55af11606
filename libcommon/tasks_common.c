/* libcommon's own tasks: what grows is swept, a batch at a time. Retentions: answers under an Idempotency-Key a day,
 * the log of events 30 days, the inbox longer than any event can still arrive. */
#include "common.sql.h"
#include "dead_letters.h"
#include "service.h"
#include "tasks.h"

static int sweep(struct request *rq, const struct sql *sql)
{
	json_t *row = sql_row_values(rq, sql, 0, NULL);

	if (!row)
		return rq->status;
	return reply_empty(rq, json_int(row, "removed") > 0 ? 200 : 204);
}

static int sweep_idempotency(struct request *rq)
{
	return sweep(rq, SQL_SWEEP_IDEMPOTENCY);
}

static int sweep_outbox(struct request *rq)
{
	return sweep(rq, SQL_SWEEP_OUTBOX);
}

static int sweep_inbox(struct request *rq)
{
	return sweep(rq, SQL_SWEEP_INBOX);
}

static const struct task tasks[] = {
	{ "sweep-idempotency", 300, sweep_idempotency },
	{ "sweep-outbox", 3600, sweep_outbox },
	{ "sweep-inbox", 3600, sweep_inbox },
	{ "redrive-dead-letters", 60, redrive_dead_letters },
	{ 0 },
};

const struct task *const common_tasks = tasks;
