/* Makes the documents that the office signs off, as PDF. The same facts give the same bytes. */
#pragma once
#include "service.h"

struct paper {
	const void *bytes; /* live with the request */
	size_t length;
};

/* The decision of a practice, from what lock_decision.sql tells. text: the operator's words, may be NULL. False: rq is
 * answered. */
bool paper_decision(struct request *rq, const json_t *facts, bool approved, const char *text, struct paper *ret_paper);
