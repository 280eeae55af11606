/* From a request to its handler and back: who calls, what is asked, is it well formed, run, commit. */
#pragma once
#include "http.h"
#include "service.h"

/* Binds the operations of a service to its contract. On failure false, and *ret_error (free it) names the operation. */
bool dispatch_start(const struct service *service, struct contract *contract, struct db *db, char **ret_error);

/* For http_start(). */
struct body_plan dispatch_begin(struct request *rq);
void dispatch_finish(struct request *rq);
