/* A page of identity, for the gateway's own threads: GET with a signed caller header, over a connection that is kept.
 * Bounded in time and size. One thread's. */
#pragma once
#include "auth.h"

enum { FETCH_MAX = 1 << 20 };

struct fetcher;

/* caller is borrowed for as long as the fetcher lives. */
struct fetcher *fetcher_new(const struct caller *caller);
void fetcher_free(struct fetcher *fetcher);

/* NULL, and the page in *ret_text until the next call; or why there is none (static text). */
const char *fetcher_get(
	struct fetcher *fetcher, const char *url, long timeout_ms, const char **ret_text, size_t *ret_length);
