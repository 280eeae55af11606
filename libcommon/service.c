/* Owns the life of a service process: settings, contract, database, what runs in the background, HTTP, and the orderly
 * end. Refuses to start, with one clear sentence, on anything that would only fail later. */
#include "service.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "background.h"
#include "dispatch.h"
#include "http.h"
#include "metrics.h"
#include "scope.h"
#include "service_pages.h"
#include "tasks.h"

enum { STOP_MS = 10000 }; /* for each of the three that stop; deploy/lib.sh waits for longer than all of them */

static const struct setting common_settings[] = {
	{ "PORTICO_LISTEN", "127.0.0.1:8100", "Address and port to listen on." },
	{ "PORTICO_CONNECTIONS", "256", "Connections served at once; each has a thread.", .number = true },
	{ "PORTICO_DRAIN_MS", "3000",
		"After SIGTERM, how long it says at /readyz that it leaves, and goes on serving, before it stops.",
		.number = true },
	{ "PORTICO_CONTRACTS", "openapi", "Folder of the contracts." },
	{ "PORTICO_SPOOL", "/tmp", "Folder for bodies on their way in." },
	{ "PORTICO_DATABASE", "", "Connection string of the service's role.", .secret = true },
	{ "PORTICO_DATABASE_OWNER", "", "Connection string of the owner, for --migrate only.", .secret = true },
	{ "PORTICO_DATABASE_POOL", "16", "Connections to the database, at most.", .number = true },
	{ "PORTICO_DATABASE_WAIT_MS", "1000", "How long a request waits for one of them before 503.", .number = true },
	{ "PORTICO_REDIS", "127.0.0.1:6379", "Host and port of Redis." },
	{ "PORTICO_SERVICES", "", "Where the siblings are: identity=http://host:port,dossier=…" },
	{ "PORTICO_CALLER_KEY", "", "Key shared by gateway and services, 32 bytes or more.", .secret = true },
	{ "PORTICO_LOG_LEVEL", "info", "error, warning, info or debug." },
	{ 0 },
};

static int refuse_start(const char *service, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int refuse_start(const char *service, int code, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s does not start: ", service);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

static struct db *open_database(const struct service *service)
{
	return db_new(config("PORTICO_DATABASE"), service->sql, (int)config_number("PORTICO_DATABASE_POOL"),
		(int)config_number("PORTICO_DATABASE_WAIT_MS"));
}

/* Everything that can be wrong before the first request, in the order in which an operator would look for it. */
static int check_start(const struct service *service, struct db **ret_db)
{
	auto_free char *error = NULL;
	const char *missing = NULL;

	if (!auth_start(config("PORTICO_CALLER_KEY")))
		return refuse_start(service->name, EX_CONFIG, "PORTICO_CALLER_KEY must have 32 to 256 bytes");
	*ret_db = open_database(service);
	if (!dispatch_start(service, config("PORTICO_CONTRACTS"), *ret_db, &error))
		return refuse_start(service->name, EX_CONFIG, "%s", error);
	if (!db_alive(*ret_db))
		return refuse_start(service->name, EX_UNAVAILABLE, "the database of PORTICO_DATABASE does not answer");
	if (!migrate_done(*ret_db, service->sql, &missing))
		return refuse_start(service->name, EX_CONFIG, "migration %s is not applied: run %s --migrate", missing,
			service->name);
	return 0;
}

static bool start_background(const struct service *service, struct db *db)
{
	const struct task *const tables[] = { common_tasks, service->tasks, NULL };
	const struct events_options events = { .service = service->name,
		.redis = config("PORTICO_REDIS"),
		.database = config("PORTICO_DATABASE"),
		.db = db,
		.consumers = service->consumers,
		.deliver = background_event };
	const struct tasks_options tasks = { .tables = tables, .run = background_task };

	background_start(service, db);
	return events_start(&events) && tasks_start(&tasks);
}

static void wait_for_the_end(const sigset_t *signals)
{
	int signal_number;

	sigwait(signals, &signal_number);
	log_info("stopping", "{s:i}", "signal", signal_number);
}

/* Whoever sends requests here hears at /readyz, and at the end of each connection, that it is time to send them to
 * another replica; until then they are served as ever. A second signal means now. */
static void drain(struct http_server *server, const sigset_t *signals)
{
	long ms = config_number("PORTICO_DRAIN_MS");
	struct timespec patience = { ms / 1000, ms % 1000 * 1000000 };

	service_pages_stop();
	http_drain(server);
	sigtimedwait(signals, NULL, &patience);
}

/* What does not end in time (a call to a mail server may take half a minute) goes on using the database until the
 * process is gone. So then nothing is freed, by exit() neither. */
static void stop(struct http_server *server)
{
	bool ended = http_stop(server, STOP_MS);

	ended = tasks_stop(STOP_MS) && ended;
	ended = events_stop(STOP_MS) && ended;
	if (ended)
		return;
	log_warning("leaves without waiting for what still runs", NULL);
	_exit(0);
}

static int serve(const struct service *service)
{
	struct db *db = NULL;
	struct http_server *server;
	const char *error;
	sigset_t signals;
	int code;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	code = check_start(service, &db);
	if (code)
		return code;
	service_pages_start(db);
	metrics_add_source(service_gauges);
	if (service->start && !service->start(service))
		return EX_CONFIG;
	if (!start_background(service, db))
		return refuse_start(service->name, EX_OSERR, "its background threads do not start");
	server = http_start(&(struct http_options){ .listen = config("PORTICO_LISTEN"),
				    .spool = config("PORTICO_SPOOL"),
				    .connections = (int)config_number("PORTICO_CONNECTIONS"),
				    .begin = dispatch_begin,
				    .finish = dispatch_finish },
		&error);
	if (!server)
		return refuse_start(
			service->name, EX_OSERR, "it cannot listen on %s: %s", config("PORTICO_LISTEN"), error);
	log_info("ready", "{s:s s:s}", "listen", config("PORTICO_LISTEN"), "contract", dispatch_version());
	wait_for_the_end(&signals);
	drain(server, &signals);
	stop(server);
	db_free(db);
	dispatch_stop();
	return 0;
}

/* --check: what can be known without serving: the contract is bound and every statement prepares. */
static int check(const struct service *service)
{
	auto_free char *error = NULL;

	if (!dispatch_start(service, config("PORTICO_CONTRACTS"), NULL, &error))
		return refuse_start(service->name, EX_CONFIG, "%s", error);
	return migrate_check(config("PORTICO_DATABASE"), service->sql);
}

static int redrive(const struct service *service)
{
	struct db *db = open_database(service);
	long count = dead_letters_redrive(db);

	db_free(db);
	if (count < 0)
		return refuse_start(service->name, EX_UNAVAILABLE, "the database of PORTICO_DATABASE does not answer");
	printf("%ld dead letters will be delivered again\n", count);
	return 0;
}

int service_main(int argc, char **argv, const struct service *service)
{
	static const struct setting none[] = { { 0 } };
	const struct setting *const tables[] = { common_settings, service->settings ? service->settings : none, NULL };
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "--help") == 0) {
		config_help(service->name, "[--help | --check | --migrate | --redrive]", tables);
		return 0;
	}
	config_load(tables);
	if (!log_start(service->name, config("PORTICO_LOG_LEVEL")))
		return refuse_start(
			service->name, EX_CONFIG, "PORTICO_LOG_LEVEL must be error, warning, info or debug");
	if (strcmp(mode, "--migrate") == 0)
		return migrate_run(config("PORTICO_DATABASE_OWNER"), service->sql);
	if (strcmp(mode, "--check") == 0)
		return check(service);
	if (strcmp(mode, "--redrive") == 0)
		return redrive(service);
	if (*mode)
		return refuse_start(service->name, EX_USAGE, "there is no option %s (--help lists them)", mode);
	return serve(service);
}
