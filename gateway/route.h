/* From method and path to the operation of a contract, with what the gateway must know of it worked out once at start.
 * All contracts are in one tree of paths. */
#pragma once
#include "contract.h"

struct route {
	const struct contract_operation *operation;
	const char *metric;	  /* operationId, for as long as the process lives */
	size_t service;		  /* index of the upstream service */
	bool internal;		  /* for sibling services only: from outside it does not exist */
	bool tenant_in_path;	  /* has a parameter that names a tenant: it must be the caller's own */
	const char *tenant_query; /* name of the query parameter that does, or NULL */
};

struct routes;

/* The contract of each name, from DIRECTORY/NAME.yaml. On failure NULL and *ret_error (free it). */
struct routes *routes_new(const char *directory, const char *const *names, size_t count, char **ret_error);
void routes_free(struct routes *routes);

/* The route of method and decoded path. NULL: 404 when *ret_allow is NULL, else 405 with it as Allow. Does not
 * allocate. */
const struct route *route_find(const struct routes *routes, const char *method, const char *path, size_t length,
	struct path_values *ret_values, const char **ret_allow);

/* True when every value in the path that names a tenant is tenant. */
bool route_tenant_matches(
	const struct route *route, const struct path_values *values, const char *query, const char *tenant);

void routes_each(const struct routes *routes, void (*visit)(void *context, const struct route *route), void *context);
void routes_print(const struct routes *routes);
