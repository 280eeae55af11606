/* Owns a connection to Redis. Knows nothing of events. */
#include "redis.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct timeval milliseconds(int ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

redisContext *redis_open(const char *address)
{
	char host[256];
	const char *colon = strrchr(address, ':');
	redisContext *context;

	if (!colon || (size_t)(colon - address) >= sizeof host)
		return NULL;
	snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
	context = redisConnectWithTimeout(host, atoi(colon + 1), milliseconds(REDIS_CONNECT_MS));
	if (!context)
		abort();
	if (context->err || redisSetTimeout(context, milliseconds(REDIS_COMMAND_MS)) != REDIS_OK) {
		redisFree(context);
		return NULL;
	}
	redisEnableKeepAlive(context);
	return context;
}

static bool as_good_as_down(const redisReply *reply)
{
	static const char *const prefixes[] = { "LOADING", "MISCONF", "READONLY", "OOM", "MASTERDOWN" };

	for (size_t i = 0; reply->type == REDIS_REPLY_ERROR && i < sizeof prefixes / sizeof *prefixes; i++) {
		if (strncmp(reply->str, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return false;
}

redisReply *redis_call(redisContext **context, int count, const char *const *arguments)
{
	redisReply *reply = redisCommandArgv(*context, count, (const char **)arguments, NULL);

	if (reply && !as_good_as_down(reply))
		return reply;
	if (reply)
		freeReplyObject(reply);
	redisFree(*context);
	*context = NULL;
	return NULL;
}

long long redis_position(const redisReply *reply)
{
	return reply && reply->str ? strtoll(reply->str, NULL, 10) : 0;
}
