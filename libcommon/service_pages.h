/* What a service shows to those who operate it. */
#pragma once
#include <stdbool.h>
#include "metrics.h"

struct db;
struct request;

void service_pages_start(struct db *db);
/* From now on /readyz says no, so that no new request is sent here. */
void service_pages_stop(void);
/* For handlers that wait: it is time to answer. */
bool service_stopping(void);

/* Answers /livez, /readyz and /metrics; false for any other path. */
bool service_page(struct request *rq);

/* The gauges of pool, outbox and consumers, as a source for metrics_add_source(). */
void service_gauges(metrics_writer *write, void *out);
