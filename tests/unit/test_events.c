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
	events_stop();
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
	tasks_stop();
}

static void an_event_is_tried_only_so_often(void **state)
{
	unit_start();
	failures_left = 100;
	unit_emit("flaky", unit_aggregates[0], 1);
	for (int i = 0; i < 200 && unit_letters() == 0; i++)
		usleep(20000);
	assert_int_equal(unit_letters(), 1);
	assert_string_equal(servers_sql("unit_events", "SELECT status || ' ' || attempts FROM dead_letters"), "503 5");
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
	events_stop();
	assert_in_range(monotonic_ms() - began, 0, 5000);
	failures_left = 0;
	delay_ms = 0;
	unit_start();
	unit_all_once_and_in_order(50 - unit_letters());
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
	tasks_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_has_its_effect_at_once, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(an_aggregate_that_fails_waits_alone, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(what_is_read_again_has_no_second_effect, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(poison_goes_to_the_dead_letters_and_back, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(an_event_is_tried_only_so_often, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(stopping_is_bounded, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(a_task_runs_when_it_is_notified, unit_empty, unit_stop),
	};

	if (!servers_given()) {
		puts("SKIPPED: PORTICO_TEST_DATABASE is not set");
		return 77;
	}
	return cmocka_run_group_tests(tests, unit_make_servers, unit_drop_servers);
}
