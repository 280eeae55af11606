/* Owns debt positions: made, shown, cancelled, expired. Only a receipt pays one: station.c. */
#include <string.h>
#include "payments.h"
#include "payments.sql.h"

/* Two statements and not one: a plan made for a citizen is a bad one for an office. */
int list_positions(struct request *rq)
{
	return sql_reply(rq, 200, rq->subject ? SQL_LIST_OWN_POSITIONS : SQL_LIST_POSITIONS, query(rq, "state"),
		query(rq, "tenant"), query(rq, "fiscalCode"), query(rq, "noticeNumber"), query(rq, "referenceKind"),
		query(rq, "referenceId"), query(rq, "limit"), query(rq, "after"));
}

int create_position(struct request *rq)
{
	const json_t *made;

	/* a stranger's position would stand in the place of the fee, and its payment for the fee's */
	if (strcmp(json_text(rq->json, "reference.kind"), "practice") == 0)
		return problem(rq, 422, "reserved-reference", "The dues of practices are made by themselves.");
	if (!sql_done(rq, SQL_HOLD_DEBTOR, json_text(rq->json, "debtor.fiscalCode")))
		return rq->status;
	made = sql_maybe(rq, SQL_CREATE_POSITION, json_sql(rq, rq->json));
	if (!made)
		return rq->status;
	if (json_is_null(made))
		return problem(rq, 422, "not-a-creditor", "The tenant has no pagoPA settings yet.");
	return sql_reply(rq, 201, SQL_SHOW_POSITION, json_text(made, "id"));
}

int show_position(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_POSITION, path(rq, "positionId"));
}

int cancel_position(struct request *rq)
{
	const json_t *position = sql_row(rq, SQL_LOCK_POSITION, path(rq, "positionId"), NULL);

	if (!position)
		return rq->status;
	if (json_int(position, "settled") > 0)
		return problem(
			rq, 409, "position-paid", "Money for this position has arrived: it cannot be cancelled.");
	if (!sql_done(rq, SQL_CANCEL_POSITION, path(rq, "positionId"), json_text(rq->json, "reason")))
		return rq->status;
	return sql_reply(rq, 200, SQL_SHOW_POSITION, path(rq, "positionId"));
}

int show_position_receipt(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_POSITION_RECEIPT, path(rq, "positionId"));
}

int list_receipts(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_RECEIPTS, query(rq, "match"), query(rq, "limit"), query(rq, "after"));
}

/* A task: the day after the due date. Payable still, unless the tenant says no: payment_fault() decides that. */
int expire_positions(struct request *rq)
{
	const json_t *expired = sql_maybe(rq, SQL_EXPIRE_POSITIONS);

	return expired ? reply_empty(rq, json_is_null(expired) ? 204 : 200) : rq->status;
}
