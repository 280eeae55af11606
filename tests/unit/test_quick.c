/* The quick look at parameters never says yes where the thorough one says no, and says yes where it is meant to. And
 * what it stands on: the parts of a query, the names of operations that outlive their contract. */
#include "metrics.h"
#include "query.h"
#include "schema_case.h"

static const char *const texts[] = { "", "a", "ab", "abc", "0", "-0", "00", "7", "-7", "+7", "1.0", "1e1", "99", "100",
	"101", "2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808",
	"999999999999999999", "1000000000000000000", "true", "false", "True", "null", "draft", "draft,closed",
	"draft,closed,draft", ",", "draft,", "1,2,3", "1,,3", " ", "\t", "citt\xc3\xa0", "\xc3", "\xc3\xa0",
	"\xed\xa0\x80", "0192f0a1-7c3e-7d9a-8b1e-0242ac120002", "0192F0A1-7C3E-7D9A-8B1E-0242AC120002",
	"0192f0a1-7c3e-7d9a-8b1e-0242ac12000", "0192f0a1-7c3e-7d9a-8b1e-0242ac1200022",
	"0192f0a1_7c3e-7d9a-8b1e-0242ac120002", "0192f0a1-7c3e-7d9a-8b1e-0242ac12000g", "2026-02-28", "2026-02-29",
	"c_a944", "it", "IT", "itx", "a\nb", "it\n" };

static const struct {
	const char *schema;
	const char *quick; /* a text that it takes at a glance; NULL: it never does */
} schemas[] = {
	{ "{'type': 'string'}", "abc" },
	{ "{'type': 'string', 'minLength': 2, 'maxLength': 3}", "ab" },
	{ "{'type': 'string', 'format': 'uuid', 'minLength': 36}", "0192F0A1-7C3E-7D9A-8B1E-0242AC120002" },
	{ "{'type': 'string', 'format': 'date'}", "2026-02-28" },
	{ "{'type': 'string', 'format': 'ipa-code'}", "c_a944" },
	{ "{'type': 'string', 'format': 'int32'}", "7" },
	{ "{'type': 'string', 'pattern': '^[a-z]{2}$'}", "it" },
	{ "{'type': 'string', 'enum': ['draft', 'ab']}", "draft" },
	{ "{'type': 'string', 'nullable': true, 'enum': ['draft', null]}", "draft" },
	{ "{'type': 'integer'}", "-7" },
	{ "{'type': 'integer', 'format': 'int32'}", "2147483647" },
	{ "{'type': 'integer', 'format': 'int64'}", "999999999999999999" },
	{ "{'type': 'integer', 'minimum': 7, 'maximum': 100}", "100" },
	{ "{'type': 'integer', 'minimum': 7, 'exclusiveMinimum': true}", "99" },
	{ "{'type': 'integer', 'maximum': 7, 'exclusiveMaximum': true}", "-7" },
	{ "{'type': 'integer', 'minimum': 9223372036854775807, 'exclusiveMinimum': true}", NULL },
	{ "{'type': 'integer', 'minimum': 0.5}", NULL },
	{ "{'type': 'integer', 'multipleOf': 7}", NULL },
	{ "{'type': 'integer', 'enum': [7]}", NULL },
	{ "{'type': 'boolean'}", "false" },
	{ "{'type': 'boolean', 'enum': [true]}", NULL },
	{ "{'type': 'number'}", NULL },
	{ "{}", NULL },
	{ "{'type': 'array', 'items': {'type': 'string', 'enum': ['draft', 'closed']}, 'minItems': 1, 'maxItems': 2}",
		"draft,closed" },
	{ "{'type': 'array', 'items': {'type': 'integer', 'maximum': 2}}", "" },
	{ "{'type': 'array', 'items': {'type': 'string', 'format': 'uuid'}}", "0192f0a1-7c3e-7d9a-8b1e-0242ac120002" },
	{ "{'type': 'array', 'items': {'type': 'string'}, 'uniqueItems': true}", NULL },
	{ "{'type': 'array', 'items': {'type': 'number'}}", NULL },
	{ "{'allOf': [{'type': 'string', 'maxLength': 3}, {'minLength': 2}], 'pattern': '^a'}", "ab" },
	{ "{'allOf': [{'type': 'string', 'pattern': 'a'}, {'pattern': 'b'}]}", NULL },
	{ "{'allOf': [{'type': 'string', 'format': 'uuid'}, {'format': 'date'}]}", NULL },
	{ "{'type': 'string', 'anyOf': [{'maxLength': 1}, {'minLength': 3}]}", NULL },
	{ "{'type': 'string', 'oneOf': [{'maxLength': 1}, {'minLength': 3}]}", NULL },
	{ "{'type': 'string', 'not': {'maxLength': 1}}", NULL },
	{ "{'root': {'$ref': '#/list'}, 'list': {'type': 'array', 'items': {'$ref': '#/list'}}}", NULL },
};

static bool holds_thoroughly(const struct schema *schema, const char *text)
{
	json_auto_t *errors = json_array(), *value = NULL;

	return schema_check_text(schema, text, "p", errors, &value) == 0;
}

static void check_schema(const char *definition, const char *quick)
{
	json_auto_t *document = quoted_json(definition);
	const json_t *root = json_object_get(document, "root");
	char *failure;
	struct schema *schema = schema_new(root ? root : document, document, NULL, NULL, &failure);

	assert_non_null(schema);
	assert_false(schema_text_holds(schema, "abc", 3)); /* it was not asked for yet */
	schema_prepare_text(schema);
	if (quick && !schema_text_holds(schema, quick, strlen(quick)))
		fail_msg("%s should take '%s' at a glance", definition, quick);
	for (size_t i = 0; i < COUNT(texts); i++) {
		bool taken = schema_text_holds(schema, texts[i], strlen(texts[i]));

		if (taken && (!quick || !holds_thoroughly(schema, texts[i])))
			fail_msg("%s takes '%s'", definition, texts[i]);
	}
	schema_free(schema);
}

static void the_quick_look_agrees(void **state)
{
	for (size_t i = 0; i < COUNT(schemas); i++)
		check_schema(schemas[i].schema, schemas[i].quick);
}

static void queries_have_parts(void **state)
{
	static const struct {
		const char *query, *parts;
	} cases[] = { { NULL, "" }, { "", "" }, { "a", "[a]" }, { "a=", "[a=]" }, { "a=b", "[a=b]" }, { "=b", "[=b]" },
		{ "a=b=c", "[a=b=c]" }, { "a&b=1", "[a][b=1]" }, { "a=1&", "[a=1]" }, { "&a", "[][a]" },
		{ "a&&b", "[a][][b]" }, { "&", "[]" } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *query = cases[i].query;
		struct query_part part;
		char parts[64] = "";

		while (query_next(&query, &part)) {
			size_t used = strlen(parts);

			snprintf(parts + used, sizeof parts - used, "[%.*s%s%.*s]", (int)part.name_length, part.name,
				part.value ? "=" : "", (int)part.value_length, part.value ? part.value : "");
		}
		assert_string_equal(parts, cases[i].parts);
	}
}

static void operations_keep_their_names(void **state)
{
	char name[] = "showThing";
	const char *kept = metrics_operation(name);

	assert_ptr_not_equal(kept, name);
	assert_ptr_equal(metrics_operation("showThing"), kept);
	assert_ptr_not_equal(metrics_operation("showOther"), kept);
	name[0] = 'x';
	assert_string_equal(kept, "showThing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_quick_look_agrees),
		cmocka_unit_test(queries_have_parts),
		cmocka_unit_test(operations_keep_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
