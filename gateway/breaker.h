/* Whether a replica is given requests, by how the last ones went. Failures in a row open it: nobody is sent there for a
 * pause, then one request tries, and the pause doubles when that fails, too. Of one replica and one worker. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_FAILURES = 3, BREAKER_FIRST_PAUSE_MS = 1000, BREAKER_LONGEST_PAUSE_MS = 30000 };

struct breaker {
	unsigned failures; /* in a row */
	int64_t pause;	   /* ms; 0: it is closed */
	int64_t until;	   /* the end of the pause */
	bool trying;	   /* the one request is under way */
};

static inline bool breaker_is_closed(const struct breaker *breaker)
{
	return breaker->pause == 0;
}

/* The next request may be the one that tries. */
static inline bool breaker_is_due(const struct breaker *breaker, int64_t now)
{
	return breaker->pause && !breaker->trying && now >= breaker->until;
}

static inline void breaker_succeeded(struct breaker *breaker)
{
	*breaker = (struct breaker){ 0 };
}

/* Failures of what was sent before it opened are no news. */
static inline void breaker_failed(struct breaker *breaker, int64_t now)
{
	breaker->failures++;
	if (breaker->pause ? !breaker->trying : breaker->failures < BREAKER_FAILURES)
		return;
	breaker->trying = false;
	breaker->pause = breaker->pause ? 2 * breaker->pause : BREAKER_FIRST_PAUSE_MS;
	if (breaker->pause > BREAKER_LONGEST_PAUSE_MS)
		breaker->pause = BREAKER_LONGEST_PAUSE_MS;
	breaker->until = now + breaker->pause;
}
