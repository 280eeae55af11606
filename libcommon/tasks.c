/* Owns when background work runs: on time, when woken, at once after finding work, later after failing. Never what it
 * does. */
#include "tasks.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "deadline.h"
#include "log.h"
#include "service.h"

enum { FIRST_PAUSE = 1, LONGEST_PAUSE = 60 };

struct runner {
	const struct task *task;
	pthread_t thread;
	bool woken;
	int pause; /* seconds, after a failure; 0 when the last run was good */
	struct runner *next;
};

static struct runner *runners;
static int (*run_task)(const struct task *task);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed; /* monotonic; made by tasks_start */
static bool stopping;

/* Sleeps until the task is due. A failing task is not woken early: its pause protects what it fails on. */
static bool wait_until_due(struct runner *runner)
{
	struct timespec due;
	bool go;

	clock_gettime(CLOCK_MONOTONIC, &due);
	due.tv_sec += runner->pause ? runner->pause : runner->task->seconds;
	pthread_mutex_lock(&lock);
	while (!stopping && (runner->pause || !runner->woken)) {
		if (pthread_cond_timedwait(&changed, &lock, &due) != 0)
			break;
	}
	runner->woken = false;
	go = !stopping;
	pthread_mutex_unlock(&lock);
	return go;
}

static bool may_go_on(void)
{
	pthread_mutex_lock(&lock);
	bool go = !stopping;
	pthread_mutex_unlock(&lock);
	return go;
}

static void *run_for_ever(void *context)
{
	struct runner *runner = context;
	bool go = true;

	while (go) {
		int status = run_task(runner->task);

		if (status == 200) {
			runner->pause = 0;
			go = may_go_on();
			continue;
		}
		if (status >= 200 && status < 300)
			runner->pause = 0;
		else
			runner->pause = runner->pause ? runner->pause * 2 : FIRST_PAUSE;
		if (runner->pause > LONGEST_PAUSE)
			runner->pause = LONGEST_PAUSE;
		go = wait_until_due(runner);
	}
	return NULL;
}

static bool start_one(const struct task *task)
{
	struct runner *runner = calloc(1, sizeof *runner);

	if (!runner)
		abort();
	runner->task = task;
	if (pthread_create(&runner->thread, NULL, run_for_ever, runner) != 0) {
		free(runner);
		return false;
	}
	pthread_mutex_lock(&lock);
	runner->next = runners;
	runners = runner;
	pthread_mutex_unlock(&lock);
	return true;
}

bool tasks_start(const struct tasks_options *options)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	stopping = false;
	run_task = options->run;
	for (const struct task *const *table = options->tables; *table; table++) {
		for (const struct task *task = *table; task->name; task++) {
			if (!start_one(task))
				return false;
		}
	}
	return true;
}

void tasks_wake(const char *name)
{
	pthread_mutex_lock(&lock);
	for (struct runner *runner = runners; runner; runner = runner->next) {
		if (strcmp(runner->task->name, name) == 0) {
			runner->woken = true;
			pthread_cond_broadcast(&changed);
		}
	}
	pthread_mutex_unlock(&lock);
}

bool tasks_stop(int wait_ms)
{
	struct timespec deadline = deadline_in(CLOCK_REALTIME, wait_ms);
	struct runner *runner, *left = NULL;

	pthread_mutex_lock(&lock);
	stopping = true;
	runner = runners;
	runners = NULL;
	if (runner)
		pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	while (runner) {
		struct runner *next = runner->next;

		if (pthread_timedjoin_np(runner->thread, NULL, &deadline) == 0) {
			free(runner);
		} else {
			log_warning("a task did not end in time", "{s:s}", "task", runner->task->name);
			runner->next = left;
			left = runner;
		}
		runner = next;
	}
	pthread_mutex_lock(&lock);
	runners = left;
	pthread_mutex_unlock(&lock);
	return !left;
}
