/* Owns the service that the tests of events run. */
#include "events_service.h"
#include <hiredis.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "background.h"
#include "db_connection.h"
#include "inbox.h"
#include "log.h"
#include "scope.h"
#include "servers.h"
#include "service.h"

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
const struct sql_set unit_set = { "unit_events", statements, STATEMENTS, migrations, 1 };

struct db *unit_db;
const char *unit_redis_address;
_Atomic(int) failures_left, failure_status, deliveries, delay_ms;
atomic_bool poison_is_cured;

static int give_effect(const struct event_consumer *consumer, const char *envelope)
{
	json_auto_t *event = json_loads(envelope, 0, NULL);
	const char *id = json_text(event, "id"), *tenant = json_text(event, "tenant");
	char sequence[16];
	struct db_settings settings = { .tenant = tenant };
	struct db_failure failure = { 0 };
	struct db_transaction *transaction = db_begin(unit_db, &settings, &failure);

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
		return failure_status;
	}
	return give_effect(consumer, envelope);
}

static const struct event_consumer consumers[] = { { "unit_events", "unit.plain" }, { "unit_events", "unit.flaky" },
	{ "unit_events", "unit.poison" }, { 0 } };

struct events_options unit_options(void)
{
	return (struct events_options){ .service = "unit_events",
		.redis = unit_redis_address,
		.database = servers_conninfo("unit_events", ""),
		.db = unit_db,
		.consumers = consumers,
		.deliver = deliver,
		.pause_ms = 20,
		.attempts = 5 };
}

void unit_start(void)
{
	struct events_options given = unit_options();

	assert_true(events_start(&given));
}

const char *const unit_aggregates[] = { "0192aaaa-0000-7000-8000-000000000001", "0192aaaa-0000-7000-8000-000000000002",
	"0192aaaa-0000-7000-8000-000000000003", "0192aaaa-0000-7000-8000-000000000004",
	"0192aaaa-0000-7000-8000-000000000005" };

bool unit_emit(const char *type, const char *aggregate, int number)
{
	char text[16];
	struct db_settings nobody = { 0 };
	struct db_failure failure;

	snprintf(text, sizeof text, "%d", number);
	auto_result PGresult *result =
		db_run(unit_db, &nobody, &statements[EMIT], 3, (const char *[]){ type, aggregate, text }, &failure);
	return result != NULL;
}

int unit_effects(void)
{
	return atoi(servers_sql("unit_events", "SELECT count(*) FROM effect"));
}

bool unit_reaches(int wanted, int ms)
{
	long long deadline = monotonic_ms() + ms;

	while (unit_effects() < wanted && monotonic_ms() < deadline)
		usleep(10000);
	return unit_effects() == wanted;
}

/* Each event once, and those of an aggregate in the order in which they were emitted. */
void unit_all_once_and_in_order(int count)
{
	assert_true(unit_reaches(count, 20000));
	usleep(200000);
	assert_int_equal(unit_effects(), count);
	assert_string_equal(servers_sql("unit_events", "SELECT count(DISTINCT id) = count(*) FROM effect"), "t");
	assert_string_equal(servers_sql("unit_events",
				    "SELECT count(*) FROM (SELECT sequence, lag(sequence) OVER (PARTITION BY aggregate "
				    "ORDER BY place) AS before FROM effect) e WHERE sequence <= before"),
		"0");
}

void unit_redis(const char *command)
{
	redisContext *redis = redisConnect("127.0.0.1", atoi(strchr(unit_redis_address, ':') + 1));
	redisReply *reply = redisCommand(redis, command);

	assert_non_null(reply);
	assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
	freeReplyObject(reply);
	redisFree(redis);
}

int unit_make_servers(void **state)
{
	static const struct service service = { .name = "unit_events" };

	log_start("test_events", "error");
	servers_make_database("unit_events");
	assert_int_equal(migrate_run(servers_conninfo("unit_events", "_owner"), &unit_set), 0);
	unit_redis_address = servers_redis_start();
	unit_db = db_new(servers_conninfo("unit_events", ""), &unit_set, 8, 2000);
	background_start(&service, unit_db);
	return 0;
}

int unit_drop_servers(void **state)
{
	db_free(unit_db);
	servers_redis_stop();
	return 0;
}

int unit_empty(void **state)
{
	servers_sql("unit_events", "TRUNCATE effect, inbox, outbox, event_sequences, event_positions, dead_letters");
	servers_sql("unit_events", "UPDATE event_log SET position = 0");
	unit_redis("FLUSHALL");
	failures_left = deliveries = delay_ms = 0;
	failure_status = 503;
	poison_is_cured = false;
	return 0;
}

int unit_stop(void **state)
{
	assert_true(events_stop(10000));
	return 0;
}

int unit_letters(void)
{
	return atoi(servers_sql("unit_events", "SELECT count(*) FROM dead_letters"));
}
