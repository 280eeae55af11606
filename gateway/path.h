/* The path of a request as the contracts and the services see it: percent-decoded, in the one form it can have. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Decodes the path of target (up to "?") into decoded, which has room for as many bytes and a NUL. False for "%2F",
 * "%5C", control characters, "//", "." and "..", also before a ";", and in the path or the query for broken percent
 * signs, bytes that are not UTF-8 and a NUL: what two readers could read in two ways. *ret_query is behind the "?", or
 * NULL. */
bool path_decode(const char *target, char *decoded, size_t *ret_length, const char **ret_query);

/* Calls found for each value of the query parameter name, percent-decoded. False as soon as found says so or a value
 * cannot be decoded. */
bool query_each(const char *query, const char *name, bool (*found)(void *context, const char *value, size_t length),
	void *context);
