/* Lanes run the handlers of events: one aggregate always in the same lane, in order; an event that fails waits for its
 * next attempt together with those of its aggregate behind it, and the others go on. */
#pragma once
#include <time.h>
#include "events.h"
#include "stream.h"

enum { LANE_COUNT = 4, SOURCE_WINDOW = 512 };

/* One source's reading: which entries are out, so that the position that is done never passes one that is not. */
struct source {
	struct stream stream;	       /* the first member: consumer.c finds the source by it */
	long long saved;	       /* the position stored in the database; the reader's own */
	struct entry *oldest, *newest; /* the lanes' own: what is out, in order */
	int out;
	long long handed_over; /* the last position that the lanes were given */
};

struct entry {
	struct source *source;
	const struct event_consumer *consumer;
	long long position;
	char *id, *tenant, *aggregate, *envelope;
	size_t aggregate_hash;
	int attempts, refusals;	       /* refusals: failed, although nothing was down */
	long long failing_since;       /* monotonic ms, 0: did not fail yet */
	long long not_before;	       /* monotonic ms of the next attempt, 0: had none yet */
	struct entry *before, *behind; /* in its source */
	struct entry *next;	       /* in its lane */
};

bool lanes_start(const struct events_options *options);
/* False: a handler still runs; may be called again. */
bool lanes_stop(const struct timespec *deadline);
/* After all lanes have stopped and the last look at lanes_done(): what was not finished will be read again by the next
 * process. */
void lanes_forget(void);

/* Takes an entry over. */
void lanes_add(struct entry *entry);
/* A position that nobody here wants. */
void lanes_pass(struct source *source, long long position);
/* How many more entries of this source may be handed over. */
int lanes_room(const struct source *source);
void lanes_wait_for_room(int ms);
/* Everything up to here had its effect, is a dead letter or concerns nobody here. */
long long lanes_done(const struct source *source);
long lanes_pending(void);
