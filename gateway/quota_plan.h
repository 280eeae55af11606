/* How many requests a minute whom: the defaults of the settings, and the clients and tenants that the file
 * PORTICO_LIMITS names. Part of what a reload replaces as a whole; immutable. */
#pragma once
#include "contract.h"
#include "limit.h"

struct quota_plan;

/* On failure NULL and *ret_error (free it) is one sentence. */
struct quota_plan *quota_plan_new(char **ret_error);
void quota_plan_free(struct quota_plan *plan);

struct limit quota_plan_address(const struct quota_plan *plan);
struct limit quota_plan_forged(const struct quota_plan *plan); /* tokens of one address */
struct limit quota_plan_subject(const struct quota_plan *plan);
/* alone: the client acts for itself, not for a person. */
struct limit quota_plan_client(const struct quota_plan *plan, const char *client, bool alone);
struct limit quota_plan_tenant(const struct quota_plan *plan, const char *tenant);
