/* Looks whether replicas take requests before a client has to find out: all at once, in a thread of its own that waits
 * for nothing else. */
#pragma once
#include <stdbool.h>

struct gateway;
struct rules;

bool health_start(struct gateway *gateway);
void health_stop(void);

/* Asks the replicas, with those that are ready or without, for /readyz: what says 5xx is unready, what cannot be asked
 * or does not answer is unreachable, and what answers anything else, also that it knows no such page, is ready. Takes a
 * second at most. */
void health_look(struct rules *rules, bool also_ready);
