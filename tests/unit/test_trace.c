/* Request ids and traceparent: taken when well formed, replaced otherwise. */
#include "service.h"
#include "trace.h"
#include "unit.h"

static const char good_parent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

static void knows_a_traceparent(void **state)
{
	assert_true(traceparent_holds(good_parent));
	assert_false(traceparent_holds(NULL));
	assert_false(traceparent_holds(""));
	assert_false(traceparent_holds("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
	assert_false(traceparent_holds("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"));
	assert_false(traceparent_holds("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
	assert_false(traceparent_holds("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"));
	assert_false(traceparent_holds("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g"));
}

static void knows_a_request_id(void **state)
{
	char long_id[TRACE_ID_MAX + 2];

	memset(long_id, 'a', sizeof long_id - 1);
	long_id[sizeof long_id - 1] = '\0';
	assert_true(trace_id_holds("abc-1.2_Z"));
	assert_false(trace_id_holds(""));
	assert_false(trace_id_holds(NULL));
	assert_false(trace_id_holds("a b"));
	assert_false(trace_id_holds("a\r\nSet-Cookie: x"));
	assert_false(trace_id_holds(long_id));
	assert_true(trace_id_holds(long_id + 1));
}

static void takes_or_makes(void **state)
{
	struct request rq = { .arena = arena_new() };

	trace_take(&rq, "mine", good_parent);
	assert_string_equal(rq.request_id, "mine");
	assert_string_equal(rq.traceparent, good_parent);
	trace_take(&rq, "not mine", "nonsense");
	assert_true(trace_id_holds(rq.request_id));
	assert_string_not_equal(rq.request_id, "not mine");
	assert_true(traceparent_holds(rq.traceparent));
	arena_free(rq.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(knows_a_traceparent), cmocka_unit_test(knows_a_request_id),
		cmocka_unit_test(takes_or_makes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
