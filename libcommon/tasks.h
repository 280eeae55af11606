/* Background work: a thread for each task, run every `seconds` and when SQL did NOTIFY tasks, 'NAME' (the events'
 * session hears it and calls tasks_wake). Knows nothing of what a task does. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct task;

struct tasks_options {
	const struct task *const *tables; /* each ends with an empty entry; NULL ends the list */
	/* Runs a task once (dispatch.c) and returns the status: 200 found work (run again at once), 204 did not,
	 * anything else is a failure: the next runs come after growing pauses, at most a minute. */
	int (*run)(const struct task *task);
};

bool tasks_start(const struct tasks_options *options);
/* Waits for the tasks that run. False: some still do, and use the database; it may be called again. */
bool tasks_stop(int wait_ms);
void tasks_wake(const char *name); /* from any thread; unknown names are ignored */

/* libcommon's own tasks (sweeps of old rows, redrive of dead letters), to be run beside the service's. */
extern const struct task *const common_tasks;
