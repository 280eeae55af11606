/* Owns the cookies that bind a login to the browser that began it. Each login has its own, named after the request, so
 * that two tabs do not take it from each other. */
#include <string.h>
#include "identity.h"

/* A browser in which more logins are under way loses the oldest: their cookies must never fill its Cookie header. */
enum { NAMED_BY = 8, LOGINS_AT_ONCE = 10 };

#define PREFIX "portico-login-"

static const char *name_of(struct request *rq, const char *request)
{
	return arena_printf(rq->arena, PREFIX "%.*s", NAMED_BY, request);
}

/* The response of an identity provider is a form that its site posts to ours: with SameSite=Lax the cookie would stay
 * at home. What it does not protect any more against other sites, the csrf field and RelayState do. */
static void set_cookie(struct request *rq, const char *name, const char *value, int life)
{
	const char *path_of_issuer = strchr(strstr(issuer(), "://") + 3, '/');

	reply_header(rq, "Set-Cookie",
		arena_printf(rq->arena, "%s=%s; Path=%s; Max-Age=%d; HttpOnly; %s", name, value,
			path_of_issuer ? path_of_issuer : "/", life,
			strncmp(issuer(), "https:", 6) == 0 ? "SameSite=None; Secure" : "SameSite=Lax"));
}

void bind_browser(struct request *rq, const char *request, const char *browser)
{
	set_cookie(rq, name_of(rq, request), browser, LOGIN_LIFE);
}

/* The login cookies of the browser one after the other, the oldest first (RFC 6265, section 5.4); at moves behind the
 * one given. */
static bool next_cookie(struct request *rq, const char **at, const char **ret_name, const char **ret_value)
{
	for (const char *pair = *at; pair && *pair; pair = *at) {
		size_t length = strcspn(pair, ";"), name = strcspn(pair, "=;");

		*at = pair + length + strspn(pair + length, "; ");
		if (strncmp(pair, PREFIX, strlen(PREFIX)) == 0 && pair[name] == '=') {
			*ret_name = arena_strndup(rq->arena, pair, name);
			*ret_value = arena_strndup(rq->arena, pair + name + 1, length - name - 1);
			return true;
		}
	}
	return false;
}

const char *bound_browser(struct request *rq, const char *request)
{
	const char *at = header(rq, "Cookie"), *wanted = name_of(rq, request), *name, *value;

	while (next_cookie(rq, &at, &name, &value)) {
		if (strcmp(name, wanted) == 0)
			return value;
	}
	return NULL;
}

static void forget(struct request *rq, const char *name)
{
	set_cookie(rq, name, "", 0);
}

void release_browser(struct request *rq, const char *request)
{
	forget(rq, name_of(rq, request));
}

void forget_old_logins(struct request *rq, const char *request)
{
	const char *own = name_of(rq, request), *at = header(rq, "Cookie"), *name, *value;
	int excess = -LOGINS_AT_ONCE;

	while (next_cookie(rq, &at, &name, &value))
		excess++;
	at = header(rq, "Cookie");
	while (excess > 0 && next_cookie(rq, &at, &name, &value)) {
		if (strcmp(name, own) != 0) {
			forget(rq, name);
			excess--;
		}
	}
}
