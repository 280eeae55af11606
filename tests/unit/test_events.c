/* Events from emit_event to their effect, through a Redis that dies, loses what it had, and comes back. The service
 * under test reads its own stream: its relay, its reader and its lanes are the real ones. */
#include "unit.h"
#include <hiredis.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "background.h"
#include "db_connection.h"
#include "events.h"
#include "inbox.h"
#include "log.h"
#include "scope.h"
#include "servers.h"
#include "service.h"
#include "tasks.h"

#define STREAM "portico:events:unit_events"

static const struct sql migrations[] = {
	{ "0001_unit", 0,
		"CREATE TABLE effect (tenant_id text NOT NULL, id uuid, aggregate uuid, sequence int, place bigint "
		"GENERATED ALWAYS AS "
		"IDENTITY, PRIMARY KEY (tenant_id, place))" },
};
enum { EFFECT, EMIT, STATEMENTS };
static const struct sql statements[] = {
	{ "effect", EFFECT,
		"INSERT INTO effect (tenant_id, id, aggregate, sequence) VALUES ($1, $2::uuid, $3::uuid, $4::int) "
		"RETURNING 1" },
	{ "emit", EMIT,
		"SELECT emit_event('c_a944', 'unit.' || $1, $2::uuid, NULL, json_build_object('number', "
		"$3::int)::jsonb)" },
};
static const struct sql_set set = { "unit_events", statements, STATEMENTS, migrations, 1 };

static struct db *db;
static const char *redis_address;
static _Atomic(int) failures_left, deliveries, delay_ms;
static atomic_bool poison_is_cured;

static int give_effect(const struct event_consumer *consumer, const char *envelope)
{
	json_auto_t *event = json_loads(envelope, 0, NULL);
	const char *id = json_text(event, "id"), *tenant = json_text(event, "tenant");
	char sequence[16];
	struct db_settings settings = { .tenant = tenant };
	struct db_failure failure = { 0 };
	struct db_transaction *transaction = db_begin(db, &settings, &failure);

	if (!transaction)
		return failure.status;
	enum inbox_state state = inbox_enter(transaction, consumer->source, id, &failure);
	if (state != INBOX_FRESH) {
		db_rollback(transaction);
		return state == INBOX_DUPLICATE ? 200 : failure.status;
	}
	snprintf(sequence, sizeof sequence, "%lld", json_int(event, "sequence"));
	auto_result PGresult *result = db_query(transaction, &statements[EFFECT], 4,
		(const char *[]){ tenant, id, json_text(event, "aggregate"), sequence }, &failure);
	if (!result) {
		db_rollback(transaction);
		return failure.status;
	}
	return db_commit(transaction, &failure) ? 200 : failure.status;
}

static int deliver(const struct event_consumer *consumer, const char *envelope, char **ret_cause)
{
	*ret_cause = NULL;
	deliveries++;
	usleep((useconds_t)delay_ms * 1000);
	if (strcmp(consumer->type, "unit.poison") == 0 && !poison_is_cured) {
		*ret_cause = strdup("{\"problem\":\"not-for-us\"}");
		return 422;
	}
	if (strcmp(consumer->type, "unit.flaky") == 0 && failures_left > 0) {
		failures_left--;
		return 503;
	}
	return give_effect(consumer, envelope);
}

static const struct event_consumer consumers[] = { { "unit_events", "unit.plain" }, { "unit_events", "unit.flaky" },
	{ "unit_events", "unit.poison" }, { 0 } };

static struct events_options options(void)
{
	return (struct events_options){ .service = "unit_events",
		.redis = redis_address,
		.database = servers_conninfo("unit_events", ""),
		.db = db,
		.consumers = consumers,
		.deliver = deliver,
		.pause_ms = 20,
		.attempts = 5 };
}

static void start(void)
{
	struct events_options given = options();

	assert_true(events_start(&given));
}

static const char *const aggregates[] = { "0192aaaa-0000-7000-8000-000000000001",
	"0192aaaa-0000-7000-8000-000000000002", "0192aaaa-0000-7000-8000-000000000003",
	"0192aaaa-0000-7000-8000-000000000004", "0192aaaa-0000-7000-8000-000000000005" };

static bool emit(const char *type, const char *aggregate, int number)
{
	char text[16];
	struct db_settings nobody = { 0 };
	struct db_failure failure;

	snprintf(text, sizeof text, "%d", number);
	auto_result PGresult *result =
		db_run(db, &nobody, &statements[EMIT], 3, (const char *[]){ type, aggregate, text }, &failure);
	return result != NULL;
}

static int effects(void)
{
	return atoi(servers_sql("unit_events", "SELECT count(*) FROM effect"));
}

static bool reaches(int wanted, int ms)
{
	long long deadline = monotonic_ms() + ms;

	while (effects() < wanted && monotonic_ms() < deadline)
		usleep(10000);
	return effects() == wanted;
}

/* Each event once, and those of an aggregate in the order in which they were emitted. */
static void all_once_and_in_order(int count)
{
	assert_true(reaches(count, 20000));
	usleep(200000);
	assert_int_equal(effects(), count);
	assert_string_equal(servers_sql("unit_events", "SELECT count(DISTINCT id) = count(*) FROM effect"), "t");
	assert_string_equal(servers_sql("unit_events",
				    "SELECT count(*) FROM (SELECT sequence, lag(sequence) OVER (PARTITION BY aggregate "
				    "ORDER BY place) AS before FROM effect) e WHERE sequence <= before"),
		"0");
}

static void redis_command(const char *command)
{
	redisContext *redis = redisConnect("127.0.0.1", atoi(strchr(redis_address, ':') + 1));
	redisReply *reply = redisCommand(redis, command);

	assert_non_null(reply);
	assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
	freeReplyObject(reply);
	redisFree(redis);
}

static int make_servers(void **state)
{
	static const struct service service = { .name = "unit_events" };

	log_start("test_events", "error");
	servers_make_database("unit_events");
	assert_int_equal(migrate_run(servers_conninfo("unit_events", "_owner"), &set), 0);
	redis_address = servers_redis_start();
	db = db_new(servers_conninfo("unit_events", ""), &set, 8, 2000);
	background_start(&service, db);
	return 0;
}

static int drop_servers(void **state)
{
	db_free(db);
	servers_redis_stop();
	return 0;
}

static int empty(void **state)
{
	servers_sql("unit_events", "TRUNCATE effect, inbox, outbox, event_sequences, event_positions, dead_letters");
	servers_sql("unit_events", "UPDATE event_log SET position = 0");
	redis_command("FLUSHALL");
	failures_left = deliveries = delay_ms = 0;
	poison_is_cured = false;
	return 0;
}

static int stop(void **state)
{
	events_stop();
	return 0;
}

static void an_event_has_its_effect_at_once(void **state)
{
	start();
	assert_true(emit("plain", aggregates[0], 0));
	all_once_and_in_order(1);
	long long slowest = 0;
	for (int i = 1; i <= 20; i++) {
		usleep(30000);
		long long began = monotonic_ms();
		assert_true(emit("plain", aggregates[0], i));
		assert_true(reaches(i + 1, 2000));
		long long took = monotonic_ms() - began;
		slowest = took > slowest ? took : slowest;
	}
	assert_in_range(slowest, 0, 500);
	assert_int_equal(events_gauges().outbox_depth, 0);
	assert_true(events_gauges().redis_alive);
}

static void an_aggregate_that_fails_waits_alone(void **state)
{
	start();
	failures_left = 4;
	emit("flaky", aggregates[0], 1);
	for (int i = 2; i < 6; i++)
		emit("plain", aggregates[0], i);
	for (int i = 1; i < 6; i++)
		emit("plain", aggregates[1], i);
	all_once_and_in_order(10);
	assert_string_equal(servers_sql("unit_events",
				    "SELECT count(*) FROM effect WHERE aggregate = '%s' AND place < (SELECT min(place)"
				    " FROM effect WHERE aggregate = '%s')",
				    aggregates[1], aggregates[0]),
		"5");
}

static atomic_bool emitting;
static _Atomic(int) emitted;

static void *emit_on(void *unused)
{
	int numbers[5] = { 0 };

	for (int i = 0; emitting; i = (i + 1) % 5) {
		if (emit("plain", aggregates[i], numbers[i] + 1)) {
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
	start();
	pthread_t load = start_load();
	servers_redis_kill();
	usleep(300000);
	servers_redis_again();
	all_once_and_in_order(end_load(load));
}

static void redis_emptied_under_load_loses_nothing(void **state)
{
	start();
	delay_ms = 5;
	pthread_t load = start_load();
	servers_redis_kill();
	servers_redis_empty();
	servers_redis_again();
	usleep(300000);
	redis_command("FLUSHALL");
	all_once_and_in_order(end_load(load));
}

static void redis_set_back_loses_nothing(void **state)
{
	start();
	for (int i = 1; i <= 10; i++)
		emit("plain", aggregates[i % 5], i);
	all_once_and_in_order(10);
	redis_command("SAVE");
	redis_command("DEL " STREAM);
	redis_command("XADD " STREAM " 4-0 previous 3 event {}");
	for (int i = 11; i <= 20; i++)
		emit("plain", aggregates[i % 5], i);
	all_once_and_in_order(20);
	redis_command("XGROUP DESTROY " STREAM " unit_events");
	emit("plain", aggregates[0], 21);
	all_once_and_in_order(21);
}

static void a_log_behind_its_stream_goes_on_after_it(void **state)
{
	redis_command("XADD " STREAM " 1000-0 previous 0 event {}");
	start();
	for (int i = 1; i <= 5; i++)
		emit("plain", aggregates[0], i);
	all_once_and_in_order(5);
	assert_string_equal(servers_sql("unit_events", "SELECT min(position) FROM outbox"), "1001");
}

static void a_reader_that_was_away_too_long_gets_all(void **state)
{
	struct events_options relay_only = options();

	relay_only.consumers = NULL;
	assert_true(events_start(&relay_only));
	for (int i = 1; i <= 50; i++)
		emit("plain", aggregates[i % 5], i);
	for (int i = 0; i < 100 && events_gauges().outbox_depth > 0; i++)
		usleep(20000);
	events_stop();
	redis_command("XTRIM " STREAM " MAXLEN 3");
	start();
	all_once_and_in_order(50);
}

static void what_is_read_again_has_no_second_effect(void **state)
{
	start();
	for (int i = 1; i <= 30; i++)
		emit("plain", aggregates[i % 5], i);
	all_once_and_in_order(30);
	events_stop();
	assert_string_equal(servers_sql("unit_events", "SELECT position FROM event_positions"), "30");
	servers_sql("unit_events", "UPDATE event_positions SET position = 0");
	start();
	for (int i = 0; i < 200 && deliveries < 60; i++)
		usleep(20000);
	assert_int_equal(deliveries, 60);
	all_once_and_in_order(30);
}

static void database_connections_cut_under_load_lose_nothing(void **state)
{
	start();
	pthread_t load = start_load();
	for (int i = 0; i < 3; i++) {
		servers_sql("unit_events", "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
					   "usename = 'portico_unit_events'");
		usleep(200000);
	}
	end_load(load);
	/* an emit whose connection was cut at its commit may have been done without being told */
	all_once_and_in_order(atoi(servers_sql("unit_events", "SELECT count(*) FROM outbox")));
	assert_true(effects() >= emitted);
}

static int letters(void)
{
	return atoi(servers_sql("unit_events", "SELECT count(*) FROM dead_letters"));
}

static void poison_goes_to_the_dead_letters_and_back(void **state)
{
	const struct task *const tables[] = { common_tasks, NULL };
	const struct tasks_options tasks = { .tables = tables, .run = background_task };

	start();
	tasks_start(&tasks);
	emit("poison", aggregates[0], 1);
	emit("plain", aggregates[0], 2);
	assert_true(reaches(1, 5000));
	assert_int_equal(letters(), 1);
	assert_string_equal(servers_sql("unit_events", "SELECT status || cause FROM dead_letters"),
		"422{\"problem\":\"not-for-us\"}");
	assert_int_equal(events_gauges().dead_letters, 1);
	assert_int_equal(dead_letters_redrive(db), 1);
	for (int i = 0; i < 100 && atoi(servers_sql("unit_events", "SELECT attempts FROM dead_letters")) < 2; i++)
		usleep(50000);
	assert_string_equal(servers_sql("unit_events", "SELECT attempts FROM dead_letters"), "2");
	poison_is_cured = true;
	assert_int_equal(dead_letters_redrive(db), 1);
	assert_true(reaches(2, 5000));
	for (int i = 0; i < 100 && letters() > 0; i++)
		usleep(50000);
	assert_int_equal(letters(), 0);
	tasks_stop();
}

static void an_event_is_tried_only_so_often(void **state)
{
	start();
	failures_left = 100;
	emit("flaky", aggregates[0], 1);
	for (int i = 0; i < 200 && letters() == 0; i++)
		usleep(20000);
	assert_int_equal(letters(), 1);
	assert_string_equal(servers_sql("unit_events", "SELECT status || ' ' || attempts FROM dead_letters"), "503 5");
}

static void stopping_is_bounded(void **state)
{
	start();
	failures_left = 100;
	delay_ms = 100;
	for (int i = 1; i <= 50; i++)
		emit("flaky", aggregates[i % 5], i);
	usleep(300000);
	long long began = monotonic_ms();
	events_stop();
	assert_in_range(monotonic_ms() - began, 0, 5000);
	failures_left = 0;
	delay_ms = 0;
	start();
	all_once_and_in_order(50 - letters());
}

static long long stream_length(void)
{
	redisContext *redis = redisConnect("127.0.0.1", atoi(strchr(redis_address, ':') + 1));
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
	start();
	servers_sql("unit_events",
		"SELECT count(emit_event('c_a944', 'unit.plain', uuid7(), NULL, '{}')) FROM generate_series(1, 1000)");
	servers_sql("unit_events",
		"SELECT count(emit_event('c_a944', 'unit.other', uuid7(), NULL, '{}')) FROM generate_series(1, 51500)");
	long long length = 0;
	for (int i = 0; i < 200 && stream_length() < 50001; i++)
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
	assert_true(reaches(1000, 20000));
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
		execl("/proc/self/exe", "test_events", "replica", redis_address, NULL);
		_exit(127);
	}
	return pid;
}

/* Another process of the same service, until it is killed. */
_Noreturn static void be_a_replica(const char *address)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_start("replica", "error");
	redis_address = address;
	db = db_new(servers_conninfo("unit_events", ""), &set, 8, 2000);
	start();
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
	all_once_and_in_order(end_load(load));
	kill(replicas[2], SIGKILL);
	waitpid(replicas[2], NULL, 0);
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
	start();
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

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "replica") == 0)
		be_a_replica(argv[2]);

	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_has_its_effect_at_once, empty, stop),
		cmocka_unit_test_setup_teardown(an_aggregate_that_fails_waits_alone, empty, stop),
		cmocka_unit_test_setup_teardown(redis_killed_under_load_loses_nothing, empty, stop),
		cmocka_unit_test_setup_teardown(redis_emptied_under_load_loses_nothing, empty, stop),
		cmocka_unit_test_setup_teardown(redis_set_back_loses_nothing, empty, stop),
		cmocka_unit_test_setup_teardown(a_log_behind_its_stream_goes_on_after_it, empty, stop),
		cmocka_unit_test_setup_teardown(a_reader_that_was_away_too_long_gets_all, empty, stop),
		cmocka_unit_test_setup_teardown(what_is_read_again_has_no_second_effect, empty, stop),
		cmocka_unit_test_setup_teardown(database_connections_cut_under_load_lose_nothing, empty, stop),
		cmocka_unit_test_setup_teardown(poison_goes_to_the_dead_letters_and_back, empty, stop),
		cmocka_unit_test_setup_teardown(an_event_is_tried_only_so_often, empty, stop),
		cmocka_unit_test_setup_teardown(stopping_is_bounded, empty, stop),
		cmocka_unit_test_setup_teardown(the_stream_waits_for_a_slow_reader, empty, stop),
		cmocka_unit_test_setup_teardown(another_replica_takes_over, empty, stop),
		cmocka_unit_test_setup_teardown(a_task_runs_when_it_is_notified, empty, stop),
	};

	if (!servers_given()) {
		puts("SKIPPED: PORTICO_TEST_DATABASE is not set");
		return 77;
	}
	return cmocka_run_group_tests(tests, make_servers, drop_servers);
}
