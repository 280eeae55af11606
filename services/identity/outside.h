/* Calls to addresses that clients registered: whoever registers one must not reach through us what is behind our walls.
 */
#pragma once
#include <stdbool.h>

struct sockaddr;

extern const char callbacks_inside_setting[];

/* Whether it is an address of the public internet: not this machine, no private, link-local, shared, multicast or
 * reserved one, nor one of those wrapped into IPv6. */
bool is_public_address(const struct sockaddr *address);

/* Posts a form to an address that a client registered. Only https and public addresses (as they resolve at this very
 * call), unless PORTICO_CALLBACKS_INSIDE says otherwise; no redirects, no connection shared with other calls, the
 * answer is not kept. The status, or 0 and *ret_error. */
int outside_post(const char *url, const char *form, const char **ret_error);
