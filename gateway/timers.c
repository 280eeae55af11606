/* The wheel: a slot per tick; what lies beyond the last slot waits in it and is put further when it comes up. */
#include "timers.h"
#include <stddef.h>

static void link_timer(struct timers *timers, struct timer *timer)
{
	int64_t slot_time = timer->deadline, horizon = timers->now + (int64_t)TIMER_TICK_MS * (TIMER_SLOTS - 2);
	struct timer **slot;

	if (slot_time <= timers->now)
		slot_time = timers->now + 1;
	if (slot_time > horizon)
		slot_time = horizon;
	timer->slot_time = (slot_time + TIMER_TICK_MS - 1) / TIMER_TICK_MS * TIMER_TICK_MS;
	slot = &timers->slots[timer->slot_time / TIMER_TICK_MS % TIMER_SLOTS];
	timer->next = *slot;
	if (timer->next)
		timer->next->previous = &timer->next;
	timer->previous = slot;
	*slot = timer;
	timers->count++;
}

void timer_clear(struct timers *timers, struct timer *timer)
{
	if (!timer->previous)
		return;
	*timer->previous = timer->next;
	if (timer->next)
		timer->next->previous = timer->previous;
	timer->previous = NULL;
	timers->count--;
}

void timer_set(struct timers *timers, struct timer *timer, int64_t deadline)
{
	timer->deadline = deadline;
	if (timer->previous && deadline >= timer->slot_time)
		return;
	timer_clear(timers, timer);
	link_timer(timers, timer);
}

static void run_slot(struct timers *timers, struct timer **slot)
{
	struct timer *due = *slot;

	*slot = NULL;
	if (due)
		due->previous = &due;
	while (due) {
		struct timer *timer = due;

		timer_clear(timers, timer);
		if (timer->deadline > timers->now)
			link_timer(timers, timer);
		else
			timer->expired(timer);
	}
}

void timers_run(struct timers *timers, int64_t now)
{
	int64_t tick = timers->now / TIMER_TICK_MS, last = now / TIMER_TICK_MS;

	if (last - tick > TIMER_SLOTS)
		tick = last - TIMER_SLOTS;
	while (tick < last) {
		tick++;
		timers->now = tick * TIMER_TICK_MS;
		run_slot(timers, &timers->slots[tick % TIMER_SLOTS]);
	}
	timers->now = now;
}
