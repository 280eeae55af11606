/* What a notice is made of before any channel sees it: templates, the shapes of a text, the fields of an e-mail,
 * Italian wording. */
#include "unit.h"
#include <string.h>
#include "arena.h"
#include "mime.h"
#include "shapes.h"
#include "template.h"
#include "wording.h"

static struct arena *arena;

static const char *error;

static const char *filled(const char *text, const char *data_text, enum template_escape escape)
{
	json_auto_t *data = json_loads(data_text, 0, NULL);

	assert_non_null(data);
	error = NULL;
	return template_render(arena, text, data, escape, &error);
}

static void assert_filled(const char *text, const char *data, const char *wanted)
{
	const char *made = filled(text, data, ESCAPE_NONE);

	assert_null(error);
	assert_string_equal(made, wanted);
}

static void assert_refused(const char *text, const char *data, const char *wanted)
{
	assert_null(filled(text, data, ESCAPE_NONE));
	assert_string_equal(error, wanted);
}

static void values_are_put(void **state)
{
	assert_filled("{{a.b}} e {{ n }}", "{\"a\": {\"b\": \"uno\"}, \"n\": -7}", "uno e -7");
	assert_filled("{{! nulla }}x", "{}", "x");
	assert_string_equal(
		filled("{{a}} {{{a}}}", "{\"a\": \"<b>'&\\\"\"}", ESCAPE_HTML), "&lt;b&gt;&#39;&amp;&quot; <b>'&\"");
}

static void sections_repeat_appear_and_disappear(void **state)
{
	assert_filled("{{#l}}<{{.}}>{{/l}}", "{\"l\": [\"a\", \"b\"]}", "<a><b>");
	assert_filled("{{#l}}{{n}}{{top}} {{/l}}", "{\"l\": [{\"n\": 1}, {\"n\": 2}], \"top\": \"!\"}", "1! 2! ");
	assert_filled("{{#a}}si{{/a}}{{^a}}no{{/a}}", "{\"a\": null}", "no");
	assert_filled("{{#a}}si{{/a}}{{^a}}no{{/a}}", "{\"a\": \"\"}", "no");
	assert_filled("{{#a}}si {{a}}{{/a}}{{^a}}no{{/a}}", "{\"a\": \"x\"}", "si x");
	assert_filled("{{#a}}{{#a}}x{{/a}}{{/a}}", "{\"a\": true}", "x");
}

static void a_section_alone_on_its_line_takes_the_line(void **state)
{
	assert_filled("uno\n  {{#a}}\ndue\n{{/a}}\ntre", "{\"a\": true}", "uno\ndue\ntre");
	assert_filled("uno\n{{#a}}\ndue\n{{/a}}\ntre", "{\"a\": false}", "uno\ntre");
}

static void what_is_missing_is_an_error_with_its_place(void **state)
{
	assert_refused("uno\n{{due}}", "{}", "line 2: {{due}} is not among the data");
	assert_refused("{{#s}}x{{/s}}", "{}", "line 1: {{s}} is not among the data");
	assert_refused("{{a.b}}", "{\"a\": {}}", "line 1: {{a.b}} is not among the data");
	assert_refused("{{a}}", "{\"a\": null}", "line 1: {{a}} is neither a text nor a whole number");
	assert_refused("{{a}}", "{\"a\": 1.5}", "line 1: {{a}} is neither a text nor a whole number");
}

static void malformed_templates_are_refused(void **state)
{
	assert_refused("{{a", "{\"a\": \"\"}", "line 1: {{}} is not closed");
	assert_refused("{{#a}}x", "{\"a\": true}", "line 1: {{a}} is never closed");
	assert_refused("{{/a}}", "{\"a\": true}", "line 1: {{a}} closes a section that is not open");
	assert_refused("{{#a}}{{#b}}{{/a}}{{/b}}", "{\"a\": true, \"b\": true}",
		"line 1: {{b}} closes a section that is not the open one");
	assert_refused("{{> partial}}", "{}", "line 1: {{> partial}} is not a tag that templates know");
	assert_refused("{{=<% %>=}}", "{}", "line 1: {{=<% %>=}} is not a tag that templates know");
}

static void sections_do_not_multiply_without_end(void **state)
{
	const char *data = "{\"l\": [{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]}";

	assert_filled("{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}", data, "");
	assert_refused("{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}", data,
		"line 1: {{}} comes round too often");
}

static void html_keeps_text_as_text(void **state)
{
	assert_string_equal(shape_html(arena, "a <b>\nc\n\n- uno\n- due & tre\nfine"),
		"<p>a &lt;b&gt;<br>\nc</p>\n<ul>\n<li>uno</li>\n<li>due &amp; tre</li>\n</ul>\n<p>fine</p>\n");
}

static void markdown_keeps_text_as_text(void **state)
{
	assert_string_equal(shape_markdown(arena, "[qui](http://x) *no* a_b"), "\\[qui\\](http://x) \\*no\\* a\\_b");
	assert_string_equal(shape_markdown(arena, "# no\n\n12. no\n- si"), "\\# no\n\n12\\. no\n- si");
	assert_string_equal(shape_markdown(arena, "uno\ndue\n\ntre"), "uno  \ndue\n\ntre");
}

static void a_text_is_cut_by_characters(void **state)
{
	assert_int_equal(shape_length("perché"), 6);
	assert_string_equal(shape_shorten(arena, "perché", 6), "perché");
	assert_string_equal(shape_shorten(arena, "perchéé", 6), "perch…");
}

static void a_field_cannot_begin_another(void **state)
{
	assert_string_equal(mime_field(arena, "Subject", "a\r\nBcc: x@y"), "Subject: a  Bcc: x@y");
	assert_string_equal(mime_mailbox_field(arena, "From", "a\"\r\n", "x@y"), "From: \"a\\\"  \" <x@y>");
	assert_string_equal(mime_field(arena, "Subject", "=?UTF-8?Q?x?="), "Subject: =?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?=");
}

static void no_encoded_word_is_too_long_or_cuts_a_character(void **state)
{
	const char *subject = "èèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèèè";
	char *field = arena_strdup(arena, mime_field(arena, "Subject", subject)), *rest;

	for (char *line = strtok_r(field, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
		assert_in_range(strlen(line), 1, 76);
		assert_true(strstr(line, "?B?w6jD")); /* each begins with a whole è */
	}
}

static void addresses_that_no_envelope_takes(void **state)
{
	assert_true(mime_address_ok("anna.bianchi+x@posta.example"));
	for (const char *const *bad = (const char *const[]){ "", "a", "@b", "a@", "a@b@c", "a b@c",
		     "a@b\r\nRCPT TO:<c@d>", "<a@b>", "à@b", "a@b>", "a,b@c", NULL };
		*bad; bad++)
		assert_false(mime_address_ok(*bad));
}

static void italian_days_and_money(void **state)
{
	assert_true(wording_start());
	assert_string_equal(wording_day(arena, "2026-12-01"), "martedì 1º dicembre 2026");
	assert_string_equal(wording_moment(arena, "2026-12-31T23:30:00.000Z"), "venerdì 1º gennaio 2027 alle 00:30");
	assert_string_equal(wording_moment(arena, "2026-07-01T08:05:00Z"), "mercoledì 1º luglio 2026 alle 10:05");
	assert_null(wording_day(arena, NULL));
	assert_null(wording_moment(arena, "domani"));
	assert_string_equal(wording_euros(arena, 4550), "45,50 euro");
	assert_string_equal(wording_euros(arena, 123456705), "1.234.567,05 euro");
}

static int set_up(void **state)
{
	arena = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values_are_put, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sections_repeat_appear_and_disappear, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_section_alone_on_its_line_takes_the_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_missing_is_an_error_with_its_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(malformed_templates_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sections_do_not_multiply_without_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(html_keeps_text_as_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(markdown_keeps_text_as_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_text_is_cut_by_characters, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_field_cannot_begin_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_encoded_word_is_too_long_or_cuts_a_character, set_up, tear_down),
		cmocka_unit_test_setup_teardown(addresses_that_no_envelope_takes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(italian_days_and_money, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
