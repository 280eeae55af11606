/* What must not be done in an event loop because it may take a while: names are resolved and keys fetched in a thread
 * of their own; whether replicas are ready is looked at in another (health.c). */
#pragma once
#include <stdbool.h>

struct gateway;
struct rules;

bool upkeep_start(struct gateway *gateway);
void upkeep_stop(void);

/* Of rules that nobody uses yet: where the replicas are and which of them are ready. */
void upkeep_prepare(struct rules *rules);
