/* One non-blocking socket and what epoll has said about it (edge-triggered). All bytes go through stream_fill() and
 * stream_flush(): the place where TLS will sit. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "buffer.h"

struct stream {
	int fd;			 /* -1: closed */
	bool readable, writable; /* until a call says otherwise */
	bool hung_up;		 /* the peer has closed its side; there may be bytes left to read */
	void (*ready)(struct stream *stream);
	struct stream *next_dead; /* closed, to be freed by the worker */
};

enum stream_result { STREAM_MOVED, STREAM_WAITS, STREAM_CLOSED, STREAM_FAILED };

bool stream_watch(struct stream *stream, int epoll);
void stream_close(struct stream *stream);

/* Takes over what epoll reports, then calls ready. */
void stream_event(struct stream *stream, uint32_t events);

/* Reads into the room of the buffer. CLOSED: the peer sent its last byte. */
enum stream_result stream_fill(struct stream *stream, struct buffer *buffer);

/* Writes what the buffer holds. MOVED: all of it is out. */
enum stream_result stream_flush(struct stream *stream, struct buffer *buffer);
