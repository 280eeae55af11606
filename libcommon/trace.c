/* Owns the form of request ids and of traceparent. Keeps no state. */
#include "trace.h"
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "service.h"
#include "text.h"

static const char id_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

bool trace_id_holds(const char *request_id)
{
	size_t length = request_id ? strspn(request_id, id_characters) : 0;

	return length && length <= TRACE_ID_MAX && !request_id[length];
}

static bool is_hex(const char *text, size_t length)
{
	return strspn(text, "0123456789abcdef") >= length && strspn(text, "0") < length;
}

bool traceparent_holds(const char *traceparent)
{
	if (!traceparent || strlen(traceparent) != TRACEPARENT_LENGTH || strncmp(traceparent, "00-", 3) != 0)
		return false;
	return is_hex(traceparent + 3, 32) && traceparent[35] == '-' && is_hex(traceparent + 36, 16) &&
	       traceparent[52] == '-' && strspn(traceparent + 53, "0123456789abcdef") == 2;
}

static void random_hex(char *text, size_t bytes)
{
	unsigned char random[16] = { 0 };

	while (getrandom(random, bytes, 0) < 0)
		; /* only EINTR: the pool is ready long before a service runs */
	text_hex(text, random, bytes);
}

void trace_new_id(char text[static 33])
{
	random_hex(text, 16);
}

void trace_new_parent(char text[static TRACEPARENT_LENGTH + 1])
{
	char trace[33], parent[17];

	random_hex(trace, 16);
	random_hex(parent, 8);
	snprintf(text, TRACEPARENT_LENGTH + 1, "00-%s-%s-01", trace, parent);
}

void trace_take(struct request *rq, const char *request_id, const char *traceparent)
{
	char text[TRACEPARENT_LENGTH + 1];

	if (!trace_id_holds(request_id)) {
		trace_new_id(text);
		request_id = text;
	}
	rq->request_id = arena_strdup(rq->arena, request_id);
	if (!traceparent_holds(traceparent)) {
		trace_new_parent(text);
		traceparent = text;
	}
	rq->traceparent = arena_strdup(rq->arena, traceparent);
}
