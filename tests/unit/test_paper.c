/* The decision on paper: the same facts give the same bytes, accents come out right, and a long text takes more pages.
 */
#include "unit.h"
#include <string.h>
#include "paper.h"

static json_t *facts(void)
{
	return json_pack("{s:s s:s s:s s:s s:s s:s s:{s:i s:i} s:s s:s s:s s:s}", "tenant", "Comune di Bologna",
		"office", "Sportello unico e mobilità", "service", "Passo carraio", "legalBasis",
		"Art. 22 d.lgs. 285/1992", "applicant", "Niccolò D'Amato", "fiscalCode", "BNCNNA85C52A944U",
		"registration", "number", 1042, "year", 2026, "registeredOn", "2026-11-01", "practice",
		"0192f0a1-7c3e-7d9a-8b1e-0242ac120002", "decidedOn", "2026-12-08", "decidedAt", "20261208093000");
}

static struct paper decision(struct request *rq, bool approved, const char *text)
{
	json_auto_t *about = facts();
	struct paper paper;

	rq->arena = arena_new();
	assert_true(paper_decision(rq, about, approved, text, &paper));
	return paper;
}

static bool says(const struct paper *paper, const char *bytes)
{
	return memmem(paper->bytes, paper->length, bytes, strlen(bytes)) != NULL;
}

static int pages(const struct paper *paper)
{
	const char *at = paper->bytes, *end = at + paper->length;
	int count = 0;

	while ((at = memmem(at, (size_t)(end - at), "/Type /Page\n", 12)) != NULL) {
		count++;
		at++;
	}
	return count;
}

static void test_same_facts_same_bytes(void **state)
{
	struct request one = { 0 }, two = { 0 };
	struct paper first = decision(&one, true, "Si autorizza."), second = decision(&two, true, "Si autorizza.");

	assert_int_equal(first.length, second.length);
	assert_memory_equal(first.bytes, second.bytes, first.length);
	assert_memory_equal(first.bytes, "%PDF-", 5);
	arena_free(one.arena);
	arena_free(two.arena);
}

/* Accented letters stand in the file as octal escapes of Windows-1252, and so does the slash. */
static void test_italian(void **state)
{
	struct request rq = { 0 };
	struct paper paper = decision(&rq, true, "Perché è così: € 45,50 – e ș");

	assert_true(says(&paper, "Perch\\351 \\350 cos\\354: \\200 45,50 \\226 e "));
	assert_true(says(&paper, "Niccol\\362 D'Amato, codice fiscale BNCNNA85C52A944U"));
	assert_true(says(&paper, "n. 1042\\0572026 del 1\\260 novembre 2026"));
	assert_true(says(&paper, "Data: 8 dicembre 2026"));
	assert_true(says(&paper, "L'istanza \\350 accolta."));
	arena_free(rq.arena);
}

static void test_a_long_text_takes_more_pages(void **state)
{
	struct request rq = { 0 };
	char text[4001];
	struct paper paper;

	for (size_t i = 0; i < sizeof text - 1; i++)
		text[i] = "parola\n"[i % 7];
	text[sizeof text - 1] = '\0';
	paper = decision(&rq, false, text);
	assert_true(pages(&paper) > 5);
	assert_true(says(&paper, "Tribunale amministrativo"));
	arena_free(rq.arena);
}

/* Longer than a line and without a blank: broken, not lost and not endless. */
static void test_a_word_without_end(void **state)
{
	struct request rq = { 0 };
	char text[1001];
	struct paper paper;

	memset(text, 'W', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	paper = decision(&rq, true, text);
	assert_false(says(&paper, "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"));
	assert_true(says(&paper, "WWWWWWWWWWWWWWWWWWWW"));
	assert_int_equal(pages(&paper), 1);
	arena_free(rq.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_facts_same_bytes),
		cmocka_unit_test(test_italian),
		cmocka_unit_test(test_a_long_text_takes_more_pages),
		cmocka_unit_test(test_a_word_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
