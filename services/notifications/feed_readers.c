/* Owns the waiting of those who read the feed. They hold a thread each, so only so many may wait; no connection to the
 * database.
 */
#include <pthread.h>
#include "deadline.h"
#include "db_connection.h"
#include "feed.h"
#include "service_pages.h"

enum { LOOK_MS = 250 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t grown; /* monotonic; made by readers_start */
static unsigned long growth;
static int waiting;

void readers_start(void)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&grown, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

int wake_readers(struct request *rq)
{
	pthread_mutex_lock(&lock);
	growth++;
	pthread_cond_broadcast(&grown);
	pthread_mutex_unlock(&lock);
	return reply_empty(rq, 204);
}

unsigned long readers_mark(void)
{
	pthread_mutex_lock(&lock);
	unsigned long mark = growth;
	pthread_mutex_unlock(&lock);
	return mark;
}

bool readers_wait(unsigned long mark, long long until_ms)
{
	bool may;

	pthread_mutex_lock(&lock);
	may = waiting < config_number("PORTICO_FEED_READERS");
	waiting += may;
	while (may && growth == mark && monotonic_ms() < until_ms && !service_stopping()) {
		struct timespec look = deadline_in(CLOCK_MONOTONIC, LOOK_MS);

		pthread_cond_timedwait(&grown, &lock, &look);
	}
	waiting -= may;
	may = may && growth != mark && !service_stopping();
	pthread_mutex_unlock(&lock);
	return may;
}
