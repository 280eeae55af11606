/* The order of levels, and nothing of how they are reached. */
#include "level.h"
#include <string.h>

#define SPID "https://www.spid.gov.it/SpidL"

static const char *const and_above[] = {
	[LEVEL_1] = SPID "1 " SPID "2 " SPID "3", [LEVEL_2] = SPID "2 " SPID "3", [LEVEL_3] = SPID "3"
};

enum level level_of(const char *acr)
{
	const char *digit;

	if (!acr || strncmp(acr, SPID, strlen(SPID)) != 0)
		return LEVEL_NONE;
	digit = acr + strlen(SPID);
	return *digit >= '1' && *digit <= '3' && !digit[1] ? (enum level)(*digit - '0') : LEVEL_NONE;
}

const char *level_and_above(enum level level)
{
	return and_above[level];
}
