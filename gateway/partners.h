/* The back ends of others: openapi/partners/NAME.yaml says whose it is and where it runs, and is served under the
 * prefix of that tenant. What is kept from such a back end, and from its answers. */
#pragma once
#include <stdbool.h>
#include "auth.h"
#include "http1.h"

struct rules;

struct partner {
	const char *tenant;  /* operators and partners of others may not call it */
	bool knows_caller;   /* gets Portico-Caller; not with x-caller: none */
	struct auth_key key; /* that signs it: the partner's own */
};

/* Adds the contracts of FOLDER/partners and their upstreams; there may be none. On failure false and *ret_error (free
 * it). */
bool partners_read(struct rules *rules, const char *folder, char **ret_error);

/* The fields that are between a client and us: cookies, whatever other credentials it sends, and our name. */
void partner_drop_ours(struct http1_head *head);
/* The fields of an answer that would act on all that is served under our name. */
void partner_drop_claims(struct http1_head *head);
