/* One end of a conversation: a non-blocking socket with what epoll has said about it (edge-triggered), bare or under
 * TLS, or a stream of an HTTP/2 connection. All bytes go through stream_fill() and stream_flush(). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "buffer.h"

enum { STREAM_SHUT = -1, STREAM_WITHOUT_SOCKET = -2 };

enum stream_result { STREAM_MOVED, STREAM_WAITS, STREAM_CLOSED, STREAM_FAILED };

struct stream;

struct stream_layer { /* what lies between the bytes and the socket */
	enum stream_result (*fill)(struct stream *stream, struct buffer *buffer);
	enum stream_result (*flush)(struct stream *stream, struct buffer *buffer);
	void (*finish)(struct stream *stream);
	bool (*quiet)(struct stream *stream); /* NULL: never asked */
	void (*close)(struct stream *stream);
};

struct stream {
	int fd; /* STREAM_SHUT: closed */
	int epoll;
	const struct stream_layer *layer; /* NULL: a bare socket */
	struct ssl_st *tls;
	bool readable, writable; /* until a call says otherwise */
	bool hung_up;		 /* the peer has closed its side; there may be bytes left to read */
	bool reset;		 /* and takes none any more */
	bool rests;		 /* has been read enough for one turn of the worker; there may be more */
	size_t taken;		 /* bytes, in this turn */
	void (*ready)(struct stream *stream);
	struct stream *next_dead; /* closed, to be freed by the worker */
};

static inline bool stream_is_open(const struct stream *stream)
{
	return stream->fd != STREAM_SHUT;
}

bool stream_watch(struct stream *stream, int epoll);
void stream_close(struct stream *stream);

/* Takes over what epoll reports, then calls ready. */
void stream_event(struct stream *stream, uint32_t events);

/* Reads into the room of the buffer. CLOSED: the peer sent its last byte. */
enum stream_result stream_fill(struct stream *stream, struct buffer *buffer);

/* Writes what the buffer holds. MOVED: all of it is out. */
enum stream_result stream_flush(struct stream *stream, struct buffer *buffer);

/* Whether the peer has sent nothing that was not read. */
bool stream_quiet(struct stream *stream);

/* Tells the peer that no more bytes will come. */
void stream_finish(struct stream *stream);
