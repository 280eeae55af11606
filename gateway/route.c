/* The route table: the operations of all contracts in one tree. Reads contracts at start and never changes afterwards.
 */
#include "route.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "contract_paths.h"
#include "metrics.h"
#include "path.h"

enum { MAX_CONTRACTS = 66 };

struct service_routes {
	struct contract *contract;
	const struct partner *partner;
	struct route *routes; /* one for each operation */
	size_t count;
};

struct routes {
	struct arena *arena;
	struct path_tree *tree;
	size_t count;
	struct service_routes services[MAX_CONTRACTS];
};

static bool names_tenant(const char *parameter)
{
	return strcmp(parameter, "tenant") == 0 || strcmp(parameter, "tenantId") == 0;
}

bool route_only_for_siblings(const struct contract_operation *operation)
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

/* acme.showMeter: an operation of a partner may be called like one of ours. */
static const char *name_of(const struct contract *contract, const struct contract_operation *operation)
{
	const char *slash = strrchr(contract_name(contract), '/');
	char name[200];

	snprintf(name, sizeof(name), "%s%s%s", slash ? slash + 1 : "", slash ? "." : "", operation->id);
	return metrics_operation(name);
}

static void note_tenant(struct route *route, const struct contract_operation *operation)
{
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

static bool note_level(struct route *route, const struct contract *contract, char **ret_error)
{
	const json_t *level = json_object_get(route->operation->definition, "x-min-acr");

	route->min_level = level_of(json_string_value(level));
	if (!level || (route->min_level && route->operation->security_count))
		return true;
	if (asprintf(ret_error, "%s.yaml: 'x-min-acr' of %s must be one of %s, and the operation not public",
		    contract_name(contract), route->operation->id, level_and_above(LEVEL_1)) < 0)
		abort();
	return false;
}

/* What is for siblings only keeps its place in the tree: a more general path must not answer for it. */
static bool add_operations(
	struct routes *routes, struct service_routes *service, size_t index_of_service, char **ret_error)
{
	const struct contract_operation *operations = contract_operations(service->contract, &service->count);

	service->routes = arena_alloc(routes->arena, (service->count + 1) * sizeof(*service->routes));
	for (size_t i = 0; i < service->count; i++) {
		struct route *route = &service->routes[i];

		*route = (struct route){ .operation = &operations[i],
			.name = name_of(service->contract, &operations[i]),
			.service = index_of_service,
			.partner = service->partner,
			.internal = route_only_for_siblings(&operations[i]) };
		note_tenant(route, &operations[i]);
		if (!note_level(route, service->contract, ret_error))
			return false;
		path_tree_add(routes->tree, operations[i].path, operations[i].method, route->internal ? NULL : route);
	}
	return true;
}

static bool lies_within(const char *path, const char *base)
{
	size_t length = strlen(base);

	return length && strncmp(path, base, length) == 0 && (path[length] == '/' || !path[length]);
}

/* No contract has its paths among those of another; that of the gateway itself has single ones at the root. */
static bool has_own_base(const struct routes *routes, const struct contract *contract, char **ret_error)
{
	const char *base = contract_base_path(contract);

	for (size_t i = 0; i < routes->count; i++) {
		const struct contract *other = routes->services[i].contract;
		const char *taken = contract_base_path(other);

		if (!lies_within(base, taken) && !lies_within(taken, base))
			continue;
		if (asprintf(ret_error, "%s and %s claim the same paths: %s and %s", contract_name(other),
			    contract_name(contract), taken, base) < 0)
			abort();
		return false;
	}
	return true;
}

static bool has_place(const struct routes *routes, char **ret_error)
{
	if (routes->count == MAX_CONTRACTS &&
		asprintf(ret_error, "there are more than %d contracts", MAX_CONTRACTS) < 0)
		abort();
	return routes->count < MAX_CONTRACTS;
}

static const struct partner *copy(struct arena *arena, const struct partner *partner)
{
	struct partner *copied = partner ? arena_alloc(arena, sizeof(*copied)) : NULL;

	if (copied)
		*copied = *partner;
	return copied;
}

bool routes_add(struct routes *routes, struct contract *contract, size_t service, const struct partner *partner,
	char **ret_error)
{
	struct service_routes *added = &routes->services[routes->count];

	if (!has_place(routes, ret_error) || !has_own_base(routes, contract, ret_error)) {
		contract_free(contract);
		return false;
	}
	added->contract = contract;
	added->partner = copy(routes->arena, partner);
	routes->count++;
	return add_operations(routes, added, service, ret_error);
}

void routes_finish(struct routes *routes)
{
	path_tree_finish(routes->tree);
}

struct routes *routes_new(void)
{
	struct routes *routes = calloc(1, sizeof(*routes));

	if (!routes)
		abort();
	routes->arena = arena_new();
	routes->tree = path_tree_new(routes->arena);
	return routes;
}

const struct contract *routes_contract(const struct routes *routes, size_t index, const struct partner **ret_partner)
{
	if (index >= routes->count)
		return NULL;
	*ret_partner = routes->services[index].partner;
	return routes->services[index].contract;
}

void routes_free(struct routes *routes)
{
	if (!routes)
		return;
	for (size_t i = 0; i < routes->count; i++)
		contract_free(routes->services[i].contract);
	arena_free(routes->arena);
	free(routes);
}

const struct route *route_find(const struct routes *routes, const char *method, const char *path, size_t length,
	struct path_values *ret_values, const char **ret_allow)
{
	return path_tree_find(routes->tree, method, path, length, ret_values, ret_allow);
}

void routes_each(const struct routes *routes, void (*visit)(void *context, const struct route *route), void *context)
{
	for (size_t i = 0; i < routes->count; i++) {
		for (size_t k = 0; k < routes->services[i].count; k++)
			visit(context, &routes->services[i].routes[k]);
	}
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

static void print_conditions(const struct route *route)
{
	if (route->min_level)
		printf("  login of level %d", route->min_level);
	if (route->partner)
		printf("  back end of %s%s", route->partner->tenant,
			route->partner->knows_caller ? "" : ", which is not told who calls");
	puts(route->internal ? "  (siblings only: 404 from outside)" : "");
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
			print_conditions(route);
		}
	}
}
