/* What must not be done in an event loop: names are resolved, upstreams probed and keys fetched in a thread of their
 * own. */
#pragma once
#include <stdbool.h>

struct gateway;

bool upkeep_start(struct gateway *gateway);
void upkeep_stop(void);
