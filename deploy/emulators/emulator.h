/* What the emulators of the national platforms share: settings, start, HTTP, orderly end. They are for development and
 * tests, hold their state in memory and know nothing of Portico's contracts. */
#pragma once
#include "http.h"
#include "service.h"

struct emulator {
	const char *name;
	const struct setting *settings; /* its own; PORTICO_LISTEN and PORTICO_LOG_LEVEL are there already */
	bool (*start)(void); /* before the first request; false: it has said why on standard error. May be NULL */
	int (*answer)(struct request
			*rq); /* every request; rq->path, rq->body, http_header(), http_query(). From several threads */
	size_t max_body;
};

/* --help, or run until SIGTERM. /livez and /readyz are answered here. Returns the exit code. */
int emulator_main(int argc, char **argv, const struct emulator *emulator);

/* True when rq is `method` on a path like pattern, in which a star stands for one whole segment. parts (as many as
 * there are stars) get what they stand for; they live with the request. */
bool emulator_route(struct request *rq, const char *method, const char *pattern, const char **parts);

/* The body as a JSON object that belongs to the request; NULL when it is none. */
json_t *emulator_body(struct request *rq);
