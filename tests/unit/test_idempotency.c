/* The same call twice has one effect and one answer, also when both come at once. */
#include "unit.h"
#include <stdio.h>
#include "idempotency.h"
#include "scope.h"
#include "servers.h"

static const struct sql none[] = { { 0 } };
static const struct sql_set set = { "unit", none, 0, none, 0 };
static struct db *db;

static int make_database(void **state)
{
	servers_make_database("unit_idempotency");
	assert_int_equal(migrate_run(servers_conninfo("unit_idempotency", "_owner"), &set), 0);
	db = db_new(servers_conninfo("unit_idempotency", ""), &set, 4, 1000);
	return 0;
}

static int drop_database(void **state)
{
	db_free(db);
	return 0;
}

static int empty(void **state)
{
	servers_sql("unit_idempotency", "TRUNCATE idempotency");
	return 0;
}

static const struct idempotency_call call = { "citizen:1", "createPractice", "key-1", "print-1" };
static const struct idempotency_answer answer = { 201, "{\"Location\":\"/practices/1\"}", "{\"id\":\"1\"}" };

static struct db_transaction *begin(const char *tenant)
{
	struct db_settings settings = { .tenant = tenant };
	struct db_failure failure;

	return db_begin(db, &settings, &failure);
}

/* Begins a call in its own transaction and rolls back; the state, and the stored answer's status. */
static enum idempotency_state look(
	const char *tenant, struct idempotency_call wanted, struct db_failure *failure, int *ret_status)
{
	struct db_transaction *transaction = begin(tenant);
	struct idempotency_answer stored = { 0 };
	auto_result PGresult *result = NULL;
	enum idempotency_state state = idempotency_begin(transaction, &wanted, &stored, &result, failure);

	if (state == IDEMPOTENCY_REPLAY) {
		assert_string_equal(stored.body, answer.body);
		assert_string_equal(stored.headers, "{\"Location\": \"/practices/1\"}");
	}
	*ret_status = stored.status;
	db_rollback(transaction);
	return state;
}

static void store(void)
{
	struct db_failure failure;
	struct idempotency_answer stored;
	PGresult *result;
	struct db_transaction *transaction = begin("c_a944");

	assert_int_equal(idempotency_begin(transaction, &call, &stored, &result, &failure), IDEMPOTENCY_FRESH);
	assert_true(idempotency_store(transaction, &call, &answer, &failure));
	assert_true(db_commit(transaction, &failure));
}

static void the_same_call_gets_the_first_answer(void **state)
{
	struct db_failure failure;
	int status;

	store();
	assert_int_equal(look("c_a944", call, &failure, &status), IDEMPOTENCY_REPLAY);
	assert_int_equal(status, 201);
}

static void another_call_under_the_same_key_is_refused(void **state)
{
	struct db_failure failure;
	struct idempotency_call other = call;
	int status;

	store();
	other.fingerprint = "print-2";
	assert_int_equal(look("c_a944", other, &failure, &status), IDEMPOTENCY_REFUSED);
	assert_int_equal(failure.status, 422);
	assert_string_equal(failure.slug, "idempotency-key-reused");
}

static void keys_belong_to_caller_operation_and_tenant(void **state)
{
	struct db_failure failure;
	struct idempotency_call other = call;
	int status;

	store();
	other.caller = "citizen:2";
	assert_int_equal(look("c_a944", other, &failure, &status), IDEMPOTENCY_FRESH);
	other = call;
	other.operation = "createMessage";
	assert_int_equal(look("c_a944", other, &failure, &status), IDEMPOTENCY_FRESH);
	assert_int_equal(look("c_a662", call, &failure, &status), IDEMPOTENCY_FRESH);
	assert_int_equal(look(NULL, call, &failure, &status), IDEMPOTENCY_FRESH);
}

static void a_call_in_flight_holds_the_second_off(void **state)
{
	struct db_failure failure;
	struct idempotency_answer stored;
	PGresult *result;
	struct db_transaction *first = begin("c_a944");
	int status;

	assert_int_equal(idempotency_begin(first, &call, &stored, &result, &failure), IDEMPOTENCY_FRESH);
	assert_int_equal(look("c_a944", call, &failure, &status), IDEMPOTENCY_REFUSED);
	assert_int_equal(failure.status, 409);
	assert_string_equal(failure.slug, "idempotency-in-flight");
	assert_int_equal(failure.retry_after, 1);
	assert_true(idempotency_store(first, &call, &answer, &failure));
	assert_true(db_commit(first, &failure));
	assert_int_equal(look("c_a944", call, &failure, &status), IDEMPOTENCY_REPLAY);
}

static void what_was_rolled_back_may_be_tried_again(void **state)
{
	struct db_failure failure;
	struct idempotency_answer stored;
	PGresult *result;
	struct db_transaction *first = begin("c_a944");
	int status;

	assert_int_equal(idempotency_begin(first, &call, &stored, &result, &failure), IDEMPOTENCY_FRESH);
	assert_true(idempotency_store(first, &call, &answer, &failure));
	db_rollback(first);
	assert_int_equal(look("c_a944", call, &failure, &status), IDEMPOTENCY_FRESH);
}

static void after_a_day_the_key_is_free(void **state)
{
	struct db_failure failure;
	struct idempotency_call other = call;
	int status;

	store();
	servers_sql("unit_idempotency", "UPDATE idempotency SET created_at = now() - interval '24 hours 1 second'");
	other.fingerprint = "print-2";
	assert_int_equal(look("c_a944", other, &failure, &status), IDEMPOTENCY_FRESH);
	store();
	assert_int_equal(look("c_a944", call, &failure, &status), IDEMPOTENCY_REPLAY);
}

static void the_service_itself_may_not_read_stored_answers(void **state)
{
	store();
	assert_string_equal(servers_sql("unit_idempotency",
				    "SELECT has_table_privilege('portico_unit_idempotency', 'idempotency', 'SELECT')"),
		"f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_same_call_gets_the_first_answer, empty),
		cmocka_unit_test_setup(another_call_under_the_same_key_is_refused, empty),
		cmocka_unit_test_setup(keys_belong_to_caller_operation_and_tenant, empty),
		cmocka_unit_test_setup(a_call_in_flight_holds_the_second_off, empty),
		cmocka_unit_test_setup(what_was_rolled_back_may_be_tried_again, empty),
		cmocka_unit_test_setup(after_a_day_the_key_is_free, empty),
		cmocka_unit_test_setup(the_service_itself_may_not_read_stored_answers, empty),
	};

	if (!servers_given()) {
		puts("SKIPPED: PORTICO_TEST_DATABASE is not set");
		return 77;
	}
	return cmocka_run_group_tests(tests, make_database, drop_database);
}
