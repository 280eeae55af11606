/* Owns the counters of the process, in fixed tables that threads fill without a lock. Never drops a count silently:
 * what does not fit the table goes to the operation "other". */
#include "metrics.h"
#include <math.h>
#include <pthread.h>
#include <search.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES = 512, COUNTERS = 128, SOURCES = 8, BUCKETS = 13 };

static const double bounds[BUCKETS] = { .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10 };

/* One series an operation and status, claimed once by a compare-and-swap of its key. */
static struct series {
	_Atomic(const char *) operation;
	atomic_int status;
	atomic_ulong buckets[BUCKETS + 1];
	atomic_ulong microseconds;
} series[SERIES];

static struct counter {
	_Atomic(char *) key; /* name{label="value"} */
	atomic_ulong count;
} counters[COUNTERS];

static metrics_source *sources[SOURCES];
static atomic_int source_count;

static int by_text(const void *one, const void *other)
{
	return strcmp(one, other);
}

const char *metrics_operation(const char *name)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static void *names;
	char *copy = NULL;
	void *known;

	pthread_mutex_lock(&lock);
	known = tfind(name, &names, by_text);
	if (!known && (!(copy = strdup(name)) || !(known = tsearch(copy, &names, by_text))))
		abort();
	pthread_mutex_unlock(&lock);
	return *(const char **)known;
}

static struct series *series_for(const char *operation, int status)
{
	size_t start = ((uintptr_t)operation / 8 * 31 + (size_t)status) % SERIES;

	for (size_t i = 0; i < SERIES; i++) {
		struct series *slot = &series[(start + i) % SERIES];
		const char *none = NULL;

		if (atomic_load(&slot->operation) == NULL &&
			atomic_compare_exchange_strong(&slot->operation, &none, operation))
			atomic_store(&slot->status, status);
		if (atomic_load(&slot->operation) != operation)
			continue;
		while (atomic_load(&slot->status) == 0)
			; /* another thread has just claimed it and is about to write the status */
		if (atomic_load(&slot->status) == status)
			return slot;
	}
	return NULL;
}

void metrics_request(const char *operation, int status, double seconds)
{
	struct series *slot = series_for(operation, status ? status : 1);
	size_t bucket = 0;

	if (!slot)
		slot = series_for("other", status ? status : 1);
	if (!slot)
		return;
	while (bucket < BUCKETS && seconds > bounds[bucket])
		bucket++;
	atomic_fetch_add(&slot->buckets[bucket], 1);
	atomic_fetch_add(&slot->microseconds, (unsigned long)(seconds * 1e6));
}

void metrics_count(const char *name, const char *label, const char *value)
{
	char key[160];

	snprintf(key, sizeof key, "%s{%s=\"%s\"}", name, label, value);
	for (size_t i = 0; i < COUNTERS; i++) {
		char *held = atomic_load(&counters[i].key);

		if (!held) {
			char *copy = strdup(key);

			if (copy && !atomic_compare_exchange_strong(&counters[i].key, &held, copy))
				free(copy);
			held = atomic_load(&counters[i].key);
		}
		if (held && strcmp(held, key) == 0) {
			atomic_fetch_add(&counters[i].count, 1);
			return;
		}
	}
}

void metrics_add_source(metrics_source *source)
{
	int place = atomic_fetch_add(&source_count, 1);

	if (place < SOURCES)
		sources[place] = source;
}

static bool ends_in(const char *name, const char *end)
{
	size_t length = strlen(name), of_end = strlen(end);

	return length > of_end && strcmp(name + length - of_end, end) == 0;
}

/* Whole numbers in full: a counter that grows past a million has to go on growing by one. */
static void write_value(void *out, const char *name, const char *help, const char *labels, double value)
{
	bool histogram = ends_in(name, "_bucket"), whole = value >= 0 && value < 1e15 && value == floor(value);
	int family = (int)(strlen(name) - (histogram ? strlen("_bucket") : 0));

	if (help)
		fprintf(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", family, name, help, family, name,
			histogram		  ? "histogram"
			: ends_in(name, "_total") ? "counter"
						  : "gauge");
	fprintf(out, "%s%s%s%s %.*g\n", name, *labels ? "{" : "", labels, *labels ? "}" : "", whole ? 15 : 6, value);
}

static unsigned long sum_of(const struct series *one, size_t buckets)
{
	unsigned long sum = 0;

	for (size_t b = 0; b < buckets; b++)
		sum += atomic_load(&one->buckets[b]);
	return sum;
}

static void write_total(FILE *out, const struct series *one, const char *labels)
{
	fprintf(out, "portico_requests_total{%s} %lu\n", labels, sum_of(one, BUCKETS + 1));
}

static void write_histogram(FILE *out, const struct series *one, const char *labels)
{
	for (size_t b = 0; b < BUCKETS; b++)
		fprintf(out, "portico_request_seconds_bucket{%s,le=\"%g\"} %lu\n", labels, bounds[b],
			sum_of(one, b + 1));
	fprintf(out, "portico_request_seconds_bucket{%s,le=\"+Inf\"} %lu\n", labels, sum_of(one, BUCKETS + 1));
	fprintf(out, "portico_request_seconds_sum{%s} %.6f\n", labels, (double)atomic_load(&one->microseconds) / 1e6);
	fprintf(out, "portico_request_seconds_count{%s} %lu\n", labels, sum_of(one, BUCKETS + 1));
}

/* The format wants all the lines of one metric together, so each metric goes over all the series. */
static void write_series(FILE *out, void (*write)(FILE *out, const struct series *one, const char *labels))
{
	char labels[160];

	for (size_t i = 0; i < SERIES; i++) {
		const char *operation = atomic_load(&series[i].operation);
		int status = atomic_load(&series[i].status);

		if (!operation || !status)
			continue;
		snprintf(labels, sizeof labels, "operation=\"%s\",status=\"%d\"", operation, status);
		write(out, &series[i], labels);
	}
}

static void write_counter(FILE *out, const char *key)
{
	size_t name = strcspn(key, "{");

	fprintf(out, "# TYPE %.*s counter\n", (int)name, key);
	for (size_t i = 0; i < COUNTERS; i++) {
		const char *other = atomic_load(&counters[i].key);

		if (other && strncmp(other, key, name + 1) == 0)
			fprintf(out, "%s %lu\n", other, atomic_load(&counters[i].count));
	}
}

/* Each counter once, at the first of its labels. */
static void write_counters(FILE *out)
{
	for (size_t i = 0; i < COUNTERS && atomic_load(&counters[i].key); i++) {
		const char *key = atomic_load(&counters[i].key);
		size_t earlier = 0;

		while (earlier < i && strncmp(atomic_load(&counters[earlier].key), key, strcspn(key, "{") + 1) != 0)
			earlier++;
		if (earlier == i)
			write_counter(out, key);
	}
}

char *metrics_page_dup(const char *service)
{
	char *page = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&page, &length);
	char labels[128];

	if (!out)
		abort();
	snprintf(labels, sizeof labels, "service=\"%s\",version=\"%s\"", service, PORTICO_VERSION);
	write_value(out, "portico_info", "What runs here.", labels, 1);
	fputs("# HELP portico_requests_total Requests, events and tasks done.\n# TYPE portico_requests_total counter\n",
		out);
	write_series(out, write_total);
	fputs("# HELP portico_request_seconds Time they took.\n# TYPE portico_request_seconds histogram\n", out);
	write_series(out, write_histogram);
	write_counters(out);
	for (int i = 0; i < atomic_load(&source_count) && i < SOURCES; i++) {
		if (sources[i])
			sources[i](write_value, out);
	}
	fclose(out);
	return page;
}
