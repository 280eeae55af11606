/* Owns the node's side of paForNode: asks the creditor's station about a notice, and brings it the receipt until it is
 * taken. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "pagopa.h"
#include "soap.h"
#include "text.h"

/* How long the real node waits for a station (SANP). */
enum { ASK_TIMEOUT_MS = 7000, RECEIPT_TIMEOUT_MS = 15000, LOOK_AGAIN_MS = 500 };

#define UNKNOWN_NOTICE "399999999999999982"

/* In the emulator every creditor has one station of its own, named after its fiscal code. */
static json_t *station_of(struct request *rq, const char *creditor)
{
	return json_make(rq, "{s:s s:s s:s}", "idPA", creditor, "idBrokerPA", creditor, "idStation",
		arena_printf(rq->arena, "%s_01", creditor));
}

/* The members of the answer, or NULL and *ret_outcome tells: a fault code, or that there was no answer. */
static json_t *call_station(struct request *rq, const char *action, const char *element, int timeout_ms,
	const json_t *members, const char **ret_outcome)
{
	const char *headers[] = { "Content-Type: text/xml; charset=utf-8",
		arena_printf(rq->arena, "SOAPAction: \"%s\"", action),
		arena_printf(rq->arena, "Ocp-Apim-Subscription-Key: %s", config("PORTICO_STATION_KEY")), NULL };
	struct client_answer answer = client_send(rq, &(struct client_call){ .url = config("PORTICO_STATION_URL"),
							      .headers = headers,
							      .body = soap_write(rq->arena, element, members),
							      .timeout_ms = timeout_ms });
	const char *error = NULL, *about = json_text(members, "qrCode.noticeNumber");
	xmlNode *body = answer.status == 200 ? soap_read(rq->arena, answer.body, answer.body_length, &error) : NULL;
	json_t *result = body ? soap_json(rq->arena, body) : NULL;
	const char *outcome = json_text(result, "outcome");

	if (!outcome)
		*ret_outcome = answer.status ? "PPT_STAZIONE_INT_PA_ERRORE_RESPONSE" : "PPT_STAZIONE_INT_PA_TIMEOUT";
	else
		*ret_outcome = strcmp(outcome, "OK") == 0 ? "OK" : json_text(result, "fault.faultCode");
	if (!*ret_outcome)
		*ret_outcome = "PPT_STAZIONE_INT_PA_ERRORE_RESPONSE";
	call_note("out", action, about ? about : json_text(members, "receipt.noticeNumber"), *ret_outcome);
	return strcmp(*ret_outcome, "OK") == 0 ? result : NULL;
}

static const char *changed_amount(struct request *rq, const char *euros)
{
	long long cents = 0;

	for (; *euros; euros++) {
		if (*euros != '.')
			cents = cents * 10 + *euros - '0';
	}
	cents += knob_value("receiptAmountDelta");
	if (cents < 0)
		cents = 0;
	return arena_printf(rq->arena, "%lld.%02lld", cents / 100, cents % 100);
}

/* The receipt of a payment of what paGetPaymentV2 answered, in the order of the schema. */
static json_t *make_receipt(struct request *rq, const char *creditor, const char *notice_number, const json_t *data)
{
	char moment[32], day[16];
	time_t now = time(NULL);
	struct tm local;

	localtime_r(&now, &local);
	strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%S", &local);
	strftime(day, sizeof day, "%Y-%m-%d", &local);
	return json_make(rq, "{s:s s:s s:s s:s s:s s:s s:s s:s s:O s:O s:s s:s s:s s:s s:s s:s s:s s:s s:s s:b}",
		"receiptId", text_random_hex(rq->arena, 16), "noticeNumber", notice_number, "fiscalCode", creditor,
		"outcome", "OK", "creditorReferenceId", json_text(data, "creditorReferenceId"), "paymentAmount",
		changed_amount(rq, json_text(data, "paymentAmount")), "description", json_text(data, "description"),
		"companyName", json_text(data, "companyName"), "debtor", json_at(data, "debtor"), "transferList",
		json_at(data, "transferList"), "idPSP", "88888888888", "PSPCompanyName", "PSP di prova", "idChannel",
		"88888888888_01", "channelDescription", "WISP", "paymentMethod", "creditCard", "fee", "1.50",
		"paymentDateTime", moment, "applicationDate", day, "transferDate", day, "standIn", 0);
}

const char *node_pay(struct request *rq, const char *creditor, const char *notice_number)
{
	const char *asked = knob_take("unknownNotices") ? UNKNOWN_NOTICE : notice_number, *outcome;
	json_t *call = station_of(rq, creditor), *taken, *receipt;

	json_object_set_new(call, "qrCode", json_pack("{s:s s:s}", "fiscalCode", creditor, "noticeNumber", asked));
	if (!call_station(rq, "paVerifyPaymentNotice", "paVerifyPaymentNoticeReq", ASK_TIMEOUT_MS, call, &outcome))
		return outcome;
	taken = call_station(rq, "paGetPaymentV2", "paGetPaymentV2Request", ASK_TIMEOUT_MS, call, &outcome);
	if (!taken)
		return outcome;
	receipt = station_of(rq, creditor);
	json_object_set(receipt, "receipt", make_receipt(rq, creditor, notice_number, json_at(taken, "data")));
	receipt_queue(receipt);
	return NULL;
}

static void bring_receipt(struct request *rq, const json_t *receipt)
{
	const char *id = json_text(receipt, "receipt.receiptId"), *notice = json_text(receipt, "receipt.noticeNumber");
	const char *outcome = "lost on the way";

	if (knob_take("loseReceipts")) {
		call_note("out", "paSendRTV2", notice, outcome);
		receipt_attempted(id, outcome, false);
		return;
	}
	call_station(rq, "paSendRTV2", "paSendRTV2Request", RECEIPT_TIMEOUT_MS, receipt, &outcome);
	if (knob_take("loseReceiptAnswers")) {
		receipt_attempted(id, "answer lost on the way", false);
		return;
	}
	receipt_attempted(id, outcome, strcmp(outcome, "OK") == 0 || strcmp(outcome, "PAA_RECEIPT_DUPLICATA") == 0);
	if (knob_take("duplicateReceipts"))
		call_station(rq, "paSendRTV2", "paSendRTV2Request", RECEIPT_TIMEOUT_MS, receipt, &outcome);
}

static void bring_next(void)
{
	json_auto_t *receipt = receipt_next(LOOK_AGAIN_MS);
	struct request rq = { .arena = arena_new(), .path = "receipts" };

	if (receipt)
		bring_receipt(&rq, receipt);
	arena_free(rq.arena);
}

static void *bring_receipts(void *unused)
{
	while (true)
		bring_next();
	return NULL;
}

bool node_start(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, bring_receipts, NULL) != 0) {
		fprintf(stderr, "pagopa does not start: no thread for the receipts\n");
		return false;
	}
	pthread_detach(thread);
	return true;
}
