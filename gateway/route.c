/* The route table: each service's contract under its base path. Reads contracts at start and never changes afterwards.
 */
#include "route.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "path.h"

struct service_routes {
	struct contract *contract;
	const char *base;
	size_t base_length;
	const struct contract_operation *operations;
	struct route *routes; /* parallel to operations */
	size_t count;
};

struct routes {
	size_t count;
	struct service_routes services[];
};

static bool names_tenant(const char *parameter)
{
	return strcmp(parameter, "tenant") == 0 || strcmp(parameter, "tenantId") == 0;
}

/* True when sibling services are the only ones who may call it. */
static bool only_for_siblings(const struct contract_operation *operation)
{
	for (size_t i = 0; i < operation->security_count; i++) {
		const char *const *scope = operation->security[i].scopes;

		while (*scope && strcmp(*scope, "service") != 0)
			scope++;
		if (!*scope)
			return false;
	}
	return operation->security_count > 0;
}

static void describe(struct route *route, const struct contract_operation *operation, size_t service)
{
	route->operation = operation;
	route->service = service;
	route->internal = only_for_siblings(operation);
	for (size_t i = 0; i < operation->parameter_count; i++) {
		const struct contract_parameter *parameter = &operation->parameters[i];

		if (!names_tenant(parameter->name))
			continue;
		if (parameter->place == IN_PATH)
			route->tenant_in_path = true;
		else if (parameter->place == IN_QUERY)
			route->tenant_query = parameter->name;
	}
}

/* "GET, POST": what the path of this route has for callers from outside. */
static char *allow_of(const struct service_routes *service, const char *path)
{
	char allow[128] = "";

	for (size_t i = 0; i < service->count; i++) {
		size_t length = strlen(allow);

		if (!service->routes[i].internal && strcmp(service->operations[i].path, path) == 0)
			snprintf(allow + length, sizeof(allow) - length, "%s%s", length ? ", " : "",
				service->operations[i].method);
	}
	return *allow ? strdup(allow) : NULL;
}

static bool load_service(
	struct service_routes *into, size_t index, const char *directory, const char *name, char **ret_error)
{
	into->contract = contract_load(directory, name, ret_error);
	if (!into->contract)
		return false;
	into->base = contract_base_path(into->contract);
	into->base_length = strlen(into->base);
	into->operations = contract_operations(into->contract, &into->count);
	into->routes = calloc(into->count + 1, sizeof(*into->routes));
	if (!into->routes)
		abort();
	for (size_t i = 0; i < into->count; i++)
		describe(&into->routes[i], &into->operations[i], index);
	for (size_t i = 0; i < into->count; i++)
		into->routes[i].allow = allow_of(into, into->operations[i].path);
	return true;
}

struct routes *routes_new(const char *directory, const char *const *names, size_t count, char **ret_error)
{
	struct routes *routes = calloc(1, sizeof(*routes) + count * sizeof(routes->services[0]));

	if (!routes)
		abort();
	for (; routes->count < count; routes->count++) {
		if (!load_service(&routes->services[routes->count], routes->count, directory, names[routes->count],
			    ret_error)) {
			routes_free(routes);
			return NULL;
		}
	}
	return routes;
}

void routes_free(struct routes *routes)
{
	if (!routes)
		return;
	for (size_t i = 0; i < routes->count; i++) {
		for (size_t k = 0; k < routes->services[i].count; k++)
			free(routes->services[i].routes[k].allow);
		free(routes->services[i].routes);
		contract_free(routes->services[i].contract);
	}
	free(routes);
}

static const struct route *find_in(const struct service_routes *service, const char *method, const char *path,
	size_t length, struct path_values *ret_values, const char **ret_allow)
{
	const struct contract_operation *operation =
		contract_match(service->contract, method, path, length, ret_values, ret_allow);

	return operation ? &service->routes[operation - service->operations] : NULL;
}

/* A path that has the first of these methods, and what it has for callers from outside. */
static const char *visible_methods(
	const struct service_routes *service, const char *methods, const char *path, size_t length)
{
	char method[16];
	struct path_values values;
	const struct route *route;

	snprintf(method, sizeof(method), "%.*s", (int)strcspn(methods, ","), methods);
	route = find_in(service, method, path, length, &values, &methods);
	return route ? route->allow : NULL;
}

const struct route *route_find(const struct routes *routes, const char *method, const char *path, size_t length,
	struct path_values *ret_values, const char **ret_allow)
{
	for (size_t i = 0; i < routes->count; i++) {
		const struct service_routes *service = &routes->services[i];
		const struct route *route;
		const char *methods = NULL;

		if (length <= service->base_length || memcmp(path, service->base, service->base_length) != 0 ||
			path[service->base_length] != '/')
			continue;
		route = find_in(service, method, path, length, ret_values, &methods);
		*ret_allow = route ? route->allow : methods ? visible_methods(service, methods, path, length) : NULL;
		return route && !route->internal ? route : NULL;
	}
	*ret_allow = NULL;
	return NULL;
}

struct tenant_check {
	const char *tenant;
	size_t length;
};

static bool same_tenant(void *context, const char *value, size_t length)
{
	const struct tenant_check *check = context;

	return length == check->length && memcmp(value, check->tenant, length) == 0;
}

bool route_tenant_matches(
	const struct route *route, const struct path_values *values, const char *query, const char *tenant)
{
	struct tenant_check check = { tenant, strlen(tenant) };

	for (size_t i = 0; route->tenant_in_path && i < values->count; i++) {
		if (names_tenant(values->values[i].name) &&
			!same_tenant(&check, values->values[i].value, values->values[i].length))
			return false;
	}
	return !route->tenant_query || query_each(query, route->tenant_query, same_tenant, &check);
}

static void print_security(const struct contract_operation *operation)
{
	if (operation->security_count == 0)
		fputs("public", stdout);
	for (size_t i = 0; i < operation->security_count; i++) {
		if (i)
			fputs(" or ", stdout);
		for (const char *const *scope = operation->security[i].scopes; *scope; scope++)
			printf("%s%s", scope == operation->security[i].scopes ? "" : "+", *scope);
	}
}

void routes_print(const struct routes *routes)
{
	for (size_t i = 0; i < routes->count; i++) {
		for (size_t k = 0; k < routes->services[i].count; k++) {
			const struct route *route = &routes->services[i].routes[k];
			const struct contract_operation *operation = route->operation;

			printf("%-7s %-60s %-14s %-28s %3d s %9zu  ", operation->method, operation->path,
				contract_name(routes->services[i].contract), operation->id, operation->timeout,
				operation->max_body);
			print_security(operation);
			puts(route->internal ? "  (siblings only: 404 from outside)" : "");
		}
	}
}
