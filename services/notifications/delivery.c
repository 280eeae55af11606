/* The way of a delivery whatever its channel: claimed (committed), handed over with no transaction open, settled. Also
 * plans who is reached how. Knows no provider. */
#include "delivery.h"
#include <stdio.h>
#include <string.h>
#include "channel.h"
#include "metrics.h"
#include "notifications.sql.h"
#include "service.h"

static bool lists(const json_t *names, const char *name)
{
	const json_t *entry;
	size_t index;

	json_array_foreach(names, index, entry)
	{
		if (json_is_string(entry) && strcmp(json_string_value(entry), name) == 0)
			return true;
	}
	return false;
}

/* Chosen by the author when the author limits it, else by the person. */
static bool is_chosen(const struct channel *channel, const json_t *person, const json_t *wanted)
{
	const json_t *preferred = json_at(person, "delivery.channels");

	if (json_is_array(wanted))
		return lists(wanted, channel->name);
	return !json_is_array(preferred) || lists(preferred, channel->name);
}

/* When nobody chosen reaches the person, the first in reserve goes at once. */
static void release_first(json_t *plan)
{
	json_t *entry;
	size_t index;

	json_array_foreach(plan, index, entry)
	{
		if (json_is_false(json_object_get(entry, "standby")))
			return;
	}
	if (json_array_size(plan))
		json_object_set_new(json_array_get(plan, 0), "standby", json_false());
}

/* Limited to nothing, or to the inbox: not even in reserve. */
static bool goes_out(const json_t *wanted)
{
	if (!json_is_array(wanted))
		return true;
	for (const struct channel *const *channel = channels; *channel; channel++) {
		if (lists(wanted, (*channel)->name))
			return true;
	}
	return false;
}

const char *plan_deliveries(struct request *rq, const json_t *person, const json_t *sender, const json_t *wanted)
{
	json_t *plan = json_make(rq, "[]");
	const char *quiet_from = json_text(person, "delivery.quiet.from"),
		   *quiet_to = json_text(person, "delivery.quiet.to");

	for (const struct channel *const *channel = channels; *channel && goes_out(wanted); channel++) {
		const char *address = (*channel)->address(rq, person, sender);

		if (address)
			json_array_append(
				plan, json_make(rq, "{s:s s:s s:s s:b s:s? s:s?}", "channel", (*channel)->name,
					      "address", address, "hint", (*channel)->hint(rq, address), "standby",
					      !is_chosen(*channel, person, wanted), "quiet_from", quiet_from,
					      "quiet_to", quiet_to));
	}
	release_first(plan);
	return json_sql(rq, plan);
}

static const char *const outcome_names[] = { [OUTCOME_SENT] = "sent",
	[OUTCOME_PENDING] = "pending",
	[OUTCOME_DELIVERED] = "delivered",
	[OUTCOME_TEMPORARY] = "temporary",
	[OUTCOME_LIMITED] = "limited",
	[OUTCOME_UNAVAILABLE] = "unavailable",
	[OUTCOME_PERMANENT] = "permanent",
	[OUTCOME_TECHNICAL] = "technical" };

static struct delivery read_delivery(const json_t *claimed)
{
	return (struct delivery){ .tenant = json_text(claimed, "tenant"),
		.notice = json_text(claimed, "notice"),
		.claim = json_text(claimed, "claim"),
		.address = json_text(claimed, "address"),
		.subject = json_text(claimed, "subject"),
		.text = json_text(claimed, "text"),
		.link = json_text(claimed, "link"),
		.due_at = json_text(claimed, "dueAt"),
		.layout = json_text(claimed, "layout"),
		.provider_reference = json_text(claimed, "providerReference"),
		.created_at = json_int(claimed, "createdAt"),
		.payment = json_at(claimed, "payment"),
		.sender = json_at(claimed, "sender") };
}

static struct outcome hand_over(struct request *rq, const struct channel *channel, const json_t *claimed)
{
	struct delivery delivery = read_delivery(claimed);

	if (json_is_true(json_object_get(claimed, "sent")))
		return channel->follow ? channel->follow(rq, &delivery) : (struct outcome){ .kind = OUTCOME_SENT };
	if (json_is_true(json_object_get(claimed, "interrupted")))
		return (struct outcome){ .kind = OUTCOME_TECHNICAL,
			.answer = "interrupted, perhaps taken; not repeated" };
	return channel->deliver(rq, &delivery);
}

bool delivery_begin_handover(struct request *rq, const struct delivery *delivery, const char *channel)
{
	json_t *marked =
		sql_maybe(rq, SQL_MARK_HANDED_OVER, delivery->tenant, delivery->notice, channel, delivery->claim);

	return marked && !json_is_null(marked);
}

static bool settle(struct request *rq, const struct channel *channel, const json_t *claimed, struct outcome outcome)
{
	char pause[16];

	snprintf(pause, sizeof pause, "%d", outcome.retry_after);
	return sql_done(rq, SQL_SETTLE_DELIVERY, json_text(claimed, "tenant"), json_text(claimed, "notice"),
		channel->name, json_text(claimed, "claim"), outcome_names[outcome.kind], outcome.answer,
		outcome.reference, pause);
}

int deliver_next(struct request *rq)
{
	const struct channel *channel = channel_by_name(rq->path + strlen("deliver_"));
	json_t *claimed = sql_maybe(rq, SQL_CLAIM_DELIVERY, channel->name);
	struct outcome outcome;

	if (!claimed)
		return rq->status;
	if (json_is_null(claimed))
		return reply_empty(rq, 204);
	if (json_is_true(json_at(claimed, "quiet")))
		return reply_empty(rq, 200);
	outcome = hand_over(rq, channel, claimed);
	metrics_count("portico_deliveries_total", "outcome", outcome_names[outcome.kind]);
	if (!settle(rq, channel, claimed, outcome))
		return rq->status;
	return reply_empty(rq, 200);
}
