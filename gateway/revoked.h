/* A set of what was revoked: sessions, of which every token is refused, and clients and subjects, of which those are
 * that were given out before. Immutable, so that workers share it without a lock. */
#pragma once
#include "caller.h"

enum { REVOKED_SECONDS = 15 * 60, REVOKED_MAX = 1 << 20 }; /* longer than a token lives; entries */

struct revoked {
	unsigned references; /* counted under revocations.c's lock */
	size_t count, slots;
	struct revoked_entry {
		uint64_t key; /* a fingerprint; 0: free */
		time_t not_before, forget_at;
	} entries[];
};

/* What is still of interest of old (may be NULL) and the items of an answer to listRevocations. Items that are none are
 * left out, and so are those beyond REVOKED_MAX. */
struct revoked *revoked_new(const struct revoked *old, const json_t *items, time_t now);

bool revoked_has(const struct revoked *revoked, const struct principal *principal);
