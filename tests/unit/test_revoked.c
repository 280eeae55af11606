/* The set of what was revoked: what it refuses, how it grows, what it forgets. */
#include "fingerprint.h"
#include "revoked.h"
#include "unit.h"

static const struct principal anna = { .issued = 1000 };

static struct revoked *with(const struct revoked *old, const char *items, time_t now)
{
	json_t *list = json_loads(items, 0, NULL);
	struct revoked *revoked = revoked_new(old, list, now);

	assert_non_null(list);
	json_decref(list);
	return revoked;
}

static bool session_refused(const struct revoked *revoked, const char *id)
{
	struct principal principal = anna;

	principal.session_key = fingerprint('i', id, strlen(id));
	return revoked_has(revoked, &principal);
}

static bool subject_refused(const struct revoked *revoked, const char *id, time_t issued)
{
	struct principal principal = { .issued = issued };

	principal.keys[PER_SUBJECT] = fingerprint('s', id, strlen(id));
	return revoked_has(revoked, &principal);
}

static void names_of_different_kinds_never_meet(void **state)
{
	struct revoked *revoked = with(
		NULL, "[{\"kind\":\"session\",\"id\":\"x\"},{\"kind\":\"client\",\"id\":\"y\",\"notBefore\":2000}]", 0);

	assert_true(session_refused(revoked, "x"));
	assert_false(session_refused(revoked, "y"));
	assert_false(subject_refused(revoked, "x", 1000));
	assert_false(subject_refused(revoked, "y", 1000));
	assert_false(revoked_has(revoked, &anna)); /* a token without session, client and subject */
	free(revoked);
}

static void the_later_of_two_moments_counts(void **state)
{
	struct revoked *revoked = with(NULL,
		"[{\"kind\":\"subject\",\"id\":\"x\",\"notBefore\":2000},{\"kind\":\"subject\",\"id\":\"x\","
		"\"notBefore\":1500}]",
		0);

	assert_int_equal(revoked->count, 1);
	assert_true(subject_refused(revoked, "x", 1999));
	assert_false(subject_refused(revoked, "x", 2000));
	free(revoked);
}

static void it_grows_and_forgets(void **state)
{
	struct revoked *revoked = NULL, *old;
	char item[100];

	for (int i = 0; i < 1000; i++) {
		old = revoked;
		snprintf(item, sizeof(item), "[{\"kind\":\"session\",\"id\":\"s-%d\"}]", i);
		revoked = with(old, item, i);
		free(old);
		assert_true(session_refused(revoked, "s-0") == (i < REVOKED_SECONDS));
	}
	assert_int_equal(revoked->count, REVOKED_SECONDS);
	assert_true(revoked->slots >= 2 * revoked->count);
	assert_true(session_refused(revoked, "s-999"));
	assert_false(session_refused(revoked, "s-1000"));
	old = revoked;
	revoked = with(old, "[{\"kind\":\"session\",\"id\":\"s-500\"}]", 999); /* told again: kept for longer */
	free(old);
	old = revoked;
	revoked = with(old, "[]", 500 + REVOKED_SECONDS);
	free(old);
	assert_true(session_refused(revoked, "s-500"));
	assert_false(session_refused(revoked, "s-499"));
	free(revoked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_different_kinds_never_meet),
		cmocka_unit_test(the_later_of_two_moments_counts),
		cmocka_unit_test(it_grows_and_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
