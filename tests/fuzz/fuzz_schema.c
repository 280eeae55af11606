/* Any schema on the first line, any value after it. Whatever they are, compiling and checking end, and what the check
 * says is consistent: as many errors as it counts, at most 100, the same when asked again, and none when nobody wants
 * to see them only if there are none. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "schema.h"

static void check(const struct schema *schema, const json_t *value)
{
	json_auto_t *errors = json_array(), *again = json_array();
	int found = schema_check(schema, value, "", errors);

	if ((size_t)found != json_array_size(errors) || found > 100)
		abort();
	if (schema_check(schema, value, "", again) != found || !json_equal(errors, again))
		abort();
	if ((schema_check(schema, value, "", NULL) > 0) != (found > 0))
		abort();
}

static void check_text(const struct schema *schema, const char *text)
{
	json_auto_t *errors = json_array();
	json_t *value = NULL;

	if ((size_t)schema_check_text(schema, text, "parameter", errors, &value) != json_array_size(errors))
		abort();
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *second = strchr(text, '\n'), *error;
	json_t *definition, *value;
	struct schema *schema = NULL;

	if (second)
		*second++ = '\0';
	definition = json_loads(text, JSON_DECODE_ANY, NULL);
	value = second ? json_loads(second, JSON_DECODE_ANY, NULL) : NULL;
	if (definition) {
		schema = schema_new(definition, definition, NULL, NULL, &error);
		if (!schema)
			free(error);
	}
	if (schema && value)
		check(schema, value);
	if (schema && second)
		check_text(schema, second);
	schema_free(schema);
	json_decref(value);
	json_decref(definition);
	free(text);
	return 0;
}
