/* What decides where a request goes and who waits for how long: breakers, turns in the queue, names with several
 * addresses. */
#include "breaker.h"
#include "fair_queue.h"
#include "replica.h"
#include "unit.h"

static void failures_in_a_row_open_a_breaker(void **state)
{
	struct breaker breaker = { 0 };

	for (int i = 0; i < 10; i++) {
		for (int k = 1; k < BREAKER_FAILURES; k++)
			breaker_failed(&breaker, 0);
		breaker_succeeded(&breaker);
	}
	for (int k = 1; k < BREAKER_FAILURES; k++) {
		breaker_failed(&breaker, 5000);
		assert_true(breaker_is_closed(&breaker));
	}
	breaker_failed(&breaker, 5000);
	assert_false(breaker_is_closed(&breaker));
	assert_false(breaker_is_due(&breaker, 5000 + BREAKER_FIRST_PAUSE_MS - 1));
	assert_true(breaker_is_due(&breaker, 5000 + BREAKER_FIRST_PAUSE_MS));
}

static struct breaker open_breaker(int64_t now)
{
	struct breaker breaker = { 0 };

	for (int k = 0; k < BREAKER_FAILURES; k++)
		breaker_failed(&breaker, now);
	return breaker;
}

static void one_request_tries_and_the_pause_grows(void **state)
{
	struct breaker breaker = open_breaker(0);
	int64_t now = 0, pause = BREAKER_FIRST_PAUSE_MS;

	for (int i = 0; i < 10; i++) {
		breaker_failed(&breaker, now + 1); /* of a request from before: changes nothing */
		assert_int_equal(breaker.until, now + pause);
		now += pause;
		assert_true(breaker_is_due(&breaker, now));
		breaker.trying = true;
		assert_false(breaker_is_due(&breaker, now));
		breaker_failed(&breaker, now);
		pause = 2 * pause < BREAKER_LONGEST_PAUSE_MS ? 2 * pause : BREAKER_LONGEST_PAUSE_MS;
	}
	assert_int_equal(pause, BREAKER_LONGEST_PAUSE_MS);
	breaker.trying = true;
	breaker_succeeded(&breaker);
	assert_true(breaker_is_closed(&breaker));
	assert_int_equal(open_breaker(now).pause, BREAKER_FIRST_PAUSE_MS);
}

static unsigned fill(struct fair_queue *queue, struct waiter *waiters, unsigned count, uint64_t caller)
{
	unsigned entered = 0;

	while (entered < count && fair_queue_enter(queue, &waiters[entered], caller))
		entered++;
	return entered;
}

static void one_caller_leaves_room_for_others(void **state)
{
	struct fair_queue queue;
	struct waiter hog[100] = { 0 }, second[100] = { 0 }, third[100] = { 0 };
	unsigned of_hog, of_second, of_third;

	fair_queue_init(&queue, 100);
	of_hog = fill(&queue, hog, 100, 1);
	of_second = fill(&queue, second, 100, 2);
	of_third = fill(&queue, third, 100, 3);
	assert_int_equal(of_hog, 51);
	assert_int_equal(of_second, 25);
	assert_int_equal(of_third, 13);
	assert_int_equal(queue.length, of_hog + of_second + of_third);
	while (fair_queue_next(&queue))
		;
	assert_int_equal(queue.length, 0);
	for (unsigned i = 0; i < 100; i++)
		fill(&queue, &hog[i], 1, i);
	assert_int_equal(queue.length, 100);
}

static void callers_take_turns(void **state)
{
	struct fair_queue queue;
	struct waiter hog[50] = { 0 }, other[3] = { 0 };

	fair_queue_init(&queue, 100);
	assert_int_equal(fill(&queue, hog, 50, 1), 50);
	assert_int_equal(fill(&queue, other, 3, 2), 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_ptr_equal(fair_queue_next(&queue), &hog[i]);
		assert_ptr_equal(fair_queue_next(&queue), &other[i]);
	}
	fair_queue_leave(&queue, &hog[3]);
	assert_null(hog[3].lane);
	assert_ptr_equal(fair_queue_next(&queue), &hog[4]);
	fair_queue_leave(&queue, &hog[49]);
	for (unsigned i = 5; i < 49; i++)
		assert_ptr_equal(fair_queue_next(&queue), &hog[i]);
	assert_null(fair_queue_next(&queue));
	assert_null(fair_queue_next(&queue));
	assert_int_equal(queue.length, 0);
}

static size_t places_taken(const struct upstream_service *service)
{
	size_t taken = 0;

	for (size_t i = 0; i < MAX_REPLICAS; i++)
		taken += replica_state(&service->replicas[i]) != REPLICA_ABSENT;
	return taken;
}

static void an_address_keeps_its_place_while_its_name_has_it(void **state)
{
	static struct upstream_service service;
	struct replica *replica = &service.replicas[0];
	unsigned generation;

	service_init(&service, "echo");
	assert_true(service_add_name(&service, "http://127.0.0.1:8101"));
	assert_true(service_add_name(&service, "[::1]:8102"));
	assert_false(service_add_name(&service, "nowhere"));
	service_resolve(&service);
	assert_int_equal(places_taken(&service), 2);
	assert_string_equal(replica->address, "127.0.0.1:8101");
	assert_string_equal(service.replicas[1].address, "[::1]:8102");
	assert_int_equal(replica_state(replica), REPLICA_UNREACHABLE); /* nobody has looked yet */
	generation = replica->generation;
	atomic_store(&replica->state, REPLICA_READY);
	assert_true(service_ready(&service));
	service_resolve(&service);
	assert_int_equal(replica_state(replica), REPLICA_READY);
	assert_int_equal(replica->generation, generation);

	strcpy(service.names[0].host, "127.0.0.2"); /* the name has moved */
	service_resolve(&service);
	assert_int_equal(places_taken(&service), 2);
	assert_string_equal(replica->address, "127.0.0.2:8101");
	assert_int_equal(replica_state(replica), REPLICA_UNREACHABLE);
	assert_int_equal(replica->generation, generation + 1);

	strcpy(service.names[0].host, "name.invalid"); /* and now nobody knows it */
	service_resolve(&service);
	assert_string_equal(replica->address, "127.0.0.2:8101");
	assert_int_equal(places_taken(&service), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_in_a_row_open_a_breaker),
		cmocka_unit_test(one_request_tries_and_the_pause_grows),
		cmocka_unit_test(one_caller_leaves_room_for_others),
		cmocka_unit_test(callers_take_turns),
		cmocka_unit_test(an_address_keeps_its_place_while_its_name_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
