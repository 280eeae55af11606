/* Sums over workers, and the names that an operator knows them by. */
#include "upstream_counters.h"
#include <stdio.h>
#include <stdlib.h>
#include "rules.h"
#include "worker.h"

static const int64_t bounds[LATENCY_BOUNDS] = { 1000, 5000, 10000, 50000, 100000, 500000, 1000000, 5000000 }; /* µs */

static const char *const kinds[FAILURE_KINDS] = { "connect", "broken", "timeout", "garbage", "cut" };

struct service_counters *counters_new(struct rules *rules)
{
	struct service_counters *counters = calloc(rules->service_count, sizeof(*counters));
	unsigned place = atomic_fetch_add(&rules->counter_sets, 1);

	if (!counters || place >= MAX_WORKERS)
		abort();
	atomic_store(&rules->counters[place], counters);
	return counters;
}

void counters_answered(struct replica_counters *counters, int64_t microseconds)
{
	size_t i = 0;

	while (i < LATENCY_BOUNDS && microseconds > bounds[i])
		i++;
	count(&counters->answers[i], 1);
	count(&counters->microseconds, microseconds);
}

void counters_reset(struct replica_counters *counters)
{
	atomic_long *const each = (atomic_long *)counters;
	long open = atomic_load_explicit(&counters->connections, memory_order_relaxed);

	for (size_t i = 0; i < sizeof(*counters) / sizeof(atomic_long); i++)
		atomic_store_explicit(&each[i], 0, memory_order_relaxed);
	atomic_store_explicit(&counters->connections, open, memory_order_relaxed);
}

/* Of all workers: the counter at this offset in the counters of the service. */
static double sum(struct rules *rules, size_t service, size_t offset)
{
	long total = 0;

	for (size_t i = 0; i < MAX_WORKERS; i++) {
		struct service_counters *counters = atomic_load(&rules->counters[i]);

		if (counters)
			total += atomic_load_explicit(
				(atomic_long *)((char *)&counters[service] + offset), memory_order_relaxed);
	}
	return (double)total;
}

struct page {
	struct rules *rules;
	metrics_writer *write;
	void *out;
};

/* A metric of services: help goes with its first line only. */
static void write_of_services(const struct page *page, const char *name, const char *help, size_t offset)
{
	char labels[200];

	for (size_t i = 0; i < page->rules->service_count; i++) {
		snprintf(labels, sizeof(labels), "service=\"%s\"", page->rules->services[i].name);
		page->write(page->out, name, help, labels, sum(page->rules, i, offset));
		help = NULL;
	}
}

struct metric {
	const struct page *page;
	const char *name, *help; /* help is NULL after the first line */
	size_t service, replica;
	char labels[200]; /* of this replica */
};

static void line(struct metric *metric, const char *suffix, const char *more, double value)
{
	char name[100], labels[300];

	snprintf(name, sizeof(name), "%s%s", metric->name, suffix);
	snprintf(labels, sizeof(labels), "%s%s", metric->labels, more);
	metric->page->write(metric->page->out, name, metric->help, labels, value);
	metric->help = NULL;
}

static double sum_of(const struct metric *metric, size_t offset)
{
	return sum(metric->page->rules, metric->service,
		offsetof(struct service_counters, replicas) + metric->replica * sizeof(struct replica_counters) +
			offset);
}

static void each_replica(const struct page *page, const char *name, const char *help, void (*write)(struct metric *))
{
	struct metric metric = { .page = page, .name = name, .help = help };

	for (metric.service = 0; metric.service < page->rules->service_count; metric.service++) {
		struct upstream_service *service = &page->rules->services[metric.service];

		for (metric.replica = 0; metric.replica < service->places; metric.replica++) {
			struct replica *replica = &service->replicas[metric.replica];

			if (replica_state(replica) == REPLICA_ABSENT)
				continue;
			pthread_mutex_lock(&replica->lock);
			snprintf(metric.labels, sizeof(metric.labels), "service=\"%s\",replica=\"%s\"", service->name,
				replica->address);
			pthread_mutex_unlock(&replica->lock);
			write(&metric);
		}
	}
}

static void write_ready(struct metric *metric)
{
	struct upstream_service *service = &metric->page->rules->services[metric->service];

	line(metric, "", "", replica_state(&service->replicas[metric->replica]) == REPLICA_READY);
}

static void write_connections(struct metric *metric)
{
	line(metric, "", "", sum_of(metric, offsetof(struct replica_counters, connections)));
}

static void write_breakers(struct metric *metric)
{
	line(metric, "", "", sum_of(metric, offsetof(struct replica_counters, breaker_open)));
}

static void write_retries(struct metric *metric)
{
	line(metric, "", "", sum_of(metric, offsetof(struct replica_counters, retries)));
}

static void write_failures(struct metric *metric)
{
	char kind[40];

	for (size_t i = 0; i < FAILURE_KINDS; i++) {
		snprintf(kind, sizeof(kind), ",kind=\"%s\"", kinds[i]);
		line(metric, "", kind,
			sum_of(metric, offsetof(struct replica_counters, failures) + i * sizeof(atomic_long)));
	}
}

static void write_latency(struct metric *metric)
{
	double answers = 0;
	char bound[40] = ",le=\"+Inf\"";

	for (size_t i = 0; i <= LATENCY_BOUNDS; i++) {
		answers += sum_of(metric, offsetof(struct replica_counters, answers) + i * sizeof(atomic_long));
		if (i < LATENCY_BOUNDS)
			snprintf(bound, sizeof(bound), ",le=\"%g\"", (double)bounds[i] / 1e6);
		else
			strcpy(bound, ",le=\"+Inf\"");
		line(metric, "_bucket", bound, answers);
	}
	line(metric, "_sum", "", sum_of(metric, offsetof(struct replica_counters, microseconds)) / 1e6);
	line(metric, "_count", "", answers);
}

void counters_write(struct rules *rules, metrics_writer *write, void *out)
{
	const struct page page = { rules, write, out };

	each_replica(&page, "portico_upstream_ready", "1 while a replica takes requests.", write_ready);
	each_replica(&page, "portico_upstream_breakers_open", "Workers that send it none, by how the last ones went.",
		write_breakers);
	each_replica(&page, "portico_upstream_connections", "Connections to it.", write_connections);
	each_replica(&page, "portico_upstream_failures_total", "Requests that it failed.", write_failures);
	each_replica(&page, "portico_upstream_retries_total", "Of them, those that were sent again.", write_retries);
	each_replica(&page, "portico_upstream_seconds", "Time to the head of its answers.", write_latency);
	write_of_services(&page, "portico_upstream_waiting", "Requests that wait for a connection.",
		offsetof(struct service_counters, waiting));
	write_of_services(&page, "portico_upstream_refused_total", "Requests that waited in vain, or had no place to.",
		offsetof(struct service_counters, refused));
	write_of_services(&page, "portico_upstream_withheld_total", "Retries that there was no budget for.",
		offsetof(struct service_counters, withheld));
}
