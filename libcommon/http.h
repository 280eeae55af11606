/* The HTTP server of services and emulators. http.c alone knows the library underneath (libmicrohttpd; ulfius, built on
 * it, hides the body until it is whole in memory, cuts it at the limit and mixes path with query, so it is left out). A
 * thread serves a connection; the gateway's pool bounds their number. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "service.h"

struct body_plan {
	size_t limit; /* bytes; more is answered 413 */
	bool stream;  /* to a file in the spool folder, with its SHA-256 */
};

struct http_options {
	const char *listen; /* "127.0.0.1:8101", "[::1]:8101", "0.0.0.0:8101" */
	const char *spool;  /* folder of streamed bodies; may be NULL where no plan streams */
	int connections;    /* at most; 0: 256 */
	/* The head of a request is there: decide about its body. May answer (then the body is read and thrown away). */
	struct body_plan (*begin)(struct request *rq);
	/* The body is there too (unless rq->status says it was refused): answer. */
	void (*finish)(struct request *rq);
};

struct http_server;

/* NULL when it cannot listen; *ret_error (static) then says why. */
struct http_server *http_start(const struct http_options *options, const char **ret_error);
/* Closes each connection with its next answer, and goes on taking new ones. */
void http_drain(struct http_server *server);
/* Takes no new connection, closes the others with their next answer, waits until the running requests are answered (at
 * most wait_ms), then ends them all. False: a handler still runs a second later, and nothing was freed. */
bool http_stop(struct http_server *server, int wait_ms);

/* What came with the request; NULL when absent. Borrowed. */
const char *http_header(struct request *rq, const char *name);
const char *http_query(struct request *rq, const char *name);
/* The names of all query parameters as sent, repeats included, NULL-terminated; owned by the request. */
const char *const *http_query_names(struct request *rq);

/* application/x-www-form-urlencoded into an object of strings; NULL when malformed or a name comes twice. New
 * reference. */
json_t *form_parse(const char *text, size_t length);
