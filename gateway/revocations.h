/* What identity says was revoked: asked for in a thread of its own, several times a second, and handed to the workers
 * as immutable sets. While identity cannot be reached, what is known stays. */
#pragma once
#include <stdbool.h>
#include "revoked.h"

/* Loads what was revoked before, then goes on asking. url is that of listRevocations; empty: nothing is ever revoked.
 */
bool revocations_start(const char *url);
void revocations_stop(void);

/* The current set as a new reference; NULL as long as there is none. *ret_generation is what revocations_generation()
 * said then. */
struct revoked *revocations_hold(unsigned *ret_generation);
void revocations_release(struct revoked *revoked);

/* Changes with each new set. Cheap: read for every token. */
unsigned revocations_generation(void);
