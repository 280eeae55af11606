/* The quick look at the text of a parameter: what a schema says about one line of text, flattened once, and then held
 * against the text where it stands. It only ever says yes; everything else is left to schema_check_text(), which makes
 * JSON of the text and has the words for what is wrong. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "format_internal.h"
#include "schema_internal.h"

enum { MAX_NESTED_ALL_OF = 4, MAX_DIGITS = 18, MAX_ITEM = 256 };

struct schema_quick {
	enum schema_type type;
	struct schema_bounds length, items_count;
	bool (*format)(const char *text);
	const struct schema_pattern *pattern;
	const json_t *options;
	long long minimum, maximum;
	const struct schema_quick *items;
};

static void narrow(struct schema_bounds *bounds, struct schema_bounds by)
{
	if (by.least > bounds->least)
		bounds->least = by.least;
	if (by.most < bounds->most)
		bounds->most = by.most;
}

/* Two of a kind, from two schemas that are combined, are too rare to be quick about. */
static bool are_two(const void *one, const void *other)
{
	return one && other && one != other;
}

static bool take_minimum(struct schema_quick *quick, const struct schema *schema)
{
	long long bound = json_integer_value(schema->minimum);

	if (!schema->minimum)
		return true;
	if (!json_is_integer(schema->minimum) || (schema->exclusive_minimum && bound == INT64_MAX))
		return false;
	bound += schema->exclusive_minimum;
	if (bound > quick->minimum)
		quick->minimum = bound;
	return true;
}

static bool take_maximum(struct schema_quick *quick, const struct schema *schema)
{
	long long bound = json_integer_value(schema->maximum);

	if (!schema->maximum)
		return true;
	if (!json_is_integer(schema->maximum) || (schema->exclusive_maximum && bound == INT64_MIN))
		return false;
	bound -= schema->exclusive_maximum;
	if (bound < quick->maximum)
		quick->maximum = bound;
	return true;
}

/* A format of numbers is a pair of bounds for an integer; one of text says nothing about it, and the other way round.
 */
static bool take_format(struct schema_quick *quick, const struct schema *schema)
{
	const char *format = schema->format;

	if (!format)
		return true;
	if (quick->type == TYPE_STRING) {
		bool (*holds)(const char *) = format_function(format);

		if (quick->format && quick->format != holds)
			return false;
		quick->format = holds;
		return true;
	}
	if (quick->type == TYPE_INTEGER && strcmp(format, "int32") == 0) {
		quick->minimum = quick->minimum < INT32_MIN ? INT32_MIN : quick->minimum;
		quick->maximum = quick->maximum > INT32_MAX ? INT32_MAX : quick->maximum;
		return true;
	}
	return quick->type == TYPE_INTEGER && strcmp(format, "int64") == 0;
}

static bool only_strings(const json_t *options)
{
	size_t index;
	json_t *option;

	json_array_foreach(options, index, option)
	{
		if (!json_is_string(option) && !json_is_null(option))
			return false;
	}
	return true;
}

static bool take_items(struct schema_quick *quick, const struct schema *schema)
{
	if (!schema->items)
		return true;
	schema_prepare_text(schema->items);
	if (!schema->items->quick || are_two(quick->items, schema->items->quick))
		return false;
	quick->items = schema->items->quick;
	return true;
}

static bool take(struct schema_quick *quick, const struct schema *schema, int depth)
{
	const bool left_to_the_other = schema->any_of.count || schema->one_of.count || schema->inverse ||
				       schema->discriminator || schema->unique_items || schema->multiple_of ||
				       (schema->options && quick->type != TYPE_STRING) ||
				       !only_strings(schema->options) || (schema->type && schema->type != quick->type);

	if (left_to_the_other || are_two(quick->pattern, schema->pattern) || are_two(quick->options, schema->options) ||
		!take_minimum(quick, schema) || !take_maximum(quick, schema) || !take_format(quick, schema) ||
		!take_items(quick, schema))
		return false;
	quick->pattern = schema->pattern ? schema->pattern : quick->pattern;
	quick->options = schema->options ? schema->options : quick->options;
	narrow(&quick->length, schema->length);
	narrow(&quick->items_count, schema->items_count);
	for (size_t i = 0; i < schema->all_of.count; i++)
		if (depth == 0 || !take(quick, schema->all_of.items[i], depth - 1))
			return false;
	return true;
}

void schema_prepare_text(struct schema *schema)
{
	struct schema_quick quick = { .type = schema_text_type(schema),
		.length.most = SIZE_MAX,
		.items_count.most = SIZE_MAX,
		.minimum = INT64_MIN,
		.maximum = INT64_MAX };

	if (schema->prepared)
		return;
	schema->prepared = true; /* before the items: an array of itself has no quick look */
	if ((quick.type & (TYPE_STRING | TYPE_INTEGER | TYPE_BOOLEAN | TYPE_ARRAY)) &&
		take(&quick, schema, MAX_NESTED_ALL_OF)) {
		schema->quick = arena_alloc(schema->set->arena, sizeof quick);
		*schema->quick = quick;
	}
}

/* Where a byte is a character, and none can be part of a broken one. */
static bool is_ascii(const char *text, size_t length)
{
	unsigned char all = 0;

	for (size_t i = 0; i < length; i++)
		all |= (unsigned char)text[i];
	return all < 0x80;
}

static bool is_option(const json_t *options, const char *text, size_t length)
{
	size_t index;
	json_t *option;

	json_array_foreach(options, index, option)
	{
		if (json_is_string(option) && json_string_length(option) == length &&
			memcmp(json_string_value(option), text, length) == 0)
			return true;
	}
	return false;
}

static bool string_holds(const struct schema_quick *quick, const char *text, size_t length)
{
	return length >= quick->length.least && length <= quick->length.most && is_ascii(text, length) &&
	       (!quick->format || quick->format(text)) &&
	       (!quick->pattern || schema_pattern_holds(quick->pattern, text, length)) &&
	       (!quick->options || is_option(quick->options, text, length));
}

static bool integer_holds(const struct schema_quick *quick, const char *text, size_t length)
{
	size_t sign = *text == '-', count = length - sign;
	long long number = 0;

	if (count == 0 || count > MAX_DIGITS || (count > 1 && text[sign] == '0'))
		return false;
	for (size_t i = sign; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (text[i] - '0');
	}
	number = sign ? -number : number;
	return number >= quick->minimum && number <= quick->maximum;
}

static bool holds(const struct schema_quick *quick, const char *text, size_t length);

static bool array_holds(const struct schema_quick *quick, const char *text, size_t length)
{
	const char *end = text + length;
	size_t count = 0;

	while (length) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		size_t item_length = (size_t)((comma ? comma : end) - text);
		char item[MAX_ITEM];

		if (item_length >= sizeof item)
			return false;
		memcpy(item, text, item_length);
		item[item_length] = '\0';
		if (!holds(quick->items, item, item_length))
			return false;
		count++;
		if (!comma)
			break;
		text = comma + 1;
	}
	return count >= quick->items_count.least && count <= quick->items_count.most;
}

static bool holds(const struct schema_quick *quick, const char *text, size_t length)
{
	switch (quick->type) {
	case TYPE_STRING:
		return string_holds(quick, text, length);
	case TYPE_INTEGER:
		return integer_holds(quick, text, length);
	case TYPE_BOOLEAN:
		return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
	default:
		return array_holds(quick, text, length);
	}
}

bool schema_text_holds(const struct schema *schema, const char *text, size_t length)
{
	return schema->quick && holds(schema->quick, text, length);
}
