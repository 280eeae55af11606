/* Checks a value against a compiled schema. A value that is valid costs no allocation; errors are written out as they
 * are found, each with its pointer, up to a maximum, and the work for one value has an end whatever the schema. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "schema_internal.h"
#include "scope.h"

enum { MAX_POINTER = 1000, MAX_DETAIL = 500 };

static const struct schema_scope fresh_scope = { 0 };

const char *schema_type_name(enum schema_type type)
{
	switch (type) {
	case TYPE_STRING:
		return "string";
	case TYPE_INTEGER:
		return "integer";
	case TYPE_NUMBER:
		return "number";
	case TYPE_BOOLEAN:
		return "boolean";
	case TYPE_ARRAY:
		return "array";
	default:
		return "object";
	}
}

/* Cuts between characters, never inside of one. */
static void cut(char *text, size_t most)
{
	if (strlen(text) <= most)
		return;
	while (most > 0 && (text[most] & 0xc0) == 0x80)
		most--;
	text[most] = '\0';
}

static char *pointer_text(const struct schema_check *c, const struct place *place)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fputs(c->prefix, out);
	json_pointer_put(out, place);
	fclose(out);
	cut(text, MAX_POINTER);
	return text;
}

void schema_error(struct schema_check *c, const struct place *place, const char *code, const char *format, ...)
{
	auto_free char *detail = NULL, *pointer = NULL;
	va_list args;

	if (c->errors && json_array_size(c->errors) >= SCHEMA_MAX_ERRORS)
		return;
	c->found++;
	if (!c->errors)
		return;
	va_start(args, format);
	if (vasprintf(&detail, format, args) < 0)
		abort();
	va_end(args);
	cut(detail, MAX_DETAIL);
	if (c->parameter) {
		auto_free char *bare = place ? steal(detail) : NULL;

		if (place && asprintf(&detail, "item %zu %s", place->index + 1, bare) < 0)
			abort();
		json_array_append_new(c->errors,
			json_pack("{s:s, s:s, s:s}", "parameter", c->parameter, "code", code, "detail", detail));
		return;
	}
	pointer = pointer_text(c, place);
	json_array_append_new(
		c->errors, json_pack("{s:s, s:s, s:s}", "pointer", pointer, "code", code, "detail", detail));
}

bool schema_matches(struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place,
	struct schema_scope scope)
{
	struct schema_check quiet = { .prefix = "", .budget = c->budget };

	schema_run(&quiet, schema, value, place, scope);
	return quiet.found == 0;
}

bool schema_type_takes(const struct schema *schema, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_NULL:
		return !schema->type || schema->nullable;
	case JSON_STRING:
		return !schema->type || schema->type == TYPE_STRING;
	case JSON_INTEGER:
		return !schema->type || schema->type == TYPE_INTEGER || schema->type == TYPE_NUMBER;
	case JSON_REAL:
		return !schema->type || schema->type == TYPE_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return !schema->type || schema->type == TYPE_BOOLEAN;
	case JSON_ARRAY:
		return !schema->type || schema->type == TYPE_ARRAY;
	default:
		return !schema->type || schema->type == TYPE_OBJECT;
	}
}

static bool takes(const struct schema *schema, const json_t *value, int depth)
{
	if (!schema_type_takes(schema, value))
		return false;
	for (size_t i = 0; depth > 0 && i < schema->all_of.count; i++)
		if (!takes(schema->all_of.items[i], value, depth - 1))
			return false;
	return true;
}

bool schema_takes(const struct schema *schema, const json_t *value)
{
	return takes(schema, value, 4);
}

static void run_bounds(struct schema_check *c, struct schema_bounds bounds, size_t count, const struct place *place,
	const char *const codes[2], const char *what)
{
	if (count < bounds.least)
		schema_error(c, place, codes[0], "must have at least %zu %s", bounds.least, what);
	if (count > bounds.most)
		schema_error(c, place, codes[1], "must have at most %zu %s", bounds.most, what);
}

const char *schema_article(const char *format)
{
	return strchr("ei", *format) ? "an" : "a";
}

/* Characters are counted only where the bytes leave a doubt: a character has one to four of them. */
static bool run_length(
	struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place)
{
	static const char *const codes[2] = { "minLength", "maxLength" };
	size_t bytes = json_string_length(value), characters;

	if (bytes <= schema->length.most && (bytes + 3) / 4 >= schema->length.least)
		return true;
	characters = json_code_points(value);
	run_bounds(c, schema->length, characters, place, codes, "characters");
	return characters <= schema->length.most;
}

static void run_string(
	struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place)
{
	const char *text = json_string_value(value);
	bool short_enough = run_length(c, schema, value, place);

	if (schema->format && (strlen(text) != json_string_length(value) || !format_holds(schema->format, text)))
		schema_error(c, place, "format", "must be %s %s", schema_article(schema->format), schema->format);
	/* a text that is too long has its error; matching it as well would only cost time */
	if (schema->pattern && short_enough && !schema_pattern_matches(c->budget, schema->pattern, value))
		schema_error(c, place, "pattern", "must match %s", schema->pattern->source);
}

static void run_array(
	struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place)
{
	static const char *const codes[2] = { "minItems", "maxItems" };
	size_t size = json_array_size(value), index;
	json_t *item;
	long repeated;

	run_bounds(c, schema->items_count, size, place, codes, "items");
	if (size > schema->items_count.most)
		return;
	if (schema->unique_items && (repeated = json_repeated_item(value)) >= 0) {
		struct place at = { .up = place, .index = (size_t)repeated };

		schema_error(c, &at, "uniqueItems", "is equal to an item before it");
	}
	json_array_foreach(value, index, item)
	{
		struct place at = { .up = place, .index = index };

		if (schema->items)
			schema_run(c, schema->items, item, &at, fresh_scope);
	}
}

const struct schema *schema_property_of(const struct schema *schema, const char *name)
{
	size_t low = 0, high = schema->property_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, schema->properties[middle].name);

		if (order == 0)
			return schema->properties[middle].schema;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* What the server alone sets cannot be required of a client, wherever among the allOf it is declared. */
static bool is_read_only(const struct schema *schema, const char *name, int depth)
{
	const struct schema *property = schema_property_of(schema, name);

	if (property && property->read_only)
		return true;
	for (size_t i = 0; depth > 0 && i < schema->all_of.count; i++)
		if (is_read_only(schema->all_of.items[i], name, depth - 1))
			return true;
	return false;
}

static void run_required(struct schema_check *c, const struct schema *schema, const json_t *value,
	const struct place *place, const struct schema *whole)
{
	for (size_t i = 0; i < schema->required_count; i++) {
		const char *name = schema->required[i];
		struct place at = { .up = place, .key = name };

		if (json_object_get(value, name) || is_read_only(whole, name, 4) || is_read_only(schema, name, 4))
			continue;
		if (schema->discriminator && strcmp(schema->discriminator->property, name) == 0)
			continue; /* the choice by it has said so */
		schema_error(c, &at, "required", "is missing");
	}
}

static void run_object(struct schema_check *c, const struct schema *schema, const json_t *value,
	const struct place *place, const struct schema *whole)
{
	static const char *const codes[2] = { "minProperties", "maxProperties" };
	const char *name;
	json_t *member;

	run_required(c, schema, value, place, whole);
	run_bounds(c, schema->properties_count, json_object_size(value), place, codes, "members");
	json_object_foreach((json_t *)value, name, member)
	{
		const struct schema *property = schema_property_of(schema, name);
		struct place at = { .up = place, .key = name };

		if (property && property->read_only)
			schema_error(c, &at, "readOnly", "is set by the server and may not be sent");
		else if (property || schema->additional)
			schema_run(c, property ? property : schema->additional, member, &at, fresh_scope);
		else if (schema->closed)
			schema_error(c, &at, "additionalProperties", "is not known here");
	}
}

static void run_type_error(struct schema_check *c, const struct schema *schema, const struct place *place)
{
	const char *name = schema_type_name(schema->type);

	if (schema->type == TYPE_BOOLEAN)
		name = "true or false";
	schema_error(c, place, "type", "must be %s%s%s",
		schema->type == TYPE_BOOLEAN	? ""
		: strchr("aeio", *name) != NULL ? "an "
						: "a ",
		name, schema->nullable ? " or null" : "");
}

static void run_enum(
	struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place)
{
	char list[400] = "";
	size_t index, used = 0;
	json_t *option;

	json_array_foreach(schema->options, index, option) if (json_same(option, value)) return;
	json_array_foreach(schema->options, index, option)
	{
		auto_free char *text = json_dumps(option, JSON_ENCODE_ANY);
		const char *words = json_is_string(option) ? json_string_value(option) : text;

		if (used < sizeof list)
			used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", index ? ", " : "", words);
	}
	schema_error(c, place, "enum", "must be one of: %s", list);
}

static void run_by_type(struct schema_check *c, const struct schema *schema, const json_t *value,
	const struct place *place, const struct schema *whole)
{
	if (json_is_string(value))
		run_string(c, schema, value, place);
	else if (json_is_number(value))
		schema_run_number(c, schema, value, place);
	else if (json_is_array(value))
		run_array(c, schema, value, place);
	else if (json_is_object(value))
		run_object(c, schema, value, place, whole);
}

static bool is_over(struct schema_check *c)
{
	if (c->errors ? json_array_size(c->errors) >= SCHEMA_MAX_ERRORS : c->found > 0)
		return true;
	return c->budget->steps-- <= 0;
}

static void run_one(struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place,
	struct schema_scope scope)
{
	if (schema->nullable && json_is_null(value))
		return;
	if (!schema_type_takes(schema, value)) {
		run_type_error(c, schema, place);
		return;
	}
	if (!scope.whole)
		scope.whole = schema;
	if (schema->discriminator && !schema->discriminator->alternatives && json_is_object(value) &&
		!scope.discriminated) {
		const struct schema *heir = schema_choose_heir(c, schema, value, place);

		scope.discriminated = true;
		if (heir != schema) {
			if (heir)
				schema_run(c, heir, value, place, (struct schema_scope){ .discriminated = true });
			return;
		}
	}
	if (schema->options)
		run_enum(c, schema, value, place);
	run_by_type(c, schema, value, place, scope.whole);
	for (size_t i = 0; i < schema->all_of.count; i++)
		schema_run(c, schema->all_of.items[i], value, place, scope);
	schema_run_alternatives(c, schema, value, place, scope);
	if (schema->inverse && schema_matches(c, schema->inverse, value, place, scope))
		schema_error(c, place, "not", "is of a kind that is not allowed here%s%s",
			schema->inverse->title ? ": " : "", schema->inverse->title ? schema->inverse->title : "");
}

void schema_run(struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place,
	struct schema_scope scope)
{
	if (is_over(c))
		return;
	if (c->budget->nesting++ < SCHEMA_MAX_NESTING)
		run_one(c, schema, value, place, scope);
	else
		c->budget->steps = 0;
	c->budget->nesting--;
}

int schema_check_all(struct schema_check *c, const struct schema *schema, const json_t *value)
{
	struct schema_budget budget = { .steps = SCHEMA_MAX_STEPS };

	c->budget = &budget;
	schema_run(c, schema, value, NULL, fresh_scope);
	if (budget.steps <= 0)
		schema_error(c, NULL, "complexity", "is too involved to be checked");
	pcre2_match_data_free(budget.match);
	return c->found;
}

int schema_check(const struct schema *schema, const json_t *value, const char *prefix, json_t *errors)
{
	struct schema_check c = { .prefix = prefix ? prefix : "", .errors = errors };

	return schema_check_all(&c, schema, value);
}
