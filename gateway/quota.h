/* What a request counts against: the limits per address, subject, client and tenant that hold everywhere
 * (quota_plan.h), and those of its operation (x-rate). From narrow to wide, and no further than the first that is
 * exhausted: what a single caller sends beyond its own limit takes nothing from the others of its tenant. */
#pragma once
#include "exchange.h"

/* Takes from the limit of its address. Each request counts, also those that turn out to be none. */
void quota_count(struct client *client);
/* False: it is over that limit, and was answered with 429. */
bool quota_holds(struct client *client);
/* Tokens whose signature does not hold cost more than any other refusal: an address that sends many has none looked at
 * for a while, but those that are known. False: it was answered with 429. */
bool quota_admit_token(struct client *client);
void quota_count_forged(struct client *client);
/* Takes from all the other limits, once route and caller are known. False: as above. */
bool quota_admit(struct client *client);

static inline enum limit_table quota_table(enum rate_per per)
{
	return per == PER_ADDRESS ? LIMIT_ADDRESSES : LIMIT_CALLERS;
}

/* The bucket of an entry of an operation's x-rate, for this caller; 0: it does not count him. */
uint64_t quota_key(
	const struct client *client, const struct contract_operation *operation, const struct contract_rate *rate);
/* GET /limits: the caller's, and what is left of each. */
void quota_answer(struct client *client);
