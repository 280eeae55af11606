/* One thread and one connection. In Redis a bucket is the time at which it will be full again, in µs and by the clock
 * of Redis: what goes over the wire is how long that will be, so the clocks of the replicas do not matter. Keys are
 * fingerprints, not names, and expire when the bucket is full. */
#include "limit_share.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include "log.h"
#include "metrics.h"
#include "redis.h"
#include "scope.h"
#include "ticker.h"
#include "worker.h"

enum { INTERVAL_MS = 150, RETRY_MS = 1000, REPLY_SECONDS = 1, BATCH = 64, NUMBER_MAX = 24, KEY_MAX = 40, HEAD = 3 };

/* A debt of more than four windows comes from a clock that was set back, not from requests. */
static const char script[] =
	"local time, left = redis.call('TIME'), {}\n"
	"local now = time[1] * 1000000 + time[2]\n"
	"for i, key in ipairs(KEYS) do\n"
	"  local taken, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])\n"
	"  local full = tonumber(redis.call('GET', key)) or 0\n"
	"  full = math.min(math.max(full, now) + taken, now + 4 * window)\n"
	"  redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))\n"
	"  left[i] = full - now\n"
	"end\n"
	"return left\n";

static struct ticker ticker;
static struct limits *limits;
static const char *address;
static redisContext *redis; /* NULL: gone */
static atomic_bool shared;

/* EVAL script count key… (taken window)… */
struct command {
	const char *arguments[HEAD + 3 * BATCH];
	char count[NUMBER_MAX], keys[BATCH][KEY_MAX], numbers[2 * BATCH][NUMBER_MAX];
};

static int write_command(struct command *command, const struct limit_change *changes, size_t count)
{
	const char **argument = command->arguments;

	snprintf(command->count, sizeof(command->count), "%zu", count);
	*argument++ = "EVAL";
	*argument++ = script;
	*argument++ = command->count;
	for (size_t i = 0; i < count; i++) {
		snprintf(command->keys[i], KEY_MAX, "portico:limit:%016" PRIx64, changes[i].key);
		*argument++ = command->keys[i];
	}
	for (size_t i = 0; i < count; i++) {
		snprintf(command->numbers[2 * i], NUMBER_MAX, "%" PRId64, changes[i].taken);
		snprintf(command->numbers[2 * i + 1], NUMBER_MAX, "%" PRId64, changes[i].window);
		*argument++ = command->numbers[2 * i];
		*argument++ = command->numbers[2 * i + 1];
	}
	return (int)(argument - command->arguments);
}

static bool tell(const struct limit_change *changes, size_t count)
{
	struct command command;
	int length = write_command(&command, changes, count);
	auto_reply redisReply *reply = redis_call(&redis, length, command.arguments);
	int64_t now_us = worker_clock_us();

	if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != count)
		return false;
	for (size_t i = 0; i < count; i++)
		limits_merge(limits, &changes[i], reply->element[i]->integer, now_us);
	return true;
}

/* False: Redis is gone, or is none. */
static bool exchange(void)
{
	struct limit_change changes[BATCH];
	size_t place = 0, count;

	do {
		count = limits_collect(limits, &place, changes, BATCH, worker_clock_us());
		if (count && !tell(changes, count)) {
			limits_put_back(limits, changes, count);
			return false;
		}
	} while (count == BATCH);
	return true;
}

static bool connected(void)
{
	if (!redis && (redis = redis_open(address)))
		redisSetTimeout(redis, (struct timeval){ .tv_sec = REPLY_SECONDS });
	return redis != NULL;
}

static int share(void *unused)
{
	static bool told;
	bool well = connected() && exchange();

	if (well && !atomic_load(&shared))
		log_info("limits are shared over Redis", "{s:s}", "address", address);
	if (!well && !told) /* once, not at each try */
		log_warning("limits are not shared: Redis does not answer", "{s:s}", "address", address);
	told = !well;
	atomic_store(&shared, well);
	return well ? INTERVAL_MS : RETRY_MS;
}

static void write_gauge(metrics_writer *write, void *out)
{
	write(out, "portico_gateway_limits_shared", "Whether the replicas share their limits.", "",
		atomic_load(&shared));
}

bool limit_share_start(struct limits *of, const char *redis_address)
{
	if (!*redis_address)
		return true;
	limits = of;
	address = redis_address;
	metrics_add_source(write_gauge);
	return ticker_start(&ticker, share, NULL);
}

void limit_share_stop(void)
{
	ticker_stop(&ticker);
	if (redis)
		exchange();
	if (redis)
		redisFree(redis);
}
