/* Owns the fingerprint of a request and the stored form of an answer. Never decides what is idempotent: the contract
 * does. */
#include "replay.h"
#include <string.h>
#include "dispatch_state.h"
#include "idempotency.h"
#include "reply.h"
#include "scope.h"
#include "text.h"

/* SHA-256 over path, parameters and body. The key itself is a parameter, which does no harm: it is the same in a
 * repetition. */
static const char *fingerprint(struct request *rq)
{
	const char *parameters = json_sql(rq, rq->parameters);
	const char *body = rq->body_sha256 ? rq->body_sha256 : rq->body;
	const char *text = arena_printf(rq->arena, "%s\n%s\n%s", rq->path, parameters, body);
	char *hex = arena_alloc(rq->arena, TEXT_SHA256_MAX);

	text_sha256(hex, text, strlen(text));
	return hex;
}

static struct idempotency_call call_of(struct request *rq, const char *key)
{
	const char *who = rq->caller.subject ? rq->caller.subject : rq->caller.client;

	return (struct idempotency_call){ .caller = who ? who : "",
		.operation = rq->contract->id,
		.key = key,
		.fingerprint = rq->state->fingerprint };
}

static void answer_again(struct request *rq, const struct idempotency_answer *stored)
{
	json_auto_t *headers = stored->headers ? json_loads(stored->headers, 0, NULL) : NULL;
	const char *name;
	json_t *value;

	json_object_foreach(headers, name, value) reply_header(rq, name, json_string_value(value));
	reply_header(rq, "Idempotent-Replayed", "true");
	if (stored->body && *stored->body)
		reply_text(rq, stored->status, "application/json", stored->body);
	else
		reply_empty(rq, stored->status);
}

bool replay_enter(struct request *rq, const char *key)
{
	struct idempotency_call call;
	struct idempotency_answer stored;
	struct db_failure failure = { 0 };
	auto_result PGresult *result = NULL;
	struct db_transaction *transaction = request_transaction(rq);

	if (!transaction)
		return false;
	rq->state->fingerprint = fingerprint(rq);
	call = call_of(rq, key);
	switch (idempotency_begin(transaction, &call, &stored, &result, &failure)) {
	case IDEMPOTENCY_FRESH:
		return true;
	case IDEMPOTENCY_REPLAY:
		answer_again(rq, &stored);
		rq->state->replayed = true;
		return false;
	default:
		request_failed(rq, &failure);
		return false;
	}
}

void replay_keep(struct request *rq, const char *key)
{
	struct idempotency_call call = call_of(rq, key);
	struct db_failure failure = { 0 };
	json_auto_t *headers = json_object();
	struct idempotency_answer answer = { .status = rq->status };

	for (const struct reply_header *header = rq->reply_headers; header; header = header->next)
		json_object_set_new(headers, header->name, json_string(header->value));
	answer.headers = json_sql(rq, headers);
	answer.body = rq->reply_length ? rq->reply_body : NULL;
	if (!idempotency_store(rq->state->transaction, &call, &answer, &failure)) {
		reply_reset(rq);
		request_failed(rq, &failure);
	}
}
