/* Counters and histograms in the text format of Prometheus. Recording takes no lock. */
#pragma once
#include <stddef.h>

/* One request done: counts it by operation and status and puts seconds in its histogram. operation must be a static
 * string, or one of metrics_operation(). */
void metrics_request(const char *operation, int status, double seconds);
/* The name for as long as the process lives, the same for equal texts: for contracts that are reloaded. */
const char *metrics_operation(const char *name);
/* A counter of the service's own, by name and one label: metrics_count("portico_messages_total", "channel", "email").
 */
void metrics_count(const char *name, const char *label, const char *value);

/* Values that are looked up at scrape time: a source is called with a writer for each /metrics. A name that ends in
 * _total is a counter, _bucket of a histogram, any other a gauge; help goes with the first of several lines of one
 * name, NULL with the others.
 */
typedef void metrics_writer(void *out, const char *name, const char *help, const char *labels, double value);
typedef void metrics_source(metrics_writer *write, void *out);
void metrics_add_source(metrics_source *source);

/* The page; malloc'ed. */
char *metrics_page_dup(const char *service);
