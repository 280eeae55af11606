/* Owns the creditor's station: what the pagoPA node asks of a municipality, in SOAP. A receipt is stored before the
 * node hears OK, once. Every refusal is a KO with a PAA_ fault in a 200, as the node expects. */
#include <string.h>
#include "metrics.h"
#include "payments.h"
#include "payments.sql.h"
#include "soap.h"
#include "station_schema.h"
#include "text.h"

struct primitive {
	const char *action, *request, *answer;
	const struct schema_element *schema; /* NULL: an operation that this station does not offer */
	const json_t *(*run)(struct request *rq, const json_t *call);
};

static const struct {
	const char *code, *text;
} faults[] = {
	{ "PAA_ID_DOMINIO_ERRATO", "La PAA non corrisponde al Nodo indicato." },
	{ "PAA_ID_INTERMEDIARIO_ERRATO", "Identificativo intermediario non corrispondente." },
	{ "PAA_STAZIONE_INT_ERRATA", "Stazione intermediario non corrispondente." },
	{ "PAA_PAGAMENTO_SCONOSCIUTO", "Pagamento in attesa risulta sconosciuto all'Ente Creditore." },
	{ "PAA_PAGAMENTO_DUPLICATO", "Pagamento in attesa risulta concluso all'Ente Creditore." },
	{ "PAA_PAGAMENTO_SCADUTO", "Pagamento in attesa risulta scaduto all'Ente Creditore." },
	{ "PAA_PAGAMENTO_ANNULLATO", "Pagamento in attesa risulta annullato all'Ente Creditore." },
	{ "PAA_SINTASSI_XSD", "Errore di sintassi XSD." },
	{ "PAA_SEMANTICA", "Errore semantico." },
	{ "PAA_RECEIPT_DUPLICATA", "La ricevuta risulta gia' acquisita dall'Ente Creditore." },
	{ "PAA_SYSTEM_ERROR", "Errore generico." },
};

static const json_t *verify_payment(struct request *rq, const json_t *call)
{
	return sql_maybe(rq, SQL_VERIFY_PAYMENT, json_text(call, "qrCode.noticeNumber"));
}

static const json_t *get_payment(struct request *rq, const json_t *call)
{
	return sql_maybe(rq, SQL_GET_PAYMENT, json_text(call, "qrCode.noticeNumber"), "1");
}

static const json_t *get_payment_v2(struct request *rq, const json_t *call)
{
	return sql_maybe(rq, SQL_GET_PAYMENT, json_text(call, "qrCode.noticeNumber"), "2");
}

static const json_t *send_receipt(struct request *rq, const json_t *call)
{
	const json_t *stored = sql_maybe(rq, SQL_STORE_RECEIPT, json_sql(rq, json_at(call, "receipt")));

	if (!stored)
		return NULL;
	if (json_is_null(stored))
		return json_make(rq, "{s:s}", "fault", "PAA_RECEIPT_DUPLICATA");
	metrics_count("portico_receipts_total", "match", json_text(stored, "match"));
	return json_make(rq, "{s:s}", "outcome", "OK");
}

static const struct primitive primitives[] = {
	{ "paVerifyPaymentNotice", "paVerifyPaymentNoticeReq", "paVerifyPaymentNoticeRes", payment_asked,
		verify_payment },
	{ "paGetPayment", "paGetPaymentReq", "paGetPaymentRes", payment_taken, get_payment },
	{ "paGetPaymentV2", "paGetPaymentV2Request", "paGetPaymentV2Response", payment_taken, get_payment_v2 },
	{ "paSendRT", "paSendRTReq", "paSendRTRes", receipt_sent, send_receipt },
	{ "paSendRTV2", "paSendRTV2Request", "paSendRTV2Response", receipt_sent_v2, send_receipt },
	{ "paDemandPaymentNotice", "paDemandPaymentNoticeRequest", "paDemandPaymentNoticeResponse", NULL, NULL },
	{ 0 },
};

/* By the element of the body; when that cannot be read, by the SOAPAction, so that even then the answer has the right
 * form. */
static const struct primitive *find_primitive(struct request *rq, const xmlNode *body)
{
	const char *action = header(rq, "SOAPAction");

	for (const struct primitive *primitive = primitives; primitive->action; primitive++) {
		if (body ? strcmp((const char *)body->name, primitive->request) == 0 && body->ns &&
					strcmp((const char *)body->ns->href, PA_FOR_NODE) == 0
			 : action && strstr(action, primitive->action) &&
					strspn(action, "\"") + strlen(primitive->action) + strspn(action, "\"") ==
						strlen(action))
			return primitive;
	}
	return NULL;
}

/* id is whom the fault comes from: the creditor that was asked for, as far as the call says. */
static int fault(struct request *rq, const struct primitive *primitive, const char *code, const char *id,
	const char *description)
{
	size_t i = 0;

	while (i + 1 < sizeof faults / sizeof *faults && strcmp(faults[i].code, code) != 0)
		i++;
	metrics_count("portico_pagopa_faults_total", "code", faults[i].code);
	return reply_text(rq, 200, SOAP_MEDIA_TYPE,
		soap_write(rq->arena, primitive->answer,
			json_make(rq, "{s:s s:{s:s s:s s:s s:s*}}", "outcome", "KO", "fault", "faultCode",
				faults[i].code, "faultString", faults[i].text, "id", id ? id : "", "description",
				description)));
}

static int run_primitive(struct request *rq, const struct primitive *primitive, const json_t *call)
{
	const char *id = json_text(call, "idPA");
	const json_t *station =
		sql_row(rq, SQL_RESOLVE_STATION, id, json_text(call, "idBrokerPA"), json_text(call, "idStation"));
	const json_t *answer;

	if (!station)
		return fault(rq, primitive, "PAA_SYSTEM_ERROR", id, NULL);
	if (json_text(station, "fault"))
		return fault(rq, primitive, json_text(station, "fault"), id, NULL);
	rq->tenant = json_text(station, "tenant");
	answer = primitive->run(rq, call);
	if (!answer)
		return fault(rq, primitive, "PAA_SYSTEM_ERROR", id, NULL);
	if (json_is_null(answer))
		return fault(rq, primitive, "PAA_PAGAMENTO_SCONOSCIUTO", id, NULL);
	if (json_text(answer, "fault"))
		return fault(rq, primitive, json_text(answer, "fault"), id, NULL);
	return reply_text(rq, 200, SOAP_MEDIA_TYPE, soap_write(rq->arena, primitive->answer, answer));
}

/* pagoPA shows a certificate to the operator's edge, which adds this key. */
static bool key_holds(struct request *rq)
{
	const char *shown = header(rq, "Ocp-Apim-Subscription-Key"), *key = config("PORTICO_STATION_KEY");

	return shown && text_same_secret(shown, key);
}

int call_station(struct request *rq)
{
	const char *error = NULL;
	const struct primitive *primitive;
	const xmlNode *body;

	if (!key_holds(rq))
		return problem(
			rq, 401, "unauthorized", "The station is called with its key in Ocp-Apim-Subscription-Key.");
	body = soap_read(rq->arena, rq->body, rq->body_length, &error);
	primitive = find_primitive(rq, body);
	if (!primitive)
		return problem(
			rq, 400, "invalid-request", "%s", error ? error : "The Body holds no request of paForNode.");
	if (!body)
		return fault(rq, primitive, "PAA_SINTASSI_XSD", NULL, error);
	if (!primitive->schema)
		return fault(rq, primitive, "PAA_SEMANTICA", NULL, "servizio non offerto dalla stazione");
	error = station_schema_check(rq->arena, body, primitive->schema);
	if (error)
		return fault(rq, primitive, "PAA_SINTASSI_XSD", NULL, error);
	return run_primitive(rq, primitive, soap_json(rq->arena, body));
}
