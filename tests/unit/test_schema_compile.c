/* What a schema may not say: keywords that do not exist, arguments that make no sense, references that lead nowhere.
 * Each is found when the schema is compiled, with its place, so that no service starts with a check that does not
 * happen. */
#include "schema_case.h"

struct refusal {
	const char *schema, *error; /* place and beginning of the reason */
};

static void check_refusals(const struct refusal *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_auto_t *document = quoted_json(cases[i].schema);
		const json_t *root = json_object_get(document, "root");
		char *error;
		struct schema *schema = schema_new(root ? root : document, document, NULL, NULL, &error);

		if (schema)
			fail_msg("%s compiles", cases[i].schema);
		if (strncmp(error, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s: '%s' instead of '%s'", cases[i].schema, error, cases[i].error);
		free(error);
	}
}

static void test_keywords(void **state)
{
	static const struct refusal cases[] = {
		{ "{'maxLenght': 3}", "#/maxLenght: unknown keyword 'maxLenght'" },
		{ "{'xml': {'name': 'a'}}", "#/xml: unknown keyword 'xml'" },
		{ "{'externalDocs': {}}", "#/externalDocs: unknown keyword" },
		{ "{'const': 1}", "#/const: unknown keyword" },
		{ "{'properties': {'a/b': {'items': {'minLen': 1}}}}",
			"#/properties/a~1b/items/minLen: unknown keyword" },
		{ "{'additionalProperties': {'oneOf': [{}, {'bad': 1}]}}",
			"#/additionalProperties/oneOf/1/bad: unknown" },
		{ "{'not': {'bad': 1}}", "#/not/bad: unknown keyword" },
		{ "{'type': 'date'}", "#/type: 'type' must be string, integer" },
		{ "{'type': ['string', 'null']}", "#/type: 'type' must be" },
		{ "{'type': 'null'}", "#/type: 'type' must be" },
		{ "{'format': 'telephone'}", "#/format: unknown format 'telephone'" },
		{ "{'format': 1}", "#/format: 'format' must be a string" },
		{ "{'nullable': 'yes'}", "#/nullable: 'nullable' must be true or false" },
		{ "{'exclusiveMinimum': 3}", "#/exclusiveMinimum: 'exclusiveMinimum' must be true or false" },
		{ "{'minimum': '3'}", "#/minimum: 'minimum' must be a number" },
		{ "{'multipleOf': 0}", "#/multipleOf: 'multipleOf' must be above zero" },
		{ "{'multipleOf': -1}", "#/multipleOf: 'multipleOf' must be above zero" },
		{ "{'maxLength': -1}", "#/maxLength: 'maxLength' must be an integer from 0 on" },
		{ "{'minItems': 1.5}", "#/minItems: 'minItems' must be an integer" },
		{ "{'pattern': '('}", "#/pattern: the pattern is wrong at character" },
		{ "{'pattern': 1}", "#/pattern: 'pattern' must be a string" },
		{ "{'pattern': '\\\\C'}", "#/pattern: the pattern is wrong" },
		{ "{'enum': []}", "#/enum: 'enum' must be an array" },
		{ "{'enum': 'a'}", "#/enum: 'enum' must be an array" },
		{ "{'enum': ['a', 'b', 'a']}", "#/enum: 'enum' must be without repetitions" },
		{ "{'required': 'a'}", "#/required: 'required' must be an array of different names" },
		{ "{'required': ['a', 'a']}", "#/required: 'required' must be an array of different names" },
		{ "{'required': [1]}", "#/required: 'required' must be an array of names" },
		{ "{'properties': ['a']}", "#/properties: 'properties' must be an object" },
		{ "{'properties': {'a': true}}", "#/properties: 'properties' must hold schema objects" },
		{ "{'items': [{}]}", "#/items: 'items' must hold schema objects" },
		{ "{'additionalProperties': 1}",
			"#/additionalProperties: 'additionalProperties' must be true, false or" },
		{ "{'allOf': []}", "#/allOf: 'allOf' must be an array with at least one schema" },
		{ "{'oneOf': {'a': {}}}", "#/oneOf: 'oneOf' must be an array with at least one schema" },
		{ "{'anyOf': [1]}", "#/anyOf: 'anyOf' must hold schema objects" },
		{ "{'title': 1}", "#/title: 'title' must be a string" },
		{ "[]", "#: a schema must be an object" },
	};

	check_refusals(cases, COUNT(cases));
}

static void test_contradictions(void **state)
{
	static const struct refusal cases[] = {
		{ "{'type': 'array'}", "#: an array must have 'items'" },
		{ "{'readOnly': true, 'writeOnly': true}", "#: readOnly and writeOnly exclude each other" },
		{ "{'minimum': 3, 'maximum': 2}", "#: the minimum is above the maximum" },
		{ "{'exclusiveMaximum': true}", "#: an exclusive bound needs" },
		{ "{'minLength': 3, 'maxLength': 2}", "#: the least length is above the most" },
		{ "{'minItems': 3, 'maxItems': 2}", "#: the least number of items is above the most" },
		{ "{'minProperties': 3, 'maxProperties': 2}", "#: the least number of properties is above the most" },
		{ "{'type': 'string', 'enum': ['a', 1]}", "#/enum: value 2 of the enum is not of the type" },
		{ "{'type': 'string', 'nullable': true, 'enum': ['a']}", "#/enum: nullable needs null" },
		{ "{'additionalProperties': false, 'properties': {'a': {}}, 'required': ['b']}",
			"#/required: 'b' is required and not allowed" },
		{ "{'type': 'integer', 'maximum': 3, 'default': 4}",
			"#/default: the default does not hold: must be at" },
		{ "{'properties': {'a': {'format': 'date', 'default': 'today'}}}",
			"#/properties/a/default: the default does not hold: must be a date" },
	};

	check_refusals(cases, COUNT(cases));
}

static void test_references(void **state)
{
	static const struct refusal cases[] = {
		{ "{'items': {'$ref': '#/nowhere'}}", "#/items/$ref: $ref '#/nowhere' points at nothing" },
		{ "{'items': {'$ref': 'other.json#/a'}}", "#/items/$ref: $ref 'other.json#/a' points at nothing" },
		{ "{'items': {'$ref': 7}}", "#/items/$ref: $ref '(not a string)' points at nothing" },
		{ "{'items': {'$ref': '#/list/01x'}, 'list': [{}]}", "#/list: unknown keyword" },
		{ "{'root': {'$ref': '#/list/1'}, 'list': [{}]}", "#/root/$ref: $ref '#/list/1' points at nothing" },
		{ "{'root': {'$ref': '#/list/-'}, 'list': [{}]}", "#/root/$ref: $ref '#/list/-' points at nothing" },
		{ "{'root': {'$ref': '#/a', 'nullable': true}, 'a': {}}", "#/root: a $ref stands alone" },
		{ "{'root': {'$ref': '#/a'}, 'a': {'$ref': '#/b'}, 'b': {'$ref': '#/a'}}",
			"#/root: the chain of $ref" },
		{ "{'root': {'$ref': '#/root'}}", "#/root: the chain of $ref has no end" },
		{ "{'root': {'$ref': '#/a'}, 'a': 3}", "#/a: a schema must be an object" },
		{ "{'allOf': [{'$ref': '#'}]}", "#: the schema refers to itself without an end" },
		{ "{'root': {'$ref': '#/a'}, 'a': {'anyOf': [{}, {'$ref': '#/b'}]}, 'b': {'not': {'$ref': '#/a'}}}",
			"#/a: the schema refers to itself without an end" },
	};

	check_refusals(cases, COUNT(cases));
}

static void test_discriminators(void **state)
{
	static const struct refusal cases[] = {
		{ "{'discriminator': 'kind'}", "#/discriminator: 'discriminator' must have propertyName" },
		{ "{'discriminator': {'mapping': {}}}", "#/discriminator: 'discriminator' must have propertyName" },
		{ "{'discriminator': {'propertyName': 'k', 'other': 1}}",
			"#/discriminator: 'discriminator' must have" },
		{ "{'discriminator': {'propertyName': 'k', 'mapping': []}}",
			"#/discriminator: 'discriminator' must have" },
		{ "{'oneOf': [{'type': 'object'}], 'discriminator': {'propertyName': 'k'}}",
			"#/oneOf: with a discriminator every alternative is a $ref" },
		{ "{'root': {'oneOf': [{'$ref': '#/a'}], 'discriminator': {'propertyName': 'k', 'mapping': {'x': "
		  "'#/b'}}}, 'a': {}}",
			"#/root/discriminator: the mapping of 'x' points at nothing" },
		{ "{'root': {'oneOf': [{'$ref': '#/a'}], 'discriminator': {'propertyName': 'k', 'mapping': {'x': "
		  "'#/b'}}}, 'a': {}, 'b': {}}",
			"#/root/discriminator: the mapping of 'x' is not one of the alternatives" },
		{ "{'root': {'discriminator': {'propertyName': 'k', 'mapping': {'x': '#/b'}}}, 'b': {}}",
			"#/root/discriminator: the mapping of 'x' is not one of the alternatives" },
		{ "{'root': {'discriminator': {'propertyName': 'k', 'mapping': {'x': 1}}}}",
			"#/root/discriminator: the mapping of 'x' points at nothing" },
	};

	check_refusals(cases, COUNT(cases));
}

static void test_depth(void **state)
{
	json_t *schema = json_object();
	char *error;

	for (int i = 0; i < 1000; i++)
		schema = json_pack("{s:o}", "items", schema);
	assert_null(schema_new(schema, schema, NULL, NULL, &error));
	assert_non_null(strstr(error, "schemas are nested too deeply"));
	free(error);
	json_decref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keywords),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_discriminators),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
