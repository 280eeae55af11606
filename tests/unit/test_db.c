/* The pool, the one round trip of a transaction, and what becomes of every kind of failure, on a real PostgreSQL. */
#include "unit.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "db_connection.h"
#include "scope.h"
#include "servers.h"

static const struct sql migrations[] = {
	{ "0001_unit", 0,
		"CREATE TABLE parent (tenant_id text NOT NULL, id int, PRIMARY KEY (tenant_id, id));"
		"CREATE TABLE thing (tenant_id text NOT NULL DEFAULT 't', name text NOT NULL, amount int NOT NULL "
		"DEFAULT 1, parent int,"
		" PRIMARY KEY (tenant_id, name), CONSTRAINT amount_too_small CHECK (amount > 0),"
		" CONSTRAINT number_taken UNIQUE (amount) DEFERRABLE INITIALLY DEFERRED,"
		" CONSTRAINT thing_parent FOREIGN KEY (tenant_id, parent) REFERENCES parent);"
		"ALTER TABLE thing RENAME CONSTRAINT thing_pkey TO name_taken;"
		"CREATE TABLE guarded (tenant_id text NOT NULL PRIMARY KEY);"
		"ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; ALTER TABLE guarded FORCE ROW LEVEL SECURITY;"
		"CREATE POLICY own ON guarded USING (tenant_id = app_tenant());"
		"CREATE FUNCTION fail(state text, words text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN"
		" RAISE EXCEPTION USING ERRCODE = state, MESSAGE = words, DETAIL = 'a secret of the row'; END $$;" },
};

enum { ADD, HOW_MANY, WHO, FAIL, SLEEP, BROKEN, GUARDED, SLOW_ADD, REFUSE, NUMBER, STATEMENTS };
static const struct sql statements[] = {
	{ "add", ADD, "INSERT INTO thing (name, amount, parent) VALUES ($1, $2::int, $3::int) RETURNING name" },
	{ "count", HOW_MANY, "SELECT count(*) FROM thing" },
	{ "who", WHO,
		"SELECT coalesce(app_tenant(), '-'), coalesce(app_subject()::text, '-'), current_user, "
		"current_setting('app.request_id')" },
	{ "fail", FAIL, "SELECT fail($1, 'words of the server')" },
	{ "sleep", SLEEP, "SELECT pg_sleep($1::float)" },
	{ "broken", BROKEN, "SELEKT 1" },
	{ "guarded", GUARDED, "INSERT INTO guarded VALUES ($1) RETURNING 1" },
	{ "slow_add", SLOW_ADD,
		"WITH slow AS MATERIALIZED (SELECT pg_sleep(1)) INSERT INTO thing (name) SELECT $1 FROM slow RETURNING "
		"name" },
	{ "refuse", REFUSE, "SELECT refuse(409, 'slot-taken', 'the 9 o''clock one')" },
	{ "number", NUMBER, "SELECT $1::int" },
};
static const struct sql_set set = { "unit", statements, STATEMENTS, migrations, 1 };
static const struct db_settings nobody;

static struct db *db_of(int size, int wait_ms)
{
	return db_new(servers_conninfo("unit_db", ""), &set, size, wait_ms);
}

static int run(struct db *db, int statement, int count, const char *const *values, struct db_failure *failure)
{
	auto_result PGresult *result = db_run(db, &nobody, &statements[statement], count, values, failure);

	return result ? 200 : failure->status;
}

static int add(struct db *db, const char *name, const char *amount, struct db_failure *failure)
{
	return run(db, ADD, 3, (const char *[]){ name, amount, NULL }, failure);
}

static long things(void)
{
	return atol(servers_sql("unit_db", "SELECT count(*) FROM thing"));
}

static int make_database(void **state)
{
	servers_make_database("unit_db");
	assert_int_equal(migrate_run(servers_conninfo("unit_db", "_owner"), &set), 0);
	gate_start();
	return 0;
}

static int empty(void **state)
{
	servers_sql("unit_db", "TRUNCATE thing");
	gate_set(GATE_OPEN);
	return 0;
}

static void settings_hold_for_one_transaction(void **state)
{
	struct db *db = db_of(1, 1000);
	struct db_settings settings = {
		.tenant = "c_a944", .subject = "0192aaaa-0000-7000-8000-000000000001", .request_id = "r1"
	};
	struct db_failure failure;
	PGresult *result = db_run(db, &settings, &statements[WHO], 0, NULL, &failure);

	assert_non_null(result);
	assert_string_equal(PQgetvalue(result, 0, 0), "c_a944");
	assert_string_equal(PQgetvalue(result, 0, 1), settings.subject);
	assert_string_equal(PQgetvalue(result, 0, 2), "portico_unit_db");
	assert_string_equal(PQgetvalue(result, 0, 3), "r1");
	PQclear(result);
	result = db_run(db, &(struct db_settings){ .worker = true }, &statements[WHO], 0, NULL, &failure);
	assert_string_equal(PQgetvalue(result, 0, 0), "-");
	assert_string_equal(PQgetvalue(result, 0, 2), "portico_unit_db_worker");
	PQclear(result);
	result = db_run(db, &nobody, &statements[WHO], 0, NULL, &failure);
	assert_string_equal(PQgetvalue(result, 0, 1), "-");
	assert_string_equal(PQgetvalue(result, 0, 2), "portico_unit_db");
	PQclear(result);
	assert_int_equal(db_gauges(db).open, 1);
	db_free(db);
}

static void every_sqlstate_has_its_answer(void **state)
{
	static const struct {
		const char *sqlstate;
		int status;
		const char *slug;
	} cases[] = { { "PT404", 404, "words of the server" }, { "PT599", 599, "words of the server" },
		{ "PT999", 500, "internal-error" }, { "23503", 422, "unknown-reference" },
		{ "22007", 422, "invalid-value" }, { "22P02", 422, "invalid-value" }, { "40001", 503, "unavailable" },
		{ "40P01", 503, "unavailable" }, { "55P03", 503, "unavailable" }, { "57014", 503, "unavailable" },
		{ "53100", 503, "unavailable" }, { "57P01", 503, "unavailable" }, { "08006", 503, "unavailable" },
		{ "25006", 503, "unavailable" }, { "42501", 403, "forbidden" }, { "42883", 500, "internal-error" },
		{ "XX000", 500, "internal-error" }, { "P0001", 500, "internal-error" } };
	struct db *db = db_of(1, 1000);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct db_failure failure;

		assert_int_equal(run(db, FAIL, 1, (const char *[]){ cases[i].sqlstate }, &failure), cases[i].status);
		assert_string_equal(failure.slug, cases[i].slug);
		assert_string_equal(failure.sqlstate, cases[i].sqlstate);
		assert_int_equal(failure.retry_after > 0, failure.status == 503);
		if (strncmp(cases[i].sqlstate, "PT", 2) != 0)
			assert_string_equal(failure.detail, "");
	}
	assert_int_equal(db_gauges(db).open, 1);
	db_free(db);
}

static void constraints_are_slugs(void **state)
{
	struct db *db = db_of(1, 1000);
	struct db_failure failure;

	assert_int_equal(add(db, "a", "1", &failure), 200);
	assert_int_equal(add(db, "a", "2", &failure), 409);
	assert_string_equal(failure.slug, "name-taken");
	assert_int_equal(add(db, "b", "-1", &failure), 422);
	assert_string_equal(failure.slug, "amount-too-small");
	assert_string_equal(failure.detail, "");
	assert_int_equal(run(db, ADD, 3, (const char *[]){ "c", "3", "77" }, &failure), 422);
	assert_string_equal(failure.slug, "unknown-reference");
	assert_int_equal(run(db, NUMBER, 1, (const char *[]){ "none" }, &failure), 422);
	assert_string_equal(failure.slug, "invalid-value");
	assert_int_equal(run(db, GUARDED, 1, (const char *[]){ "c_a944" }, &failure), 403);
	assert_int_equal(run(db, REFUSE, 0, NULL, &failure), 409);
	assert_string_equal(failure.slug, "slot-taken");
	assert_string_equal(failure.detail, "the 9 o'clock one");
	assert_int_equal(things(), 1);
	db_free(db);
}

static void a_commit_that_fails_is_a_failure(void **state)
{
	struct db *db = db_of(1, 1000);
	struct db_failure failure;

	assert_int_equal(add(db, "a", "1", &failure), 200);
	assert_int_equal(add(db, "b", "1", &failure), 409);
	assert_string_equal(failure.slug, "number-taken");
	struct db_transaction *transaction = db_begin(db, &nobody, &failure);
	PGresult *result = db_query(transaction, &statements[ADD], 3, (const char *[]){ "c", "1", NULL }, &failure);
	assert_non_null(result);
	PQclear(result);
	assert_false(db_commit(transaction, &failure));
	assert_int_equal(failure.status, 409);
	assert_string_equal(failure.slug, "number-taken");
	assert_int_equal(things(), 1);
	assert_int_equal(add(db, "d", "2", &failure), 200);
	assert_int_equal(db_gauges(db).open, 1);
	db_free(db);
}

static void a_transaction_is_all_or_nothing(void **state)
{
	struct db *db = db_of(1, 1000);
	struct db_failure failure;
	struct db_transaction *transaction = db_begin(db, &nobody, &failure);

	PQclear(db_query(transaction, &statements[ADD], 3, (const char *[]){ "a", "1", NULL }, &failure));
	assert_null(db_query(transaction, &statements[FAIL], 1, (const char *[]){ "22000" }, &failure));
	assert_null(db_query(transaction, &statements[HOW_MANY], 0, NULL, &failure));
	assert_false(db_commit(transaction, &failure));
	assert_int_equal(things(), 0);
	transaction = db_begin(db, &nobody, &failure);
	PQclear(db_query(transaction, &statements[ADD], 3, (const char *[]){ "a", "1", NULL }, &failure));
	PQclear(db_query(transaction, &statements[ADD], 3, (const char *[]){ "b", "2", NULL }, &failure));
	db_rollback(transaction);
	assert_int_equal(things(), 0);
	transaction = db_begin(db, &nobody, &failure);
	assert_true(db_commit(transaction, &failure));
	assert_int_equal(db_gauges(db).open, 1);
	db_free(db);
}

static void a_statement_that_does_not_prepare_leaves_the_connection_whole(void **state)
{
	struct db *db = db_of(1, 1000);
	struct db_failure failure;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(run(db, BROKEN, 0, NULL, &failure), 500);
		assert_string_equal(failure.sqlstate, "42601");
	}
	assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 200);
	assert_int_equal(db_gauges(db).open, 1);
	db_free(db);
}

static void a_full_pool_is_waited_for_within_its_bound(void **state)
{
	struct db *db = db_of(2, 300);
	struct db_failure failure;
	struct db_transaction *first = db_begin(db, &nobody, &failure), *second = db_begin(db, &nobody, &failure);
	long long began = monotonic_ms();

	assert_null(db_begin(db, &nobody, &failure));
	assert_in_range(monotonic_ms() - began, 250, 1500);
	assert_int_equal(failure.status, 503);
	assert_string_equal(failure.slug, "unavailable");
	assert_int_equal(failure.retry_after, 1);
	assert_int_equal(db_gauges(db).timeouts, 1);
	assert_int_equal(db_gauges(db).in_use, 2);
	db_rollback(first);
	assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 200);
	db_rollback(second);
	assert_int_equal(db_gauges(db).in_use, 0);
	db_free(db);
}

static struct db *crowded;
static _Atomic(int) crowd_failures;

static void *crowd(void *context)
{
	for (int i = 0; i < 40; i++) {
		char name[32];
		struct db_failure failure;

		snprintf(name, sizeof name, "%ld-%d", (long)context, i);
		if (run(crowded, ADD, 3, (const char *[]){ name, name + strlen(name), NULL }, &failure) != 422)
			crowd_failures++;
		if (run(crowded, NUMBER, 1, (const char *[]){ "12" }, &failure) != 200)
			crowd_failures++;
	}
	return NULL;
}

static void threads_share_the_pool(void **state)
{
	pthread_t threads[8];

	crowded = db_of(3, 5000);
	for (long i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, crowd, (void *)i);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd_failures, 0);
	assert_in_range(db_gauges(crowded).open, 1, 3);
	assert_int_equal(db_gauges(crowded).in_use, 0);
	db_free(crowded);
}

static void connections_that_died_while_idle_cost_nobody_an_error(void **state)
{
	struct db *db = db_of(2, 1000);
	struct db_failure failure;

	for (int round = 0; round < 3; round++) {
		struct db_transaction *one = db_begin(db, &nobody, &failure), *two = db_begin(db, &nobody, &failure);
		PQclear(db_query(one, &statements[HOW_MANY], 0, NULL, &failure));
		PQclear(db_query(two, &statements[HOW_MANY], 0, NULL, &failure));
		db_rollback(one);
		db_rollback(two);
		servers_sql("unit_db", "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = "
				       "'portico_unit_db'");
		usleep(50000);
		assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 200);
		assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 200);
	}
	db_free(db);
}

static void *slow_add(void *context)
{
	struct db_failure failure;

	return (void *)(long)run(context, SLOW_ADD, 1, (const char *[]){ "slow" }, &failure);
}

static void a_statement_whose_server_dies_is_not_repeated(void **state)
{
	struct db *db = db_of(1, 1000);
	struct db_failure failure;
	pthread_t thread;
	void *status;

	assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 200);
	pthread_create(&thread, NULL, slow_add, db);
	usleep(300000);
	servers_sql("unit_db",
		"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'portico_unit_db'");
	pthread_join(thread, &status);
	assert_int_equal((long)status, 503);
	usleep(1500000);
	assert_int_equal(things(), 0);
	assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 200);
	db_free(db);
}

static void a_server_that_comes_back_is_used_again(void **state)
{
	struct db *db = db_new(gate_conninfo("unit_db", ""), &set, 2, 500);
	struct db_failure failure;
	long long began;

	assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 200);
	assert_true(db_alive(db));
	gate_set(GATE_SHUT);
	began = monotonic_ms();
	for (int i = 0; i < 5; i++)
		assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 503);
	assert_false(db_alive(db));
	assert_in_range(monotonic_ms() - began, 0, 2000);
	assert_int_equal(db_gauges(db).open, 0);
	gate_set(GATE_OPEN);
	assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 200);
	db_free(db);
}

static void a_server_that_hangs_is_given_up(void **state)
{
	struct db *db = db_new(gate_conninfo("unit_db", ""), &set, 2, 500);
	struct db_failure failure;
	long long began;

	assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 200);
	gate_set(GATE_HANGING);
	began = monotonic_ms();
	assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 503);
	assert_in_range(monotonic_ms() - began, DB_EXCHANGE_MS - 100, DB_EXCHANGE_MS + 1000);
	began = monotonic_ms();
	assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 503);
	assert_in_range(monotonic_ms() - began, DB_CONNECT_MS - 100, DB_CONNECT_MS + 1000);
	assert_false(db_alive(db));
	gate_set(GATE_OPEN);
	assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 200);
	db_free(db);
}

static void a_slow_statement_is_stopped_by_the_server(void **state)
{
	struct db *db = db_of(1, 500);
	struct db_failure failure;

	assert_int_equal(run(db, SLEEP, 1, (const char *[]){ "20" }, &failure), 503);
	assert_string_equal(failure.sqlstate, "57014");
	assert_null(db_run(db, &(struct db_settings){ .patience_ms = 50 }, &statements[SLEEP], 1,
		(const char *[]){ "2" }, &failure));
	assert_string_equal(failure.sqlstate, "57014"); /* who asked has less patience than the server */
	assert_int_equal(run(db, SLEEP, 1, (const char *[]){ "0.2" }, &failure), 200);
	assert_int_equal(run(db, HOW_MANY, 0, NULL, &failure), 200);
	assert_int_equal(db_gauges(db).open, 1);
	db_free(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(settings_hold_for_one_transaction, empty),
		cmocka_unit_test_setup(every_sqlstate_has_its_answer, empty),
		cmocka_unit_test_setup(constraints_are_slugs, empty),
		cmocka_unit_test_setup(a_commit_that_fails_is_a_failure, empty),
		cmocka_unit_test_setup(a_transaction_is_all_or_nothing, empty),
		cmocka_unit_test_setup(a_statement_that_does_not_prepare_leaves_the_connection_whole, empty),
		cmocka_unit_test_setup(a_full_pool_is_waited_for_within_its_bound, empty),
		cmocka_unit_test_setup(threads_share_the_pool, empty),
		cmocka_unit_test_setup(connections_that_died_while_idle_cost_nobody_an_error, empty),
		cmocka_unit_test_setup(a_statement_whose_server_dies_is_not_repeated, empty),
		cmocka_unit_test_setup(a_server_that_comes_back_is_used_again, empty),
		cmocka_unit_test_setup(a_server_that_hangs_is_given_up, empty),
		cmocka_unit_test_setup(a_slow_statement_is_stopped_by_the_server, empty),
	};

	if (!servers_given()) {
		puts("SKIPPED: PORTICO_TEST_DATABASE is not set");
		return 77;
	}
	return cmocka_run_group_tests(tests, make_database, NULL);
}
