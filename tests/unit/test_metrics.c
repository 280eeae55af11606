/* The page that Prometheus reads: the lines of one metric stand together under one TYPE, and count what happened. */
#include "metrics.h"
#include "unit.h"

static void a_source(metrics_writer *write, void *out)
{
	write(out, "unit_waiting", "What waits.", "kind=\"a\"", 3);
	write(out, "unit_waiting", NULL, "kind=\"b\"", 4);
	write(out, "unit_seen_total", "What was seen.", "", 12345678);
	write(out, "unit_seconds_bucket", "What it took.", "le=\"+Inf\"", 2);
	write(out, "unit_seconds_sum", NULL, "", 0.5);
}

/* The name a line is about: that of the histogram for its buckets, sum and count. */
static size_t name_of(const char *line, char name[static 64])
{
	static const char *const endings[] = { "_bucket", "_sum", "_count" };

	if (strncmp(line, "# ", 2) == 0)
		line += strcspn(line + 2, " ") + 3;
	snprintf(name, 64, "%.*s", (int)strcspn(line, " {\n"), line);
	for (size_t i = 0; i < COUNT(endings); i++) {
		char *end = strstr(name, endings[i]);

		if (end && strlen(end) == strlen(endings[i]))
			*end = '\0';
	}
	return strlen(name);
}

static void lines_of_a_metric_stand_together(void **state)
{
	char seen[32][64], name[64];
	size_t count = 0;

	metrics_request("one", 200, 0.002);
	metrics_request("two", 404, 20);
	metrics_request("one", 200, 0.2);
	metrics_count("unit_things_total", "kind", "x");
	metrics_count("unit_others_total", "kind", "x");
	metrics_count("unit_things_total", "kind", "y");
	metrics_count("unit_things_total", "kind", "x");
	metrics_add_source(a_source);
	char *page = metrics_page_dup("unit");
	for (char *line = page; *line; line += strcspn(line, "\n") + 1) {
		name_of(line, name);
		if (count && strcmp(seen[count - 1], name) == 0)
			continue;
		for (size_t i = 0; i < count; i++)
			assert_string_not_equal(seen[i], name);
		assert_true(count < COUNT(seen));
		strcpy(seen[count++], name);
	}
	assert_int_equal(count, 8);
	assert_non_null(strstr(page, "portico_requests_total{operation=\"one\",status=\"200\"} 2\n"));
	assert_non_null(
		strstr(page, "portico_request_seconds_bucket{operation=\"one\",status=\"200\",le=\"0.0025\"} 1\n"));
	assert_non_null(strstr(page, "portico_request_seconds_bucket{operation=\"two\",status=\"404\",le=\"10\"} 0\n"));
	assert_non_null(
		strstr(page, "portico_request_seconds_bucket{operation=\"two\",status=\"404\",le=\"+Inf\"} 1\n"));
	assert_non_null(strstr(page, "# TYPE unit_things_total counter\nunit_things_total{kind=\"x\"} 2\n"));
	assert_non_null(
		strstr(page, "# TYPE unit_waiting gauge\nunit_waiting{kind=\"a\"} 3\nunit_waiting{kind=\"b\"} 4\n"));
	assert_non_null(strstr(page, "# TYPE unit_seen_total counter\nunit_seen_total 12345678\n"));
	assert_non_null(strstr(page, "# TYPE unit_seconds histogram\nunit_seconds_bucket{le=\"+Inf\"} 2\n"
				     "unit_seconds_sum 0.5\n"));
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(lines_of_a_metric_stand_together) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
