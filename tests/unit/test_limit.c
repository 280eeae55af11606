/* Limits, paths and deadlines: the small parts of the gateway whose arithmetic must be exact. */
#include "limit.h"
#include "path.h"
#include "timers.h"
#include "unit.h"

enum { SECOND = 1000000 };

static void a_bucket_empties_and_fills(void **state)
{
	struct limits *limits = limits_new();
	uint64_t key = limit_key(limits, 'a', "x", 1);
	int64_t now = 1000 * (int64_t)SECOND;
	struct limit_state taken;

	for (uint32_t i = 0; i < 60; i++) {
		taken = limit_take(limits, key, 60, now);
		assert_true(taken.allowed);
		assert_int_equal(taken.remaining, 59 - i);
		assert_int_equal(taken.reset, i + 1);
	}
	taken = limit_take(limits, key, 60, now);
	assert_false(taken.allowed);
	assert_int_equal(taken.retry_after, 1);
	assert_int_equal(taken.reset, 60);
	assert_true(limit_take(limits, limit_key(limits, 'a', "y", 1), 60, now).allowed);
	assert_true(limit_take(limits, limit_key(limits, 's', "x", 1), 60, now).allowed);
	assert_true(limit_take(limits, key, 60, now + SECOND).allowed);
	assert_false(limit_take(limits, key, 60, now + SECOND).allowed);
	assert_int_equal(limit_take(limits, key, 60, now + 1000 * (int64_t)SECOND).remaining, 59);
	assert_false(limit_take(limits, key, 0, now).known);
	limits_free(limits);
}

static bool decodes(const char *target, const char *expected)
{
	char decoded[200];
	const char *query;
	size_t length;

	if (!path_decode(target, decoded, &length, &query))
		return expected == NULL;
	return expected && strcmp(decoded, expected) == 0 && strlen(expected) == length;
}

static void paths_have_one_reading(void **state)
{
	static const char *const bad[] = { "", "a", "//", "/a//b", "/a/./b", "/a/../b", "/a/.", "/a/..", "/%2e",
		"/a/%2E%2e/b", "/a%2fb", "/a%5cb", "/a%00", "/a%0ab", "/a%7f", "/a%", "/a%4", "/a%zz", "/%c0%af",
		"/%ff", "/%ed%a0%80", "/%f5%80%80%80", "/%c3", "/.", "/..", "/a?x=%00", "/a?x=1%00&y=2", "/a?x%00=1" };

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_true(decodes(bad[i], NULL));
	assert_true(decodes("/", "/"));
	assert_true(decodes("/a/", "/a/"));
	assert_true(decodes("/a/...?x=%01%0", "/a/..."));
	assert_true(decodes("/a%20b/%c3%a8/%E2%82%AC", "/a b/è/€"));
	assert_true(decodes("/.well-known/a..b", "/.well-known/a..b"));
}

static bool is_mine(void *context, const char *value, size_t length)
{
	++*(int *)context;
	return length == 4 && memcmp(value, "mine", 4) == 0;
}

static void queries_are_searched_whole(void **state)
{
	static const struct {
		const char *query;
		bool holds;
		int count;
	} cases[] = { { NULL, true, 0 }, { "", true, 0 }, { "a=b", true, 0 }, { "t=mine", true, 1 },
		{ "a=b&t=mine&c", true, 1 }, { "t=mine&t=mine", true, 2 }, { "t=mine&t=other", false, 2 },
		{ "%74=other", false, 1 }, { "t=mi%6Ee", true, 1 }, { "t", false, 1 }, { "t=", false, 1 },
		{ "t=m+ne", false, 1 }, { "tt=other&at=other", true, 0 }, { "t=%zz", false, 0 },
		{ "&&t=mine&&", true, 1 }, { "a=t=other", true, 0 } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		int count = 0;

		assert_int_equal(query_each(cases[i].query, "t", is_mine, &count), cases[i].holds);
		assert_int_equal(count, cases[i].count);
	}
}

static int expired_count;

static void expire(struct timer *timer)
{
	expired_count++;
}

static void timers_are_never_early_and_a_tick_late_at_most(void **state)
{
	static const int64_t deadlines[] = { 1, 63, 64, 65, 1000, 32000, 33000, 100000 };
	static struct timers timers;

	for (size_t i = 0; i < COUNT(deadlines); i++) {
		struct timer timer = { .expired = expire };
		int64_t now = timers.now;

		expired_count = 0;
		timer_set(&timers, &timer, now + 1);
		timer_set(&timers, &timer, now + deadlines[i]);
		timers_run(&timers, now + deadlines[i] - 1);
		assert_int_equal(expired_count, 0);
		timers_run(&timers, now + deadlines[i] + TIMER_TICK_MS);
		assert_int_equal(expired_count, 1);
		assert_int_equal(timers.count, 0);
		timer_set(&timers, &timer, timers.now + 5000);
		timer_set(&timers, &timer, timers.now + 100);
		timer_clear(&timers, &timer);
		timers_run(&timers, timers.now + 200000);
		assert_int_equal(expired_count, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_empties_and_fills),
		cmocka_unit_test(paths_have_one_reading),
		cmocka_unit_test(queries_are_searched_whole),
		cmocka_unit_test(timers_are_never_early_and_a_tick_late_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
