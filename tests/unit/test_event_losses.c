/* Nothing is lost and nothing happens twice while Redis dies, loses what it had or is set back, while the database's
 * connections are cut, while the reader is away or slow, and while whole processes are killed. */
#include "unit.h"
#include <hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "events_service.h"
#include "log.h"
#include "servers.h"

static atomic_bool emitting;
static _Atomic(int) emitted;

static void *emit_on(void *unused)
{
	int numbers[5] = { 0 };

	for (int i = 0; emitting; i = (i + 1) % 5) {
		if (unit_emit("plain", unit_aggregates[i], numbers[i] + 1)) {
			numbers[i]++;
			emitted++;
		}
		usleep(1000);
	}
	return NULL;
}

static pthread_t start_load(void)
{
	pthread_t thread;

	emitting = true;
	emitted = 0;
	pthread_create(&thread, NULL, emit_on, NULL);
	usleep(400000);
	return thread;
}

static int end_load(pthread_t thread)
{
	usleep(400000);
	emitting = false;
	pthread_join(thread, NULL);
	return emitted;
}

static void redis_killed_under_load_loses_nothing(void **state)
{
	unit_start();
	pthread_t load = start_load();
	servers_redis_kill();
	usleep(300000);
	servers_redis_again();
	unit_all_once_and_in_order(end_load(load));
}

static void redis_emptied_under_load_loses_nothing(void **state)
{
	unit_start();
	delay_ms = 5;
	pthread_t load = start_load();
	servers_redis_kill();
	servers_redis_empty();
	servers_redis_again();
	usleep(300000);
	unit_redis("FLUSHALL");
	unit_all_once_and_in_order(end_load(load));
}

static void redis_set_back_loses_nothing(void **state)
{
	unit_start();
	for (int i = 1; i <= 10; i++)
		unit_emit("plain", unit_aggregates[i % 5], i);
	unit_all_once_and_in_order(10);
	unit_redis("SAVE");
	unit_redis("DEL " STREAM);
	unit_redis("XADD " STREAM " 4-0 previous 3 event {}");
	for (int i = 11; i <= 20; i++)
		unit_emit("plain", unit_aggregates[i % 5], i);
	unit_all_once_and_in_order(20);
	unit_redis("XGROUP DESTROY " STREAM " unit_events");
	unit_emit("plain", unit_aggregates[0], 21);
	unit_all_once_and_in_order(21);
}

static void a_log_behind_its_stream_goes_on_after_it(void **state)
{
	unit_redis("XADD " STREAM " 1000-0 previous 0 event {}");
	unit_start();
	for (int i = 1; i <= 5; i++)
		unit_emit("plain", unit_aggregates[0], i);
	unit_all_once_and_in_order(5);
	assert_string_equal(servers_sql("unit_events", "SELECT min(position) FROM outbox"), "1001");
}

static void a_reader_that_was_away_too_long_gets_all(void **state)
{
	struct events_options relay_only = unit_options();

	relay_only.consumers = NULL;
	assert_true(events_start(&relay_only));
	for (int i = 1; i <= 50; i++)
		unit_emit("plain", unit_aggregates[i % 5], i);
	for (int i = 0; i < 100 && events_gauges().outbox_depth > 0; i++)
		usleep(20000);
	assert_true(events_stop(10000));
	unit_redis("XTRIM " STREAM " MAXLEN 3");
	unit_start();
	unit_all_once_and_in_order(50);
}

static void database_connections_cut_under_load_lose_nothing(void **state)
{
	unit_start();
	pthread_t load = start_load();
	for (int i = 0; i < 3; i++) {
		servers_sql("unit_events", "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
					   "usename = 'portico_unit_events'");
		usleep(200000);
	}
	end_load(load);
	/* an emit whose connection was cut at its commit may have been done without being told */
	unit_all_once_and_in_order(atoi(servers_sql("unit_events", "SELECT count(*) FROM outbox")));
	assert_true(unit_effects() >= emitted);
}

static long long stream_length(void)
{
	redisContext *redis = redisConnect("127.0.0.1", atoi(strchr(unit_redis_address, ':') + 1));
	redisReply *reply = redisCommand(redis, "XLEN " STREAM);
	long long length = reply->integer;

	freeReplyObject(reply);
	redisFree(redis);
	return length;
}

/* Half the stream's length is what a live reader may be behind. */
static void the_stream_waits_for_a_slow_reader(void **state)
{
	delay_ms = 200;
	unit_start();
	servers_sql("unit_events",
		"SELECT count(emit_event('c_a944', 'unit.plain', uuid7(), NULL, '{}')) FROM generate_series(1, 1000)");
	servers_sql("unit_events",
		"SELECT count(emit_event('c_a944', 'unit.other', uuid7(), NULL, '{}')) FROM generate_series(1, 51500)");
	long long length = 0;
	for (int i = 0; i < 700 && stream_length() < 50001; i++)
		usleep(50000);
	for (int i = 0; i < 5; i++) {
		usleep(200000);
		length = stream_length();
		assert_in_range(length, 50001, 52000);
		assert_in_range(events_gauges().outbox_depth, 500, 2500);
	}
	delay_ms = 0;
	for (int i = 0; i < 1000 && events_gauges().outbox_depth > 0; i++)
		usleep(20000);
	assert_true(unit_reaches(1000, 20000));
	assert_int_equal(stream_length(), 52500);
	for (int i = 0;
		i < 500 && atoi(servers_sql("unit_events", "SELECT max(position) FROM event_positions")) < 52500; i++)
		usleep(20000);
	assert_string_equal(servers_sql("unit_events", "SELECT position FROM event_positions"), "52500");
	assert_int_equal(events_gauges().lag, 0);
}

static pid_t start_replica(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "test_event_losses", "replica", unit_redis_address, NULL);
		_exit(127);
	}
	return pid;
}

/* Another process of the same service, until it is killed. */
_Noreturn static void be_a_replica(const char *address)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_start("replica", "error");
	delay_ms = 20;
	unit_redis_address = address;
	unit_db = db_new(servers_conninfo("unit_events", ""), &unit_set, 8, 2000);
	unit_start();
	for (;;)
		pause();
}

static void another_replica_takes_over(void **state)
{
	pid_t replicas[3] = { start_replica(), start_replica(), 0 };
	pthread_t load = start_load();

	for (int i = 0; i < 2; i++) {
		usleep(500000);
		kill(replicas[i], SIGKILL);
		waitpid(replicas[i], NULL, 0);
		replicas[2] = i == 0 ? start_replica() : replicas[2];
	}
	unit_all_once_and_in_order(end_load(load));
	kill(replicas[2], SIGKILL);
	waitpid(replicas[2], NULL, 0);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "replica") == 0)
		be_a_replica(argv[2]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(redis_killed_under_load_loses_nothing, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(redis_emptied_under_load_loses_nothing, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(redis_set_back_loses_nothing, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(a_log_behind_its_stream_goes_on_after_it, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(a_reader_that_was_away_too_long_gets_all, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(
			database_connections_cut_under_load_lose_nothing, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(the_stream_waits_for_a_slow_reader, unit_empty, unit_stop),
		cmocka_unit_test_setup_teardown(another_replica_takes_over, unit_empty, unit_stop),
	};

	if (!servers_given()) {
		puts("SKIPPED: PORTICO_TEST_DATABASE is not set");
		return 77;
	}
	return cmocka_run_group_tests(tests, unit_make_servers, unit_drop_servers);
}
