/* Owns the database side of webhooks: which subscriptions there are, what is due, what became of it. Everything is in
 * the database until it is settled there, so whoever leads next sends what this process did not; a delivery that was on
 * its way then may arrive twice, never not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "db_connection.h"
#include "notifications.sql.h"
#include "seal.h"
#include "service.h"
#include "session.h"
#include "tasks.h"
#include "webhook.h"

enum { HEALTH_EVERY_MS = 5000 };
static const char purpose[] = "portico webhook secrets, 1";

static const char *label(struct request *rq, const char *tenant, const char *client)
{
	return arena_printf(rq->arena, "%s/%s", tenant, client);
}

const char *webhook_seal(struct request *rq, const char *tenant, const char *client, const char *secret)
{
	return seal_text(rq->arena, config("PORTICO_SEAL_SECRET"), purpose, label(rq, tenant, client), secret);
}

static bool read_secret(struct request *rq, const json_t *row, const char *member, unsigned char bytes[SECRET_BYTES])
{
	const char *sealed = json_text(row, member), *opened = NULL;

	if (sealed)
		opened = seal_open(rq->arena, config("PORTICO_SEAL_SECRET"), purpose,
			label(rq, json_text(row, "tenant"), json_text(row, "client")), sealed);
	return opened && webhook_secret_bytes(opened, bytes);
}

static struct hook *hook_new(const json_t *row)
{
	struct hook *hook = calloc(1, sizeof *hook);

	if (!hook)
		abort();
	hook->tenant = strdup(json_text(row, "tenant"));
	hook->id = strdup(json_text(row, "id"));
	hook->client = strdup(json_text(row, "client"));
	hook->failures = hook->stored_failures = (int)json_int(row, "failures");
	hook->last = &hook->first;
	hook->next = hooks;
	return hooks = hook;
}

/* With the lock held. */
static void renew(struct request *rq, const json_t *row)
{
	struct hook *hook = hook_by_id(json_text(row, "id"));
	const char *url = json_text(row, "url");

	if (!hook)
		hook = hook_new(row);
	if (!hook->url || strcmp(hook->url, url) != 0) {
		free(hook->url);
		hook->url = strdup(url);
		hook->closed_until = 0; /* a new address is tried at once */
	}
	hook->concurrency = (int)json_int(row, "concurrency");
	hook->has_secondary = read_secret(rq, row, "secondary", hook->secrets[1]);
	hook->gone = !read_secret(rq, row, "secret", hook->secrets[0]);
	if (hook->gone)
		log_error("the secret of a webhook cannot be opened", "{s:s}", "subscription", hook->id);
}

int load_subscriptions(struct request *rq)
{
	json_t *found = session_leads() ? sql_row(rq, SQL_LOAD_SUBSCRIPTIONS) : json_make(rq, "{}"), *row;
	size_t index;

	if (!found)
		return rq->status;
	webhooks_lock();
	for (struct hook *hook = hooks; hook; hook = hook->next)
		hook->gone = true;
	json_array_foreach(json_at(found, "items"), index, row) renew(rq, row);
	hooks_clean();
	webhooks_unlock();
	tasks_wake("keep-webhooks");
	return reply_empty(rq, 204);
}

/* What the feed says of one attempt. */
static json_t *attempt_json(struct request *rq, const struct call *call)
{
	time_t seconds = (time_t)call->began;
	char at[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", &tm);
	json_t *attempt = json_make(rq, "{s:s s:i s:s*}", "at",
		arena_printf(rq->arena, "%s.%03dZ", at, (int)((call->began - (double)seconds) * 1000)), "latencyMs",
		call->latency_ms, "error", *call->error ? call->error : NULL);
	if (call->status)
		json_object_set_new(attempt, "status", json_integer(call->status));
	return attempt;
}

static const char *failure_text(struct request *rq, const struct call *call)
{
	if (call->ok)
		return NULL;
	return *call->error ? call->error : arena_printf(rq->arena, "It answered %d.", call->status);
}

/* How the endpoint does, when that is new. health is by the id of the subscription. */
static void add_health(struct request *rq, json_t *health, const struct call *call)
{
	const struct hook *hook = call->hook;
	json_t *known = json_object_get(health, hook->id);
	const char *error = failure_text(rq, call);

	if (!known && hook->failures == 0 && hook->stored_failures == 0 && !hook->back && call->ok &&
		monotonic_ms() - hook->stored_at < HEALTH_EVERY_MS)
		return;
	if (!known) {
		known = json_make(rq, "{s:s s:s s:i s:b s:b}", "tenant", hook->tenant, "id", hook->id, "failures",
			hook->failures, "ok", false, "back", hook->back);
		json_object_set(health, hook->id, known);
	}
	if (call->ok)
		json_object_set_new(known, "ok", json_true());
	if (error)
		json_object_set_new(known, "error", json_string(error));
}

static json_t *outcome_json(struct request *rq, const struct call *call)
{
	return json_make(rq, "{s:s s:s s:s s:b s:i s:i s:O}", "tenant", call->hook->tenant, "subscription",
		call->hook->id, "id", call->id, "ok", call->ok, "attempts", call->attempts, "wait", call->retry_after,
		"attempt", attempt_json(rq, call));
}

/* With the lock held: what was told is in the database now. */
static void forget(struct call *outcomes, const json_t *health)
{
	while (outcomes) {
		struct call *call = outcomes;
		struct hook *hook = call->hook;
		const json_t *told = json_object_get(health, hook->id);

		outcomes = call->next;
		if (told) {
			hook->stored_failures = (int)json_int(told, "failures");
			hook->stored_at = monotonic_ms();
			hook->back = hook->back && !json_is_true(json_at(told, "back"));
		}
		call_forget(call);
	}
	hooks_clean();
}

static const char *values_of(struct request *rq, json_t *by_name)
{
	json_t *list = json_make(rq, "[]"), *value;
	const char *name;

	json_object_foreach(by_name, name, value) json_array_append(list, value);
	return json_sql(rq, list);
}

/* True when there was something to settle, and it is. */
static bool settle(struct request *rq)
{
	json_t *told = json_make(rq, "[]"), *health = json_make(rq, "{}");
	struct call *outcomes;
	bool stored;

	webhooks_lock();
	outcomes = outcomes_take();
	for (const struct call *call = outcomes; call; call = call->next) {
		json_array_append(told, outcome_json(rq, call));
		add_health(rq, health, call);
	}
	webhooks_unlock();
	if (!outcomes)
		return false;
	stored = sql_row(rq, SQL_SETTLE_DELIVERIES, json_sql(rq, told), values_of(rq, health)) != NULL;
	webhooks_lock();
	if (stored)
		forget(outcomes, health);
	else
		outcomes_give_back(outcomes);
	webhooks_unlock();
	return stored;
}

/* So many of each are asked for that those that are known already do not stand in the way of the others. */
static json_t *wanted(struct request *rq)
{
	json_t *list = json_make(rq, "[]");
	long long now = monotonic_ms();

	webhooks_lock();
	for (const struct hook *hook = hooks; hook; hook = hook->next) {
		int room = hook_is_down(hook) ? 1 - hook->known : HOOK_QUEUE - hook->known;

		if (room > 0 && hook_may_send(hook, now))
			json_array_append(list, json_make(rq, "{s:s s:s s:i}", "tenant", hook->tenant, "id", hook->id,
							"room", room + hook->known));
	}
	webhooks_unlock();
	return list;
}

/* True when there is something new to send. */
static bool load_due(struct request *rq)
{
	json_t *list = wanted(rq), *due = NULL, *row;
	bool any = false;
	size_t index;

	if (json_array_size(list))
		due = sql_row(rq, SQL_DUE_DELIVERIES, json_sql(rq, list));
	webhooks_lock();
	json_array_foreach(json_at(due, "items"), index, row)
	{
		struct hook *hook = hook_by_id(json_text(row, "subscription"));
		const char *id = json_text(row, "id");

		if (!hook || hook->gone || hook->known >= HOOK_QUEUE || hook_find(hook, id))
			continue;
		hook_queue(hook, id, (int)json_int(row, "attempts"), json_text(row, "body"));
		any = true;
	}
	webhooks_unlock();
	return any;
}

/* What is new goes out before what is over is written down. */
int keep_webhooks(struct request *rq)
{
	bool loaded = session_leads() && load_due(rq), settled;

	if (loaded)
		sender_wake();
	rq->status = 0;
	settled = settle(rq);
	rq->status = 0;
	return reply_empty(rq, settled || loaded ? 200 : 204);
}
