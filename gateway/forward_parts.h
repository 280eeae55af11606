/* What forward.c, forward_attempt.c and forward_answer.c share. Those that return bool say false when the exchange is
 * over for them: it was answered with a problem, or its client is gone. */
#pragma once
#include "forward.h"
#include "upstream.h"

enum { DEADLINE_DIGITS = 8 };

static inline struct upstream_pool *forward_pool(const struct client *client)
{
	return &client->exchange.view->pools[client->exchange.route->service];
}

static inline int64_t forward_timeout(const struct exchange *exchange)
{
	return (int64_t)exchange->route->operation->timeout * 1000;
}

void forward_put_fields(struct writer *writer, const struct http1_head *head);
void forward_put_framing(struct writer *writer, enum body_kind kind, uint64_t length);

/* Answers with a problem, or cuts the connection when the client has part of an answer already. Always false. */
bool forward_fail(struct client *client, int status, const char *slug, const char *detail);
/* The same with 502, when it is the replica that failed. */
bool forward_fault(struct client *client, enum upstream_failure failure, const char *detail);

/* forward_attempt.c */
bool forward_acquire(struct client *client);
/* The queue is too long, or was so for too long. */
bool forward_crowded(struct client *client);
/* The connection broke before a byte of the answer had come, or in its head. */
bool forward_broke(struct client *client);
/* When to look again at a request whose answer has not begun. */
int64_t forward_answer_deadline(const struct client *client);
/* That time has come. */
void forward_overdue(struct client *client);
/* The service is told how long its answer is waited for from now on. */
void forward_stamp_deadline(struct client *client);

bool forward_read_head(struct client *client);
/* Also gives the connection to the service back as soon as the answer is whole, however slowly the client takes it. */
bool forward_send_answer(struct client *client);
