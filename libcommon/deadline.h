/* The moment at which a wait gives up, as the calls of pthread want it. */
#pragma once
#include <time.h>

static inline struct timespec deadline_in(clockid_t clock, int ms)
{
	struct timespec at;

	clock_gettime(clock, &at);
	at.tv_sec += ms / 1000;
	at.tv_nsec += ms % 1000 * 1000000L;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}
