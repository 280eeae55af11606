/* An emulator of pagoPA for the local stack, tests and front-end teams: Checkout, a payment page, and the node that
 * calls the creditor's station. Not the real platform: no money, one station a creditor, named FISCALCODE_01. Its own
 * API, beside the official ones:
 *
 *   GET    /emulator             knobs, receipts on their way, the last 200 calls in and out
 *   PATCH  /emulator/knobs       {"loseReceipts": 3}; a counter counts down with each use
 *   DELETE /emulator/knobs       all back to 0
 *   POST   /emulator/payments    {"fiscalCode", "noticeNumber"}: somebody pays a notice at a bank, without Checkout
 *   POST   /emulator/receipts    the body of paSendRTV2Request as JSON, sent as it is: for receipts of any kind
 *
 * Knobs: delayMs before a receipt leaves; refuseCarts (400) and failCarts (500); refusePayments at the bank;
 * unknownNotices, asks the station for a notice that does not exist; loseReceipts before they arrive;
 * loseReceiptAnswers, so that the station hears the receipt again; duplicateReceipts; receiptAmountDelta in cents. */
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "emulator.h"
#include "pagopa.h"
#include "scope.h"

static const struct setting settings[] = {
	{ "PORTICO_PUBLIC_URL", NULL, "Where browsers find this emulator: http://127.0.0.1:8181." },
	{ "PORTICO_STATION_URL", NULL, "The creditor's station: http://gateway/payments/v1/pagopa/node." },
	{ "PORTICO_STATION_KEY", NULL, "Key that the station wants to see.", .secret = true },
	{ "PORTICO_CHECKOUT_KEY", NULL, "Subscription key that creditors show to Checkout.", .secret = true },
	{ "PORTICO_RECEIPT_RETRY_MS", "2000",
		"Pause between two attempts to bring a receipt; the real node waits an hour.", .number = true },
	{ "PORTICO_JOURNAL", "", "File for receipts that are not taken yet, so that they survive a restart." },
	{ 0 },
};

static int show_state(struct request *rq)
{
	json_auto_t *report = state_report();

	return reply_json(rq, 200, report);
}

static int change_knobs(struct request *rq)
{
	const json_t *changes = emulator_body(rq);
	const char *unknown = "";

	if (!changes)
		return problem(rq, 400, "malformed-json", "The body is not a JSON object.");
	if (!knobs_change(changes, &unknown))
		return problem(
			rq, 400, "invalid-request", "There is no knob %s, or its value is not an integer.", unknown);
	return show_state(rq);
}

static int pay_notice(struct request *rq)
{
	const json_t *asked = emulator_body(rq);
	const char *creditor = json_text(asked, "fiscalCode"), *notice = json_text(asked, "noticeNumber"), *fault;

	if (!creditor || !notice)
		return problem(rq, 400, "invalid-request", "fiscalCode and noticeNumber are needed.");
	fault = node_pay(rq, creditor, notice);
	return fault ? problem(rq, 409, "conflict", "%s", fault) : reply_empty(rq, 202);
}

static int send_receipt(struct request *rq)
{
	const json_t *receipt = emulator_body(rq);

	if (!json_text(receipt, "receipt.receiptId"))
		return problem(rq, 400, "invalid-request", "receipt.receiptId is needed.");
	receipt_queue(receipt);
	return reply_empty(rq, 202);
}

static int answer(struct request *rq)
{
	const char *id;

	if (emulator_route(rq, "POST", "/checkout/ec/v1/carts", NULL))
		return checkout_make_cart(rq);
	if (emulator_route(rq, "GET", "/checkout/*", &id))
		return checkout_show_page(rq, id);
	if (emulator_route(rq, "POST", "/checkout/*", &id))
		return checkout_take_form(rq, id);
	if (emulator_route(rq, "GET", "/emulator", NULL))
		return show_state(rq);
	if (emulator_route(rq, "PATCH", "/emulator/knobs", NULL))
		return change_knobs(rq);
	if (emulator_route(rq, "DELETE", "/emulator/knobs", NULL)) {
		knobs_reset();
		return reply_empty(rq, 204);
	}
	if (emulator_route(rq, "POST", "/emulator/payments", NULL))
		return pay_notice(rq);
	if (emulator_route(rq, "POST", "/emulator/receipts", NULL))
		return send_receipt(rq);
	return problem(rq, 404, "not-found", "The emulator has no %s %s.", rq->method, rq->path);
}

static bool start(void)
{
	setenv("TZ", "Europe/Rome", 1);
	tzset();
	xmlInitParser();
	state_start(config("PORTICO_JOURNAL"));
	return checkout_start() && node_start();
}

int main(int argc, char **argv)
{
	static const struct emulator pagopa = {
		.name = "pagopa", .settings = settings, .start = start, .answer = answer, .max_body = 256 * 1024
	};

	return emulator_main(argc, argv, &pagopa);
}
