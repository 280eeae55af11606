/* One JSON line a request: ids, never contents (no query, no field, no body). Written in whole lines, some at a time.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct client;

enum { ACCESS_LOG_BUFFER = 32768 };

struct access_log { /* of one worker */
	int fd;	    /* -1: off */
	int pipe;   /* a pipe whose reader is slow must not stall the worker: lines are dropped and counted */
	unsigned long dropped;
	unsigned sample, passed_over; /* of so many requests that went well one is logged; so many were not, since */
	size_t length;
	char second[24]; /* the time to the second, formatted once a second */
	int64_t second_of;
	char text[ACCESS_LOG_BUFFER];
};

/* target: a path, "-" for standard output, or "off". -1 when it cannot be opened. */
int access_log_open(const char *target);
void access_log_start(struct access_log *log, int fd, unsigned sample);
void access_log_request(struct access_log *log, const struct client *client);
void access_log_flush(struct access_log *log);
