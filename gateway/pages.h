/* The gateway's own resources: /livez, /readyz and /metrics, for those who operate it, and what openapi/gateway.yaml
 * has for everybody. */
#pragma once
#include "exchange.h"

/* Answers when the path is one of the former. */
bool pages_answer(struct client *client, const struct asking *asking);
/* Answers the operation of the contract that was routed to. */
void pages_operate(struct client *client, const struct asking *asking);

/* The gauges of these workers in /metrics. */
void pages_start(struct worker *const *workers, unsigned count);
