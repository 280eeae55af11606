/* Migrations: in order, once, all or nothing, never changed afterwards, one runner at a time. */
#include "unit.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include "db.h"
#include "servers.h"

static const struct sql good[] = {
	{ "0001_first", 0, "CREATE TABLE first (tenant_id text NOT NULL PRIMARY KEY); SELECT pg_sleep(0.3)" },
	{ "0002_second", 1,
		"ALTER TABLE first ADD COLUMN name text; CREATE TABLE second (tenant_id text NOT NULL PRIMARY KEY)" },
};
static const struct sql changed[] = {
	{ "0001_first", 0, "CREATE TABLE first (tenant_id text NOT NULL PRIMARY KEY, name text)" },
};
static const struct sql failing[] = {
	{ "0001_first", 0, "CREATE TABLE first (tenant_id text NOT NULL PRIMARY KEY); SELECT pg_sleep(0.3)" },
	{ "0002_second", 1, "CREATE TABLE half (tenant_id text NOT NULL PRIMARY KEY); SELECT 1 / 0" },
	{ "0003_third", 2, "CREATE TABLE third (tenant_id text NOT NULL PRIMARY KEY)" },
};
static const struct sql fine[] = { { "names", 0, "SELECT name FROM first WHERE tenant_id = $1" } };
static const struct sql mistyped[] = {
	{ "names", 0, "SELECT name FROM first WHERE tenant_id = $1" },
	{ "mistyped", 1, "SELECT nane FROM first" },
};

static const struct sql_set good_set = { "unit", fine, 1, good, 2 };
static const struct sql_set older_set = { "unit", fine, 1, good, 1 };
static const struct sql_set changed_set = { "unit", fine, 1, changed, 1 };
static const struct sql_set failing_set = { "unit", fine, 1, failing, 3 };
static const struct sql_set mistyped_set = { "unit", mistyped, 2, good, 2 };

static int make_database(void **state)
{
	servers_make_database("unit_migrate");
	return 0;
}

static int run(const struct sql_set *set)
{
	return migrate_run(servers_conninfo("unit_migrate", "_owner"), set);
}

static const char *applied(void)
{
	return servers_sql("unit_migrate", "SELECT string_agg(set_name || '/' || name, ' ' ORDER BY applied_at, name) "
					   "FROM schema_migrations WHERE set_name = 'unit'");
}

static bool done(const struct sql_set *set, const char **missing)
{
	struct db *db = db_new(servers_conninfo("unit_migrate", ""), set, 1, 1000);
	bool result = migrate_done(db, set, missing);

	db_free(db);
	return result;
}

static void applies_in_order_and_once(void **state)
{
	const char *missing = NULL;

	assert_false(done(&good_set, &missing));
	assert_string_equal(missing, "common/0001_common");
	assert_int_equal(run(&older_set), 0);
	assert_false(done(&good_set, &missing));
	assert_string_equal(missing, "unit/0002_second");
	assert_int_equal(run(&good_set), 0);
	assert_int_equal(run(&good_set), 0);
	assert_true(done(&good_set, &missing));
	assert_string_equal(applied(), "unit/0001_first unit/0002_second");
	assert_int_equal(run(&older_set), 0); /* a release taken back: only a remark */
	assert_true(done(&older_set, &missing));
}

static void refuses_one_that_was_changed(void **state)
{
	const char *missing = NULL;

	assert_int_equal(run(&good_set), 0);
	assert_int_equal(run(&changed_set), EX_DATAERR);
	assert_false(done(&changed_set, &missing));
	assert_string_equal(missing, "unit/0001_first");
}

static void stops_at_the_first_that_fails_and_leaves_nothing_of_it(void **state)
{
	assert_int_equal(run(&failing_set), EX_SOFTWARE);
	assert_string_equal(applied(), "unit/0001_first");
	assert_string_equal(
		servers_sql("unit_migrate", "SELECT concat(to_regclass('half'), to_regclass('third'))"), "");
	assert_int_equal(run(&good_set), 0);
}

static void *run_in_thread(void *unused)
{
	return (void *)(long)run(&good_set);
}

static void two_at_once_wait_for_each_other(void **state)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, run_in_thread, NULL);
	for (int i = 0; i < 3; i++) {
		void *code;

		pthread_join(threads[i], &code);
		assert_int_equal((long)code, 0);
	}
	assert_string_equal(applied(), "unit/0001_first unit/0002_second");
}

static void check_prepares_every_statement(void **state)
{
	assert_int_equal(run(&good_set), 0);
	assert_int_equal(migrate_check(servers_conninfo("unit_migrate", ""), &good_set), 0);
	assert_int_equal(migrate_check(servers_conninfo("unit_migrate", ""), &mistyped_set), EX_SOFTWARE);
}

static void says_so_when_nobody_answers(void **state)
{
	assert_int_equal(migrate_run("host=127.0.0.1 port=1 dbname=none", &good_set), EX_UNAVAILABLE);
	assert_int_equal(migrate_check("host=127.0.0.1 port=1 dbname=none", &good_set), EX_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(applies_in_order_and_once, make_database),
		cmocka_unit_test_setup(refuses_one_that_was_changed, make_database),
		cmocka_unit_test_setup(stops_at_the_first_that_fails_and_leaves_nothing_of_it, make_database),
		cmocka_unit_test_setup(two_at_once_wait_for_each_other, make_database),
		cmocka_unit_test_setup(check_prepares_every_statement, make_database),
		cmocka_unit_test(says_so_when_nobody_answers),
	};

	if (!servers_given()) {
		puts("SKIPPED: PORTICO_TEST_DATABASE is not set");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
