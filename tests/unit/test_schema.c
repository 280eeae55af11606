/* Each keyword of a schema with values that it lets through and values that it finds, the pointers and the words of
 * errors, and the text of parameters. */
#include <time.h>
#include "schema_case.h"

static void test_types(void **state)
{
	static const struct schema_case cases[] = {
		{ "{}", "null", "" },
		{ "{}", "[1, {'a': true}]", "" },
		{ "{'type': 'string'}", "'a'", "" },
		{ "{'type': 'string'}", "1", "type@" },
		{ "{'type': 'string'}", "null", "type@" },
		{ "{'type': 'string', 'nullable': true}", "null", "" },
		{ "{'type': 'string', 'nullable': true}", "1", "type@" },
		{ "{'nullable': true, 'allOf': [{'type': 'string'}]}", "null", "" },
		{ "{'allOf': [{'type': 'string'}]}", "null", "type@" },
		{ "{'type': 'integer'}", "1", "" },
		{ "{'type': 'integer'}", "1.0", "type@" },
		{ "{'type': 'integer'}", "'1'", "type@" },
		{ "{'type': 'integer'}", "true", "type@" },
		{ "{'type': 'number'}", "1", "" },
		{ "{'type': 'number'}", "1.5", "" },
		{ "{'type': 'number'}", "'1.5'", "type@" },
		{ "{'type': 'boolean'}", "false", "" },
		{ "{'type': 'boolean'}", "0", "type@" },
		{ "{'type': 'boolean'}", "'true'", "type@" },
		{ "{'type': 'array', 'items': {}}", "[]", "" },
		{ "{'type': 'array', 'items': {}}", "{}", "type@" },
		{ "{'type': 'object'}", "{}", "" },
		{ "{'type': 'object'}", "[]", "type@" },
		{ "{'type': 'object'}", "null", "type@" },
		{ "{'enum': ['a', 1, null, {'b': 2}]}", "'a'", "" },
		{ "{'enum': ['a', 1, null, {'b': 2}]}", "1.0", "" },
		{ "{'enum': ['a', 1, null, {'b': 2}]}", "null", "" },
		{ "{'enum': ['a', 1, null, {'b': 2}]}", "{'b': 2.0}", "" },
		{ "{'enum': ['a', 1, null, {'b': 2}]}", "{'b': 3}", "enum@" },
		{ "{'enum': ['a', 1, null, {'b': 2}]}", "'A'", "enum@" },
		{ "{'type': 'string', 'nullable': true, 'enum': ['a', null]}", "null", "" },
	};

	check_schema_cases(cases);
}

static void test_numbers(void **state)
{
	static const struct schema_case cases[] = {
		{ "{'minimum': 1, 'maximum': 3}", "1", "" },
		{ "{'minimum': 1, 'maximum': 3}", "3", "" },
		{ "{'minimum': 1, 'maximum': 3}", "0", "minimum@" },
		{ "{'minimum': 1, 'maximum': 3}", "4", "maximum@" },
		{ "{'minimum': 1, 'maximum': 3}", "3.0001", "maximum@" },
		{ "{'minimum': 1, 'maximum': 3}", "'text'", "" },
		{ "{'minimum': 1, 'exclusiveMinimum': true}", "1", "exclusiveMinimum@" },
		{ "{'minimum': 1, 'exclusiveMinimum': true}", "1.0001", "" },
		{ "{'minimum': 1, 'exclusiveMinimum': false}", "1", "" },
		{ "{'maximum': 1.5, 'exclusiveMaximum': true}", "1.5", "exclusiveMaximum@" },
		{ "{'maximum': 1.5, 'exclusiveMaximum': true}", "1", "" },
		/* where doubles cannot tell neighbours apart */
		{ "{'maximum': 9007199254740992}", "9007199254740993", "maximum@" },
		{ "{'minimum': 9223372036854775807}", "9223372036854775806", "minimum@" },
		{ "{'maximum': 9223372036854775806}", "9223372036854775807", "maximum@" },
		{ "{'maximum': 9.007199254740992e15}", "9007199254740993", "maximum@" },
		{ "{'multipleOf': 5}", "15", "" },
		{ "{'multipleOf': 5}", "-15", "" },
		{ "{'multipleOf': 5}", "0", "" },
		{ "{'multipleOf': 5}", "16", "multipleOf@" },
		{ "{'multipleOf': 3}", "9007199254740993", "" },
		{ "{'multipleOf': 3}", "9007199254740994", "multipleOf@" },
		{ "{'multipleOf': 0.01}", "4.35", "" },
		{ "{'multipleOf': 0.01}", "1234567.89", "" },
		{ "{'multipleOf': 0.01}", "0.07", "" },
		{ "{'multipleOf': 0.01}", "4.355", "multipleOf@" },
		{ "{'multipleOf': 0.01}", "19.999", "multipleOf@" },
		{ "{'multipleOf': 0.5}", "3", "" },
		{ "{'multipleOf': 2}", "3.0", "multipleOf@" },
		{ "{'type': 'integer', 'format': 'int32'}", "2147483647", "" },
		{ "{'type': 'integer', 'format': 'int32'}", "2147483648", "format@" },
		{ "{'type': 'integer', 'format': 'int64'}", "-9223372036854775808", "" },
		{ "{'type': 'number', 'format': 'float'}", "3.4e38", "" },
		{ "{'type': 'number', 'format': 'float'}", "3.5e38", "format@" },
		{ "{'type': 'number', 'format': 'double'}", "1e300", "" },
	};

	check_schema_cases(cases);
}

static void test_strings(void **state)
{
	static const struct schema_case cases[] = {
		{ "{'minLength': 2, 'maxLength': 3}", "'ab'", "" },
		{ "{'minLength': 2, 'maxLength': 3}", "'a'", "minLength@" },
		{ "{'minLength': 2, 'maxLength': 3}", "'abcd'", "maxLength@" },
		{ "{'minLength': 2, 'maxLength': 3}", "12345", "" },
		{ "{'maxLength': 3}", "'perché'", "maxLength@" },
		{ "{'minLength': 7}", "'perché'", "minLength@" },
		{ "{'maxLength': 6, 'minLength': 6}", "'perché'", "" },		  /* 7 bytes */
		{ "{'maxLength': 1, 'minLength': 1}", "'\xf0\x9f\x8f\x9b'", "" }, /* 4 bytes, one character */
		{ "{'pattern': '^a+$'}", "'aaa'", "" },
		{ "{'pattern': '^a+$'}", "'aab'", "pattern@" },
		{ "{'pattern': 'b'}", "'abc'", "" },
		{ "{'pattern': '^a$'}", "'a\\n'", "pattern@" }, /* $ is the very end, as in ECMA-262 */
		{ "{'pattern': '^\\\\d+$'}", "'12'", "" },
		{ "{'pattern': '^\\\\d+$'}", "'\xd9\xa1'", "pattern@" }, /* an Arabic digit is no \d in ECMA-262 */
		{ "{'pattern': '^.$'}", "'\xc3\xa8'", "" },
		{ "{'pattern': '^.$'}", "'\\r'", "pattern@" },
		{ "{'pattern': '^\\\\u00e8$'}", "'\xc3\xa8'", "" },
		{ "{'pattern': '^\\\\u{1F3DB}$'}", "'\xf0\x9f\x8f\x9b'", "" },
		{ "{'pattern': '^\\\\p{L}+$'}", "'perché'", "" },
		{ "{'pattern': '[]'}", "'a'", "pattern@" }, /* the empty class, which matches nothing */
		{ "{'pattern': '^(?=.*[0-9]).{3}$'}", "'ab1'", "" },
		{ "{'format': 'uuid'}", "'x'", "format@" },
		{ "{'format': 'uuid'}", "7", "" },
		{ "{'format': 'codice-fiscale'}", "'RSSMRA85T10A562S'", "" },
		{ "{'format': 'codice-fiscale'}", "'RSSMRA85T10A562S\\u0000'", "format@" },
		{ "{'format': 'date', 'pattern': '^2026', 'maxLength': 10}", "'2026-11-21'", "" },
		{ "{'format': 'date', 'minLength': 12, 'pattern': '^2026'}", "'2025-13-21'",
			"minLength@ format@ pattern@" },
	};

	check_schema_cases(cases);
}

static void test_arrays(void **state)
{
	static const struct schema_case cases[] = {
		{ "{'type': 'array', 'items': {'type': 'integer'}}", "[1, 2]", "" },
		{ "{'type': 'array', 'items': {'type': 'integer'}}", "[1, 'a', 2, null]", "type@/1 type@/3" },
		{ "{'minItems': 1, 'maxItems': 2}", "[]", "minItems@" },
		{ "{'minItems': 1, 'maxItems': 2}", "[1, 2]", "" },
		{ "{'minItems': 1, 'maxItems': 2}", "[1, 2, 3]", "maxItems@" },
		{ "{'maxItems': 1, 'items': {'type': 'string'}}", "[1, 2]", "maxItems@" }, /* not looked into */
		{ "{'uniqueItems': true}", "[1, '1', true, [1], {'a': 1}]", "" },
		{ "{'uniqueItems': true}", "[1, 2, 1.0]", "uniqueItems@/2" },
		{ "{'uniqueItems': true}", "[{'a': 1, 'b': [2]}, {'b': [2.0], 'a': 1}]", "uniqueItems@/1" },
		{ "{'uniqueItems': true}", "[0, -0.0]", "uniqueItems@/1" },
		{ "{'uniqueItems': true}", "[[1, 2], [2, 1]]", "" },
		{ "{'uniqueItems': true}", "['a', null, 'b', null]", "uniqueItems@/3" },
		{ "{'uniqueItems': false}", "[1, 1]", "" },
		{ "{'items': {'items': {'maximum': 1}}}", "[[1], [0, 2]]", "maximum@/1/1" },
	};

	check_schema_cases(cases);
}

static void test_objects(void **state)
{
	static const struct schema_case cases[] = {
		{ "{'properties': {'a': {'type': 'string'}}, 'required': ['a']}", "{'a': 'x', 'b': 1}", "" },
		{ "{'properties': {'a': {'type': 'string'}}, 'required': ['a', 'b']}", "{'a': 1}",
			"required@/b type@/a" },
		{ "{'required': ['a/b', 'c~d']}", "{}", "required@/a~1b required@/c~0d" },
		{ "{'properties': {'a': {}}, 'additionalProperties': false}", "{'a': 1, 'x/y': 2, 'z': 3}",
			"additionalProperties@/x~1y additionalProperties@/z" },
		{ "{'properties': {'a': {}}, 'additionalProperties': true}", "{'b': 1}", "" },
		{ "{'additionalProperties': {'type': 'integer'}}", "{'b': 1, 'c': 'x'}", "type@/c" },
		{ "{'minProperties': 1, 'maxProperties': 2}", "{}", "minProperties@" },
		{ "{'minProperties': 1, 'maxProperties': 2}", "{'a': 1, 'b': 1, 'c': 1}", "maxProperties@" },
		{ "{'properties': {'a': {'properties': {'b': {'items': {'minLength': 2}}}}}}",
			"{'a': {'b': ['xx', 'y']}}", "minLength@/a/b/1" },
		{ "{'required': ['a']}", "'not an object'", "" },
	};

	check_schema_cases(cases);
}

/* What only the server sets: refused when sent, not missed when absent, wherever it is declared. */
static void test_read_and_write_only(void **state)
{
	static const struct schema_case cases[] = {
		{ "{'properties': {'id': {'readOnly': true}}}", "{'id': 1}", "readOnly@/id" },
		{ "{'properties': {'id': {'readOnly': true}}, 'required': ['id']}", "{}", "" },
		{ "{'properties': {'id': {'readOnly': false}}, 'required': ['id']}", "{}", "required@/id" },
		{ "{'properties': {'pin': {'writeOnly': true}}, 'required': ['pin']}", "{}", "required@/pin" },
		{ "{'properties': {'pin': {'writeOnly': true, 'type': 'string'}}}", "{'pin': 'x'}", "" },
		{ "{'allOf': [{'properties': {'id': {'readOnly': true}}}, {'required': ['id', 'x']}]}", "{}",
			"required@/x" },
		{ "{'properties': {'id': {'readOnly': true}}, 'allOf': [{'required': ['id']}]}", "{}", "" },
	};

	check_schema_cases(cases);
}

static void test_combinations(void **state)
{
	static const struct schema_case cases[] = {
		{ "{'allOf': [{'minimum': 1}, {'maximum': 3}]}", "2", "" },
		{ "{'allOf': [{'minimum': 5}, {'maximum': 3}]}", "4", "minimum@ maximum@" },
		{ "{'anyOf': [{'type': 'string'}, {'minimum': 5}]}", "'a'", "" },
		{ "{'anyOf': [{'type': 'string'}, {'minimum': 5}]}", "7", "" },
		{ "{'anyOf': [{'minimum': 9}, {'minimum': 5}]}", "4", "anyOf@" },
		/* the only alternative for a value of this type tells more */
		{ "{'anyOf': [{'type': 'string'}, {'type': 'object', 'required': ['a']}]}", "{}",
			"anyOf@ required@/a" },
		{ "{'oneOf': [{'type': 'string'}, {'type': 'object', 'properties': {'a': {'minimum': 2}}}]}",
			"{'a': 1}", "oneOf@ minimum@/a" },
		{ "{'oneOf': [{'minimum': 5}, {'maximum': 3}]}", "4", "oneOf@" },
		{ "{'oneOf': [{'minimum': 5}, {'maximum': 3}]}", "6", "" },
		{ "{'oneOf': [{'minimum': 5}, {'maximum': 7}]}", "6", "oneOf@" },
		{ "{'oneOf': [{'type': 'integer'}, {'type': 'string'}]}", "null", "oneOf@" },
		{ "{'not': {'type': 'string'}}", "1", "" },
		{ "{'not': {'type': 'string'}}", "'a'", "not@" },
		{ "{'not': {'not': {'type': 'string'}}}", "'a'", "" },
		{ "{'properties': {'a': {'oneOf': [{'minimum': 5}, {'maximum': 3}]}}}", "{'a': 4}", "oneOf@/a" },
		{ "{'type': 'object', 'anyOf': [{'required': ['a']}, {'required': ['b']}]}", "{'b': 1}", "" },
		{ "{'type': 'object', 'anyOf': [{'required': ['a']}, {'required': ['b']}]}", "{}", "anyOf@" },
	};

	check_schema_cases(cases);
}

static void test_references(void **state)
{
	static const struct schema_case cases[] = {
		{ "{'root': {'$ref': '#/tree'}, 'tree': {'type': 'object', 'properties': {'name': {'type': 'string'},"
		  " 'children': {'type': 'array', 'items': {'$ref': '#/tree'}}}}}",
			"{'name': 'a', 'children': [{'name': 'b', 'children': [{'name': 1}]}, {'children': 2}]}",
			"type@/children/0/children/0/name type@/children/1/children" },
		{ "{'properties': {'self': {'$ref': '#'}, 'n': {'type': 'integer'}}}", "{'self': {'self': {'n': 'x'}}}",
			"type@/self/self/n" },
		{ "{'root': {'items': {'$ref': '#/a~0b~1c%20d'}}, 'a~b/c d': {'type': 'integer'}}", "[1, 'a']",
			"type@/1" },
		{ "{'root': {'items': {'$ref': '#/list/1'}}, 'list': [{}, {'type': 'integer'}]}", "[1, 'a']",
			"type@/1" },
		{ "{'root': {'items': {'$ref': '#/a'}}, 'a': {'$ref': '#/b'}, 'b': {'maximum': 1}}", "[1, 2]",
			"maximum@/1" },
	};

	check_schema_cases(cases);
}

#define CAT "{'$ref': '#/components/schemas/Cat'}"
#define DOG "{'$ref': '#/components/schemas/Dog'}"
#define CATS_AND_DOGS(combination, discriminator)                                                                      \
	"{'root': {'" combination "': [" CAT ", " DOG "], 'discriminator': {'propertyName': 'kind'" discriminator      \
	"}}, 'components': {'schemas': {"                                                                              \
	"'Cat': {'type': 'object', 'required': ['kind', 'lives'], 'properties': {'lives': {'type': 'integer'}}},"      \
	"'Dog': {'type': 'object', 'required': ['kind', 'bark'], 'properties': {'bark': {'type': 'string'}}}}}}"
#define MAPPED CATS_AND_DOGS("oneOf", ", 'mapping': {'tom': '#/components/schemas/Cat', 'rex': 'Dog'}")

static void test_discriminator_with_alternatives(void **state)
{
	static const struct schema_case cases[] = {
		{ CATS_AND_DOGS("oneOf", ""), "{'kind': 'Cat', 'lives': 9}", "" },
		{ CATS_AND_DOGS("oneOf", ""), "{'kind': 'Dog', 'lives': 9}", "required@/bark" },
		{ CATS_AND_DOGS("oneOf", ""), "{'kind': 'Dog', 'bark': 1}", "type@/bark" },
		{ CATS_AND_DOGS("anyOf", ""), "{'kind': 'Dog', 'bark': 1}", "type@/bark" },
		{ CATS_AND_DOGS("oneOf", ""), "{'kind': 'Cow'}", "discriminator@/kind" },
		{ CATS_AND_DOGS("oneOf", ""), "{'kind': 7}", "discriminator@/kind" },
		{ CATS_AND_DOGS("oneOf", ""), "{}", "required@/kind" },
		{ CATS_AND_DOGS("oneOf", ""), "'text'", "oneOf@" },
		{ MAPPED, "{'kind': 'tom', 'lives': 9}", "" },
		{ MAPPED, "{'kind': 'rex'}", "required@/bark" },
		{ MAPPED, "{'kind': 'Cat', 'lives': 9}", "" },
		{ MAPPED, "{'kind': 'felix', 'lives': 9}", "discriminator@/kind" },
	};

	check_schema_cases(cases);
}

/* The other way of OpenAPI: heirs that refer to the base by allOf, and whoever takes the base takes its heirs. */
#define PETS                                                                                                           \
	"{'root': {'$ref': '#/components/schemas/Pet'}, 'components': {'schemas': {"                                   \
	"'Pet': {'type': 'object', 'required': ['kind', 'name'], 'properties': {'name': {'type': 'string'}}, "         \
	"'discriminator': {'propertyName': 'kind', 'mapping': {'tom': 'Cat'}}},"                                       \
	"'Cat': {'allOf': [{'$ref': '#/components/schemas/Pet'}, {'required': ['lives']}]},"                           \
	"'Lynx': {'allOf': [{'$ref': '#/components/schemas/Cat'}, {'required': ['ears']}]},"                           \
	"'Stone': {'type': 'object'}}}}"

static void test_discriminator_with_heirs(void **state)
{
	static const struct schema_case cases[] = {
		{ PETS, "{'kind': 'Cat', 'name': 'Tom', 'lives': 9}", "" },
		{ PETS, "{'kind': 'tom', 'lives': 9}", "required@/name" },
		{ PETS, "{'kind': 'Cat', 'name': 1}", "type@/name required@/lives" },
		{ PETS, "{'kind': 'Lynx', 'name': 'Leo'}", "required@/lives required@/ears" },
		{ PETS, "{'kind': 'Pet', 'name': 'any'}", "" },
		{ PETS, "{'kind': 'Pet'}", "required@/name" },
		{ PETS, "{'kind': 'Stone'}", "discriminator@/kind" },
		{ PETS, "{'name': 'any'}", "required@/kind" },
	};

	check_schema_cases(cases);
}

/* Base and heir both have a discriminator, and the choice is made once: no error comes twice. */
static void test_discriminators_in_a_row(void **state)
{
	static const struct schema_case cases[] = {
		{ "{'root': {'$ref': '#/components/schemas/Cat'}, 'components': {'schemas': {"
		  "'Pet': {'required': ['name'], 'discriminator': {'propertyName': 'kind'}},"
		  "'Cat': {'allOf': [{'$ref': '#/components/schemas/Pet'}], 'required': ['lives'],"
		  "'discriminator': {'propertyName': 'kind'}}}}}",
			"{'kind': 'Cat'}", "required@/lives required@/name" },
	};

	check_schema_cases(cases);
}

static json_t *errors_of(const char *schema_text, const json_t *value)
{
	json_auto_t *definition = quoted_json(schema_text);
	json_t *errors = json_array();
	char *failure;
	struct schema *schema = schema_new(definition, definition, NULL, NULL, &failure);

	if (!schema)
		fail_msg("%s", failure);
	schema_check(schema, value, "/body", errors);
	schema_free(schema);
	return errors;
}

static void test_words_of_errors(void **state)
{
	static const struct {
		const char *schema, *value, *detail;
	} cases[] = {
		{ "{'type': 'integer', 'nullable': true}", "'a'", "must be an integer or null" },
		{ "{'type': 'boolean'}", "'a'", "must be true or false" },
		{ "{'format': 'codice-fiscale'}", "'a'", "must be a codice-fiscale" },
		{ "{'format': 'email'}", "'a'", "must be an email" },
		{ "{'enum': ['draft', 'sent', 3]}", "'a'", "must be one of: draft, sent, 3" },
		{ "{'minLength': 3}", "'a'", "must have at least 3 characters" },
		{ "{'maximum': 0.3}", "1", "must be at most 0.3" },
		{ "{'minimum': 10, 'exclusiveMinimum': true}", "1", "must be above 10" },
		{ "{'pattern': '^x$'}", "'a'", "must match ^x$" },
		{ "{'required': ['a']}", "{}", "is missing" },
		{ "{'anyOf': [{'title': 'a person', 'minimum': 4}, {'minimum': 5}]}", "1",
			"must match at least one of: a person, alternative 2" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		json_auto_t *value = quoted_json(cases[i].value), *errors = errors_of(cases[i].schema, value);
		const json_t *error = json_array_get(errors, 0);

		assert_string_equal(json_string_value(json_object_get(error, "detail")), cases[i].detail);
		assert_memory_equal(json_string_value(json_object_get(error, "pointer")), "/body", 5);
	}
}

static void test_errors_are_bounded(void **state)
{
	json_auto_t *many = json_array(), *long_key = json_object();
	char key[5001] = { 0 }, required[2000] = "{'required': ['m0'";

	for (int i = 0; i < 1000; i++)
		json_array_append_new(many, json_string("x"));
	json_auto_t *errors = errors_of("{'items': {'type': 'integer'}}", many);
	assert_int_equal(json_array_size(errors), 100);

	for (int i = 1; i < 150; i++)
		sprintf(required + strlen(required), ", 'm%d'", i);
	strcat(required, "]}");
	json_auto_t *missing = errors_of(required, long_key);
	assert_int_equal(json_array_size(missing), 100);

	for (int i = 0; i < 2500; i++)
		memcpy(key + 2 * i, "\xc3\xa8", 2);
	json_object_set_new(long_key, key, json_null());
	json_auto_t *one = errors_of("{'additionalProperties': false}", long_key);
	const char *pointer = json_string_value(json_object_get(json_array_get(one, 0), "pointer"));
	assert_non_null(pointer); /* cut between characters, or jansson would have refused it */
	assert_in_range(strlen(pointer), 990, 1000);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* An expression that backtracks exponentially, alternatives that double at each level, and a large array of
 * equal-looking items: each is refused or checked in bounded time. */
static void test_nothing_runs_for_long(void **state)
{
	json_auto_t *texts = json_array(), *deep = json_object(), *large = json_array();
	double start = seconds();

	json_array_append_new(texts, json_string("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"));
	json_auto_t *slow_once = errors_of("{'items': {'pattern': '^(a+)+$'}}", texts);
	assert_int_equal(json_array_size(slow_once), 1);
	assert_true(seconds() - start < 0.1);
	for (int i = 0; i < 1000; i++)
		json_array_append(texts, json_array_get(texts, 0));
	json_auto_t *slow_pattern = errors_of("{'items': {'pattern': '^(a+)+$'}}", texts);
	assert_true(json_array_size(slow_pattern) > 0);

	for (int i = 0; i < 31; i++) {
		json_t *around = json_object();

		json_object_set(around, "c", deep);
		json_decref(deep);
		deep = around;
	}
	json_auto_t *doubling = errors_of("{'anyOf': [{'properties': {'c': {'$ref': '#'}}, 'required': ['x']},"
					  " {'properties': {'c': {'$ref': '#'}}, 'required': ['y']}]}",
		deep);
	assert_true(json_array_size(doubling) > 0);

	for (int i = 0; i < 50000; i++)
		json_array_append_new(large, json_pack("{s:i}", "a", i));
	json_auto_t *unique = errors_of("{'uniqueItems': true}", large);
	assert_int_equal(json_array_size(unique), 0);
	assert_true(seconds() - start < 20); /* also under valgrind or a sanitizer; seconds at most without */
}

/* Threads have small stacks: a value that is nested without end is refused before they overflow. */
static void test_nothing_goes_too_deep(void **state)
{
	json_t *deep = json_object();

	for (int i = 0; i < 2000; i++)
		deep = json_pack("{s:o}", "a", deep);
	json_auto_t *errors = errors_of("{'additionalProperties': {'$ref': '#'}}", deep);
	assert_int_equal(json_array_size(errors), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(errors, 0), "code")), "complexity");
	json_decref(deep);
}

static void test_text_of_parameters(void **state)
{
	static const struct {
		const char *schema, *text, *value, *found;
	} cases[] = {
		{ "{'type': 'integer'}", "12", "12", "" },
		{ "{'type': 'integer'}", "-12", "-12", "" },
		{ "{'type': 'integer'}", "012", "'012'", "type@p" },
		{ "{'type': 'integer'}", "+12", "'+12'", "type@p" },
		{ "{'type': 'integer'}", "1.0", "'1.0'", "type@p" },
		{ "{'type': 'integer'}", " 12", "' 12'", "type@p" },
		{ "{'type': 'integer'}", "", "''", "type@p" },
		{ "{'type': 'integer'}", "9223372036854775808", "'9223372036854775808'", "type@p" },
		{ "{'type': 'integer', 'maximum': 100}", "101", "101", "maximum@p" },
		{ "{'type': 'integer', 'default': 20}", NULL, "20", "" },
		{ "{'allOf': [{'type': 'integer', 'default': 20}]}", NULL, "20", "" },
		{ "{'allOf': [{'type': 'integer'}], 'description': 'x'}", "7", "7", "" },
		{ "{'type': 'number'}", "1.5", "1.5", "" },
		{ "{'type': 'number'}", "-1e3", "-1000.0", "" },
		{ "{'type': 'number'}", "7", "7", "" },
		{ "{'type': 'number'}", "1.", "'1.'", "type@p" },
		{ "{'type': 'number'}", ".5", "'.5'", "type@p" },
		{ "{'type': 'number'}", "1e", "'1e'", "type@p" },
		{ "{'type': 'number'}", "1e999", "'1e999'", "type@p" },
		{ "{'type': 'number'}", "0x10", "'0x10'", "type@p" },
		{ "{'type': 'number'}", "nan", "'nan'", "type@p" },
		{ "{'type': 'boolean'}", "true", "true", "" },
		{ "{'type': 'boolean'}", "false", "false", "" },
		{ "{'type': 'boolean'}", "1", "'1'", "type@p" },
		{ "{'type': 'boolean'}", "True", "'True'", "type@p" },
		{ "{'type': 'string'}", "12", "'12'", "" },
		{ "{'type': 'string', 'minLength': 1}", "", "''", "minLength@p" },
		{ "{'type': 'string', 'format': 'date'}", "2026-02-30", "'2026-02-30'", "format@p" },
		{ "{}", "true", "'true'", "" },
		{ "{'type': 'array', 'items': {'type': 'integer'}}", "1,2,3", "[1, 2, 3]", "" },
		{ "{'type': 'array', 'items': {'type': 'integer'}}", "1,x,3", "[1, 'x', 3]", "type@p" },
		{ "{'type': 'array', 'items': {'type': 'string'}, 'minItems': 1}", "", "[]", "minItems@p" },
		{ "{'type': 'array', 'items': {'type': 'string', 'enum': ['a', 'b']}}", "a,b,", "['a', 'b', '']",
			"enum@p" },
		{ "{'type': 'string'}", "\xff", "null", "format@p" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		json_auto_t *definition = quoted_json(cases[i].schema), *expected = quoted_json(cases[i].value);
		json_auto_t *errors = json_array();
		char *failure, found[400];
		struct schema *schema = schema_new(definition, definition, NULL, NULL, &failure);
		json_t *value = NULL;

		assert_non_null(schema);
		schema_check_text(schema, cases[i].text, "p", errors, &value);
		describe_errors(errors, found, sizeof found);
		if (strcmp(found, cases[i].found) != 0)
			fail_msg("%s as %s: '%s'", cases[i].text, cases[i].schema, found);
		assert_true(json_equal(value, expected));
		json_decref(value);
		schema_free(schema);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_read_and_write_only),
		cmocka_unit_test(test_combinations),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_discriminator_with_alternatives),
		cmocka_unit_test(test_discriminator_with_heirs),
		cmocka_unit_test(test_discriminators_in_a_row),
		cmocka_unit_test(test_words_of_errors),
		cmocka_unit_test(test_errors_are_bounded),
		cmocka_unit_test(test_nothing_runs_for_long),
		cmocka_unit_test(test_nothing_goes_too_deep),
		cmocka_unit_test(test_text_of_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
