/* HTTP to others: to the sibling services, as this service and through their contracts, and to the outside world.
 * Only from events and tasks, before a transaction is open: no outside call while a client waits. Connections are kept
 * alive, bodies are capped at 8 MiB, redirects are not followed. */
#pragma once
#include <jansson.h>
#include <stddef.h>

struct request;

/* The resource of a sibling service, read as this service in the tenant of rq: client_get(rq, "dossier",
 * "/practices/%s", id). The path is under the base path of its contract. NULL: rq is already answered (404 → 404, else
 * 503). The JSON belongs to the request. */
json_t *client_get(struct request *rq, const char *service, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct client_call {
	const char *method; /* NULL: GET, or POST with a body */
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
	const char *body;
	size_t body_length; /* 0: strlen(body) */
	int timeout_ms;	    /* 0: 10 s */
};

struct client_answer {
	int status;	  /* 0: no answer (refused, timed out, too large) */
	const char *body; /* NUL-terminated; lives with the request */
	size_t body_length;
	const char *location; /* header Location, or NULL */
	const char *content_type;
	int retry_after;   /* seconds, 0 when absent */
	const char *error; /* why there was no answer */
};

struct client_answer client_send(struct request *rq, const struct client_call *call);

/* For what client_send cannot say (SMTP): the calling thread's own libcurl handle (a CURL *), reset, with its
 * connections kept alive. After a failure that may have left a connection in the middle of something, give it up with
 * client_drop_handle. */
void *client_handle(void);
void client_drop_handle(void *handle);
