/* Accept by RFC 9110, section 12.5.1, held against the media types that an operation answers with. Whoever writes one
 * that cannot be read gets an answer rather than a refusal. */
#include <string.h>
#include <strings.h>
#include "contract.h"

struct range {
	const char *type; /* "text/html", with "*" for either part or both */
	size_t length;
	bool excluded; /* q=0 */
};

static const char blanks[] = " \t";

/* "q=0" and "q=0.000" among the parameters behind a type. */
static bool weighs_nothing(const char *parameters, const char *end)
{
	for (; parameters < end; parameters += strcspn(parameters, ";,")) {
		const char *value;

		parameters += 1 + strspn(parameters + 1, blanks);
		if (strncasecmp(parameters, "q=", 2) != 0)
			continue;
		value = parameters + 2;
		return *value == '0' && strcspn(value, ",; \t") == strspn(value, "0.");
	}
	return false;
}

/* The next one of the list; *at is moved behind it. Empty elements count for nothing. */
static bool next_range(const char **at, struct range *ret_range)
{
	const char *end;

	*at += strspn(*at, ", \t");
	if (!**at)
		return false;
	end = *at + strcspn(*at, ",");
	ret_range->type = *at;
	ret_range->length = strcspn(*at, ",; \t");
	ret_range->excluded = weighs_nothing(*at + strcspn(*at, ";,"), end);
	*at = end;
	return true;
}

static bool is_readable(const struct range *range)
{
	const char *slash = memchr(range->type, '/', range->length);

	return slash && slash > range->type && slash < range->type + range->length - 1;
}

/* How closely a range names a media type (which may be a range in the contract, too): 3 exactly, 2 by its type, 1 as
 * anything, 0 not at all. */
static int closeness(const struct range *range, const char *answer)
{
	size_t type = strcspn(answer, "/") + 1;

	if (range->length == 3 && memcmp(range->type, "*/*", 3) == 0)
		return 1;
	if (strcmp(answer, "*/*") == 0)
		return 3;
	if (range->length <= type || strncasecmp(range->type, answer, type) != 0)
		return 0;
	if (range->length == type + 1 && range->type[type] == '*')
		return 2;
	if (strcmp(answer + type, "*") == 0)
		return 3;
	return strlen(answer) == range->length && strncasecmp(range->type, answer, range->length) == 0 ? 3 : 0;
}

/* The closest range decides. */
static bool takes(const char *accept, const char *answer)
{
	int closest = 0;
	bool taken = false;
	struct range range;

	while (next_range(&accept, &range)) {
		int close = closeness(&range, answer);

		if (close > closest || (close && close == closest && !range.excluded))
			taken = !range.excluded;
		if (close > closest)
			closest = close;
	}
	return taken;
}

static bool can_be_judged(const char *accept)
{
	struct range range;
	bool any = false;

	if (strchr(accept, '"'))
		return false;
	for (; next_range(&accept, &range); any = true)
		if (!is_readable(&range))
			return false;
	return any;
}

bool contract_accepted(const struct contract_operation *operation, const char *accept)
{
	if (strcmp(accept, "*/*") == 0 || !operation->answer_count || !can_be_judged(accept))
		return true;
	for (size_t i = 0; i < operation->answer_count; i++)
		if (takes(accept, operation->answers[i]))
			return true;
	return false;
}
