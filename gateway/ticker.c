/* Pauses by the monotonic clock: a clock that is set does not hold anything up. */
#include "ticker.h"
#include "deadline.h"

/* True when it is time to stop. */
static bool pause_for(struct ticker *ticker, int ms)
{
	struct timespec until = deadline_in(CLOCK_MONOTONIC, ms);
	bool stopping;

	pthread_mutex_lock(&ticker->lock);
	while (!ticker->stopping && pthread_cond_timedwait(&ticker->wake, &ticker->lock, &until) == 0)
		;
	stopping = ticker->stopping;
	pthread_mutex_unlock(&ticker->lock);
	return stopping;
}

static void *run(void *context)
{
	struct ticker *ticker = context;

	while (!pause_for(ticker, ticker->tick(ticker->context)))
		;
	return NULL;
}

bool ticker_start(struct ticker *ticker, int (*tick)(void *context), void *context)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&ticker->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&ticker->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	ticker->tick = tick;
	ticker->context = context;
	ticker->started = pthread_create(&ticker->thread, NULL, run, ticker) == 0;
	return ticker->started;
}

void ticker_stop(struct ticker *ticker)
{
	if (!ticker->started)
		return;
	pthread_mutex_lock(&ticker->lock);
	ticker->stopping = true;
	pthread_cond_signal(&ticker->wake);
	pthread_mutex_unlock(&ticker->lock);
	pthread_join(ticker->thread, NULL);
	ticker->started = false;
}
