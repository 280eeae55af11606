/* What operators and load balancers look at. Readiness is what upkeep.c found out; nothing is asked while a client
 * waits. */
#include "pages.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "answer.h"
#include "jwks.h"
#include "metrics.h"
#include "quota.h"
#include "rules.h"
#include "upstream_counters.h"

static struct worker *const *all_workers;
static unsigned worker_total;

/* The names of the services that cannot be asked, as a sentence; empty when there is none. */
static void name_missing(struct rules *rules, char *text, size_t size)
{
	size_t length = 0;

	*text = '\0';
	for (size_t i = 0; i < rules->own_services && length < size; i++) {
		if (!service_ready(&rules->services[i]))
			length += (size_t)snprintf(text + length, size - length, "%s%s",
				length ? ", " : "Not ready: ", rules->services[i].name);
	}
}

static void answer_status(struct client *client, const struct asking *asking)
{
	struct rules *rules = gateway_hold_rules(client->worker->gateway, NULL);
	char missing[512];

	name_missing(rules, missing, sizeof(missing));
	rules_release(rules);
	if (*missing)
		answer_later(client, 503, "unavailable", missing, 5);
	else
		answer_page(client, 200, "application/problem+json",
			strdup("{\"type\":\"about:blank\",\"title\":\"OK\",\"status\":200,"
			       "\"detail\":\"The gateway and all services are up.\"}"));
}

static void answer_livez(struct client *client)
{
	answer_page(client, 200, "application/json", strdup("{\"status\":\"alive\"}"));
}

/* Ready: every service of ours has a replica that takes requests, the keys are loaded, and no end is in sight. */
static void answer_readyz(struct client *client)
{
	struct gateway *gateway = client->worker->gateway;
	struct rules *rules = gateway_hold_rules(gateway, NULL);
	json_t *services = json_object(), *document;
	bool keys = jwks_generation() != 0, ready = keys && !atomic_load(&gateway->draining);
	char *text;

	for (size_t i = 0; i < rules->service_count; i++) {
		bool service = service_ready(&rules->services[i]);

		ready = ready && (service || i >= rules->own_services);
		json_object_set_new(services, rules->services[i].name, json_boolean(service));
	}
	rules_release(rules);
	document = json_pack("{s:s s:b s:b s:o}", "status", ready ? "ready" : "not ready", "keys", keys, "draining",
		atomic_load(&gateway->draining), "upstreams", services);
	text = json_dumps(document, JSON_COMPACT);
	json_decref(document);
	if (!text)
		abort();
	answer_page(client, ready ? 200 : 503, "application/json", text);
}

static void answer_metrics(struct client *client)
{
	answer_page(client, 200, "text/plain; version=0.0.4; charset=utf-8", metrics_page_dup("gateway"));
}

static void answer_limits(struct client *client, const struct asking *asking)
{
	quota_answer(client);
}

static bool is(const struct asking *asking, const char *path)
{
	return strcmp(asking->path, path) == 0;
}

bool pages_answer(struct client *client, const struct asking *asking)
{
	bool metrics_here =
		client->metrics_only || (client->peer.this_host && !client->worker->gateway->metrics_listen.length);
	void (*page)(struct client * client) = NULL;

	if (is(asking, "/metrics") && metrics_here)
		page = answer_metrics;
	else if (is(asking, "/livez"))
		page = answer_livez;
	else if (is(asking, "/readyz"))
		page = answer_readyz;
	if (!page) {
		if (client->metrics_only)
			answer_problem(client, 404, "not-found", "there is nothing at this path");
		return client->metrics_only;
	}
	if (strcmp(asking->head.method, "GET") == 0 || strcmp(asking->head.method, "HEAD") == 0)
		page(client);
	else
		answer_problem_with(client, 405, "method-not-allowed", "the path exists, not with this method",
			(struct extra_field){ "Allow", "GET, HEAD" });
	return true;
}

static void answer_contracts(struct client *client, const struct asking *asking)
{
	answer_text(client, 200, "application/json", docs_list(client->exchange.view->rules->docs));
}

/* Its name is the last segment of the path. */
static void answer_contract(struct client *client, const struct asking *asking)
{
	const char *text = docs_file(client->exchange.view->rules->docs, asking->values.values[0].value);

	if (text)
		answer_text(client, 200, "application/json", text);
	else
		answer_problem(client, 404, "not-found", "there is no contract of this name");
}

void pages_operate(struct client *client, const struct asking *asking)
{
	static const struct {
		const char *operation;
		void (*answer)(struct client *client, const struct asking *asking);
	} operations[] = { { "showStatus", answer_status }, { "listLimits", answer_limits },
		{ "listContracts", answer_contracts }, { "showContract", answer_contract } };

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(operations[i].operation, client->exchange.route->operation->id) == 0) {
			operations[i].answer(client, asking);
			return;
		}
	}
	answer_problem(client, 501, "not-implemented", "this gateway is older than its contract");
}

static double sum_of(size_t offset)
{
	long sum = 0;

	for (unsigned i = 0; i < worker_total; i++) {
		atomic_long *counter = (atomic_long *)((char *)&all_workers[i]->counters + offset);

		sum += atomic_load_explicit(counter, memory_order_relaxed);
	}
	return (double)sum;
}

static void write_rules(metrics_writer *write, void *out)
{
	struct rules *rules = gateway_hold_rules(all_workers[0]->gateway, NULL);

	counters_write(rules, write, out);
	if (rules->certificates)
		write(out, "portico_gateway_certificates_end_seconds",
			"When the first of the certificates ends, since 1970.", "",
			(double)certificates_end(rules->certificates));
	rules_release(rules);
}

static void write_gauges(metrics_writer *write, void *out)
{
#define COUNTER(member) sum_of(offsetof(struct worker_counters, member))
	write(out, "portico_gateway_clients", "Connections of clients.", "", COUNTER(clients));
	write(out, "portico_gateway_refused_clients_total", "Connections over the limit.", "",
		COUNTER(refused_clients));
	write(out, "portico_gateway_tokens_total", "Tokens checked, by where they were found good.", "found=\"cache\"",
		COUNTER(token_hits));
	write(out, "portico_gateway_tokens_total", NULL, "found=\"signature\"", COUNTER(token_misses));
#undef COUNTER
	write_rules(write, out);
}

void pages_start(struct worker *const *workers, unsigned total)
{
	all_workers = workers;
	worker_total = total;
	metrics_add_source(write_gauges);
}
