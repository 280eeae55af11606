/* Writes dates, times and money in Italian, for the people who read the notices. */
#include "wording.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "arena.h"

static const char *const weekdays[] = { "domenica", "lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato" };
static const char *const months[] = { "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto",
	"settembre", "ottobre", "novembre", "dicembre" };

bool wording_start(void)
{
	time_t noon_in_winter = 1767268800; /* 2026-01-01T12:00:00Z */
	struct tm local;

	setenv("TZ", "Europe/Rome", 1);
	tzset();
	return localtime_r(&noon_in_winter, &local) && local.tm_hour == 13;
}

static const char *day_of(struct arena *arena, const struct tm *tm)
{
	return arena_printf(arena, "%s %d%s %s %d", weekdays[tm->tm_wday], tm->tm_mday, tm->tm_mday == 1 ? "º" : "",
		months[tm->tm_mon], tm->tm_year + 1900);
}

const char *wording_day(struct arena *arena, const char *date)
{
	struct tm tm = { .tm_hour = 12 };

	if (!date || !strptime(date, "%Y-%m-%d", &tm))
		return NULL;
	return day_of(arena, &tm);
}

const char *wording_moment(struct arena *arena, const char *timestamp)
{
	struct tm utc = { 0 }, local;
	time_t seconds;

	if (!timestamp || !strptime(timestamp, "%Y-%m-%dT%H:%M:%S", &utc))
		return NULL;
	seconds = timegm(&utc);
	localtime_r(&seconds, &local);
	return arena_printf(arena, "%s alle %02d:%02d", day_of(arena, &local), local.tm_hour, local.tm_min);
}

const char *wording_euros(struct arena *arena, long long cents)
{
	char digits[32];
	const char *text = "";

	snprintf(digits, sizeof digits, "%lld", cents / 100);
	for (size_t i = 0, length = strlen(digits); i < length; i++)
		text = arena_printf(arena, "%s%s%c", text, i && (length - i) % 3 == 0 ? "." : "", digits[i]);
	return arena_printf(arena, "%s,%02lld euro", text, cents % 100);
}
