/* Schemas as a set: made, compiled from a root once each, finished, given back. What a keyword means is in
 * schema_compile.c, how a value is checked in schema_check.c. */
#include <search.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "schema_internal.h"
#include "scope.h"

struct schema_set *schema_set_new(schema_resolver *resolve, void *context)
{
	struct arena *arena = arena_new();
	struct schema_set *set = arena_alloc(arena, sizeof *set);

	*set = (struct schema_set){ .arena = arena, .resolve = resolve, .context = context };
	return set;
}

static void keep_node(void *node)
{
	/* nodes are the arena's */
}

void schema_set_free(struct schema_set *set)
{
	tdestroy(set->by_definition, keep_node);
	free(set->list);
	free(set->failure);
	arena_free(set->arena);
}

bool schema_fail(struct schema_set *set, const struct schema *schema, const char *key, const char *format, ...)
{
	va_list args;

	if (set->failure)
		return false;
	va_start(args, format);
	if (vasprintf(&set->failure, format, args) < 0)
		abort();
	va_end(args);
	set->failed_in = schema->document;
	set->failed_at = schema->definition;
	set->failed_key = key ? arena_strdup(set->arena, key) : NULL;
	return false;
}

const json_t *schema_resolve(struct schema_set *set, const char *ref, const json_t **document)
{
	if (*ref == '#')
		return json_pointer_get(*document, ref + 1);
	return set->resolve ? set->resolve(set->context, ref, *document, document) : NULL;
}

static int by_definition(const void *one, const void *other)
{
	const struct schema *a = one, *b = other;

	return (a->definition > b->definition) - (a->definition < b->definition);
}

const json_t *schema_follow(struct schema_set *set, const json_t *definition, const json_t **document)
{
	const struct schema start = { .definition = definition, .document = *document };

	for (int hops = 0; hops < 16; hops++) {
		const json_t *reference = json_object_get(definition, "$ref"), *target_document = *document;
		const struct schema here = { .definition = definition, .document = *document };
		const json_t *target = NULL;

		if (!reference)
			return definition;
		if (json_object_size(definition) > 1) {
			schema_fail(set, &here, NULL, "a $ref stands alone: what is beside it would be ignored");
			return NULL;
		}
		if (json_is_string(reference))
			target = schema_resolve(set, json_string_value(reference), &target_document);
		if (!target) {
			schema_fail(set, &here, "$ref", "$ref '%s' points at nothing",
				json_is_string(reference) ? json_string_value(reference) : "(not a string)");
			return NULL;
		}
		definition = target;
		*document = target_document;
	}
	schema_fail(set, &start, NULL, "the chain of $ref has no end");
	return NULL;
}

static struct schema *add(struct schema_set *set, const json_t *definition, const json_t *document)
{
	struct schema *schema = arena_alloc(set->arena, sizeof *schema);

	*schema = (struct schema){ .definition = definition,
		.document = document,
		.set = set,
		.length.most = SIZE_MAX,
		.items_count.most = SIZE_MAX,
		.properties_count.most = SIZE_MAX };
	if (set->count == set->capacity) {
		set->capacity = set->capacity * 2 + 64;
		if (!(set->list = reallocarray(set->list, set->capacity, sizeof *set->list)))
			abort();
	}
	set->list[set->count++] = schema;
	if (!tsearch(schema, &set->by_definition, by_definition))
		abort();
	return schema;
}

struct schema *schema_compile(struct schema_set *set, const json_t *definition, const json_t *document)
{
	struct schema here = { .definition = definition, .document = document };
	struct schema *schema;
	void *known;
	bool good;

	if (!json_is_object(definition)) {
		schema_fail(set, &here, NULL, "a schema must be an object");
		return NULL;
	}
	if (!(here.definition = schema_follow(set, definition, &here.document)))
		return NULL;
	if ((known = tfind(&here, &set->by_definition, by_definition)))
		return *(struct schema **)known;
	if (!json_is_object(here.definition) || ++set->depth > SCHEMA_MAX_DEPTH) {
		schema_fail(set, &here, NULL,
			json_is_object(here.definition) ? "schemas are nested too deeply"
							: "a schema must be an object");
		return NULL;
	}
	schema = add(set, here.definition, here.document);
	good = schema_compile_keywords(schema);
	set->depth--;
	return good ? schema : NULL;
}

/* A reference that leads back to its own schema without going into a member or an item could be followed for ever. */
static bool check_endless(struct schema_set *set, struct schema *schema);

static bool check_endless_list(struct schema_set *set, const struct schema_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!check_endless(set, list->items[i]))
			return false;
	return true;
}

static bool check_endless(struct schema_set *set, struct schema *schema)
{
	enum { NEW, OPEN, DONE };

	if (schema->visit == DONE)
		return true;
	if (schema->visit == OPEN)
		return schema_fail(set, schema, NULL, "the schema refers to itself without an end");
	schema->visit = OPEN;
	if (!check_endless_list(set, &schema->all_of) || !check_endless_list(set, &schema->any_of) ||
		!check_endless_list(set, &schema->one_of) || (schema->inverse && !check_endless(set, schema->inverse)))
		return false;
	schema->visit = DONE;
	return true;
}

static bool check_default(struct schema_set *set, const struct schema *schema)
{
	json_auto_t *errors = json_array();
	const char *detail;

	if (!schema->fallback || schema_check(schema, schema->fallback, "", errors) == 0)
		return true;
	detail = json_string_value(json_object_get(json_array_get(errors, 0), "detail"));
	return schema_fail(set, schema, "default", "the default does not hold: %s", detail);
}

bool schema_set_finish(struct schema_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (!check_endless(set, set->list[i]))
			return false;
	for (size_t i = 0; i < set->count; i++)
		if (!check_default(set, set->list[i]))
			return false;
	return !set->failure;
}

struct schema *schema_new(
	const json_t *definition, const json_t *document, schema_resolver *resolve, void *context, char **ret_error)
{
	struct schema_set *set = schema_set_new(resolve, context);
	struct schema *schema = schema_compile(set, definition, document);

	*ret_error = NULL;
	if (schema && schema_set_finish(set))
		return schema;
	auto_free char *place = json_place(set->failed_in, set->failed_at, set->failed_key);
	if (asprintf(ret_error, "#%s: %s", place, set->failure) < 0)
		abort();
	schema_set_free(set);
	return NULL;
}

void schema_free(struct schema *schema)
{
	if (schema)
		schema_set_free(schema->set);
}
