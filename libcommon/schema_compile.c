/* From a schema object to struct schema: one function a keyword, in one table. What the table does not have is an
 * error, since a keyword that is silently ignored is a check that silently does not happen. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "schema_internal.h"

typedef bool keyword_compiler(struct schema *schema, const char *key, const json_t *argument);

static bool wrong(struct schema *schema, const char *key, const char *expected)
{
	return schema_fail(schema->set, schema, key, "'%s' must be %s", key, expected);
}

static struct schema *inner(struct schema *schema, const char *key, const json_t *definition)
{
	if (json_is_object(definition))
		return schema_compile(schema->set, definition, schema->document);
	schema_fail(schema->set, schema, key, "'%s' must hold schema objects", key);
	return NULL;
}

static bool compile_type(struct schema *schema, const char *key, const json_t *argument)
{
	const char *name = json_string_value(argument);

	for (enum schema_type type = TYPE_STRING; name && type <= TYPE_OBJECT; type <<= 1)
		if (strcmp(name, schema_type_name(type)) == 0)
			schema->type = type;
	return schema->type || wrong(schema, key, "string, integer, number, boolean, array or object");
}

static bool compile_format(struct schema *schema, const char *key, const json_t *argument)
{
	schema->format = json_string_value(argument);
	if (!schema->format)
		return wrong(schema, key, "a string");
	return format_known(schema->format) ||
	       schema_fail(schema->set, schema, key, "unknown format '%s'", schema->format);
}

static bool compile_flag(struct schema *schema, const char *key, const json_t *argument)
{
	const struct {
		const char *key;
		bool *flag;
	} flags[] = { { "nullable", &schema->nullable }, { "readOnly", &schema->read_only },
		{ "writeOnly", &schema->write_only }, { "uniqueItems", &schema->unique_items },
		{ "exclusiveMinimum", &schema->exclusive_minimum },
		{ "exclusiveMaximum", &schema->exclusive_maximum } };

	if (!json_is_boolean(argument))
		return wrong(schema, key, "true or false");
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (strcmp(flags[i].key, key) == 0)
			*flags[i].flag = json_is_true(argument);
	return true;
}

static bool compile_number(struct schema *schema, const char *key, const json_t *argument)
{
	if (!json_is_number(argument))
		return wrong(schema, key, "a number");
	if (strcmp(key, "minimum") == 0)
		schema->minimum = argument;
	else if (strcmp(key, "maximum") == 0)
		schema->maximum = argument;
	else if (json_number_value(argument) <= 0)
		return wrong(schema, key, "above zero");
	else
		schema->multiple_of = argument;
	return true;
}

static bool compile_count(struct schema *schema, const char *key, const json_t *argument)
{
	struct schema_bounds *bounds = strstr(key, "Length")  ? &schema->length
				       : strstr(key, "Items") ? &schema->items_count
							      : &schema->properties_count;

	if (!json_is_integer(argument) || json_integer_value(argument) < 0)
		return wrong(schema, key, "an integer from 0 on");
	*(key[1] == 'i' ? &bounds->least : &bounds->most) = (size_t)json_integer_value(argument);
	return true;
}

static bool compile_pattern(struct schema *schema, const char *key, const json_t *argument)
{
	if (!json_is_string(argument))
		return wrong(schema, key, "a string");
	return schema_compile_pattern(schema, json_string_value(argument));
}

static bool compile_enum(struct schema *schema, const char *key, const json_t *argument)
{
	if (json_array_size(argument) == 0)
		return wrong(schema, key, "an array with at least one value");
	if (json_repeated_item(argument) >= 0)
		return wrong(schema, key, "without repetitions");
	schema->options = argument;
	return true;
}

static bool compile_default(struct schema *schema, const char *key, const json_t *argument)
{
	schema->fallback = argument;
	return true;
}

static bool compile_required(struct schema *schema, const char *key, const json_t *argument)
{
	size_t index;
	json_t *name;

	if (!json_is_array(argument) || json_repeated_item(argument) >= 0)
		return wrong(schema, key, "an array of different names");
	schema->required = arena_alloc(schema->set->arena, (json_array_size(argument) + 1) * sizeof *schema->required);
	json_array_foreach(argument, index, name)
	{
		if (!json_is_string(name))
			return wrong(schema, key, "an array of names");
		schema->required[schema->required_count++] = json_string_value(name);
	}
	return true;
}

static int by_name(const void *one, const void *other)
{
	return strcmp(((const struct schema_property *)one)->name, ((const struct schema_property *)other)->name);
}

static bool compile_properties(struct schema *schema, const char *key, const json_t *argument)
{
	const char *name;
	json_t *definition;

	if (!json_is_object(argument))
		return wrong(schema, key, "an object");
	schema->properties =
		arena_alloc(schema->set->arena, (json_object_size(argument) + 1) * sizeof *schema->properties);
	json_object_foreach((json_t *)argument, name, definition)
	{
		struct schema *property = inner(schema, key, definition);

		if (!property)
			return false;
		schema->properties[schema->property_count++] = (struct schema_property){ name, property };
	}
	qsort(schema->properties, schema->property_count, sizeof *schema->properties, by_name);
	return true;
}

static bool compile_additional(struct schema *schema, const char *key, const json_t *argument)
{
	if (json_is_boolean(argument))
		schema->closed = json_is_false(argument);
	else if (json_is_object(argument))
		return (schema->additional = inner(schema, key, argument)) != NULL;
	else
		return wrong(schema, key, "true, false or a schema");
	return true;
}

static bool compile_items(struct schema *schema, const char *key, const json_t *argument)
{
	return (schema->items = inner(schema, key, argument)) != NULL;
}

static bool compile_not(struct schema *schema, const char *key, const json_t *argument)
{
	return (schema->inverse = inner(schema, key, argument)) != NULL;
}

static const char *alternative_name(const json_t *definition, const struct schema *schema)
{
	const char *ref = json_string_value(json_object_get(definition, "$ref"));
	const char *slash = ref ? strrchr(ref, '/') : NULL;

	return slash ? slash + 1 : schema->title;
}

static bool compile_list(struct schema *schema, const char *key, const json_t *argument)
{
	struct schema_list *list = strcmp(key, "allOf") == 0   ? &schema->all_of
				   : strcmp(key, "anyOf") == 0 ? &schema->any_of
							       : &schema->one_of;
	size_t size = json_array_size(argument), index;
	json_t *definition;

	if (size == 0)
		return wrong(schema, key, "an array with at least one schema");
	list->items = arena_alloc(schema->set->arena, size * sizeof *list->items);
	list->names = arena_alloc(schema->set->arena, size * sizeof *list->names);
	json_array_foreach(argument, index, definition)
	{
		if (!(list->items[index] = inner(schema, key, definition)))
			return false;
		list->names[index] = alternative_name(definition, list->items[index]);
		list->count++;
	}
	return true;
}

static bool compile_discriminator(struct schema *schema, const char *key, const json_t *argument)
{
	return schema_compile_discriminator(schema, argument);
}

static bool compile_text(struct schema *schema, const char *key, const json_t *argument)
{
	if (!json_is_string(argument))
		return wrong(schema, key, "a string");
	if (strcmp(key, "title") == 0)
		schema->title = json_string_value(argument);
	return true;
}

static bool compile_example(struct schema *schema, const char *key, const json_t *argument)
{
	return true;
}

/* discriminator comes last: it looks at the alternatives. */
static const struct {
	const char *key;
	keyword_compiler *compile;
} keywords[] = {
	{ "title", compile_text },
	{ "description", compile_text },
	{ "type", compile_type },
	{ "format", compile_format },
	{ "nullable", compile_flag },
	{ "readOnly", compile_flag },
	{ "writeOnly", compile_flag },
	{ "deprecated", compile_flag },
	{ "enum", compile_enum },
	{ "default", compile_default },
	{ "minimum", compile_number },
	{ "maximum", compile_number },
	{ "exclusiveMinimum", compile_flag },
	{ "exclusiveMaximum", compile_flag },
	{ "multipleOf", compile_number },
	{ "minLength", compile_count },
	{ "maxLength", compile_count },
	{ "pattern", compile_pattern },
	{ "minItems", compile_count },
	{ "maxItems", compile_count },
	{ "uniqueItems", compile_flag },
	{ "items", compile_items },
	{ "minProperties", compile_count },
	{ "maxProperties", compile_count },
	{ "required", compile_required },
	{ "properties", compile_properties },
	{ "additionalProperties", compile_additional },
	{ "allOf", compile_list },
	{ "anyOf", compile_list },
	{ "oneOf", compile_list },
	{ "not", compile_not },
	{ "example", compile_example },
	{ "examples", compile_example },
	{ "discriminator", compile_discriminator },
};

static bool check_keys(struct schema *schema)
{
	const char *key;
	json_t *argument;

	json_object_foreach((json_t *)schema->definition, key, argument)
	{
		size_t i = 0;

		while (i < sizeof keywords / sizeof *keywords && strcmp(keywords[i].key, key) != 0)
			i++;
		if (i == sizeof keywords / sizeof *keywords && strncmp(key, "x-", 2) != 0)
			return schema_fail(schema->set, schema, key, "unknown keyword '%s'", key);
	}
	return true;
}

static bool check_bounds(struct schema *schema, struct schema_bounds bounds, const char *what)
{
	return bounds.least <= bounds.most ||
	       schema_fail(schema->set, schema, NULL, "the least %s is above the most", what);
}

/* Contradictions that make a schema mean less than its author thinks. */
static bool check_sense(struct schema *schema)
{
	struct schema_set *set = schema->set;
	bool null_option = false;
	size_t index;
	json_t *option;

	if (schema->type == TYPE_ARRAY && !schema->items)
		return schema_fail(set, schema, NULL, "an array must have 'items'");
	if (schema->read_only && schema->write_only)
		return schema_fail(set, schema, NULL, "readOnly and writeOnly exclude each other");
	if (schema->minimum && schema->maximum && json_compare_numbers(schema->minimum, schema->maximum) > 0)
		return schema_fail(set, schema, NULL, "the minimum is above the maximum");
	if ((schema->exclusive_minimum && !schema->minimum) || (schema->exclusive_maximum && !schema->maximum))
		return schema_fail(set, schema, NULL, "an exclusive bound needs its minimum or maximum");
	json_array_foreach(schema->options, index, option)
	{
		null_option |= json_is_null(option);
		if (!schema_type_takes(schema, option))
			return schema_fail(set, schema, "enum", "value %zu of the enum is not of the type", index + 1);
	}
	if (schema->options && schema->nullable && !null_option)
		return schema_fail(set, schema, "enum", "nullable needs null among the values of the enum");
	for (size_t i = 0; i < schema->required_count && schema->closed; i++)
		if (!schema_property_of(schema, schema->required[i]))
			return schema_fail(
				set, schema, "required", "'%s' is required and not allowed", schema->required[i]);
	return check_bounds(schema, schema->length, "length") &&
	       check_bounds(schema, schema->items_count, "number of items") &&
	       check_bounds(schema, schema->properties_count, "number of properties");
}

bool schema_compile_keywords(struct schema *schema)
{
	if (!check_keys(schema))
		return false;
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
		const json_t *argument = json_object_get(schema->definition, keywords[i].key);

		if (argument && !keywords[i].compile(schema, keywords[i].key, argument))
			return false;
	}
	return check_sense(schema);
}
