/* What becomes of a request, decided once its head is there: answered here, or forwarded. */
#pragma once
#include "client.h"
#include "http1.h"

/* A request that is being decided on. Everything points into the client's buffer and is gone when the decision is made.
 */
struct asking {
	struct http1_head head;
	char path[HTTP1_MAX_TARGET + 1]; /* decoded */
	size_t path_length;
	const char *query;
	struct path_values values;
};

/* data is a whole head. Afterwards the client forwards or answers. */
void exchange_begin(struct client *client, char *data, size_t length);
/* What came is no request. */
void exchange_refuse(struct client *client, int status, const char *detail);
/* Into the access log and the metrics; everything that belonged to the request is given back. */
void exchange_end(struct client *client);
