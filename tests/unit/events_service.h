/* A service for the tests of events: it emits, and reads its own stream. Its relay, its reader and its lanes are the
 * real ones; its handler writes one row of `effect` for each event, fails as it is told to, and takes as long as it is
 * told to. */
#pragma once
#include "unit.h"
#include <stdatomic.h>
#include <stdbool.h>
#include "db.h"
#include "events.h"

#define STREAM "portico:events:unit_events"

extern struct db *unit_db;
extern const struct sql_set unit_set;
extern const char *unit_redis_address;
extern const char *const unit_aggregates[5];
extern _Atomic(int) failures_left, failure_status; /* of "unit.flaky" */
extern _Atomic(int) deliveries, delay_ms;
extern atomic_bool poison_is_cured; /* "unit.poison" has its effect, too */

int unit_make_servers(void **state);
int unit_drop_servers(void **state);
int unit_empty(void **state); /* before each test */
int unit_stop(void **state);  /* after each test */

struct events_options unit_options(void);
void unit_start(void);
bool unit_emit(const char *type, const char *aggregate, int number);
int unit_effects(void);
int unit_letters(void);
bool unit_reaches(int wanted, int ms);
/* Each event once, and those of an aggregate in the order in which they were emitted. */
void unit_all_once_and_in_order(int count);
void unit_redis(const char *command);
