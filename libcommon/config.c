/* Owns the settings of the process: read once at start, immutable afterwards. Never guesses: what is unknown or wrong
 * is fatal. */
#include "config.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "scope.h"

extern char **environ;

enum { MAX_SETTINGS = 64, MAX_SECRET = 16384 };

static struct {
	const struct setting *setting;
	const char *value;
} settings[MAX_SETTINGS];
static size_t setting_count;

__attribute__((noreturn, format(printf, 1, 2))) static void fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EX_CONFIG);
}

/* A secret lives in a file that its owner alone can read; its last line end is not part of it. */
static const char *read_secret(const char *name, const char *file_name)
{
	auto_file FILE *file = fopen(file_name, "re");
	char *text = calloc(1, MAX_SECRET);
	size_t length;

	if (!file)
		fatal("%s_FILE: cannot read %s: %s", name, file_name, strerror(errno));
	if (!text)
		abort();
	length = fread(text, 1, MAX_SECRET - 1, file);
	while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		text[--length] = '\0';
	if (!length)
		fatal("%s_FILE: %s is empty", name, file_name);
	return text;
}

static const char *value_of(const struct setting *setting)
{
	const char *value = getenv(setting->name), *file_name;
	char file_variable[128];

	snprintf(file_variable, sizeof file_variable, "%s_FILE", setting->name);
	file_name = setting->secret ? getenv(file_variable) : NULL;
	if (value && file_name)
		fatal("%s and %s_FILE are both set: keep one of them", setting->name, setting->name);
	if (file_name)
		return read_secret(setting->name, file_name);
	if (!value)
		value = setting->fallback;
	if (!value)
		fatal("%s is not set: %s (--help lists the settings)", setting->name, setting->help);
	return value;
}

static void check_number(const struct setting *setting, const char *value)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (errno || end == value || *end || number < 0)
		fatal("%s must be a whole number of 0 or more, not \"%s\"", setting->name, value);
}

static bool declared(const char *entry)
{
	size_t length = strcspn(entry, "=");

	for (size_t i = 0; i < setting_count; i++) {
		const struct setting *setting = settings[i].setting;
		size_t own = strlen(setting->name);

		if (strncmp(entry, setting->name, own) != 0)
			continue;
		if (length == own || (setting->secret && length == own + 5 && strncmp(entry + own, "_FILE", 5) == 0))
			return true;
	}
	return false;
}

void config_load(const struct setting *const *tables)
{
	for (; *tables; tables++) {
		for (const struct setting *setting = *tables; setting->name; setting++) {
			if (setting_count == MAX_SETTINGS)
				abort();
			settings[setting_count++].setting = setting;
		}
	}
	for (char **entry = environ; *entry; entry++) {
		if (strncmp(*entry, "PORTICO_", 8) == 0 && !declared(*entry))
			fatal("unknown setting %.*s (--help lists the settings)", (int)strcspn(*entry, "="), *entry);
	}
	for (size_t i = 0; i < setting_count; i++) {
		settings[i].value = value_of(settings[i].setting);
		if (settings[i].setting->number)
			check_number(settings[i].setting, settings[i].value);
	}
}

void config_help(const char *program, const char *synopsis, const struct setting *const *tables)
{
	printf("%s %s\n\nUsage: %s %s\n\nSettings (environment variables):\n", program, PORTICO_VERSION, program,
		synopsis);
	for (; *tables; tables++) {
		for (const struct setting *setting = *tables; setting->name; setting++) {
			printf("  %-28s %s", setting->name, setting->help);
			if (setting->secret)
				printf(" Secret; %s_FILE names a file that holds it.", setting->name);
			if (!setting->fallback)
				printf(" Required.");
			else if (*setting->fallback)
				printf(" Default: %s", setting->fallback);
			putchar('\n');
		}
	}
}

const char *config(const char *name)
{
	for (size_t i = 0; i < setting_count; i++) {
		if (strcmp(settings[i].setting->name, name) == 0)
			return settings[i].value;
	}
	fprintf(stderr, "setting %s was asked for and never declared\n", name);
	abort();
}

long config_number(const char *name)
{
	return strtol(config(name), NULL, 10);
}
