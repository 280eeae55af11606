/* Owns the log of messages that the law wants kept for 24 months: sealed before it leaves this process, linked into a
 * chain by a task, never shown by any operation. */
#include "saml.h"
#include "seal.h"
#include "identity.sql.h"

const char *saml_sealed(struct request *rq, const char *request, const char *direction, const char *xml)
{
	return seal_text(rq->arena, config(key_secret_setting), "portico log of saml messages, 1",
		arena_printf(rq->arena, "%s %s", direction, request), xml);
}

bool saml_keep(struct request *rq, const char *request, const char *direction, const char *outcome, const char *xml)
{
	return sql_done(
		rq, SQL_KEEP_SAML_MESSAGE, request, direction, outcome, saml_sealed(rq, request, direction, xml));
}

int seal_saml_log(struct request *rq)
{
	const json_t *sealed = sql_row(rq, SQL_SEAL_SAML_LOG);

	if (!sealed)
		return rq->status;
	return reply_empty(rq, json_is_true(json_at(sealed, "more")) ? 200 : 204);
}
