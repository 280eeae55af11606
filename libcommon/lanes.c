/* Owns the events between reading and effect. All waiting entries are in memory and counted; what is lost with the
 * process is read again, because the stored position never passes an unfinished entry. */
#include "lanes.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "db_connection.h"
#include "dead_letters.h"
#include "log.h"
#include "scope.h"

enum { ATTEMPTS_MAX = 20, FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 60000, PATIENCE_MS = 24 * 60 * 60 * 1000 };

static struct lane {
	pthread_t thread;
	pthread_cond_t changed;
	struct entry *first, **last;
} lanes[LANE_COUNT];

static struct events_options options;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t room;
static bool stopping, running[LANE_COUNT];
static long pending;

static struct timespec at_ms(long long ms)
{
	return (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
}

static void entry_free(struct entry *entry)
{
	free(entry->id);
	free(entry->tenant);
	free(entry->aggregate);
	free(entry->envelope);
	free(entry);
}

/* With the lock held. */
static void finish(struct entry *entry)
{
	struct source *source = entry->source;

	*(entry->before ? &entry->before->behind : &source->oldest) = entry->behind;
	*(entry->behind ? &entry->behind->before : &source->newest) = entry->before;
	source->out--;
	pending--;
	pthread_cond_signal(&room);
	entry_free(entry);
}

/* Before its first attempt an entry stands behind those of its aggregate; one that had it is the first of them. */
static bool blocked(const struct lane *lane, const struct entry *entry)
{
	if (entry->not_before)
		return false;
	for (const struct entry *earlier = lane->first; earlier != entry; earlier = earlier->next) {
		if (earlier->aggregate_hash == entry->aggregate_hash && earlier->source == entry->source &&
			strcmp(earlier->aggregate, entry->aggregate) == 0)
			return true;
	}
	return false;
}

/* With the lock held: takes the entry that may run now, or gives when to look again. Those that had no attempt yet come
 * first, else they would wait for all that fail against something that takes seconds not to answer; then the one that
 * has been due for longest. */
static struct entry *take(struct lane *lane, long long *ret_next)
{
	struct entry **chosen = NULL, *entry;
	long long now = monotonic_ms();

	for (struct entry **at = &lane->first; *at && !(chosen && !(*chosen)->not_before); at = &(*at)->next) {
		if ((!chosen || (*at)->not_before < (*chosen)->not_before) && !blocked(lane, *at))
			chosen = at;
	}
	*ret_next = chosen ? (*chosen)->not_before : now + LONGEST_PAUSE_MS;
	if (!chosen || *ret_next > now)
		return NULL;
	entry = *chosen;
	*chosen = entry->next;
	if (!*chosen)
		lane->last = chosen;
	return entry;
}

static bool is_poison(int status)
{
	return status == 404 || status == 409 || status == 422;
}

static bool is_unavailable(int status)
{
	return status < 200 || status >= 500;
}

static bool is_hopeless(const struct entry *entry, int status)
{
	int attempts = options.attempts ? options.attempts : ATTEMPTS_MAX;
	int patience = options.patience_ms ? options.patience_ms : PATIENCE_MS;

	if (!is_unavailable(status))
		return is_poison(status) || entry->refusals >= attempts;
	return monotonic_ms() - entry->failing_since >= patience ||
	       (entry->attempts >= attempts && lanes_room(entry->source) <= 0);
}

static bool to_dead_letters(const struct entry *entry, int status, const char *cause)
{
	struct dead_letter letter = { entry->tenant, entry->source->stream.source, entry->id, entry->envelope,
		entry->position, status, entry->attempts, cause };

	return dead_letter_add(options.db, &letter);
}

/* One attempt; true when the entry is done. */
static bool attempt(struct entry *entry)
{
	auto_free char *cause = NULL;
	int status = options.deliver(entry->consumer, entry->envelope, &cause);

	entry->attempts++;
	if (status >= 200 && status < 300)
		return true;
	if (!entry->failing_since)
		entry->failing_since = monotonic_ms();
	entry->refusals += !is_unavailable(status);
	if (is_hopeless(entry, status) && to_dead_letters(entry, status, cause))
		return true;
	long long pause = options.pause_ms ? options.pause_ms : FIRST_PAUSE_MS;
	for (int i = 1; i < entry->attempts && pause < LONGEST_PAUSE_MS; i++)
		pause *= 2;
	entry->not_before = monotonic_ms() + (pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS);
	if ((entry->attempts & (entry->attempts - 1)) == 0) /* 1, 2, 4, 8 …: a day of attempts, a dozen lines */
		log_warning("event is tried again", "{s:s s:s s:i s:i}", "source", entry->source->stream.source,
			"event", entry->id, "status", status, "attempts", entry->attempts);
	return false;
}

/* With the lock held: back to the front, before the later ones of its aggregate. */
static void put_back(struct lane *lane, struct entry *entry)
{
	entry->next = lane->first;
	lane->first = entry;
	if (lane->last == &lane->first)
		lane->last = &entry->next;
}

static void *run(void *context)
{
	struct lane *lane = context;

	pthread_mutex_lock(&lock);
	while (!stopping) {
		long long next;
		struct entry *entry = take(lane, &next);

		if (!entry) {
			struct timespec until = at_ms(next);

			pthread_cond_timedwait(&lane->changed, &lock, &until);
			continue;
		}
		pthread_mutex_unlock(&lock);
		bool done = attempt(entry);
		pthread_mutex_lock(&lock);
		if (done)
			finish(entry);
		else
			put_back(lane, entry);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static size_t hash(const char *text)
{
	size_t value = 5381;

	while (*text)
		value = value * 33 + (unsigned char)*text++;
	return value;
}

void lanes_add(struct entry *entry)
{
	struct source *source = entry->source;

	entry->aggregate_hash = hash(entry->aggregate);
	struct lane *lane = &lanes[entry->aggregate_hash % LANE_COUNT];
	pthread_mutex_lock(&lock);
	entry->before = source->newest;
	*(source->newest ? &source->newest->behind : &source->oldest) = entry;
	source->newest = entry;
	source->handed_over = entry->position;
	source->out++;
	pending++;
	*lane->last = entry;
	lane->last = &entry->next;
	pthread_cond_signal(&lane->changed);
	pthread_mutex_unlock(&lock);
}

void lanes_pass(struct source *source, long long position)
{
	pthread_mutex_lock(&lock);
	source->handed_over = position;
	pthread_mutex_unlock(&lock);
}

int lanes_room(const struct source *source)
{
	pthread_mutex_lock(&lock);
	int free_places = SOURCE_WINDOW - source->out;
	pthread_mutex_unlock(&lock);
	return free_places;
}

void lanes_wait_for_room(int ms)
{
	struct timespec until = at_ms(monotonic_ms() + ms);

	pthread_mutex_lock(&lock);
	if (!stopping)
		pthread_cond_timedwait(&room, &lock, &until);
	pthread_mutex_unlock(&lock);
}

long long lanes_done(const struct source *source)
{
	pthread_mutex_lock(&lock);
	long long done = source->oldest ? source->oldest->position - 1 : source->handed_over;
	pthread_mutex_unlock(&lock);
	return done;
}

long lanes_pending(void)
{
	pthread_mutex_lock(&lock);
	long now = pending;
	pthread_mutex_unlock(&lock);
	return now;
}

bool lanes_start(const struct events_options *given)
{
	pthread_condattr_t monotonic;

	options = *given;
	stopping = false;
	pending = 0;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&room, &monotonic);
	for (int i = 0; i < LANE_COUNT; i++) {
		lanes[i].first = NULL;
		lanes[i].last = &lanes[i].first;
		pthread_cond_init(&lanes[i].changed, &monotonic);
		running[i] = pthread_create(&lanes[i].thread, NULL, run, &lanes[i]) == 0;
		if (!running[i])
			return false;
	}
	pthread_condattr_destroy(&monotonic);
	return true;
}

bool lanes_stop(const struct timespec *deadline)
{
	bool all = true;

	pthread_mutex_lock(&lock);
	stopping = true;
	for (int i = 0; i < LANE_COUNT; i++)
		pthread_cond_broadcast(&lanes[i].changed);
	pthread_cond_broadcast(&room);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < LANE_COUNT; i++) {
		running[i] = running[i] && pthread_timedjoin_np(lanes[i].thread, NULL, deadline) != 0;
		all = all && !running[i];
	}
	return all;
}

void lanes_forget(void)
{
	for (int i = 0; i < LANE_COUNT; i++) {
		while (lanes[i].first) {
			struct entry *entry = lanes[i].first;

			lanes[i].first = entry->next;
			entry_free(entry);
		}
	}
}
