/* The HTTP server's start and end: what was left in the spool folder, what still runs. */
#include "unit.h"
#include <arpa/inet.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "http.h"
#include "scope.h"
#include "spool.h"

enum { OLD = 2 * 3600, YOUNG = 600 };

static char folder[] = "/tmp/portico-http-XXXXXX";

static const char *in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void written_ago(const char *name, time_t seconds)
{
	struct timeval times[2] = { { .tv_sec = time(NULL) - seconds }, { .tv_sec = time(NULL) - seconds } };

	assert_int_equal(lutimes(in_folder(name), times), 0);
}

static void make_file(const char *name, time_t age)
{
	auto_file FILE *file = fopen(in_folder(name), "w");

	assert_non_null(file);
	written_ago(name, age);
}

static bool is_there(const char *name)
{
	struct stat file;

	return lstat(in_folder(name), &file) == 0;
}

static void what_was_left_is_removed(void **state)
{
	static const char *const stay[] = { "upload-young1", "decision-abc123", "upload-report.pdf", "an-upload-abc123",
		"upload-link00", "upload-folder" };

	make_file("upload-abc123", OLD);
	make_file("upload-young1", YOUNG);
	make_file("decision-abc123", OLD);
	make_file("upload-report.pdf", OLD);
	make_file("an-upload-abc123", OLD);
	assert_int_equal(symlink("upload-young1", in_folder("upload-link00")), 0);
	written_ago("upload-link00", OLD);
	assert_int_equal(mkdir(in_folder("upload-folder"), 0700), 0);
	written_ago("upload-folder", OLD);
	spool_sweep(folder, "upload-");
	assert_false(is_there("upload-abc123"));
	for (size_t i = 0; i < COUNT(stay); i++)
		assert_true(is_there(stay[i]));
	spool_sweep("/nowhere", "upload-");
}

static atomic_int handler_seconds, answered;

static struct body_plan begin(struct request *rq)
{
	return (struct body_plan){ .limit = 1000 };
}

static void finish(struct request *rq)
{
	sleep((unsigned)handler_seconds);
	reply_empty(rq, 204);
	answered++;
}

static int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	auto_fd int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	getsockname(fd, (struct sockaddr *)&address, &length);
	return ntohs(address.sin_port);
}

static int port;

static struct http_server *start(void)
{
	char listen[32];
	const char *error = NULL;

	port = free_port();
	snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
	struct http_server *server = http_start(
		&(struct http_options){ .listen = listen, .spool = folder, .begin = begin, .finish = finish }, &error);
	assert_non_null(server);
	answered = handler_seconds = 0;
	return server;
}

static int ask(int fd)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)
	};

	if (fd < 0) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	}
	assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
	return fd;
}

static const char *answer(int fd)
{
	static char text[1000];
	ssize_t length = read(fd, text, sizeof text - 1);

	text[length > 0 ? length : 0] = '\0';
	return text;
}

static void a_start_sweeps_the_spool_folder(void **state)
{
	make_file("upload-start1", OLD);
	struct http_server *server = start();
	assert_false(is_there("upload-start1"));
	assert_true(http_stop(server, 1000));
}

static void an_end_waits_for_the_answer_and_closes(void **state)
{
	struct http_server *server = start();
	auto_fd int fd = ask(-1);

	assert_null(strstr(answer(fd), "close"));
	handler_seconds = 1;
	ask(fd);
	usleep(200000);
	assert_true(http_stop(server, 5000));
	assert_int_equal(answered, 2);
	assert_non_null(strstr(answer(fd), "Connection: close"));
}

/* Last: its server stays, as in a process that leaves. */
static void an_end_does_not_wait_for_ever(void **state)
{
	static struct http_server *server;

	server = start();
	handler_seconds = 4;
	auto_fd int fd = ask(-1);
	usleep(200000);
	time_t began = time(NULL);
	assert_false(http_stop(server, 100));
	assert_in_range(time(NULL) - began, 0, 3);
	assert_int_equal(answered, 0);
	for (int i = 0; i < 500 && !answered; i++)
		usleep(10000);
	assert_int_equal(answered, 1);
	usleep(300000); /* the connection's thread is not to outlive the test */
}

static int make_folder(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[64];

	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_left_is_removed),
		cmocka_unit_test(a_start_sweeps_the_spool_folder),
		cmocka_unit_test(an_end_waits_for_the_answer_and_closes),
		cmocka_unit_test(an_end_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
