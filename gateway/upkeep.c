/* One thread, one round a second: names and keys. It tells the workers nothing but through struct replica and jwks.c.
 */
#include "upkeep.h"
#include "health.h"
#include "jwks.h"
#include "rules.h"
#include "ticker.h"

enum { ROUND_MS = 1000, RESOLVE_ROUNDS = 10 };

static struct ticker ticker;

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

static int tend(void *context)
{
	static unsigned round;
	struct gateway *gateway = context;

	jwks_tick(gateway->jwks_url);
	resolve(gateway, ++round);
	return ROUND_MS;
}

bool upkeep_start(struct gateway *gateway)
{
	return health_start(gateway) && ticker_start(&ticker, tend, gateway);
}

void upkeep_stop(void)
{
	ticker_stop(&ticker);
	health_stop();
}
