/* Reading and writing with as few calls as edge-triggered epoll allows: a short read means that the socket is empty. */
#include "stream.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURN_BYTES = 32768 };

static bool watch(struct stream *stream, int how)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = stream };

	return epoll_ctl(stream->epoll, how, stream->fd, &event) == 0;
}

bool stream_watch(struct stream *stream, int epoll)
{
	stream->epoll = epoll;
	return watch(stream, EPOLL_CTL_ADD);
}

/* A peer that sends as fast as it is read would have the worker to itself. After so many bytes the others have their
 * turn: epoll, told anew what it is to look for, reports the socket behind theirs. */
static enum stream_result rest(struct stream *stream)
{
	stream->rests = true;
	stream->readable = false;
	return watch(stream, EPOLL_CTL_MOD) ? STREAM_WAITS : STREAM_FAILED;
}

void stream_close(struct stream *stream)
{
	if (stream->layer && stream_is_open(stream))
		stream->layer->close(stream);
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = STREAM_SHUT;
}

bool stream_quiet(struct stream *stream)
{
	return !stream->rests && (stream->layer ? stream->layer->quiet(stream) : !stream->readable);
}

void stream_finish(struct stream *stream)
{
	if (stream->layer)
		stream->layer->finish(stream);
	if (stream->fd >= 0)
		shutdown(stream->fd, SHUT_WR);
}

void stream_event(struct stream *stream, uint32_t events)
{
	if (!stream_is_open(stream))
		return;
	if (stream->rests || events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		stream->readable = true;
	stream->rests = false;
	stream->taken = 0;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		stream->writable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		stream->hung_up = true;
	if (events & (EPOLLHUP | EPOLLERR))
		stream->reset = true;
	stream->ready(stream);
}

static enum stream_result receive(struct stream *stream, struct buffer *buffer)
{
	size_t room = buffer_room(buffer);
	ssize_t got;

	do
		got = recv(stream->fd, buffer->data + buffer->end, room, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0) {
		buffer->end += (size_t)got;
		stream->readable = (size_t)got == room || stream->hung_up;
		return STREAM_MOVED;
	}
	if (got == 0)
		return STREAM_CLOSED;
	if (errno != EAGAIN)
		return STREAM_FAILED;
	stream->readable = false;
	return STREAM_WAITS;
}

enum stream_result stream_fill(struct stream *stream, struct buffer *buffer)
{
	size_t before = buffer->end;
	enum stream_result result;

	if (!stream->readable || !buffer_room(buffer))
		return STREAM_WAITS;
	if (stream->fd >= 0 && stream->taken >= TURN_BYTES)
		return rest(stream);
	result = stream->layer ? stream->layer->fill(stream, buffer) : receive(stream, buffer);
	stream->taken += buffer->end - before;
	return result;
}

enum stream_result stream_flush(struct stream *stream, struct buffer *buffer)
{
	if (stream->layer)
		return stream->layer->flush(stream, buffer);
	while (buffer_length(buffer) && stream->writable) {
		ssize_t sent = send(stream->fd, buffer_bytes(buffer), buffer_length(buffer), MSG_NOSIGNAL);

		if (sent >= 0)
			buffer->start += (size_t)sent;
		else if (errno == EAGAIN)
			stream->writable = false;
		else if (errno != EINTR)
			return STREAM_FAILED;
	}
	return buffer_length(buffer) ? STREAM_WAITS : STREAM_MOVED;
}
