/* Parameters of path, query and header, held against the contract before a service hears of the request. */
#pragma once
#include "exchange.h"

/* False: it was answered with 400, which names every parameter that is wrong. */
bool parameters_hold(struct client *client, struct asking *asking);
