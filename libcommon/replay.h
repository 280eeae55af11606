/* Between the dispatcher and idempotency.h: what makes two requests the same, and how an answer is kept and given
 * again. */
#pragma once
#include <stdbool.h>

struct request;

/* Opens the request's transaction under its Idempotency-Key. False: already answered (the stored answer, 409, 422 or
 * 503). */
bool replay_enter(struct request *rq, const char *key);

/* Keeps the answer in the same transaction; when that fails the request is answered with the failure. */
void replay_keep(struct request *rq, const char *key);
