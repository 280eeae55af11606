/* What a caller sees of the own limits: the same buckets that quota.c takes from, looked at. */
#include <stdio.h>
#include <stdlib.h>
#include "answer.h"
#include "quota.h"
#include "quota_plan.h"
#include "rules.h"

struct listing {
	struct client *client;
	json_t *items;
};

static void add(const struct listing *listing, enum rate_per per, const struct contract_operation *operation,
	uint64_t key, struct limit limit)
{
	const struct worker *worker = listing->client->worker;
	struct limit_state state;
	json_t *item;

	if (!key || !limit.requests)
		return;
	state = limit_look(worker->gateway->limits, quota_table(per), key, limit, worker->now_us);
	item = json_pack("{s:s s:i s:i s:i s:i}", "per", rate_per_names[per], "requests", (int)limit.requests, "window",
		(int)limit.seconds, "remaining", (int)state.remaining, "reset", (int)state.reset);
	if (operation)
		json_object_set_new(item, "operation", json_sprintf("%s %s", operation->method, operation->path));
	if (!state.allowed)
		json_object_set_new(item, "retryAfter", json_integer(state.retry_after));
	json_array_append_new(listing->items, item);
}

static void add_operation(void *context, const struct route *route)
{
	const struct listing *listing = context;
	const struct contract_operation *operation = route->operation;

	if (!auth_allows(operation, &listing->client->exchange.principal->caller))
		return;
	for (size_t i = 0; i < operation->rate_count; i++) {
		const struct contract_rate *rate = &operation->rates[i];

		add(listing, rate->per, operation, quota_key(listing->client, operation, rate),
			(struct limit){ rate->requests, rate->seconds });
	}
}

void quota_answer(struct client *client)
{
	const struct principal *principal = client->exchange.principal;
	const struct rules *rules = client->exchange.view->rules;
	struct listing listing = { client, json_array() };
	json_t *page = json_pack("{s:o}", "items", listing.items);
	char *text;

	add(&listing, PER_ADDRESS, NULL, client->peer.key, quota_plan_address(rules->plan));
	for (enum rate_per per = PER_SUBJECT; per < PER_COUNT; per++)
		add(&listing, per, NULL, principal->keys[per], principal->limits[per]);
	routes_each(rules->routes, add_operation, &listing);
	text = json_dumps(page, JSON_COMPACT);
	json_decref(page);
	if (!text)
		abort();
	answer_page(client, 200, "application/json", text);
}
