/* Redis with bounds: connecting, commands and replies all end in time. */
#pragma once
#include <hiredis.h>
#include <stdbool.h>

enum { REDIS_CONNECT_MS = 2000, REDIS_COMMAND_MS = 5000 };

/* address is host:port. NULL when it does not answer. */
redisContext *redis_open(const char *address);

/* One command; the reply (freeReplyObject) or NULL: then *context is closed and NULL, to be opened again. An error
 * reply is a reply, except for LOADING and MISCONF, which mean the same to us as no Redis at all. */
redisReply *redis_call(redisContext **context, int count, const char *const *arguments);
#define redis_do(context, ...)                                                                                         \
	redis_call(context, (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)),                           \
		(const char *[]){ __VA_ARGS__ })

/* Entry id "12-0" as the position 12; 0 for anything else. */
long long redis_position(const redisReply *reply);
