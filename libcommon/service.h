/* What a service is made of: a table of operations, of event consumers, of tasks, and its SQL. service_main() does the
 * rest. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "arena.h"
#include "auth.h"
#include "client.h"
#include "config.h"
#include "contract.h"
#include "events.h"
#include "log.h"
#include "problem.h"
#include "sql.h"

struct reply_header;

/* One request, one event or one run of a task. Handlers read it; what they answer goes through the functions below. */
struct request {
	struct arena *arena;
	const struct service *service;
	const struct operation *operation;	   /* NULL in events and tasks */
	const struct contract_operation *contract; /* likewise */
	const char *method, *path, *request_id, *traceparent;
	struct caller caller;
	const char *subject; /* caller.subject when the caller is a citizen, else NULL: what app.subject is set to */
	const char *tenant;  /* caller.tenant, or the event's: what app.tenant is set to */
	json_t *parameters;  /* typed and checked, by name */
	const char *body;    /* as received, NUL-terminated; "" when there is none or it was streamed */
	size_t body_length;
	const char *body_file;	 /* x-stream: path of the spooled body, removed after the request unless renamed away */
	const char *body_sha256; /* x-stream: 64 hex digits */
	const char *media_type;	 /* of the body, without parameters */
	json_t *json;		 /* the body, when it is JSON and valid by the contract */
	json_t *event;		 /* the CloudEvents envelope, in event handlers */
	bool worker;		 /* tasks: statements run under the worker role */
	/* the answer */
	int status;		  /* 0: not answered yet */
	const char *problem_slug; /* of the problem answered, for the log and the dead letters */
	const char *problem_detail;
	char *reply_body;
	size_t reply_length;
	const char *reply_type;
	int reply_file; /* -1, or the descriptor that is sent as the body */
	struct reply_header *reply_headers;
	struct http_exchange *http;   /* http.c's own; NULL in events and tasks */
	struct dispatch_state *state; /* dispatch.c's own: transaction, timers */
};

typedef int operation_handler(struct request *rq);

struct operation {
	const char *id; /* operationId of the contract */
	operation_handler *handle;
	bool transaction; /* all SQL of the handler in one transaction: 2xx commits, anything else rolls back */
};

/* Background work: run every `seconds`, and at once when SQL did NOTIFY tasks, 'NAME'. A handler that returns 200 found
 * work and is run again at once; 204 means nothing to do. Runs under the worker role, on one thread of its own;
 * several replicas run it side by side, so claim rows with FOR UPDATE SKIP LOCKED. */
struct task {
	const char *name;
	int seconds;
	operation_handler *run;
};

/* A further contract that a program serves beside the one of its own name: openapi/CONTRACT.yaml. */
struct api {
	const char *contract;
	const struct operation *operations; /* ends with an empty entry */
};

struct service {
	const char *name;
	const struct operation *operations;	/* ends with an empty entry, like the next three */
	const struct api *more;			/* may be NULL */
	const struct event_consumer *consumers; /* may be NULL */
	const struct task *tasks;		/* may be NULL */
	const struct sql_set *sql;
	const struct setting *settings;		      /* the service's own; may be NULL */
	bool (*start)(const struct service *service); /* own preparation before the first request; may be NULL */
};

/* --help, --check, --migrate, or run until SIGTERM. Returns the exit code. */
int service_main(int argc, char **argv, const struct service *service);

/* GET /status as ModI asks (health check of the interoperability guidelines): 200 when the database answers, else 503.
 * Every service binds it to showStatus. */
int show_status(struct request *rq);

/* The dead letters of the caller's tenant (dead_letters.c). Every service with consumers binds them: the paths are in
 * common.yaml. */
int list_dead_letters(struct request *rq);
int redrive_tenant_dead_letters(struct request *rq);
int redrive_dead_letter(struct request *rq);

/* What the contract has checked. A parameter as text (NULL when absent and without default) or as a number. */
const char *path(struct request *rq, const char *name);
const char *query(struct request *rq, const char *name);
const char *header(struct request *rq, const char *name);
long long query_number(struct request *rq, const char *name, long long fallback);

/* Members of a JSON object: NULL or 0 when absent. Borrowed. json_at follows a dotted path: json_at(o, "fee.amount").
 */
const char *json_text(const json_t *object, const char *dotted);
long long json_int(const json_t *object, const char *dotted);
json_t *json_at(const json_t *object, const char *dotted);
/* The value as compact text, owned by the request: to hand to SQL as $n::jsonb. NULL for NULL. */
const char *json_sql(struct request *rq, const json_t *value);
/* json_pack, owned by the request. */
json_t *json_make(struct request *rq, const char *format, ...);

/* Answers; each returns the status, for `return reply(…)`. json is borrowed. */
int reply_json(struct request *rq, int status, const json_t *json);
int reply_text(struct request *rq, int status, const char *media_type, const char *text);
int reply_empty(struct request *rq, int status); /* 202, 204 … */
/* Streams an open file (taken over, closed here) as an attachment by that name (RFC 6266). */
int reply_file(struct request *rq, int fd, const char *media_type, const char *filename);
int reply_redirect(struct request *rq, int status, const char *location);
void reply_header(struct request *rq, const char *name, const char *value);
