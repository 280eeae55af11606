/* Answers that the gateway gives itself, and the fields that it adds to every answer. */
#pragma once
#include <jansson.h>
#include "client.h"

/* One field line to add to an answer, or none. */
struct extra_field {
	const char *name, *value;
};

/* A problem by RFC 9457. The client then answers, and forwards no more. */
void answer_problem(struct client *client, int status, const char *slug, const char *detail);
void answer_problem_with(
	struct client *client, int status, const char *slug, const char *detail, struct extra_field extra);
/* 400: the request breaks its contract, as errors says (problem.h). */
void answer_invalid(struct client *client, const json_t *errors);
/* 401 with its challenge; error NULL: no token was sent. */
void answer_unauthorized(struct client *client, const char *error, const char *detail);
void answer_later(struct client *client, int status, const char *slug, const char *detail, unsigned seconds);
/* Another text, which is taken over: malloc'ed for it. */
void answer_page(struct client *client, int status, const char *media_type, char *text);
/* One that belongs to the view of the exchange. */
void answer_text(struct client *client, int status, const char *media_type, const char *text);
/* 204 to OPTIONS: what the path takes, and for browsers whether they may. */
void answer_options(struct client *client, const char *allow, bool preflight);

/* X-Request-Id, traceparent, limits, CORS, Connection. */
void answer_put_common_fields(struct writer *writer, struct client *client);
/* The client sends what it has been given. False when there is nothing to do until the next event. */
bool answer_step(struct client *client);
