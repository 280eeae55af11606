/* The set that a reload makes: upstreams from the settings, routes from the contracts. */
#include "rules.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "log.h"
#include "scope.h"
#include "upkeep.h"

__attribute__((format(printf, 2, 3))) static bool wrong(char **ret_error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(ret_error, format, args) < 0)
		abort();
	va_end(args);
	return false;
}

/* name=address|address */
static bool add_service(struct rules *rules, char *text, char **ret_error)
{
	struct upstream_service *service = &rules->services[rules->service_count];
	char *addresses = strchr(text, '='), *rest = NULL;

	if (!addresses || rules->service_count == MAX_SERVICES || (size_t)(addresses - text) >= sizeof(service->name) ||
		addresses == text || memchr(text, '/', (size_t)(addresses - text)))
		return wrong(ret_error, "PORTICO_UPSTREAMS: \"%s\" is not name=host:port", text);
	*addresses++ = '\0';
	service_init(service, text);
	for (char *address = strtok_r(addresses, "|", &rest); address; address = strtok_r(NULL, "|", &rest)) {
		if (!service_add_name(service, address))
			return wrong(
				ret_error, "PORTICO_UPSTREAMS: \"%s\" of %s is not host:port", address, service->name);
	}
	if (!service->name_count)
		return wrong(ret_error, "PORTICO_UPSTREAMS: %s has no address", service->name);
	rules->service_count++;
	return true;
}

static bool read_upstreams(struct rules *rules, char **ret_error)
{
	char *text = strdup(config("PORTICO_UPSTREAMS")), *rest = NULL;
	bool right = text != NULL;

	for (char *entry = right ? strtok_r(text, ",", &rest) : NULL; entry && right;
		entry = strtok_r(NULL, ",", &rest))
		right = add_service(rules, entry, ret_error);
	free(text);
	if (right && !rules->service_count)
		return wrong(ret_error, "PORTICO_UPSTREAMS names no service");
	return right;
}

static bool read_contract(struct rules *rules, const char *folder, const char *name, size_t service, char **ret_error)
{
	struct contract *contract = contract_load(folder, name, ret_error);

	return contract && routes_add(rules->routes, contract, service, NULL, ret_error);
}

static bool read_contracts(struct rules *rules, char **ret_error)
{
	const char *folder = config("PORTICO_CONTRACTS");
	bool right = true;

	rules->routes = routes_new();
	rules->own_services = rules->service_count;
	for (size_t i = 0; i < rules->service_count && right; i++)
		right = read_contract(rules, folder, rules->services[i].name, i, ret_error);
	if (!right || !partners_read(rules, folder, ret_error) ||
		!read_contract(rules, folder, "gateway", rules->service_count, ret_error))
		return false;
	routes_finish(rules->routes);
	rules->docs = docs_new(rules->routes, folder);
	return true;
}

static bool read_plan(struct rules *rules, char **ret_error)
{
	rules->plan = quota_plan_new(ret_error);
	return rules->plan != NULL;
}

static bool read_certificates(struct rules *rules, char **ret_error)
{
	const char *folder = config("PORTICO_TLS_CERTIFICATES");

	if (!*config("PORTICO_TLS_LISTEN"))
		return true;
	if (!*folder)
		return wrong(ret_error, "PORTICO_TLS_LISTEN needs PORTICO_TLS_CERTIFICATES");
	rules->certificates = certificates_new(folder, ret_error);
	return rules->certificates != NULL;
}

static bool read_trust(struct rules *rules, char **ret_error)
{
	for (size_t i = 0; i < rules->service_count && !rules->trust; i++) {
		if (!rules->services[i].secure)
			continue;
		rules->trust = trust_new(config("PORTICO_PARTNER_CA"), ret_error);
		if (!rules->trust)
			return false;
	}
	return true;
}

struct rules *rules_new(char **ret_error)
{
	struct rules *rules = calloc(1, sizeof(*rules));

	if (!rules)
		abort();
	rules->references = 1;
	if (read_upstreams(rules, ret_error) && read_contracts(rules, ret_error) && read_plan(rules, ret_error) &&
		read_certificates(rules, ret_error) && read_trust(rules, ret_error))
		return rules;
	rules_release(rules);
	return NULL;
}

struct rules *rules_hold(struct rules *rules)
{
	atomic_fetch_add(&rules->references, 1);
	return rules;
}

void rules_release(struct rules *rules)
{
	if (!rules || atomic_fetch_sub(&rules->references, 1) > 1)
		return;
	docs_free(rules->docs);
	routes_free(rules->routes);
	quota_plan_free(rules->plan);
	certificates_free(rules->certificates);
	trust_free(rules->trust);
	for (size_t i = 0; i < MAX_WORKERS; i++)
		free(rules->counters[i]);
	free(rules);
}

bool gateway_reload(struct gateway *gateway)
{
	auto_free char *error = NULL;
	struct rules *rules = rules_new(&error), *old;

	if (!rules) {
		log_error("the reload is refused, all stays as it was", "{s:s}", "reason", error);
		return false;
	}
	upkeep_prepare(rules);
	pthread_mutex_lock(&gateway->rules_lock);
	old = gateway->rules;
	gateway->rules = rules;
	atomic_fetch_add(&gateway->rules_generation, 1);
	pthread_mutex_unlock(&gateway->rules_lock);
	rules_release(old);
	return true;
}

struct rules *gateway_hold_rules(struct gateway *gateway, unsigned *ret_generation)
{
	struct rules *rules;

	pthread_mutex_lock(&gateway->rules_lock);
	rules = rules_hold(gateway->rules);
	if (ret_generation)
		*ret_generation = atomic_load(&gateway->rules_generation);
	pthread_mutex_unlock(&gateway->rules_lock);
	return rules;
}
