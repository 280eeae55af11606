/* What forward.c and forward_answer.c share. Those that return bool say false when the exchange is over for them: it
 * was answered with a problem, or its client is gone. */
#pragma once
#include "forward.h"

void forward_put_fields(struct writer *writer, const struct http1_head *head);
void forward_put_framing(struct writer *writer, enum body_kind kind, uint64_t length);

/* Answers with a problem, or cuts the connection when the client has part of an answer already. Always false. */
bool forward_fail(struct client *client, int status, const char *slug, const char *detail);
/* The connection broke before the answer was whole. */
bool forward_broke(struct client *client);

bool forward_read_head(struct client *client);
/* Also gives the connection to the service back as soon as the answer is whole, however slowly the client takes it. */
bool forward_send_answer(struct client *client);
