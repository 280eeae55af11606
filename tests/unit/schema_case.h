/* Schemas and values written with ' for ", and what a check finds as "code@pointer code@pointer". */
#pragma once
#include <jansson.h>
#include "schema.h"
#include "unit.h"

struct schema_case {
	const char *schema, *value, *found; /* found "": the value is valid */
};

static inline json_t *quoted_json(const char *text)
{
	char *copy = strdup(text);
	json_error_t error;
	json_t *json;

	for (char *quote = copy; (quote = strchr(quote, '\'')); quote++)
		*quote = '"';
	json = json_loads(copy, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (!json)
		fail_msg("%s: %s", copy, error.text);
	free(copy);
	return json;
}

static inline void describe_errors(const json_t *errors, char *text, size_t size)
{
	size_t index, used = 0;
	json_t *error;

	*text = '\0';
	json_array_foreach(errors, index, error)
	{
		const char *pointer = json_string_value(json_object_get(error, "pointer"));

		if (!pointer)
			pointer = json_string_value(json_object_get(error, "parameter"));
		if (used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s@%s", index ? " " : "",
				json_string_value(json_object_get(error, "code")), pointer);
	}
}

/* The schema is the member 'root' of a document, or the document itself when it has none. */
static inline void check_schema_case(const struct schema_case *expected)
{
	json_auto_t *document = quoted_json(expected->schema), *value = quoted_json(expected->value);
	json_auto_t *errors = json_array();
	const json_t *root = json_object_get(document, "root");
	char *failure, found[4000];
	struct schema *schema = schema_new(root ? root : document, document, NULL, NULL, &failure);
	int count;

	if (!schema)
		fail_msg("%s does not compile: %s", expected->schema, failure);
	count = schema_check(schema, value, "", errors);
	assert_int_equal(count, json_array_size(errors));
	describe_errors(errors, found, sizeof found);
	if (strcmp(found, expected->found) != 0)
		fail_msg("%s with %s: found '%s' instead of '%s'", expected->schema, expected->value, found,
			expected->found);
	schema_free(schema);
}

#define check_schema_cases(cases)                                                                                      \
	do {                                                                                                           \
		for (size_t case_ = 0; case_ < COUNT(cases); case_++)                                                  \
			check_schema_case(&(cases)[case_]);                                                            \
	} while (0)
