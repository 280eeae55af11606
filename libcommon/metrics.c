/* Owns the counters of the process, in fixed tables that threads fill without a lock. Never drops a count silently:
 * what does not fit the table goes to the operation "other". */
#include "metrics.h"
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

static void write_gauge(void *out, const char *name, const char *labels, double value)
{
	fprintf(out, "%s%s%s%s %.6g\n", name, *labels ? "{" : "", labels, *labels ? "}" : "", value);
}

static void write_requests(FILE *out)
{
	fputs("# HELP portico_requests_total Requests answered.\n# TYPE portico_requests_total counter\n"
	      "# HELP portico_request_seconds Time to answer.\n# TYPE portico_request_seconds histogram\n",
		out);
	for (size_t i = 0; i < SERIES; i++) {
		const char *operation = atomic_load(&series[i].operation);
		int status = atomic_load(&series[i].status);
		unsigned long sum = 0;

		if (!operation || !status)
			continue;
		for (size_t b = 0; b <= BUCKETS; b++) {
			sum += atomic_load(&series[i].buckets[b]);
			if (b < BUCKETS)
				fprintf(out,
					"portico_request_seconds_bucket{operation=\"%s\",status=\"%d\",le=\"%g\"} "
					"%lu\n",
					operation, status, bounds[b], sum);
		}
		fprintf(out, "portico_request_seconds_bucket{operation=\"%s\",status=\"%d\",le=\"+Inf\"} %lu\n",
			operation, status, sum);
		fprintf(out, "portico_request_seconds_sum{operation=\"%s\",status=\"%d\"} %.6f\n", operation, status,
			(double)atomic_load(&series[i].microseconds) / 1e6);
		fprintf(out, "portico_request_seconds_count{operation=\"%s\",status=\"%d\"} %lu\n", operation, status,
			sum);
		fprintf(out, "portico_requests_total{operation=\"%s\",status=\"%d\"} %lu\n", operation, status, sum);
	}
}

char *metrics_page_dup(const char *service)
{
	char *page = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&page, &length);

	if (!out)
		abort();
	fprintf(out, "# TYPE portico_info gauge\nportico_info{service=\"%s\",version=\"%s\"} 1\n", service,
		PORTICO_VERSION);
	write_requests(out);
	for (size_t i = 0; i < COUNTERS; i++) {
		const char *key = atomic_load(&counters[i].key);

		if (key)
			fprintf(out, "%s %lu\n", key, atomic_load(&counters[i].count));
	}
	for (int i = 0; i < atomic_load(&source_count) && i < SOURCES; i++) {
		if (sources[i])
			sources[i](write_gauge, out);
	}
	fclose(out);
	return page;
}
