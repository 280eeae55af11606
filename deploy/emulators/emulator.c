/* Runs an emulator: one HTTP server, until SIGTERM. */
#include "emulator.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct emulator *the_emulator;

static const struct setting common_settings[] = {
	{ "PORTICO_LISTEN", NULL, "Address and port to listen on." },
	{ "PORTICO_LOG_LEVEL", "info", "error, warning, info or debug." },
	{ 0 },
};

static struct body_plan begin(struct request *rq)
{
	return (struct body_plan){ .limit = the_emulator->max_body };
}

static void finish(struct request *rq)
{
	if (rq->status)
		return; /* the body was refused */
	if (strcmp(rq->path, "/readyz") == 0 || strcmp(rq->path, "/livez") == 0) {
		reply_text(rq, 200, "text/plain", "ready\n");
		return;
	}
	the_emulator->answer(rq);
	log_debug("request", "{s:s s:s s:i}", "method", rq->method, "path", rq->path, "status", rq->status);
}

static int refuse_start(const char *cause)
{
	fprintf(stderr, "%s does not start: %s\n", the_emulator->name, cause);
	return EX_CONFIG;
}

static int serve(void)
{
	struct http_server *server;
	const char *error;
	sigset_t signals;
	int number;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (the_emulator->start && !the_emulator->start())
		return EX_CONFIG;
	server = http_start(
		&(struct http_options){ .listen = config("PORTICO_LISTEN"), .begin = begin, .finish = finish }, &error);
	if (!server)
		return refuse_start(error);
	log_info("ready", "{s:s}", "listen", config("PORTICO_LISTEN"));
	sigwait(&signals, &number);
	http_stop(server, 2000);
	return 0;
}

int emulator_main(int argc, char **argv, const struct emulator *emulator)
{
	const struct setting *const tables[] = { common_settings, emulator->settings, NULL };

	the_emulator = emulator;
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		config_help(emulator->name, "[--help]", tables);
		return 0;
	}
	config_load(tables);
	if (!log_start(emulator->name, config("PORTICO_LOG_LEVEL")))
		return refuse_start("PORTICO_LOG_LEVEL must be error, warning, info or debug");
	return serve();
}

bool emulator_route(struct request *rq, const char *method, const char *pattern, const char **parts)
{
	const char *at = rq->path;
	size_t found = 0;

	if (strcmp(rq->method, method) != 0)
		return false;
	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			size_t length = strcspn(at, "/");

			if (!length)
				return false;
			parts[found++] = arena_strndup(rq->arena, at, length);
			at += length;
		} else if (*pattern == *at) {
			at++;
		} else {
			return false;
		}
	}
	return !*at;
}

json_t *emulator_body(struct request *rq)
{
	json_t *body = json_loadb(rq->body, rq->body_length, JSON_REJECT_DUPLICATES, NULL);

	if (!body)
		return NULL;
	arena_json(rq->arena, body);
	return json_is_object(body) ? body : NULL;
}
