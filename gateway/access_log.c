/* Lines are put together by hand: at some thousand a second a JSON library would be a good part of the gateway's work.
 * All values are free of characters that JSON escapes: they are checked or made by the gateway, or were written by
 * jansson. */
#include "access_log.h"
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "client.h"

enum { LINE_MAX_BYTES = 2048, SLOW_US = 1000000 };

int access_log_open(const char *target)
{
	if (strcmp(target, "-") == 0)
		return STDOUT_FILENO;
	return open(target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

void access_log_start(struct access_log *log, int fd, unsigned sample)
{
	struct stat status;

	log->fd = fd;
	log->sample = sample;
	log->pipe = fd >= 0 && fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

static bool has_room(const struct access_log *log)
{
	struct pollfd out = { .fd = log->fd, .events = POLLOUT };

	return !log->pipe || poll(&out, 1, 0) == 1;
}

/* Pieces of whole lines: up to PIPE_BUF where a pipe is written by several workers, all at once to a file. */
static size_t piece(const struct access_log *log, size_t from)
{
	size_t left = log->length - from;
	const char *newline;

	if (!log->pipe || left <= 4096)
		return left;
	newline = memrchr(log->text + from, '\n', 4096);
	return newline ? (size_t)(newline - log->text) + 1 - from : left;
}

static void drop_lines(struct access_log *log, size_t from)
{
	for (size_t i = from; i < log->length; i++)
		log->dropped += log->text[i] == '\n';
}

void access_log_flush(struct access_log *log)
{
	size_t done = 0;

	while (done < log->length) {
		size_t length = piece(log, done);

		if (!has_room(log) || write(log->fd, log->text + done, length) < 0) {
			drop_lines(log, done);
			break;
		}
		done += length;
	}
	log->length = 0;
}

static void put_time(struct writer *writer, struct access_log *log)
{
	struct timespec now;
	char fraction[5] = ".000";

	clock_gettime(CLOCK_REALTIME, &now);
	if (log->second_of != now.tv_sec) {
		struct tm utc;

		gmtime_r(&now.tv_sec, &utc);
		strftime(log->second, sizeof(log->second), "%Y-%m-%dT%H:%M:%S", &utc);
		log->second_of = now.tv_sec;
	}
	for (long at = 3, ms = now.tv_nsec / 1000000; at > 0; at--, ms /= 10)
		fraction[at] = (char)('0' + ms % 10);
	put_text(writer, log->second);
	put(writer, fraction, 4);
}

static void put_member(struct writer *writer, const char *name, const char *value)
{
	put_literal(writer, ",\"");
	put_text(writer, name);
	put_literal(writer, "\":\"");
	put_text(writer, value);
	put_literal(writer, "\"");
}

static void put_number_member(struct writer *writer, const char *name, int64_t value)
{
	put_literal(writer, ",\"");
	put_text(writer, name);
	put_literal(writer, "\":");
	put_number(writer, (uint64_t)value);
}

/* Which replica had the request last, and how long it took to the head of its answer. */
static void put_upstream(struct writer *writer, const struct exchange *exchange)
{
	put_member(writer, "upstream", exchange->replica);
	if (exchange->answer_known)
		put_number_member(writer, "upstreamMicroseconds", exchange->upstream_us);
	if (exchange->retries)
		put_number_member(writer, "retries", exchange->retries);
}

static void put_line(struct writer *writer, struct access_log *log, const struct client *client, int64_t microseconds)
{
	const struct exchange *exchange = &client->exchange;

	put_literal(writer, "{\"time\":\"");
	put_time(writer, log);
	put_literal(writer, "Z\",\"level\":\"info\",\"program\":\"gateway\",\"message\":\"request\"");
	put_member(writer, "requestId", exchange->request_id);
	put_member(writer, "traceparent", exchange->traceparent);
	put_member(writer, "address", client->peer.address);
	if (*exchange->method)
		put_member(writer, "method", exchange->method);
	if (exchange->route) {
		put_member(writer, "operation", exchange->route->name);
		put_member(writer, "path", exchange->path);
	}
	put_number_member(writer, "status", exchange->status);
	if (exchange->problem)
		put_member(writer, "problem", exchange->problem);
	put_number_member(writer, "microseconds", microseconds);
	if (exchange->replica)
		put_upstream(writer, exchange);
	put_number_member(writer, "bytesIn", (int64_t)exchange->request_body.passed);
	put_number_member(writer, "bytesOut", (int64_t)(exchange->answer_body.passed + exchange->page_sent));
	if (exchange->principal) {
		put_literal(writer, ",");
		put_text(writer, exchange->principal->log_members);
	}
	put_literal(writer, "}\n");
}

/* Whether a request is one of many that went well, and not the one of them that is logged. */
static bool passes_over(struct access_log *log, const struct exchange *exchange, int64_t microseconds)
{
	if (exchange->status >= 400 || microseconds >= SLOW_US)
		return false;
	if (++log->passed_over < log->sample)
		return true;
	log->passed_over = 0;
	return false;
}

void access_log_request(struct access_log *log, const struct client *client)
{
	int64_t microseconds = worker_clock_us() - client->exchange.started_us;
	struct writer writer;

	if (log->fd < 0 || passes_over(log, &client->exchange, microseconds))
		return;
	if (ACCESS_LOG_BUFFER - log->length < LINE_MAX_BYTES)
		access_log_flush(log);
	writer = (struct writer){ log->text + log->length, log->text + ACCESS_LOG_BUFFER, false };
	put_line(&writer, log, client, microseconds);
	if (writer.full)
		log->dropped++;
	else
		log->length = (size_t)(writer.at - log->text);
}
