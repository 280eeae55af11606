/* Limits that hold for all replicas of the gateway together, with a bounded error.
 *
 * Each replica decides at once, by its own buckets (limit.h). A thread tells Redis every 150 ms what was taken from
 * those that have changed, and learns what all replicas together took from them. So a replica may know nothing of a
 * bucket until 150 ms after it took something from it, and N replicas together let through in a window at most
 *
 * 	limit + (N - 1) * what one of them lets through of it in 150 ms (and the time of the exchange itself),
 *
 * which is never more than N * limit. (What is taken from a bucket that gives way to others within these 150 ms is
 * not told.) It is a debt besides: the bucket is full again that much later, so it is let through once, not in each
 * window. A replica that has just started is one more of the N.
 *
 * No request ever waits for Redis. While it is gone or hangs, each replica keeps to the limits on its own. What it
 * has lost when it comes back the replicas still know. */
#pragma once
#include <stdbool.h>
#include "limit.h"

/* address is host:port; empty: nothing is shared. False: no thread. */
bool limit_share_start(struct limits *limits, const char *address);
/* Tells what was taken last, and ends. */
void limit_share_stop(void);
