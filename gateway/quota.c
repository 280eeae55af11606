/* Which buckets a request is taken from, in which order, and the answer when one is empty. The arithmetic is limit.c's.
 */
#include "quota.h"
#include <stdio.h>
#include "answer.h"
#include "fingerprint.h"
#include "metrics.h"
#include "quota_plan.h"
#include "rules.h"

/* The tightest limit that was looked at is what the answer will tell of. False: this one is exhausted. */
static bool take(struct client *client, enum rate_per per, uint64_t key, struct limit limit)
{
	struct limit_state *told = &client->exchange.rate, state;

	if (!key || !limit.requests)
		return true;
	state = limit_take(client->worker->gateway->limits, quota_table(per), key, limit, client->worker->now_us);
	if (!told->known || !state.allowed || state.remaining < told->remaining)
		*told = state;
	return state.allowed;
}

static const char *window_name(struct limit limit)
{
	return limit.seconds == 60 ? "a minute" : limit.seconds == 3600 ? "an hour" : "a day";
}

static bool refuse(struct client *client, enum rate_per per, bool of_operation)
{
	const struct limit_state *rate = &client->exchange.rate;
	char detail[160];

	snprintf(detail, sizeof(detail), "the limit per %s%s is %u requests %s", rate_per_names[per],
		of_operation ? " of this operation" : "", rate->limit.requests, window_name(rate->limit));
	metrics_count("portico_gateway_limited_total", "per", rate_per_names[per]);
	answer_later(client, 429, "too-many-requests", detail, rate->retry_after);
	return false;
}

void quota_count(struct client *client)
{
	take(client, PER_ADDRESS, client->peer.key, quota_plan_address(client->worker->view->rules->plan));
}

bool quota_holds(struct client *client)
{
	const struct limit_state *rate = &client->exchange.rate;

	return !rate->known || rate->allowed || refuse(client, PER_ADDRESS, false);
}

static uint64_t forged_key(const struct client *client)
{
	return fingerprint_of_part(client->peer.key, "forged");
}

static struct limit forged_limit(const struct client *client)
{
	return quota_plan_forged(client->worker->view->rules->plan);
}

bool quota_admit_token(struct client *client)
{
	struct limit_state state = limit_look(client->worker->gateway->limits, LIMIT_ADDRESSES, forged_key(client),
		forged_limit(client), client->worker->now_us);

	if (state.allowed)
		return true;
	metrics_count("portico_gateway_limited_total", "per", "forged");
	answer_later(client, 429, "too-many-requests", "this address sends tokens whose signature does not hold",
		state.retry_after);
	return false;
}

void quota_count_forged(struct client *client)
{
	limit_take(client->worker->gateway->limits, LIMIT_ADDRESSES, forged_key(client), forged_limit(client),
		client->worker->now_us);
}

/* What the plan says of this caller: looked up once a token and reload, not once a request. */
static void follow_plan(struct principal *principal, const struct quota_plan *plan, unsigned generation)
{
	const struct caller *caller = &principal->caller;

	if (principal->plan_generation == generation + 1)
		return;
	principal->plan_generation = generation + 1;
	if (caller->subject)
		principal->limits[PER_SUBJECT] = quota_plan_subject(plan);
	if (caller->client)
		principal->limits[PER_CLIENT] = quota_plan_client(plan, caller->client, !caller->subject);
	if (caller->tenant)
		principal->limits[PER_TENANT] = quota_plan_tenant(plan, caller->tenant);
}

uint64_t quota_key(
	const struct client *client, const struct contract_operation *operation, const struct contract_rate *rate)
{
	uint64_t whose = rate->per == PER_ADDRESS ? client->peer.key : client->exchange.principal->keys[rate->per];
	char entry[] = { (char)('0' + (rate - operation->rates)), '\0' };

	if (!whose)
		return 0;
	whose = fingerprint_of_part(whose, operation->method);
	whose = fingerprint_of_part(whose, operation->path);
	return fingerprint_of_part(whose, entry);
}

static bool admit_to_operation(struct client *client)
{
	const struct contract_operation *operation = client->exchange.route->operation;

	for (size_t i = 0; i < operation->rate_count; i++) {
		const struct contract_rate *rate = &operation->rates[i];
		struct limit limit = { rate->requests, rate->seconds };

		if (!take(client, rate->per, quota_key(client, operation, rate), limit))
			return refuse(client, rate->per, true);
	}
	return true;
}

bool quota_admit(struct client *client)
{
	struct principal *principal = client->exchange.principal;

	follow_plan(principal, client->exchange.view->rules->plan, client->worker->rules_generation);
	for (enum rate_per per = PER_SUBJECT; per < PER_COUNT; per++) {
		if (!take(client, per, principal->keys[per], principal->limits[per]))
			return refuse(client, per, false);
		if (per == PER_SUBJECT && !admit_to_operation(client))
			return false;
	}
	return true;
}
