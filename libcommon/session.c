/* Owns the session's thread: listens, leads, drives the relay. Reconnects for ever, with pauses. */
#include <time.h>
#include "session.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "db_connection.h"
#include "log.h"
#include "relay.h"
#include "scope.h"
#include "tasks.h"

enum { LONGEST_SLEEP_MS = 1000, BUSY_POLL_MS = 10, SLOW_MS = 100, FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 2000 };

static struct events_options options;
static struct relay *relay; /* NULL when there is no session */
static pthread_t thread;
static atomic_bool leads;

/* (1, 2) is what emit_event looks at to know whether the relay sleeps; (1, 3) is the leadership. */
static const struct prepared listen_outbox = { "listen_outbox", "LISTEN outbox", SESSION_LISTEN_OUTBOX };
static const struct prepared listen_tasks = { "listen_tasks", "LISTEN tasks", SESSION_LISTEN_TASKS };
static const struct prepared take_role = { "take_role",
	"SELECT set_config('role', current_database() || '_worker', false)", SESSION_ROLE };
static const struct prepared lead = { "lead", "SELECT pg_try_advisory_lock(1, 3)", SESSION_LEAD };
static const struct prepared go_to_sleep = { "go_to_sleep", "SELECT pg_try_advisory_lock(1, 2)", SESSION_SLEEP };
static const struct prepared wake_up = { "wake_up", "SELECT pg_advisory_unlock(1, 2)", SESSION_WAKE };

bool session_leads(void)
{
	return leads;
}

bool session_redis_alive(void)
{
	return relay && relay_redis_alive(relay);
}

long long session_relayed(void)
{
	return relay && leads ? relay_position(relay) : -1;
}

/* Runs a statement that answers a boolean. */
static bool holds(struct connection *session, const struct prepared *statement)
{
	struct exchange exchange = { .connection = session };
	struct db_failure failure;

	exchange_add(&exchange, statement, 0, NULL, true);
	auto_result PGresult *result = exchange_run(&exchange, DB_EXCHANGE_MS, &failure, NULL);
	return result && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
}

static struct connection *open_session(void)
{
	char application[64];
	struct db_failure failure;

	snprintf(application, sizeof application, "portico-%s-events", options.service);
	struct connection *session = connection_open(options.database, application, SESSION_PLACES, &failure);
	if (!session)
		return NULL;
	struct exchange exchange = { .connection = session };
	exchange_add(&exchange, &listen_outbox, 0, NULL, false);
	exchange_add(&exchange, &listen_tasks, 0, NULL, false);
	exchange_add(&exchange, &take_role, 0, NULL, true);
	auto_result PGresult *result = exchange_run(&exchange, DB_EXCHANGE_MS, &failure, NULL);
	if (result)
		return session;
	connection_close(session);
	return NULL;
}

/* Wakes the tasks that were notified; true when the outbox was. */
static bool take_notifications(struct connection *session)
{
	bool outbox = false;

	for (PGnotify *notify; (notify = PQnotifies(session->pg)); PQfreemem(notify)) {
		if (strcmp(notify->relname, "tasks") == 0)
			tasks_wake(notify->extra);
		else
			outbox = true;
	}
	return outbox;
}

/* Waits up to ms, less when the outbox is notified, hearing the tasks' notifications meanwhile. */
static void listen_for(struct connection *session, int ms)
{
	long long deadline = monotonic_ms() + ms;
	bool outbox = take_notifications(session);

	while (!outbox && !session->broken && !events_stopping()) {
		struct pollfd socket = { .fd = PQsocket(session->pg), .events = POLLIN };
		long long left = deadline - monotonic_ms();

		if (left <= 0)
			return;
		if (poll(&socket, 1, left < 250 ? (int)left : 250) > 0 && !PQconsumeInput(session->pg))
			session->broken = true;
		outbox = take_notifications(session);
	}
}

/* Whoever emits from now on sees the lock and notifies; whoever began before has been waited for, or the lock is not to
 * be had: so a last look finds all that was not notified. */
static void sleep_until_notified(struct connection *session)
{
	if (!holds(session, &go_to_sleep)) {
		listen_for(session, BUSY_POLL_MS);
		return;
	}
	if (relay_step(relay, session) == RELAY_IDLE)
		listen_for(session, LONGEST_SLEEP_MS);
	holds(session, &wake_up);
}

static void serve(struct connection *session)
{
	int pause = FIRST_PAUSE_MS;

	while (!session->broken && !events_stopping()) {
		if (!leads)
			leads = holds(session, &lead);
		enum relay_result result = leads ? relay_step(relay, session) : RELAY_FAILED;
		take_notifications(session);
		switch (result) {
		case RELAY_WORKED:
			break;
		case RELAY_IDLE:
			sleep_until_notified(session);
			break;
		case RELAY_SLOW:
			listen_for(session, SLOW_MS);
			break;
		case RELAY_FAILED:
			listen_for(session, pause);
			break;
		}
		pause = result != RELAY_FAILED	       ? FIRST_PAUSE_MS
			: pause < LONGEST_PAUSE_MS / 2 ? pause * 2
						       : LONGEST_PAUSE_MS;
	}
}

static void *run(void *unused)
{
	int pause = FIRST_PAUSE_MS;

	while (!events_stopping()) {
		struct connection *session = open_session();

		if (session) {
			serve(session);
			leads = false;
			connection_close(session);
			pause = FIRST_PAUSE_MS;
			if (!events_stopping())
				log_warning("the session with the database is lost", NULL);
		}
		events_pause(pause);
		pause = pause < LONGEST_PAUSE_MS / 2 ? pause * 2 : LONGEST_PAUSE_MS;
	}
	return NULL;
}

bool session_start(const struct events_options *given)
{
	options = *given;
	relay = relay_new(options.service, options.redis);
	return pthread_create(&thread, NULL, run, NULL) == 0;
}

bool session_stop(const struct timespec *deadline)
{
	if (!relay)
		return true;
	if (pthread_timedjoin_np(thread, NULL, deadline) != 0)
		return false;
	relay_free(relay);
	relay = NULL;
	return true;
}
