/* Dates of the real calendar and instants by RFC 3339. */
#include <stddef.h>
#include <string.h>
#include "format_internal.h"

/* The number that exactly `count` digits at text make, or -1. */
static int number(const char *text, int count)
{
	int value = 0;

	for (int i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + text[i] - '0';
	}
	return value;
}

static int days_of(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

/* The first ten characters are a date. The calendar has no year 0. */
static bool starts_with_date(const char *text)
{
	int year, month, day;

	if (strnlen(text, 10) < 10 || text[4] != '-' || text[7] != '-')
		return false;
	year = number(text, 4);
	month = number(text + 5, 2);
	day = number(text + 8, 2);
	return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days_of(year, month);
}

bool format_date(const char *text)
{
	return starts_with_date(text) && text[10] == '\0';
}

/* Z or ±hh:mm at the end of the text: minutes east of UTC. */
static bool read_offset(const char *text, int *ret_minutes)
{
	int hours, minutes;

	*ret_minutes = 0;
	if ((*text == 'Z' || *text == 'z') && text[1] == '\0')
		return true;
	if ((*text != '+' && *text != '-') || strlen(text) != 6 || text[3] != ':')
		return false;
	hours = number(text + 1, 2);
	minutes = number(text + 4, 2);
	*ret_minutes = (*text == '-' ? -1 : 1) * (hours * 60 + minutes);
	return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

bool format_date_time(const char *text)
{
	int hour, minute, second, east;
	const char *rest;

	if (!starts_with_date(text) || (text[10] != 'T' && text[10] != 't') || strnlen(text + 11, 8) < 8)
		return false;
	hour = number(text + 11, 2);
	minute = number(text + 14, 2);
	second = number(text + 17, 2);
	if (text[13] != ':' || text[16] != ':' || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
		second > 60)
		return false;
	rest = text + 19;
	if (*rest == '.') {
		size_t digits = strspn(rest + 1, "0123456789");

		if (digits == 0)
			return false;
		rest += 1 + digits;
	}
	if (!read_offset(rest, &east))
		return false;
	/* a leap second only ever ends a day in UTC */
	return second < 60 || (hour * 60 + minute - east + 2 * 1440) % 1440 == 1439;
}
