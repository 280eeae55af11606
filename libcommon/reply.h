/* The answer of a request while it is being built; inside libcommon only (handlers use service.h). */
#pragma once
#include "service.h"

struct reply_header {
	struct reply_header *next;
	const char *name, *value; /* of the request's arena */
};

/* Forgets what was answered so far: a commit that failed turns a success into a problem. */
void reply_reset(struct request *rq);
