/* The operations of openapi/payments.yaml, in the order of that file, with the events and tasks of the service.
 * When a handler runs the contract already holds: the caller has the scope, the input matches its schema. */
#include <libxml/parser.h>
#include "payments.h"
#include "payments.sql.h"

static const struct operation operations[] = {
	{ "showStatus", show_status },
	{ "listDeadLetters", list_dead_letters },
	{ "redriveDeadLetters", redrive_tenant_dead_letters },
	{ "redriveDeadLetter", redrive_dead_letter },
	{ "listPositions", list_positions },
	{ "createPosition", create_position, .transaction = true },
	{ "showPosition", show_position },
	{ "cancelPosition", cancel_position, .transaction = true },
	{ "showPositionReceipt", show_position_receipt },
	{ "listReceipts", list_receipts },
	{ "createCheckout", create_checkout, .transaction = true },
	{ "showCheckout", show_checkout },
	{ "callStation", call_station },
	{ 0 },
};

static const struct event_consumer consumers[] = {
	{ "dossier", "practice.payment-due", practice_payment_due },
	{ "dossier", "practice.withdrawn", practice_withdrawn },
	{ "identity", "person.updated", person_updated },
	{ 0 },
};

static const struct task tasks[] = {
	{ "checkouts", 2, prepare_checkout },
	{ "checkout-expiry", 30, expire_checkouts },
	{ "position-expiry", 60, expire_positions },
	{ 0 },
};

static const struct setting settings[] = {
	{ "PORTICO_STATION_KEY", NULL,
		"Key that the pagoPA node's calls carry, added by the edge that ends its mutual TLS.", .secret = true },
	{ "PORTICO_CHECKOUT_URL", NULL,
		"pagoPA Checkout: https://api.platform.pagopa.it/checkout/ec/v1 in production." },
	{ "PORTICO_CHECKOUT_KEY", NULL, "Subscription key for it.", .secret = true },
	{ 0 },
};

/* libxml2 wants its tables before there is a second thread. */
static bool prepare_parser(const struct service *service)
{
	xmlInitParser();
	return true;
}

int main(int argc, char **argv)
{
	static const struct service payments = {
		.name = "payments",
		.operations = operations,
		.consumers = consumers,
		.tasks = tasks,
		.sql = &payments_sql,
		.settings = settings,
		.start = prepare_parser,
	};

	return service_main(argc, argv, &payments);
}
