/* Who calls and whether he may: token, scopes, tenant. */
#pragma once
#include "exchange.h"

/* Sets the principal of the exchange. False: it was answered with 401, 403 or 503. */
bool authorize(struct client *client, struct asking *asking);
