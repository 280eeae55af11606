/* Settings: environment variables from one table per binary. --help prints the table; an unknown PORTICO_* name, a
 * number that is none or a missing required value is fatal with one clear sentence. A secret X is also read from the
 * file X_FILE. */
#pragma once
#include <stdbool.h>

struct setting {
	const char *name;     /* "PORTICO_…" */
	const char *fallback; /* NULL: required */
	const char *help;
	bool secret; /* never printed; X_FILE accepted */
	bool number; /* checked to be an integer ≥ 0 */
};

/* Reads the environment against the tables (each ends with an empty entry; NULL ends the list). On a fault prints one
 * sentence to standard error and exits with 78 (EX_CONFIG). */
void config_load(const struct setting *const *tables);
void config_help(const char *program, const char *synopsis, const struct setting *const *tables);

/* The value of a declared setting; asking for an undeclared one is a bug and aborts. Never NULL. */
const char *config(const char *name);
long config_number(const char *name);
