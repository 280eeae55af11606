/* Owns the way to pagoPA's payment page: the citizen's intent is stored and answered at once, a task asks pagoPA for
 * the page. What comes back to the browser proves nothing; only receipts do (station.c). */
#include <string.h>
#include "payments.h"
#include "payments.sql.h"

enum { MOST_ATTEMPTS = 6 };

/* The choice, or NULL when it cannot be paid in one checkout: already answered. */
static const json_t *choose_instalments(struct request *rq)
{
	const json_t *choice = sql_row(rq, SQL_CHOOSE_INSTALMENTS, json_sql(rq, rq->json));

	if (!choice)
		return NULL;
	if (json_int(choice, "tenants") > 1)
		problem(rq, 422, "several-creditors", "One checkout pays one municipality.");
	else if (json_int(choice, "found") != json_int(choice, "asked"))
		problem(rq, 422, "unknown-reference", "Not all of these are dues of yours.");
	else if (json_text(choice, "fault"))
		problem(rq, 409, "not-payable", "One of these is paid, cancelled, or expired and no longer accepted.");
	return rq->status ? NULL : choice;
}

int create_checkout(struct request *rq)
{
	const json_t *choice = choose_instalments(rq), *made;

	if (!choice)
		return rq->status;
	made = sql_row(rq, SQL_CREATE_CHECKOUT, json_text(choice, "tenant"),
		json_sql(rq, json_at(rq->json, "returnUrls")), json_sql(rq, json_at(choice, "items")));
	if (!made)
		return rq->status;
	return sql_reply(rq, 201, SQL_SHOW_CHECKOUT, json_text(made, "id"));
}

int show_checkout(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_CHECKOUT, path(rq, "checkoutId"));
}

/* The payment page, when the answer is one; the official contract knows 302 only. */
static const char *page_of(const struct client_answer *answer)
{
	return answer->status == 302 && answer->location && strncmp(answer->location, "http", 4) == 0 ? answer->location
												      : NULL;
}

/* Why there will never be a page for this checkout; NULL when there is one, or another attempt may get it. */
static const char *failure_of(struct request *rq, const struct client_answer *answer, long long attempts)
{
	if (page_of(answer))
		return NULL;
	if (answer->status >= 400 && answer->status < 500 && answer->status != 408 && answer->status != 429)
		return arena_printf(rq->arena, "pagoPA refused the payment (%d)", answer->status);
	if (attempts < MOST_ATTEMPTS)
		return NULL;
	return answer->status ? arena_printf(rq->arena, "pagoPA answered %d", answer->status)
			      : "pagoPA does not answer";
}

static struct client_answer ask_for_page(struct request *rq, const json_t *checkout)
{
	const char *headers[] = { "Content-Type: application/json",
		arena_printf(rq->arena, "Ocp-Apim-Subscription-Key: %s", config("PORTICO_CHECKOUT_KEY")), NULL };
	struct client_answer answer = client_send(
		rq, &(struct client_call){ .url = arena_printf(rq->arena, "%s/carts", config("PORTICO_CHECKOUT_URL")),
			    .headers = headers,
			    .body = json_sql(rq, json_at(checkout, "cart")) });

	if (!page_of(&answer))
		log_warning("no payment page", "{s:s s:i s:s*}", "checkout", json_text(checkout, "id"), "status",
			answer.status, "cause", answer.error);
	return answer;
}

/* A task: one checkout in `preparing`. No transaction is open while pagoPA is asked. A cart that was made twice does no
 * harm: the one without a browser expires unused. */
int prepare_checkout(struct request *rq)
{
	const json_t *checkout = sql_maybe(rq, SQL_CLAIM_CHECKOUT);
	struct client_answer answer;

	if (!checkout)
		return rq->status;
	if (json_is_null(checkout))
		return reply_empty(rq, 204);
	answer = ask_for_page(rq, checkout);
	if (!sql_done(rq, SQL_RECORD_CHECKOUT, json_text(checkout, "tenant"), json_text(checkout, "id"),
		    page_of(&answer), failure_of(rq, &answer, json_int(checkout, "attempts"))))
		return rq->status;
	return reply_empty(rq, 200);
}

int expire_checkouts(struct request *rq)
{
	const json_t *expired = sql_maybe(rq, SQL_EXPIRE_CHECKOUTS);

	return expired ? reply_empty(rq, json_is_null(expired) ? 204 : 200) : rq->status;
}
