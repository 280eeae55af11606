/* What must not be done in an event loop: names are resolved, upstreams probed and keys fetched in a thread of their
 * own. */
#pragma once
#include <stdbool.h>

struct gateway;
struct rules;

bool upkeep_start(struct gateway *gateway);
void upkeep_stop(void);

/* Finds out where the replicas are and which of them can be reached. */
void upkeep_look(struct rules *rules, bool resolve_names);
