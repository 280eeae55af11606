/* Limits, paths and deadlines: the small parts of the gateway whose arithmetic must be exact. */
#include "fingerprint.h"
#include "limit.h"
#include "path.h"
#include "timers.h"
#include "unit.h"

enum { SECOND = 1000000 };

static const struct limit sixty_a_minute = { 60, 60 };

static struct limit_state take(struct limits *limits, uint64_t key, struct limit limit, int64_t now)
{
	return limit_take(limits, LIMIT_CALLERS, key, limit, now);
}

static void a_bucket_empties_and_fills(void **state)
{
	struct limits *limits = limits_new(false);
	uint64_t key = fingerprint('s', "x", 1);
	int64_t now = 1000 * (int64_t)SECOND;
	struct limit_state taken;

	for (uint32_t i = 0; i < 60; i++) {
		taken = take(limits, key, sixty_a_minute, now);
		assert_true(taken.allowed);
		assert_int_equal(taken.remaining, 59 - i);
		assert_int_equal(taken.reset, i + 1);
	}
	taken = take(limits, key, sixty_a_minute, now);
	assert_false(taken.allowed);
	assert_int_equal(taken.remaining, 0);
	assert_int_equal(taken.retry_after, 1);
	assert_int_equal(taken.reset, 60);
	assert_true(take(limits, fingerprint('s', "y", 1), sixty_a_minute, now).allowed);
	assert_true(take(limits, fingerprint('c', "x", 1), sixty_a_minute, now).allowed);
	assert_true(limit_take(limits, LIMIT_ADDRESSES, key, sixty_a_minute, now).allowed);
	assert_true(take(limits, key, sixty_a_minute, now + SECOND).allowed);
	assert_false(take(limits, key, sixty_a_minute, now + SECOND).allowed);
	assert_int_equal(take(limits, key, sixty_a_minute, now + 1000 * (int64_t)SECOND).remaining, 59);
	assert_false(take(limits, key, (struct limit){ 0, 60 }, now).known);
	limits_free(limits);
}

static void looking_takes_nothing(void **state)
{
	struct limits *limits = limits_new(false);
	const struct limit two_a_day = { 2, 86400 };
	int64_t now = 1000 * (int64_t)SECOND;

	for (uint32_t i = 0; i < 3; i++) {
		struct limit_state seen = limit_look(limits, LIMIT_CALLERS, 7, two_a_day, now);

		assert_int_equal(seen.remaining, 2 - i);
		assert_int_equal(seen.allowed, i < 2);
		assert_int_equal(limit_look(limits, LIMIT_CALLERS, 7, two_a_day, now).remaining, 2 - i);
		assert_int_equal(take(limits, 7, two_a_day, now).allowed, i < 2);
	}
	assert_int_equal(limit_look(limits, LIMIT_CALLERS, 7, two_a_day, now).retry_after, 43200);
	limits_free(limits);
}

/* Whoever is refused cannot make the table forget it by coming from a million other addresses, or by using them up a
 * little; and callers are not forgotten because of addresses. */
static void a_crowd_resets_nobody(void **state)
{
	struct limits *limits = limits_new(false);
	const struct limit five_a_day = { 5, 86400 };
	int64_t now = 1000 * (int64_t)SECOND;

	for (int i = 0; i < 60; i++)
		limit_take(limits, LIMIT_ADDRESSES, 1, sixty_a_minute, now);
	take(limits, 2, sixty_a_minute, now);
	for (uint64_t other = 1000; other < 1001000; other++) {
		limit_take(limits, LIMIT_ADDRESSES, other, sixty_a_minute, now);
		limit_take(limits, LIMIT_ADDRESSES, other << 32, five_a_day, now);
	}
	assert_false(limit_take(limits, LIMIT_ADDRESSES, 1, sixty_a_minute, now).allowed);
	assert_int_equal(take(limits, 2, sixty_a_minute, now).remaining, 58);
	limits_free(limits);
}

enum { ROOM = 100 };

static size_t collect_all(struct limits *limits, struct limit_change changes[ROOM], int64_t now)
{
	size_t place = 0;

	return limits_collect(limits, &place, changes, ROOM, now);
}

static void what_is_taken_is_told_once(void **state)
{
	struct limits *limits = limits_new(true);
	struct limit_change changes[ROOM];
	int64_t now = 1000 * (int64_t)SECOND;
	size_t place = 0, count = 0, got;

	for (uint64_t key = 1; key <= 1000; key++)
		take(limits, key, sixty_a_minute, now);
	while ((got = limits_collect(limits, &place, changes, ROOM, now)) > 0)
		count += got;
	assert_int_equal(count, 1000);
	assert_int_equal(collect_all(limits, changes, now), 0);

	take(limits, 5, sixty_a_minute, now);
	take(limits, 5, sixty_a_minute, now);
	assert_int_equal(collect_all(limits, changes, now), 1);
	assert_int_equal(changes[0].key, 5);
	assert_int_equal(changes[0].taken, 2 * SECOND);
	assert_int_equal(changes[0].window, 60 * SECOND);
	limits_put_back(limits, changes, 1);
	assert_int_equal(collect_all(limits, changes, now), 1);
	assert_int_equal(changes[0].taken, 2 * SECOND);
	limits_put_back(limits, changes, 1);
	assert_int_equal(collect_all(limits, changes, now + 10 * SECOND), 0); /* it has come back meanwhile */
	limits_free(limits);
}

static void what_others_took_counts(void **state)
{
	struct limits *limits = limits_new(true);
	struct limit_change changes[ROOM], *change = changes;
	int64_t now = 1000 * (int64_t)SECOND;

	take(limits, 5, sixty_a_minute, now);
	assert_int_equal(collect_all(limits, changes, now), 1);
	take(limits, 5, sixty_a_minute, now); /* while the exchange is under way */
	limits_merge(limits, change, 40 * SECOND, now);
	assert_int_equal(limit_look(limits, LIMIT_CALLERS, 5, sixty_a_minute, now).remaining, 19);
	limits_merge(limits, change, 1 * SECOND, now); /* what Redis has lost is still known here */
	assert_int_equal(limit_look(limits, LIMIT_CALLERS, 5, sixty_a_minute, now).remaining, 19);
	limits_merge(limits, change, 90 * SECOND, now); /* both let a burst through: it is paid back */
	assert_false(take(limits, 5, sixty_a_minute, now + 30 * SECOND).allowed);
	assert_true(take(limits, 5, sixty_a_minute, now + 33 * SECOND).allowed);
	limits_merge(limits, change, 3 * 86400 * (int64_t)SECOND, now + 33 * SECOND);
	assert_int_equal(take(limits, 5, sixty_a_minute, now + 33 * SECOND).reset, 86400); /* as the contracts say */
	assert_int_equal(take(limits, 5, sixty_a_minute, now + 33 * SECOND).retry_after, 86400);
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
		"/%ff", "/%ed%a0%80", "/%f5%80%80%80", "/%c3", "/.", "/..", "/a?x=%00", "/a?x=1%00&y=2", "/a?x%00=1",
		"/a?x=%0", "/a?x=%zz", "/a?x=%c3%28" };

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_true(decodes(bad[i], NULL));
	assert_true(decodes("/", "/"));
	assert_true(decodes("/a/", "/a/"));
	assert_true(decodes("/a/...?x=%01%c3%a8", "/a/..."));
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
		cmocka_unit_test(looking_takes_nothing),
		cmocka_unit_test(a_crowd_resets_nobody),
		cmocka_unit_test(what_is_taken_is_told_once),
		cmocka_unit_test(what_others_took_counts),
		cmocka_unit_test(paths_have_one_reading),
		cmocka_unit_test(queries_are_searched_whole),
		cmocka_unit_test(timers_are_never_early_and_a_tick_late_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
