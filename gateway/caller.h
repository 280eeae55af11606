/* Who calls, once the token is verified: shared by all requests that carry the same token in this worker. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "auth.h"
#include "contract.h"
#include "limit.h"

struct principal {
	unsigned references; /* of one worker, so no atomics */
	struct caller caller;
	char *strings; /* what those of caller point into; NULL for nobody */
	char *header;  /* the value of Portico-Caller */
	size_t header_length;
	char *log_members;	  /* "kind":"citizen","subject":"…" for the access log */
	time_t issued, expires;	  /* of the token */
	uint64_t keys[PER_COUNT]; /* fingerprints of subject (or, without one, client), client and tenant; 0: none */
	uint64_t session_key, actor_key;
	unsigned cleared_generation;	/* of the revocations: it was not among them */
	struct limit limits[PER_COUNT]; /* quota.c's, under the rules of this generation, plus 1 */
	unsigned plan_generation;
};

/* Who sent no token. */
struct principal *principal_anonymous_new(void);

/* From verified claims (taken over). NULL and *ret_reason when they are not those of a caller from outside. */
struct principal *principal_new(json_t *claims, const char **ret_reason);

struct principal *principal_hold(struct principal *principal);
void principal_release(struct principal *principal);
