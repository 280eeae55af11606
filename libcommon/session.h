/* The one connection of a service that lives outside the pool. It hears NOTIFY for the tasks and for the relay, and it
 * holds the leadership of this service's database: one replica at a time relays and reads events, so that their order
 * holds. */
#pragma once
#include "events.h"

bool session_start(const struct events_options *options);
bool session_stop(const struct timespec *deadline); /* false: it has not stopped; may be called again */
bool session_leads(void);			    /* whether this replica has the leadership now */
bool session_redis_alive(void);
long long session_relayed(void); /* the last position that the relay put into the stream; -1: not known here */

/* Sleeps, but not past the end of the process: false when it is time to stop. */
bool events_pause(int ms);
bool events_stopping(void);
