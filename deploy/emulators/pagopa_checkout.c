/* Owns pagoPA's Checkout as a creditor and a citizen meet it: POST /carts by the official contract, and a page to pay
 * on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "emulator.h"
#include "pagopa.h"
#include "schema.h"
#include "scope.h"
#include "text.h"

/* CartRequest of pagoPA's contract "Checkout - EC API" 1.0.0. */
static const char cart_definition[] =
	"{\"type\":\"object\",\"required\":[\"paymentNotices\",\"returnUrls\"],\"properties\":{"
	"\"emailNotice\":{\"type\":\"string\",\"format\":\"email\"},"
	"\"paymentNotices\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":5,\"items\":{\"type\":\"object\","
	"\"required\":[\"noticeNumber\",\"fiscalCode\",\"amount\",\"companyName\",\"description\"],\"properties\":{"
	"\"noticeNumber\":{\"type\":\"string\",\"minLength\":18,\"maxLength\":18},"
	"\"fiscalCode\":{\"type\":\"string\",\"minLength\":11,\"maxLength\":11},"
	"\"amount\":{\"type\":\"integer\",\"minimum\":1},"
	"\"companyName\":{\"type\":\"string\",\"maxLength\":140},"
	"\"description\":{\"type\":\"string\",\"maxLength\":140}}}},"
	"\"returnUrls\":{\"type\":\"object\",\"required\":[\"returnOkUrl\",\"returnCancelUrl\",\"returnErrorUrl\"],"
	"\"properties\":{"
	"\"returnOkUrl\":{\"type\":\"string\",\"format\":\"uri\"},"
	"\"returnCancelUrl\":{\"type\":\"string\",\"format\":\"uri\"},"
	"\"returnErrorUrl\":{\"type\":\"string\",\"format\":\"uri\"}}},"
	"\"idCart\":{\"type\":\"string\"},\"allCCP\":{\"type\":\"boolean\"}}}";

static struct schema *cart_schema;
static json_t *cart_json;

bool checkout_start(void)
{
	auto_free char *error = NULL;

	cart_json = json_loads(cart_definition, 0, NULL);
	cart_schema = schema_new(cart_json, cart_json, NULL, NULL, &error);
	if (!cart_schema)
		fprintf(stderr, "pagopa does not start: the schema of carts: %s\n", error);
	return cart_schema != NULL;
}

static int refuse_cart(struct request *rq, int status, const char *detail)
{
	call_note("in", "POST /carts", NULL, detail);
	return problem(rq, status, status == 400 ? "invalid-request" : "internal-error", "%s", detail);
}

int checkout_make_cart(struct request *rq)
{
	json_auto_t *request = json_loadb(rq->body, rq->body_length, JSON_REJECT_DUPLICATES, NULL),
		    *errors = json_array();
	json_auto_t *cart = NULL;
	const char *key = http_header(rq, "Ocp-Apim-Subscription-Key"), *id;

	if (!key || strcmp(key, config("PORTICO_CHECKOUT_KEY")) != 0)
		return problem(rq, 401, "unauthorized", "The subscription key is missing or wrong.");
	if (!request || schema_check(cart_schema, request, "", errors))
		return refuse_cart(rq, 400, request ? json_sql(rq, errors) : "the body is not JSON");
	if (knob_take("failCarts"))
		return refuse_cart(rq, 500, "knob failCarts");
	if (knob_take("refuseCarts"))
		return refuse_cart(rq, 400, "knob refuseCarts");
	id = text_random_hex(rq->arena, 12);
	cart = json_pack("{s:O s:s}", "request", request, "state", "open");
	cart_keep(id, cart);
	call_note("in", "POST /carts", json_text(request, "idCart"), "302");
	return reply_redirect(rq, 302, arena_printf(rq->arena, "%s/checkout/%s", config("PORTICO_PUBLIC_URL"), id));
}

static long long write_notices(struct request *rq, FILE *out, const json_t *notices)
{
	long long total = 0, amount;
	json_t *notice;
	size_t i;

	json_array_foreach((json_t *)notices, i, notice)
	{
		amount = json_int(notice, "amount");
		total += amount;
		fputs("<tr><td>", out);
		fputs(text_escaped(rq->arena, json_text(notice, "companyName")), out);
		fputs("</td><td>", out);
		fputs(text_escaped(rq->arena, json_text(notice, "description")), out);
		fputs("</td><td>", out);
		fputs(text_escaped(rq->arena, json_text(notice, "noticeNumber")), out);
		fprintf(out, "</td><td>%lld,%02lld €</td></tr>", amount / 100, amount % 100);
	}
	return total;
}

static const char *page(struct request *rq, const json_t *cart)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	long long total;

	fputs("<!doctype html><html lang=\"it\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
	      "content=\"width=device-width\">"
	      "<title>pagoPA, emulatore: pagamento</title><style>body{font:1.1rem/1.5 "
	      "sans-serif;max-width:48rem;margin:2rem auto;"
	      "padding:0 "
	      "1rem;color:#17324d}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.5rem;"
	      "border-bottom:1px solid #5c6f82}button{font:inherit;padding:.6rem 1.2rem;margin:.3rem .6rem .3rem 0;"
	      "border:2px solid "
	      "#0066cc;background:#fff;color:#0059b3}button:first-of-type{background:#0066cc;color:#fff}</style>"
	      "</head><body><main><h1>Pagamento di prova</h1><p>Questo è un emulatore di pagoPA: nessun denaro cambia "
	      "di mano.</p>"
	      "<table><caption>Avvisi da pagare</caption><thead><tr><th scope=\"col\">Ente creditore</th><th "
	      "scope=\"col\">Causale</th>"
	      "<th scope=\"col\">Codice avviso</th><th scope=\"col\">Importo</th></tr></thead><tbody>",
		out);
	total = write_notices(rq, out, json_at(cart, "request.paymentNotices"));
	fprintf(out, "</tbody></table><p><strong>Totale: %lld,%02lld €</strong></p>", total / 100, total % 100);
	if (strcmp(json_text(cart, "state"), "open") == 0)
		fputs("<form method=\"post\"><button name=\"action\" value=\"pay\">Paga</button>"
		      "<button name=\"action\" value=\"fail\">Fai fallire il pagamento</button>"
		      "<button name=\"action\" value=\"abandon\">Annulla e torna indietro</button></form>",
			out);
	else
		fputs("<p role=\"status\">Questo pagamento è già concluso.</p>", out);
	fputs("</main></body></html>", out);
	fclose(out);
	return arena_lease(rq->arena, text, free);
}

int checkout_show_page(struct request *rq, const char *id)
{
	json_auto_t *cart = cart_find(id);

	if (!cart)
		return problem(rq, 404, "not-found", "There is no such cart.");
	return reply_text(rq, 200, "text/html; charset=utf-8", page(rq, cart));
}

/* Each notice by itself, as the node does: what one creditor refuses does not stop the others. */
static bool pay_all(struct request *rq, const json_t *notices)
{
	bool all = !knob_take("refusePayments");
	json_t *notice;
	size_t i;

	if (!all)
		return false;
	json_array_foreach((json_t *)notices, i, notice)
	{
		if (node_pay(rq, json_text(notice, "fiscalCode"), json_text(notice, "noticeNumber")))
			all = false;
	}
	return all;
}

static const char *outcome_of(struct request *rq, const char *id, const json_t *cart, const char *action)
{
	bool paid;

	if (strcmp(action, "abandon") == 0)
		return cart_move(id, "open", "abandoned") ? "returnCancelUrl" : NULL;
	if (strcmp(action, "fail") == 0)
		return cart_move(id, "open", "failed") ? "returnErrorUrl" : NULL;
	if (!cart_move(id, "open", "paying"))
		return NULL;
	paid = pay_all(rq, json_at(cart, "request.paymentNotices"));
	cart_move(id, "paying", paid ? "paid" : "failed");
	return paid ? "returnOkUrl" : "returnErrorUrl";
}

int checkout_take_form(struct request *rq, const char *id)
{
	json_auto_t *cart = cart_find(id), *form = form_parse(rq->body, rq->body_length);
	const char *action = json_text(form, "action"), *back;

	if (!cart)
		return problem(rq, 404, "not-found", "There is no such cart.");
	if (!action || (strcmp(action, "pay") != 0 && strcmp(action, "fail") != 0 && strcmp(action, "abandon") != 0))
		return problem(rq, 400, "invalid-request", "action must be pay, fail or abandon.");
	back = outcome_of(rq, id, cart, action);
	if (!back)
		return problem(rq, 409, "conflict", "This cart is already paid, failed or abandoned.");
	return reply_redirect(rq, 303, json_text(json_at(cart, "request.returnUrls"), back));
}
