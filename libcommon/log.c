/* Writes one JSON line a fact to standard error, whole lines only. Never sees contacts, tokens or bodies: callers pass
 * ids. */
#include "log.h"
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "scope.h"

enum log_level log_threshold = LOG_INFO;

static const char *program_name = "portico";
static const char *const level_names[] = { "error", "warning", "info", "debug" };
static _Thread_local const char *context_request, *context_trace;

bool log_start(const char *program, const char *level)
{
	program_name = program;
	for (enum log_level i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		if (strcmp(level_names[i], level) == 0) {
			log_threshold = i;
			return true;
		}
	}
	return false;
}

void log_context(const char *request_id, const char *traceparent)
{
	context_request = request_id;
	context_trace = traceparent;
}

static void now_utc(char text[static 32])
{
	struct timespec now;
	struct tm utc;
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	length = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + length, 32 - length, ".%03ldZ", now.tv_nsec / 1000000);
}

void log_line(enum log_level level, const char *message, const char *format, ...)
{
	auto_free char *text = NULL;
	json_t *line, *members;
	char time[32];
	va_list args;

	now_utc(time);
	line = json_pack("{s:s s:s s:s s:s s:s* s:s*}", "time", time, "level", level_names[level], "program",
		program_name, "message", message, "requestId", context_request, "traceparent", context_trace);
	va_start(args, format);
	members = json_vpack_ex(NULL, 0, format, args);
	va_end(args);
	if (members) {
		json_object_update_missing(line, members);
		json_decref(members);
	}
	text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	if (text)
		dprintf(STDERR_FILENO, "%s\n", text);
}
