/* One thread, one round a second: names and keys. It tells the workers nothing but through struct replica and jwks.c.
 */
#include "upkeep.h"
#include <pthread.h>
#include "deadline.h"
#include "health.h"
#include "jwks.h"
#include "rules.h"

enum { RESOLVE_ROUNDS = 10 };

static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static bool stopping;

/* A service without a replica that is ready may have moved: its names are asked for at once. */
static void resolve(struct gateway *gateway, unsigned round)
{
	struct rules *rules = gateway_hold_rules(gateway, NULL);

	for (size_t i = 0; i < rules->service_count; i++) {
		if (round % RESOLVE_ROUNDS == 0 || !service_ready(&rules->services[i]))
			service_resolve(&rules->services[i]);
	}
	rules_release(rules);
}

void upkeep_prepare(struct rules *rules)
{
	for (size_t i = 0; i < rules->service_count; i++)
		service_resolve(&rules->services[i]);
	health_look(rules, true);
}

/* True when it is time to stop. */
static bool pause_for_a_second(void)
{
	struct timespec until = deadline_in(CLOCK_REALTIME, 1000);
	bool stop;

	pthread_mutex_lock(&lock);
	if (!stopping)
		pthread_cond_timedwait(&wake, &lock, &until);
	stop = stopping;
	pthread_mutex_unlock(&lock);
	return stop;
}

static void *run(void *context)
{
	struct gateway *gateway = context;
	unsigned round = 0;

	do {
		jwks_tick(gateway->jwks_url);
		resolve(gateway, ++round);
	} while (!pause_for_a_second());
	return NULL;
}

bool upkeep_start(struct gateway *gateway)
{
	return health_start(gateway) && pthread_create(&thread, NULL, run, gateway) == 0;
}

void upkeep_stop(void)
{
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_signal(&wake);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	health_stop();
}
