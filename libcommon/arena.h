/* Memory that lives as long as one request (or one event, one task run): taken piece by piece, given back at once.
 * Never returns NULL: a process without memory cannot answer, it aborts and is restarted. */
#pragma once
#include <stdarg.h>
#include <jansson.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *text); /* NULL gives NULL */
char *arena_strndup(struct arena *arena, const char *text, size_t length);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list args);

/* Runs release(pointer) when the arena is freed, last leased first. Returns pointer. */
void *arena_lease(struct arena *arena, void *pointer, void (*release)(void *));
/* The same for a JSON value whose reference is handed over; NULL gives NULL. */
json_t *arena_json(struct arena *arena, json_t *json);
