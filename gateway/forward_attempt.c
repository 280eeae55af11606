/* The tries of one request: it waits for a connection, goes to a replica, and once more to another one when that may
 * have no second effect and there is budget for it. All of it has one deadline, that of the operation. */
#include <string.h>
#include "answer.h"
#include "forward_parts.h"

enum { LOOK_MS = 500 };

static bool fail_for_now(struct client *client, const char *detail, int64_t pause)
{
	forward_abandon(client);
	answer_later(client, 503, "unavailable", detail, (unsigned)((pause + 999) / 1000));
	return false;
}

static bool fail_broken(struct client *client)
{
	return forward_fail(client, 502, "bad-gateway", "the service broke off before it had answered");
}

static bool is_late(const struct client *client)
{
	return client->exchange.deadline && client->worker->now >= client->exchange.deadline;
}

static bool fail_late(struct client *client)
{
	return forward_fail(client, 504, "gateway-timeout", "the service did not answer in time");
}

bool forward_acquire(struct client *client)
{
	struct upstream_pool *pool = forward_pool(client);

	if (is_late(client))
		return fail_late(client);
	switch (upstream_acquire(pool, client)) {
	case UPSTREAM_GIVEN:
	case UPSTREAM_QUEUED:
		return true;
	case UPSTREAM_FULL:
		return forward_crowded(client);
	case UPSTREAM_DOWN:
		break;
	}
	if (client->exchange.retries)
		return fail_broken(client);
	return fail_for_now(client, "the service cannot be reached; nothing was done", upstream_pause(pool));
}

bool forward_crowded(struct client *client)
{
	if (client->exchange.retries)
		return fail_broken(client);
	return fail_for_now(client, "the service has more requests than it can take; nothing was done", 1000);
}

/* Nothing was sent, so any request may go elsewhere. */
void forward_unconnected(struct client *client)
{
	upstream_failed(client, FAILURE_CONNECT);
	client->exchange.unconnected |= 1u << client->exchange.upstream->replica;
	upstream_release(client, false);
}

static bool may_go_again(const struct exchange *exchange)
{
	return !exchange->answer_begun && exchange->idempotent && exchange->replayable && !exchange->retries;
}

static void go_again(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	exchange->failed |= 1u << exchange->upstream->replica;
	exchange->retries++;
	upstream_release(client, false);
	exchange->sent = exchange->send_failed = false;
	exchange->to_upstream.start = 0;
}

bool forward_broke(struct client *client)
{
	upstream_failed(client, FAILURE_BROKEN);
	if (!may_go_again(&client->exchange) || !upstream_may_retry(client))
		return fail_broken(client);
	go_again(client);
	worker_schedule(client->worker, client);
	return true;
}

/* A request that only reads, and whose answer may still come from elsewhere when its replica turns out to hang. */
static bool may_move(const struct exchange *exchange)
{
	return may_go_again(exchange) && exchange->sent &&
	       (strcmp(exchange->method, "GET") == 0 || strcmp(exchange->method, "HEAD") == 0);
}

int64_t forward_answer_deadline(const struct client *client)
{
	const struct exchange *exchange = &client->exchange;
	int64_t look = client->worker->now + LOOK_MS;

	return may_move(exchange) && look < exchange->deadline ? look : exchange->deadline;
}

void forward_overdue(struct client *client)
{
	struct exchange *exchange = &client->exchange;

	if (is_late(client)) {
		upstream_failed(client, FAILURE_TIMEOUT);
		fail_late(client);
	} else if (!upstream_is_sound(client) && upstream_has_another(client)) {
		if (upstream_may_retry(client)) {
			upstream_failed(client, FAILURE_TIMEOUT);
			go_again(client);
		} else {
			exchange->replayable = false; /* it stays where it is */
		}
	}
}

/* In the place that put_request() kept for it. */
void forward_stamp_deadline(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	int64_t left = exchange->deadline ? exchange->deadline - client->worker->now : forward_timeout(exchange);

	if (exchange->stamped)
		return;
	exchange->stamped = true;
	for (size_t i = DEADLINE_DIGITS; i-- > 0; left /= 10)
		exchange->to_upstream.data[exchange->deadline_at + i] = (char)('0' + (left > 0 ? left % 10 : 0));
}
