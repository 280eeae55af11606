/* The inbox: an event has its effect once, however often it is delivered. */
#pragma once
#include "db.h"

enum inbox_state { INBOX_FRESH, INBOX_DUPLICATE, INBOX_FAILED };

/* First statement of a delivery's transaction, in one round trip with its BEGIN. source is the emitting service. After
 * anything but FRESH only db_rollback is left; DUPLICATE had its effect before and is acknowledged as if it had it now.
 */
enum inbox_state inbox_enter(
	struct db_transaction *transaction, const char *source, const char *event_id, struct db_failure *failure);
