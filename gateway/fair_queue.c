/* Lanes and turns, as lists of which any member can leave at once. */
#include "fair_queue.h"

void fair_queue_init(struct fair_queue *queue, unsigned places)
{
	queue->length = 0;
	queue->places = places;
	TAILQ_INIT(&queue->turns);
	for (size_t i = 0; i < QUEUE_LANES; i++) {
		queue->lanes[i].length = 0;
		TAILQ_INIT(&queue->lanes[i].waiters);
	}
}

bool fair_queue_enter(struct fair_queue *queue, struct waiter *waiter, uint64_t caller)
{
	struct queue_lane *lane = &queue->lanes[caller % QUEUE_LANES];
	unsigned left = queue->places - queue->length;

	if (!left || lane->length > left)
		return false;
	if (!lane->length)
		TAILQ_INSERT_TAIL(&queue->turns, lane, others);
	TAILQ_INSERT_TAIL(&lane->waiters, waiter, others);
	waiter->lane = lane;
	lane->length++;
	queue->length++;
	return true;
}

void fair_queue_leave(struct fair_queue *queue, struct waiter *waiter)
{
	struct queue_lane *lane = waiter->lane;

	TAILQ_REMOVE(&lane->waiters, waiter, others);
	waiter->lane = NULL;
	queue->length--;
	if (--lane->length == 0)
		TAILQ_REMOVE(&queue->turns, lane, others);
}

struct waiter *fair_queue_next(struct fair_queue *queue)
{
	struct queue_lane *lane = TAILQ_FIRST(&queue->turns);
	struct waiter *waiter;

	if (!lane)
		return NULL;
	waiter = TAILQ_FIRST(&lane->waiters);
	fair_queue_leave(queue, waiter);
	if (lane->length) {
		TAILQ_REMOVE(&queue->turns, lane, others);
		TAILQ_INSERT_TAIL(&queue->turns, lane, others);
	}
	return waiter;
}
