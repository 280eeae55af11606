/* A thread that does the same thing again and again, with pauses, until it is stopped. */
#pragma once
#include <pthread.h>
#include <stdbool.h>

struct ticker {
	pthread_t thread;
	pthread_mutex_t lock; /* of stopping */
	pthread_cond_t wake;
	bool stopping, started;
	int (*tick)(void *context); /* does it once; the pause after it in ms */
	void *context;
};

bool ticker_start(struct ticker *ticker, int (*tick)(void *context), void *context);
/* Ends the pause, and waits for a tick that is under way. Does nothing when it was not started. */
void ticker_stop(struct ticker *ticker);
