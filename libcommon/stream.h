/* Reading the stream of a service as a group: placed where the reader's own stored position says, noticing what is
 * missing. What is done with the entries is the caller's: consumer.c gives each to its handler, a collector takes whole
 * batches. Not for several threads at once. */
#pragma once
#include <stdbool.h>
#include "redis.h"

enum { STREAMS_MAX = 16 };

struct stream {
	const char *source; /* the emitting service */
	char key[96], replay[96];
	_Atomic(long long) seen; /* the last position read */
	_Atomic(long long) last; /* the last one that the stream has, as last looked up */
};

void stream_init(struct stream *stream, const char *source);

/* The group stands where this reader is, whatever Redis remembers of it. */
bool stream_place(redisContext **redis, const char *group, struct stream *stream);

/* One entry behind those seen. */
typedef void stream_taker(struct stream *stream, long long position, const char *envelope);

/* Reads at most count entries of each, waiting up to a second for the first. False when the groups must be placed
 * again: Redis is gone or has lost them, or entries are missing, and the relay has been asked to fill them in. */
bool stream_read(redisContext **redis, const char *group, struct stream *const *streams, int stream_count, int count,
	stream_taker *take);

/* Looks up how far the stream is. */
void stream_look_ahead(redisContext **redis, struct stream *stream);
