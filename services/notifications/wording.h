/* Dates, times and money as one writes them in Italian. Results live in the arena; NULL gives NULL. */
#pragma once
#include <stdbool.h>

struct arena;

/* To be called once, before the first use: local time is Italy's. False where the system does not know it (tzdata). */
bool wording_start(void);
const char *wording_day(struct arena *arena, const char *date); /* "2026-12-21" → "lunedì 21 dicembre 2026" */
const char *wording_moment(
	struct arena *arena, const char *timestamp); /* RFC 3339 → "lunedì 21 dicembre 2026 alle 10:30" */
const char *wording_euros(struct arena *arena, long long cents); /* 123450 → "1.234,50 euro" */
