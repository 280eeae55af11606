/* From a request to its handler and back: who calls, what is asked, is it well formed, run, commit. */
#pragma once
#include "http.h"
#include "service.h"

/* Loads the contracts of a service from the folder and binds its operations to them. On failure false, and *ret_error
 * (free it) names what is wrong and where. */
bool dispatch_start(const struct service *service, const char *folder, struct db *db, char **ret_error);
/* The version of the contract of the service's own name. */
const char *dispatch_version(void);
void dispatch_stop(void);

/* For http_start(). */
struct body_plan dispatch_begin(struct request *rq);
void dispatch_finish(struct request *rq);
