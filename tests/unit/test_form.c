/* application/x-www-form-urlencoded: what is well formed and what is not. */
#include "http.h"
#include "unit.h"

static void reads_forms(void **state)
{
	static const struct {
		const char *form, *json; /* NULL: refused */
	} cases[] = {
		{ "", "{}" },
		{ "a=1&b=2", "{\"a\":\"1\",\"b\":\"2\"}" },
		{ "a=x+y%20z", "{\"a\":\"x y z\"}" },
		{ "a=%C3%A0", "{\"a\":\"à\"}" },
		{ "a", "{\"a\":\"\"}" },
		{ "a=&b=", "{\"a\":\"\",\"b\":\"\"}" },
		{ "a=b=c", "{\"a\":\"b=c\"}" },
		{ "&&a=1&&", "{\"a\":\"1\"}" },
		{ "a=1&a=2", NULL },
		{ "a=%4", NULL },
		{ "a=%", NULL },
		{ "a=%zz", NULL },
		{ "a=%00", NULL },
		{ "a=%FF", NULL },
		{ "=1", NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *form = form_parse(cases[i].form, strlen(cases[i].form));
		char *text = form ? json_dumps(form, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

		if (cases[i].json)
			assert_string_equal(text, cases[i].json);
		else
			assert_null(form);
		free(text);
		json_decref(form);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads_forms) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
