/* Identity's keys: fetched and refreshed outside the event loops, handed to the workers as an immutable set. */
#pragma once
#include <stdbool.h>
#include "keys.h"

/* The current set as a new reference, or NULL when none was ever fetched. *generation is what jwks_generation() said
 * then. */
struct keys *jwks_hold(unsigned *ret_generation);
void jwks_release(struct keys *keys);

/* Changes with each new set. Cheap: read for every token. */
unsigned jwks_generation(void);

/* A token named an unknown key: fetch soon. Cheap, and however often it is called the fetches keep their distance. */
void jwks_want(void);

/* At the end of the process: the set is given back. */
void jwks_stop(void);

/* Called each second by upkeep.c; fetches when it is time to. */
void jwks_tick(const char *url);
