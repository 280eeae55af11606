/* The App IO: official services API v4. It has no idempotency key, so a message whose answer was lost is never sent
 * again by itself: one too few is told (technical-failure, the next channel goes), one too many cannot be taken back.
 */
#include <stdio.h>
#include <string.h>
#include "channel.h"
#include "service.h"
#include "shapes.h"

enum { MIN_SUBJECT = 10, MAX_SUBJECT = 120, MIN_MARKDOWN = 80, MAX_MARKDOWN = 10000, TIME_TO_LIVE = 604800 };

static json_t *keys; /* tenant → subscription key */

static bool start(void)
{
	json_error_t error;

	keys = json_loads(config("PORTICO_APPIO_KEYS"), JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(keys)) {
		fprintf(stderr, "notifications: PORTICO_APPIO_KEYS is not a JSON object of tenant and key\n");
		return false;
	}
	return true;
}

static const char *key_of(const char *tenant)
{
	return json_string_value(json_object_get(keys, tenant));
}

/* Only natural persons are on App IO: 16 characters. */
static const char *address(struct request *rq, const json_t *person, const json_t *sender)
{
	const char *code = json_text(person, "fiscalCode");

	return code && strlen(code) == 16 && rq->tenant && key_of(rq->tenant) ? code : NULL;
}

static const char *hint(struct request *rq, const char *code)
{
	return arena_printf(rq->arena, "%.3s*************", code);
}

static struct client_answer call(
	struct request *rq, const struct delivery *delivery, const char *path_below, const char *body)
{
	const char *key = key_of(delivery->tenant);
	const char *headers[] = { arena_printf(rq->arena, "Ocp-Apim-Subscription-Key: %s", key ? key : ""),
		"Content-Type: application/json", "Accept: application/json", NULL };

	return client_send(rq,
		&(struct client_call){ .url = arena_printf(rq->arena, "%s%s", config("PORTICO_APPIO_URL"), path_below),
			.headers = headers,
			.body = body,
			.timeout_ms = 10000 });
}

/* What every call of the API may answer besides success and "not on IO". */
static struct outcome refusal(struct request *rq, struct client_answer answer, const char *what)
{
	struct outcome outcome = { .kind = OUTCOME_TEMPORARY, .retry_after = answer.retry_after };

	outcome.answer = answer.status ? arena_printf(rq->arena, "%s: %d", what, answer.status)
				       : arena_printf(rq->arena, "%s: no answer", what);
	if (answer.status == 429) {
		outcome.kind = OUTCOME_LIMITED;
		outcome.retry_after = answer.retry_after ? answer.retry_after : 30;
	} else if (answer.status == 400 || answer.status == 413) {
		outcome.kind = OUTCOME_TECHNICAL; /* our message breaks their contract: the same again would, too */
	}
	return outcome;
}

static json_t *read_object(struct request *rq, struct client_answer answer)
{
	json_t *object = answer.body ? json_loads(answer.body, 0, NULL) : NULL;

	return arena_json(rq->arena, object);
}

/* Whether the person can be written to: 404 is "not on App IO". True leaves *ret_outcome alone. */
static bool reaches(struct request *rq, const struct delivery *delivery, struct outcome *ret_outcome)
{
	json_t *question = json_make(rq, "{s:s}", "fiscal_code", delivery->address);
	struct client_answer answer = call(rq, delivery, "/profiles", json_sql(rq, question));

	if (answer.status == 404) {
		*ret_outcome = (struct outcome){ .kind = OUTCOME_UNAVAILABLE, .answer = "not on App IO" };
		return false;
	}
	if (answer.status != 200) {
		*ret_outcome = refusal(rq, answer, "profile");
		return false;
	}
	if (!json_is_true(json_object_get(read_object(rq, answer), "sender_allowed"))) {
		*ret_outcome = (struct outcome){ .kind = OUTCOME_UNAVAILABLE,
			.answer = "the person has turned this sender off" };
		return false;
	}
	return true;
}

static const char *subject_of(struct request *rq, const struct delivery *delivery)
{
	const char *subject = delivery->subject;

	if (shape_length(subject) < MIN_SUBJECT)
		subject = arena_printf(rq->arena, "%s: %s", json_text(delivery->sender, "name"), subject);
	return shape_shorten(rq->arena, subject, MAX_SUBJECT);
}

/* The closing sentence also lifts the shortest text over the minimum. */
static const char *markdown_of(struct request *rq, const struct delivery *delivery)
{
	const char *closing = arena_printf(rq->arena,
		"\n\nQuesto messaggio arriva da %s. Trovi i dettagli e gli altri messaggi nella tua area "
		"personale%s%s\n",
		shape_markdown(rq->arena, json_text(delivery->sender, "name")), delivery->link ? ": " : ".",
		delivery->link ? delivery->link : "");
	const char *text = shape_markdown(rq->arena, delivery->text);

	_Static_assert(MIN_MARKDOWN < 90, "the closing sentence alone must reach the minimum");
	return arena_printf(
		rq->arena, "%s%s", shape_shorten(rq->arena, text, MAX_MARKDOWN - shape_length(closing)), closing);
}

static const char *message_of(struct request *rq, const struct delivery *delivery)
{
	json_t *content = json_make(rq, "{s:s s:s s:s*}", "subject", subject_of(rq, delivery), "markdown",
		markdown_of(rq, delivery), "due_date", delivery->due_at);
	json_t *message = json_make(rq, "{s:s s:i s:s s:O}", "fiscal_code", delivery->address, "time_to_live",
		TIME_TO_LIVE, "feature_level_type", "STANDARD", "content", content);

	if (json_int(delivery->payment, "amount.amount") > 0)
		json_object_set(content, "payment_data",
			json_make(rq, "{s:s s:I s:b s:{s:s}}", "notice_number",
				json_text(delivery->payment, "noticeNumber"), "amount",
				(json_int_t)json_int(delivery->payment, "amount.amount"), "invalid_after_due_date", 0,
				"payee", "fiscal_code", json_text(delivery->payment, "payeeFiscalCode")));
	return json_sql(rq, message);
}

/* The id becomes part of a path later: what is no plain id is not followed. */
static const char *plain_id(const char *id)
{
	size_t length = id ? strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") : 0;

	return length && length <= 80 && !id[length] ? id : NULL;
}

static struct outcome deliver(struct request *rq, const struct delivery *delivery)
{
	struct outcome outcome = { 0 };
	struct client_answer answer;

	if (!reaches(rq, delivery, &outcome))
		return outcome;
	if (!delivery_begin_handover(rq, delivery, "app-io"))
		return (struct outcome){ .kind = OUTCOME_TEMPORARY, .answer = "taken over by another worker" };
	answer = call(rq, delivery, "/messages", message_of(rq, delivery));
	if (answer.status == 201)
		return (struct outcome){ .kind = OUTCOME_SENT,
			.answer = "201 taken",
			.reference = plain_id(json_text(read_object(rq, answer), "id")) };
	if (answer.status == 0 || answer.status == 504)
		return (struct outcome){ .kind = OUTCOME_TECHNICAL,
			.answer = "message: no answer, perhaps taken; not repeated" };
	if (answer.status == 403)
		return (struct outcome){ .kind = OUTCOME_UNAVAILABLE, .answer = "message: 403" };
	return refusal(rq, answer, "message");
}

/* "Taken" is not "delivered": the person may have turned the sender off between the two. */
static struct outcome follow(struct request *rq, const struct delivery *delivery)
{
	struct client_answer answer = call(rq, delivery,
		arena_printf(rq->arena, "/messages/%s/%s", delivery->address, delivery->provider_reference), NULL);
	const char *status = answer.status == 200 ? json_text(read_object(rq, answer), "status") : NULL;

	if (answer.status == 429)
		return refusal(rq, answer, "status");
	if (!status)
		return (struct outcome){ .kind = OUTCOME_PENDING, .answer = "201 taken" };
	if (strcmp(status, "PROCESSED") == 0)
		return (struct outcome){ .kind = OUTCOME_DELIVERED, .answer = status };
	if (strcmp(status, "REJECTED") == 0)
		return (struct outcome){ .kind = OUTCOME_UNAVAILABLE, .answer = status };
	if (strcmp(status, "FAILED") == 0)
		return (struct outcome){ .kind = OUTCOME_TECHNICAL, .answer = status };
	return (struct outcome){ .kind = OUTCOME_PENDING, .answer = "201 taken" };
}

const struct channel appio_channel = {
	.name = "app-io", .start = start, .address = address, .hint = hint, .deliver = deliver, .follow = follow
};
