/* A peer that never stops sending gets its turn, and no more than that. */
#include "tls.h" /* for the stream.h beside it: libcommon has one, too */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "unit.h"

enum { SENT = 150000, MOST_A_TURN = 65536 };

struct reader {
	struct stream stream;
	struct buffer_pool pool;
	struct buffer buffer;
	size_t read, turns;
};

/* Reads for as long as it is given something. */
static void read_on(struct stream *stream)
{
	struct reader *reader = (struct reader *)stream;
	size_t before = reader->read;

	buffer_need(&reader->pool, &reader->buffer);
	while (stream_fill(stream, &reader->buffer) == STREAM_MOVED) {
		reader->read += buffer_length(&reader->buffer);
		reader->buffer.start = reader->buffer.end = 0;
	}
	assert_in_range(reader->read - before, 1, MOST_A_TURN);
	reader->turns++;
}

static void who_sends_without_end_leaves_the_others_their_turn(void **state)
{
	struct reader reader = { .stream.ready = read_on };
	static char bytes[SENT];
	int ends[2], epoll = epoll_create1(0), size = 4 * SENT;
	struct epoll_event event;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(send(ends[1], bytes, SENT, 0), SENT);
	reader.stream.fd = ends[0];
	assert_true(stream_watch(&reader.stream, epoll));
	while (reader.read < SENT) {
		assert_int_equal(epoll_wait(epoll, &event, 1, 5000), 1);
		stream_event(&reader.stream, event.events);
		assert_true(reader.read == SENT || !stream_quiet(&reader.stream));
	}
	assert_int_equal(reader.read, SENT);
	assert_in_range(reader.turns, 2, 100);
	stream_close(&reader.stream);
	close(ends[1]);
	close(epoll);
	buffer_release(&reader.pool, &reader.buffer);
	buffer_pool_empty(&reader.pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(who_sends_without_end_leaves_the_others_their_turn) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
