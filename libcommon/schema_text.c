/* The text of a parameter as a typed value: what `type` says, by the notation of JSON; an array by its commas. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "schema_internal.h"
#include "scope.h"

/* The type may be stated by a schema that is combined in. */
static const struct schema *typed(const struct schema *schema, int depth)
{
	if (schema->type || depth == 0)
		return schema;
	for (size_t i = 0; i < schema->all_of.count; i++) {
		const struct schema *found = typed(schema->all_of.items[i], depth - 1);

		if (found->type)
			return found;
	}
	return schema;
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* -?(0|[1-9][0-9]*) and no more. */
static size_t integer_length(const char *text)
{
	size_t sign = *text == '-', count = digits(text + sign);

	return count == 0 || (count > 1 && text[sign] == '0') ? 0 : sign + count;
}

static json_t *parse_integer(const char *text)
{
	size_t length = integer_length(text);
	long long number;

	errno = 0;
	number = strtoll(text, NULL, 10);
	return length && !text[length] && !errno ? json_integer(number) : NULL;
}

static json_t *parse_number(const char *text)
{
	size_t length = integer_length(text);
	const char *rest = text + length;

	if (!length)
		return NULL;
	if (*rest == '.') {
		if (!digits(++rest))
			return NULL;
		rest += digits(rest);
	}
	if (*rest == 'e' || *rest == 'E') {
		rest += 1 + (rest[1] == '-' || rest[1] == '+');
		if (!digits(rest))
			return NULL;
		rest += digits(rest);
	}
	if (*rest)
		return NULL;
	return rest == text + length ? parse_integer(text) : json_real(strtod(text, NULL));
}

static json_t *parse_boolean(const char *text)
{
	if (strcmp(text, "true") == 0)
		return json_true();
	return strcmp(text, "false") == 0 ? json_false() : NULL;
}

static json_t *parse(const struct schema *schema, const char *text);

/* What an item should have been and is not stays a string, so that the check names it. */
static json_t *parse_array(const struct schema *items, const char *text)
{
	json_auto_t *list = json_array();
	auto_free char *copy = strdup(text);
	char *rest = copy, *part;

	if (!copy)
		abort();
	while (*text && (part = strsep(&rest, ","))) {
		json_t *item = parse(items, part);

		if (json_array_append_new(list, item ? item : json_string(part)) < 0)
			return NULL;
	}
	return json_incref(list);
}

static json_t *parse(const struct schema *schema, const char *text)
{
	const struct schema *kind = typed(schema, 4);

	switch (kind->type) {
	case TYPE_INTEGER:
		return parse_integer(text);
	case TYPE_NUMBER:
		return parse_number(text);
	case TYPE_BOOLEAN:
		return parse_boolean(text);
	case TYPE_ARRAY:
		return parse_array(kind->items, text);
	default:
		return json_string(text);
	}
}

/* A default may stand in a schema that is combined in, too. */
static const json_t *fallback_of(const struct schema *schema, int depth)
{
	const json_t *found = schema->fallback;

	for (size_t i = 0; !found && depth > 0 && i < schema->all_of.count; i++)
		found = fallback_of(schema->all_of.items[i], depth - 1);
	return found;
}

const json_t *schema_fallback(const struct schema *schema)
{
	return fallback_of(schema, 4);
}

enum schema_type schema_text_type(const struct schema *schema)
{
	return typed(schema, 4)->type;
}

int schema_check_text(
	const struct schema *schema, const char *text, const char *parameter, json_t *errors, json_t **ret_value)
{
	struct schema_check c = { .prefix = "", .parameter = parameter, .errors = errors };
	json_t *value;

	if (!text) {
		*ret_value = json_deep_copy(schema_fallback(schema));
		return 0;
	}
	value = parse(schema, text);
	if (!value) /* not of its type: as a string it gets the error for that */
		value = json_string(text);
	*ret_value = value ? value : json_null();
	if (value)
		return schema_check_all(&c, schema, value);
	schema_error(&c, NULL, "format", "must be valid UTF-8");
	return c.found;
}
