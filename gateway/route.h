/* From method and path to the operation of a contract, with what the gateway must know of it worked out once at start.
 * All contracts are in one tree of paths. */
#pragma once
#include "contract.h"
#include "level.h"
#include "partners.h"

struct route {
	const struct contract_operation *operation;
	const char *name; /* operationId, of a partner with its name before it; for as long as the process lives */
	size_t service;	  /* index of the upstream service */
	const struct partner *partner; /* whose back end it is; NULL: a service of ours */
	enum level min_level;	       /* x-min-acr */
	bool internal;		       /* for sibling services only: from outside it does not exist */
	bool tenant_in_path;	       /* has a parameter that names a tenant: it must be the caller's own */
	const char *tenant_query;      /* name of the query parameter that does, or NULL */
};

struct routes;

struct routes *routes_new(void);
void routes_free(struct routes *routes);

/* Takes the contract over, also on failure, which is false and *ret_error (free it). partner is copied; NULL for a
 * service of ours. routes_finish() comes after the last one. */
bool routes_add(struct routes *routes, struct contract *contract, size_t service, const struct partner *partner,
	char **ret_error);
void routes_finish(struct routes *routes);

/* The contracts in the order in which they were added; NULL after the last. */
const struct contract *routes_contract(const struct routes *routes, size_t index, const struct partner **ret_partner);

/* True when sibling services are the only ones who may call it. */
bool route_only_for_siblings(const struct contract_operation *operation);

/* The route of method and decoded path. NULL: 404 when *ret_allow is NULL, else 405 with it as Allow. Does not
 * allocate. */
const struct route *route_find(const struct routes *routes, const char *method, const char *path, size_t length,
	struct path_values *ret_values, const char **ret_allow);

/* True when every value in the path that names a tenant is tenant. */
bool route_tenant_matches(
	const struct route *route, const struct path_values *values, const char *query, const char *tenant);

void routes_each(const struct routes *routes, void (*visit)(void *context, const struct route *route), void *context);
void routes_print(const struct routes *routes);
