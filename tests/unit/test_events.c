/* Events from emit_event to their effect: at once, once, in order, to the dead letters and back; and the tasks that SQL
 * wakes. */
#include "unit.h"
#include <stdatomic.h>
#include <unistd.h>
#include "background.h"
#include "db_connection.h"
#include "events_service.h"
#include "servers.h"
#include "service.h"
#include "tasks.h"

static void an_event_has_its_effect_at_once(void **state)
{
	unit_start();
	assert_true(unit_emit("plain", unit_aggregates[0], 0));
	unit_all_once_and_in_order(1);
	long long slowest = 0;
	for (int i = 1; i <= 20; i++) {
		usleep(30000);
		long long began = monotonic_ms();
		assert_true(unit_emit("plain", unit_aggregates[0], i));
		assert_true(unit_reaches(i + 1, 2000));
		long long took = monotonic_ms() - began;
		slowest = took > slowest ? took : slowest;
	}
	assert_in_range(slowest, 0, 500);
	assert_int_equal(events_gauges().outbox_depth, 0);
	assert_true(events_gauges().redis_alive);
}

static void an_aggregate_that_fails_waits_alone(void **state)
{
	unit_start();
	failures_left = 4;
	unit_emit("flaky", unit_aggregates[0], 1);
	for (int i = 2; i < 6; i++)
		unit_emit("plain", unit_aggregates[0], i);
	for (int i = 1; i < 6; i++)
		unit_emit("plain", unit_aggregates[1], i);
	unit_all_once_and_in_order(10);
	assert_string_equal(servers_sql("unit_events",
				    "SELECT count(*) FROM effect WHERE aggregate = '%s' AND place < (SELECT min(place)"
				    " FROM effect WHERE aggregate = '%s')",
				    unit_aggregates[1], unit_aggregates[0]),
		"5");
}

static void what_is_read_again_has_no_second_effect(void **state)
{
	unit_start();
	for (int i = 1; i <= 30; i++)
		unit_emit("plain", unit_aggregates[i % 5], i);
	unit_all_once_and_in_order(30);
	assert_true(events_stop(10000));
	assert_string_equal(servers_sql("unit_events", "SELECT position FROM event_positions"), "30");
	servers_sql("unit_events", "UPDATE event_positions SET position = 0");
	unit_start();
	for (int i = 0; i < 200 && deliveries < 60; i++)
		usleep(20000);
	assert_int_equal(deliveries, 60);
	unit_all_once_and_in_order(30);
}

static void poison_goes_to_the_dead_letters_and_back(void **state)
{
	const struct task *const tables[] = { common_tasks, NULL };
	const struct tasks_options tasks = { .tables = tables, .run = background_task };

	unit_start();
	tasks_start(&tasks);
	unit_emit("poison", unit_aggregates[0], 1);
	unit_emit("plain", unit_aggregates[0], 2);
	assert_true(unit_reaches(1, 5000));
	assert_int_equal(unit_letters(), 1);
	assert_string_equal(servers_sql("unit_events", "SELECT status || cause FROM dead_letters"),
		"422{\"problem\":\"not-for-us\"}");
	assert_int_equal(events_gauges().dead_letters, 1);
	assert_int_equal(dead_letters_redrive(unit_db), 1);
	for (int i = 0; i < 100 && atoi(servers_sql("unit_events", "SELECT attempts FROM dead_letters")) < 2; i++)
		usleep(50000);
	assert_string_equal(servers_sql("unit_events", "SELECT attempts FROM dead_letters"), "2");
	poison_is_cured = true;
	assert_int_equal(dead_letters_redrive(unit_db), 1);
	assert_true(unit_reaches(2, 5000));
	for (int i = 0; i < 100 && unit_letters() > 0; i++)
		usleep(50000);
	assert_int_equal(unit_letters(), 0);
	assert_true(tasks_stop(10000));
}

static bool unit_reaches_letters(int wanted, int ms)
{
	long long deadline = monotonic_ms() + ms;

	while (unit_letters() < wanted && monotonic_ms() < deadline)
		usleep(20000);
	return unit_letters() >= wanted;
}

static void an_event_is_tried_only_so_often(void **state)
{
	unit_start();
	failures_left = 100;
	failure_status = 403;
	unit_emit("flaky", unit_aggregates[0], 1);
	assert_true(unit_reaches_letters(1, 4000));
	assert_string_equal(servers_sql("unit_events", "SELECT status || ' ' || attempts FROM dead_letters"), "403 5");
}

static void what_is_down_is_waited_for(void **state)
{
	unit_start();
	failures_left = 6; /* more than the attempts of one that is refused */
	unit_emit("flaky", unit_aggregates[0], 1);
	for (int i = 2; i < 6; i++)
		unit_emit("plain", unit_aggregates[0], i);
	unit_emit("plain", unit_aggregates[1], 1);
	assert_true(unit_reaches(1, 1000)); /* the other aggregate */
	unit_all_once_and_in_order(6);
	assert_int_equal(deliveries, 12);
	assert_int_equal(unit_letters(), 0);
}

static void patience_has_an_end(void **state)
{
	struct events_options given = unit_options();

	given.patience_ms = 500;
	assert_true(events_start(&given));
	failures_left = 100;
	unit_emit("flaky", unit_aggregates[0], 1);
	assert_true(unit_reaches_letters(1, 4000));
	assert_string_equal(servers_sql("unit_events", "SELECT status || ' ' || attempts FROM dead_letters"), "503 6");
}

static void emit_of_as_many_aggregates(const char *type, int count)
{
	servers_sql("unit_events",
		"SELECT count(emit_event('c_a944', 'unit.%s', uuid7(), NULL, '{}')) FROM generate_series(1, %d)", type,
		count);
}

/* What waits is in memory: of a source at most 512. */
static void those_who_wait_make_room_for_other_aggregates(void **state)
{
	unit_start();
	failures_left = 100000;
	emit_of_as_many_aggregates("flaky", 600);
	unit_emit("plain", unit_aggregates[0], 1);
	assert_true(unit_reaches(1, 20000));
	usleep(500000);
	assert_in_range(unit_letters(), 600 - 512, 600 - 512 + 10);
	assert_in_range(events_gauges().pending, 500, 512);
}

/* 50 in each lane that take 20 ms each to fail: whoever waited for all of them would wait a second, again and again. */
static void a_fresh_event_does_not_wait_for_those_that_fail(void **state)
{
	unit_start();
	failures_left = 100000;
	delay_ms = 20;
	emit_of_as_many_aggregates("flaky", 200);
	for (int i = 0; i < 500 && deliveries < 200; i++)
		usleep(20000);
	unit_emit("plain", unit_aggregates[0], 1);
	assert_true(unit_reaches(1, 600));
}

static void stopping_is_bounded(void **state)
{
	unit_start();
	failures_left = 100;
	delay_ms = 100;
	for (int i = 1; i <= 50; i++)
		unit_emit("flaky", unit_aggregates[i % 5], i);
	usleep(300000);
	long long began = monotonic_ms();
	assert_true(events_stop(10000));
	assert_in_range(monotonic_ms() - began, 0, 5000);
	failures_left = 0;
	delay_ms = 0;
	unit_start();
	unit_all_once_and_in_order(50 - unit_letters());
}

/* Whoever is told that a handler still runs must not free what it uses; asked again, the rest ends in good order. */
static void stopping_tells_whether_all_has_stopped(void **state)
{
	unit_start();
	failures_left = 100;
	for (int i = 1; i < 5; i++)
		unit_emit("flaky", unit_aggregates[i], 1);
	for (int i = 0; i < 200 && deliveries < 12; i++)
		usleep(10000);
	delay_ms = 1500;
	unit_emit("plain", unit_aggregates[0], 1);
	usleep(300000);
	assert_false(events_stop(200));
	assert_true(events_stop(10000));
	assert_int_equal(unit_effects(), 1);
}

static _Atomic(int) runs;

static int count_run(const struct task *task)
{
	return ++runs == 2 ? 200 : runs == 4 ? 503 : 204;
}

static void a_task_runs_when_it_is_notified(void **state)
{
	static const struct task table[] = { { "unit-task", 3600, NULL }, { 0 } };
	const struct task *const tables[] = { table, NULL };
	const struct tasks_options tasks = { .tables = tables, .run = count_run };

	runs = 0;
	unit_start();
	tasks_start(&tasks);
	usleep(500000);
	assert_int_equal(runs, 1);
	servers_sql("unit_events", "NOTIFY tasks, 'another'");
	servers_sql("unit_events", "NOTIFY tasks, 'unit-task'");
	usleep(300000);
	assert_int_equal(runs, 3); /* the second found work and was followed by a third */
	servers_sql("unit_events", "NOTIFY tasks, 'unit-task'");
	usleep(300000);
	assert_int_equal(runs, 4); /* failed: it rests for a second, notified or not */
	servers_sql("unit_events", "NOTIFY tasks, 'unit-task'");
	usleep(300000);
	assert_int_equal(runs, 4);
	sleep(1);
	assert_int_equal(runs, 5);
	assert_true(tasks_stop(10000));
}

static int run_for_a_second(const struct task *task)
{
	runs++;
	sleep(1);
	return 204;
}

static void stopping_tells_whether_a_task_still_runs(void **state)
{
	static const struct task table[] = { { "unit-long", 3600, NULL }, { "unit-longer", 3600, NULL }, { 0 } };
	const struct task *const tables[] = { table, NULL };
	const struct tasks_options tasks = { .tables = tables, .run = run_for_a_second };

	runs = 0;
	tasks_start(&tasks);
	usleep(200000);
	assert_false(tasks_stop(200));
	assert_true(tasks_stop(10000));
	assert_int_equal(runs, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_has_its_effect_at_once, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(an_aggregate_that_fails_waits_alone, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(what_is_read_again_has_no_second_effect, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(poison_goes_to_the_dead_letters_and_back, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(an_event_is_tried_only_so_often, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(what_is_down_is_waited_for, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(patience_has_an_end, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(those_who_wait_make_room_for_other_aggregates, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(a_fresh_event_does_not_wait_for_those_that_fail, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(stopping_is_bounded, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(stopping_tells_whether_all_has_stopped, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(a_task_runs_when_it_is_notified, unit_empty, unit_stop),
		cmocka_unit_test(stopping_tells_whether_a_task_still_runs),
	};

	if (!servers_given()) {
		puts("SKIPPED: PORTICO_TEST_DATABASE is not set");
		return 77;
	}
	return cmocka_run_group_tests(tests, unit_make_servers, unit_drop_servers);
}
