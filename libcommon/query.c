/* Splits as libmicrohttpd does, so that gateway and services see the same parts: an empty part has an empty name, but
 * behind the last "&" there is none. */
#include "query.h"
#include <string.h>

bool query_next(const char **query, struct query_part *ret_part)
{
	const char *at = *query, *equals;
	size_t length;

	if (!at || !*at)
		return false;
	length = strcspn(at, "&");
	equals = memchr(at, '=', length);
	ret_part->name = at;
	ret_part->name_length = equals ? (size_t)(equals - at) : length;
	ret_part->value = equals ? equals + 1 : NULL;
	ret_part->value_length = equals ? length - ret_part->name_length - 1 : 0;
	*query = at + length + (at[length] == '&');
	return true;
}
