/* Accept against the media types of an operation. */
#include "contract.h"
#include "unit.h"

static const struct {
	const char *answers[3];
	const char *accept;
	bool accepted;
} cases[] = {
	{ { "application/json" }, "*/*", true },
	{ { "application/json" }, "application/json", true },
	{ { "application/json" }, "APPLICATION/Json", true },
	{ { "application/json" }, "application/*", true },
	{ { "application/json" }, "text/html", false },
	{ { "application/json" }, "text/*, image/png", false },
	{ { "application/json" }, "application/problem+json", false },
	{ { "application/json" }, "application/jso", false },
	{ { "application/json" }, "application/jsonp", false },
	{ { "application/json" }, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true },
	{ { "application/json" }, "text/html;level=1 , application/json ; charset=utf-8 ; q=0.1", true },
	/* the closest range decides, wherever it stands */
	{ { "application/json" }, "*/*, application/json;q=0", false },
	{ { "application/json" }, "application/json;q=0.0, */*", false },
	{ { "application/json" }, "application/*;q=0.000, */*;q=1", false },
	{ { "application/json" }, "application/json, application/*;q=0", true },
	{ { "application/json" }, "*/*;q=0", false },
	{ { "application/json" }, "text/html, */*;Q=0", false },
	{ { "application/json" }, "application/json;q=0.001", true },
	{ { "application/json" }, "application/json;x=1;q=0", false },
	{ { "application/json" }, "application/json;qq=0", true },
	{ { "application/json" }, "text/html;q=0", false },
	/* several answers: one is enough */
	{ { "application/json", "text/csv" }, "text/csv", true },
	{ { "application/json", "text/csv" }, "application/json;q=0, text/*", true },
	{ { "application/json", "text/csv" }, "image/*", false },
	/* ranges in the contract */
	{ { "image/*" }, "image/png", true },
	{ { "image/*" }, "application/pdf", false },
	{ { "*/*" }, "application/pdf", true },
	/* nothing to choose from */
	{ { NULL }, "text/html", true },
	/* who cannot be understood gets an answer */
	{ { "application/json" }, "", true },
	{ { "application/json" }, " , ,", true },
	{ { "application/json" }, "*", true },
	{ { "application/json" }, "html", true },
	{ { "application/json" }, "text/", true },
	{ { "application/json" }, "/html", true },
	{ { "application/json" }, "text/html, garbage", true },
	{ { "application/json" }, "text/html;a=\"b, application/json;q=0\"", true },
	{ { "application/json" }, "application/json;", true },
	{ { "application/json" }, "text/html;,", false },
};

static void accept_is_read(void **state)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct contract_operation operation = { .answers = cases[i].answers };

		while (operation.answer_count < 3 && cases[i].answers[operation.answer_count])
			operation.answer_count++;
		if (contract_accepted(&operation, cases[i].accept) != cases[i].accepted)
			fail_msg("%s with '%s' should%s be accepted",
				operation.answer_count ? cases[i].answers[0] : "nothing", cases[i].accept,
				cases[i].accepted ? "" : " not");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(accept_is_read) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
