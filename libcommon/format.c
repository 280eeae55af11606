/* The table of formats and the plain ones among them. A format says whether a text has it and nothing else: it never
 * normalises and never asks whether the thing named exists. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "format_internal.h"
#include "schema.h"

static bool is_hex(unsigned char c)
{
	return (unsigned char)(c - '0') < 10 || (unsigned char)((c | 0x20) - 'a') < 6;
}

/* Each request with an id in its path comes here twice. */
static bool format_uuid(const char *text)
{
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !is_hex((unsigned char)text[i]))
			return false;
	}
	return text[36] == '\0';
}

static bool fits(const char *text, long long least, long long most)
{
	size_t sign = *text == '-', count = strspn(text + sign, "0123456789");
	long long number;

	if (count == 0 || text[sign + count])
		return false;
	errno = 0;
	number = strtoll(text, NULL, 10);
	return !errno && number >= least && number <= most;
}

static bool format_int32(const char *text)
{
	return fits(text, INT32_MIN, INT32_MAX);
}

static bool format_int64(const char *text)
{
	return fits(text, INT64_MIN, INT64_MAX);
}

static bool format_double(const char *text)
{
	char *end;

	return *text && text[strspn(text, "0123456789+-.eE")] == '\0' && isfinite(strtod(text, &end)) && *end == '\0';
}

static bool format_float(const char *text)
{
	return format_double(text) && fabs(strtod(text, NULL)) <= (double)FLT_MAX;
}

/* Base64 of RFC 4648, with its padding and without line breaks. */
static bool format_byte(const char *text)
{
	size_t length = strlen(text),
	       count = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

	return length % 4 == 0 && length - count <= 2 && strspn(text + count, "=") == length - count;
}

static bool format_any(const char *text)
{
	return true;
}

static const struct {
	const char *name;
	bool (*holds)(const char *text);
} formats[] = {
	{ "uuid", format_uuid },
	{ "date", format_date },
	{ "date-time", format_date_time },
	{ "email", format_email },
	{ "uri", format_uri },
	{ "uri-reference", format_uri_reference },
	{ "int32", format_int32 },
	{ "int64", format_int64 },
	{ "float", format_float },
	{ "double", format_double },
	{ "byte", format_byte },
	{ "binary", format_any },
	{ "password", format_any },
	{ "codice-fiscale", format_codice_fiscale },
	{ "ipa-code", format_ipa_code },
	{ "iuv", format_iuv },
	{ "notice-number", format_notice_number },
};

bool (*format_function(const char *format))(const char *text)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (strcmp(formats[i].name, format) == 0)
			return formats[i].holds;
	return NULL;
}

bool format_known(const char *format)
{
	return format_function(format) != NULL;
}

bool format_holds(const char *format, const char *text)
{
	bool (*holds)(const char *) = format_function(format);

	return holds && holds(text);
}
