/* The gateway's own resources: /livez, /readyz, /status and /metrics. */
#pragma once
#include "exchange.h"

/* Answers when the path is one of them. */
bool pages_answer(struct client *client, const struct asking *asking);

/* The gauges of these workers in /metrics. */
void pages_start(struct worker *const *workers, unsigned count);
