/* Events and tasks, run like requests that no client waits for. */
#pragma once
#include "service.h"

void background_start(const struct service *service, struct db *db);

/* For events_start(): one delivery of one event, in a transaction with its inbox row. Returns the status; *ret_cause
 * (free it) is the problem as JSON when it is not 2xx. */
int background_event(const struct event_consumer *consumer, const char *envelope, char **ret_cause);

/* For the task runner: one run. Returns the status. */
int background_task(const struct task *task);
