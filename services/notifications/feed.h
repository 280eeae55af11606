/* The feed and its webhooks: what their files share. The contract is openapi/feed.yaml. */
#pragma once
#include "service.h"

extern const struct operation feed_operations[];

/* feed_collector.c, a task: takes the events of all services into the feed. */
int collect_events(struct request *rq);
long collector_lag(void);

/* feed_readers.c: those who wait for the feed to grow. A task, which every replica is told to run when it has. */
int wake_readers(struct request *rq);
void readers_start(void);
/* How often the feed has grown, to be asked before looking at it. */
unsigned long readers_mark(void);
/* Waits until it has grown since then. False: the time is up, too many wait already, or the process ends. */
bool readers_wait(unsigned long mark, long long until_ms);

/* feed_tasks.c: the upkeep. */
int tend_webhooks(struct request *rq);
int sweep_feed(struct request *rq);
int sweep_subscriptions(struct request *rq);
bool feed_start(void);
