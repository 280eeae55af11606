/* Requests that wait for a connection, in lanes by who asks: the lanes take turns, so that nobody waits behind all the
 * requests of one caller. A lane may have no more waiting than there are places left: one caller alone fills half of
 * the queue, and who comes next finds room. Every step costs the same however many wait. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum { QUEUE_LANES = 128 }; /* two callers may share one: by their keys, which nobody can choose */

struct waiter {
	struct queue_lane *lane; /* NULL: does not wait */
	TAILQ_ENTRY(waiter) others;
};

struct queue_lane {
	TAILQ_HEAD(, waiter) waiters;
	unsigned length;
	TAILQ_ENTRY(queue_lane) others; /* that are not empty */
};

struct fair_queue {
	unsigned length, places;
	TAILQ_HEAD(, queue_lane) turns;
	struct queue_lane lanes[QUEUE_LANES];
};

void fair_queue_init(struct fair_queue *queue, unsigned places);
/* False when there is no place for this caller. */
bool fair_queue_enter(struct fair_queue *queue, struct waiter *waiter, uint64_t caller);
void fair_queue_leave(struct fair_queue *queue, struct waiter *waiter);
/* Who is next, and waits no longer; NULL: nobody. */
struct waiter *fair_queue_next(struct fair_queue *queue);
