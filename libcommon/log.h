/* JSON lines on standard error, one a fact. Levels are tested before anything is formatted.
 * The members after the message follow jansson's json_pack: log_info("relay stopped", "{s:s s:i}", "stream", name,
 * "left", n). Lines carry ids, never contacts, tokens or bodies. */
#pragma once

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

extern enum log_level log_threshold;

/* program names every line; level is "error", "warning", "info" or "debug". False when it is none of them. */
_Bool log_start(const char *program, const char *level);
/* The request the calling thread works for, added to each line until set to NULL. Borrowed. */
void log_context(const char *request_id, const char *traceparent);
void log_line(enum log_level level, const char *message, const char *format, ...);

#define log_at(level, ...) ((level) <= log_threshold ? log_line((level), __VA_ARGS__) : (void)0)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
