/* The way of a request to its service and of the answer back: both bodies streamed, each through one buffer. */
#pragma once
#include "exchange.h"

void forward_start(struct client *client, struct asking *asking);
/* False when there is nothing to do until the next event. */
bool forward_step(struct client *client);
void forward_expired(struct client *client);
/* The connection that the request was to go over could not be made. */
void forward_unconnected(struct client *client);
/* The client is gone, or is answered otherwise. */
void forward_abandon(struct client *client);
