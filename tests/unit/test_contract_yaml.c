/* YAML as contracts are written in it: the core schema's types, anchors, and everything that is refused with its line.
 */
#include <jansson.h>
#include "unit.h"
#include "contract_internal.h"

static void test_values(void **state)
{
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{ "a: text", "{'a': 'text'}" },
		{ "a: true\nb: False\nc: null\nd: ~\ne:\nf: Null",
			"{'a': true, 'b': false, 'c': null, 'd': null, 'e': null, 'f': null}" },
		{ "a: 'true'\nb: \"12\"\nc: !!str 12\nd: 'null'", "{'a': 'true', 'b': '12', 'c': '12', 'd': 'null'}" },
		{ "a: yes\nb: no\nc: on\nd: y",
			"{'a': 'yes', 'b': 'no', 'c': 'on', 'd': 'y'}" }, /* YAML 1.1's booleans */
		{ "[1, -2, +3, 017, 0o17, 0x1F]", "[1, -2, 3, 17, 15, 31]" },
		{ "[1.5, -0.5, .5, 1., 1e3, 1E-3, +1.5e+3]", "[1.5, -0.5, 0.5, 1.0, 1000.0, 0.001, 1500.0]" },
		{ "[1_000, 0.1.0, 1e, ., '-', 1:30, 0b1, 2026-11-21, e1, 0x, 0o8]",
			"['1_000', '0.1.0', '1e', '.', '-', '1:30', '0b1', '2026-11-21', 'e1', '0x', '0o8']" },
		{ "[9223372036854775807, -9223372036854775808]", "[9223372036854775807, -9223372036854775808]" },
		{ "'200': {}\n404: {}\nnull: 1\ntrue: 2", "{'200': {}, '404': {}, 'null': 1, 'true': 2}" },
		{ "a: &x {b: 1}\nc: *x\nd: [*x, *x]", "{'a': {'b': 1}, 'c': {'b': 1}, 'd': [{'b': 1}, {'b': 1}]}" },
		{ "a: &x 1\nb: &x 2\nc: *x", "{'a': 1, 'b': 2, 'c': 2}" },
		{ "a: |-\n  two\n  lines\nb: >-\n  one\n  line", "{'a': 'two\\nlines', 'b': 'one line'}" },
		{ "a: perché # comment", "{'a': 'perché'}" },
		{ "--- 12\n...\n", "12" },
		{ "{}", "{}" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char *error, *copy = strdup(cases[i].json);
		json_t *value = contract_yaml_parse(cases[i].yaml, strlen(cases[i].yaml), &error);

		for (char *quote = copy; (quote = strchr(quote, '\'')); quote++)
			*quote = '"';
		if (!value)
			fail_msg("%s: %s", cases[i].yaml, error);
		json_auto_t *expected = json_loads(copy, JSON_DECODE_ANY, NULL);
		assert_non_null(expected);
		if (!json_equal(value, expected))
			fail_msg("%s is not %s", cases[i].yaml, cases[i].json);
		json_decref(value);
		free(copy);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *yaml, *error;
	} cases[] = {
		{ "", "line 1, column 1: the file is empty" },
		{ "a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' is there twice" },
		{ "a: [1", "line 2, column 1: did not find expected ',' or ']'" },
		{ "a: b: c", "line 1, column 5: mapping values are not allowed" },
		{ "a: 1\n---\nb: 2", "line 2, column 1: a second document is not allowed" },
		{ "a: *x", "line 1, column 4: the alias *x has no anchor before it" },
		{ "a: &x [*x]", "line 1, column 8: the alias *x has no anchor before it" },
		{ "a: &x {b: 1}\nc:\n  <<: *x", "line 3, column 3: merge keys (<<) are not supported" },
		{ "[1]: a", "line 1, column 1: a key must be a plain word or a quoted string" },
		{ "a: !!binary aGk=", "line 1, column 4: the tag tag:yaml.org,2002:binary is not supported" },
		{ "a: !!set {b}", "line 1, column 4: the tag tag:yaml.org,2002:set is not supported" },
		{ "a: !own 1", "line 1, column 4: the tag !own is not supported" },
		{ "a: .inf", "line 1, column 4: .inf is not a number that JSON has" },
		{ "a: -.Inf", "line 1, column 4: -.Inf is not a number that JSON has" },
		{ "a: .NaN", "line 1, column 4: .NaN is not a number that JSON has" },
		{ "a: 1e999", "line 1, column 4: 1e999 is too large" },
		{ "a: 9223372036854775808", "line 1, column 4: 9223372036854775808 does not fit in 64 bits" },
		{ "a: \"x\\0y\"", "line 1, column 4: a NUL character is not allowed" },
		{ "\"x\\0y\": 1", "line 1, column 1: a key must be valid UTF-8 without NUL" },
		{ "a: \xff", "line 1, column 1: " },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char *error = NULL;

		if (contract_yaml_parse(cases[i].yaml, strlen(cases[i].yaml), &error))
			fail_msg("%s is read", cases[i].yaml);
		if (strncmp(error, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s: '%s' instead of '%s'", cases[i].yaml, error, cases[i].error);
		free(error);
	}
}

static void test_depth_and_laughs(void **state)
{
	char deep[401], laughs[2000] = "a0: &a0 x\n", *error;
	size_t used = strlen(laughs);

	memset(deep, '[', 200);
	memset(deep + 200, ']', 200);
	deep[400] = '\0';
	assert_null(contract_yaml_parse(deep, 400, &error));
	assert_non_null(strstr(error, "nested more than 64 deep"));
	free(error);

	/* a billion leaves that share their branches: read at no cost */
	for (int i = 1; i < 30; i++)
		used += (size_t)sprintf(laughs + used, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
	json_auto_t *shared = contract_yaml_parse(laughs, used, &error);
	assert_int_equal(json_object_size(shared), 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_depth_and_laughs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
