/* Deadlines of a worker's connections: a wheel, so that setting one costs a store. They run out up to a tick late,
 * never early. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { TIMER_TICK_MS = 8, TIMER_SLOTS = 4096 }; /* short ticks: what runs out together is dealt with in small bunches */

struct timer {
	int64_t deadline; /* in ms; a later one than the slot's is found when the slot comes up */
	int64_t slot_time;
	struct timer *next, **previous; /* previous is NULL when it is not set */
	void (*expired)(struct timer *timer);
};

struct timers {
	struct timer *slots[TIMER_SLOTS];
	int64_t now; /* up to where the wheel has turned, in ms */
	unsigned long count;
};

void timer_set(struct timers *timers, struct timer *timer, int64_t deadline);
void timer_clear(struct timers *timers, struct timer *timer);
void timers_run(struct timers *timers, int64_t now);
