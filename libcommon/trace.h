/* Request ids and W3C Trace Context: taken from who calls when well formed, made otherwise. */
#pragma once
#include <stdbool.h>

struct request;

void trace_take(struct request *rq, const char *request_id, const char *traceparent);

enum { TRACEPARENT_LENGTH = 55, TRACE_ID_MAX = 128 };

/* 1 to 128 characters of A-Z a-z 0-9 . _ - */
bool trace_id_holds(const char *request_id);
/* version-traceid-parentid-flags, none of the ids all zero (Trace Context, section 3.2). */
bool traceparent_holds(const char *traceparent);
/* New ones from the system's random source. */
void trace_new_id(char text[static 33]);
void trace_new_parent(char text[static TRACEPARENT_LENGTH + 1]);
