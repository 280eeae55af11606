/* `discriminator` and the choice among alternatives (anyOf, oneOf): which schema a value is meant for, and one clear
 * error when it is none. */
#include <stdlib.h>
#include <string.h>
#include "schema_internal.h"
#include "scope.h"

enum { MAX_GENERATIONS = 4 };

/* By allOf, also through others. */
static bool extends(struct schema_set *set, const json_t *child, const json_t *document, const struct schema *parent,
	int generations)
{
	size_t index;
	json_t *member;

	json_array_foreach(json_object_get(child, "allOf"), index, member)
	{
		const json_t *home = document;
		const json_t *base = json_is_object(member) ? schema_follow(set, member, &home) : NULL;

		if (base == parent->definition ||
			(generations > 1 && extends(set, base, home, parent, generations - 1)))
			return true;
	}
	return false;
}

static struct schema *mapped(const struct schema_discriminator *d, const char *value)
{
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->mapping[i].name, value) == 0)
			return d->mapping[i].schema;
	return NULL;
}

static void add(struct schema_discriminator *d, const char *value, struct schema *schema)
{
	if (!mapped(d, value))
		d->mapping[d->count++] = (struct schema_property){ value, schema };
}

static bool is_alternative(const struct schema_list *list, const struct schema *schema)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == schema)
			return true;
	return false;
}

/* An entry of `mapping` is a $ref, or the bare name of a component. */
static bool add_explicit(struct schema *schema, struct schema_discriminator *d, const char *value, const char *ref)
{
	struct schema_set *set = schema->set;
	const json_t *document = schema->document, *target = NULL;
	struct schema *chosen;

	if (ref && !strpbrk(ref, "#/"))
		ref = arena_printf(set->arena, "#/components/schemas/%s", ref);
	if (ref)
		target = schema_resolve(set, ref, &document);
	if (!target)
		return schema_fail(set, schema, "discriminator", "the mapping of '%s' points at nothing", value);
	if (!(chosen = schema_compile(set, target, document)))
		return false;
	if (d->alternatives ? !is_alternative(&schema->one_of, chosen) && !is_alternative(&schema->any_of, chosen)
			    : chosen != schema &&
				      !extends(set, chosen->definition, chosen->document, schema, MAX_GENERATIONS))
		return schema_fail(
			set, schema, "discriminator", "the mapping of '%s' is not one of the alternatives", value);
	add(d, value, chosen);
	return true;
}

static bool add_alternatives(
	struct schema *schema, struct schema_discriminator *d, const char *key, const struct schema_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const json_t *definition = json_array_get(json_object_get(schema->definition, key), i);

		if (!json_object_get(definition, "$ref"))
			return schema_fail(
				schema->set, schema, key, "with a discriminator every alternative is a $ref");
		add(d, list->names[i], list->items[i]);
	}
	return true;
}

/* Without alternatives: the components of the same file that extend this one, and itself, by their names. */
static bool add_heirs(struct schema *schema, struct schema_discriminator *d)
{
	const json_t *components = json_object_get(json_object_get(schema->document, "components"), "schemas");
	const char *name;
	json_t *definition;

	json_object_foreach((json_t *)components, name, definition)
	{
		if (definition != schema->definition &&
			!extends(schema->set, definition, schema->document, schema, MAX_GENERATIONS))
			continue;
		struct schema *heir = schema_compile(schema->set, definition, schema->document);

		if (!heir)
			return false;
		add(d, name, heir);
	}
	return true;
}

bool schema_compile_discriminator(struct schema *schema, const json_t *argument)
{
	struct schema_set *set = schema->set;
	const json_t *mapping = json_object_get(argument, "mapping"), *ref;
	struct schema_discriminator *d = arena_alloc(set->arena, sizeof *d);
	const json_t *components = json_object_get(json_object_get(schema->document, "components"), "schemas");
	const char *value;

	d->property = json_string_value(json_object_get(argument, "propertyName"));
	if (!d->property || json_object_size(argument) != 1 + (mapping != NULL) ||
		(mapping && !json_is_object(mapping)))
		return schema_fail(set, schema, "discriminator",
			"'discriminator' must have propertyName and may have a mapping object");
	d->alternatives = schema->one_of.count || schema->any_of.count;
	d->mapping = arena_alloc(
		set->arena, sizeof *d->mapping * (json_object_size(mapping) + schema->one_of.count +
							 schema->any_of.count + json_object_size(components)));
	json_object_foreach((json_t *)mapping, value,
		ref) if (!add_explicit(schema, d, value, json_string_value(ref))) return false;
	if (d->alternatives ? !add_alternatives(schema, d, "oneOf", &schema->one_of) ||
				      !add_alternatives(schema, d, "anyOf", &schema->any_of)
			    : !add_heirs(schema, d))
		return false;
	schema->discriminator = d;
	return true;
}

static char *names_of(const struct schema_list *list)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	for (size_t i = 0; i < list->count; i++)
		if (list->names[i])
			fprintf(out, "%s%s", i ? ", " : "", list->names[i]);
		else
			fprintf(out, "%salternative %zu", i ? ", " : "", i + 1);
	fclose(out);
	return text;
}

/* The only alternative that takes values of this kind: its own errors then say more than "none of these". */
static const struct schema *only_candidate(const struct schema_list *list, const json_t *value)
{
	const struct schema *candidate = NULL;

	for (size_t i = 0; i < list->count; i++) {
		if (!schema_takes(list->items[i], value))
			continue;
		if (candidate)
			return NULL;
		candidate = list->items[i];
	}
	return candidate;
}

static void run_list(struct schema_check *c, const struct schema_list *list, bool exactly_one, const json_t *value,
	const struct place *place, struct schema_scope scope)
{
	const char *code = exactly_one ? "oneOf" : "anyOf";
	const struct schema *candidate;
	size_t matches = 0;

	for (size_t i = 0; i < list->count && matches < (exactly_one ? 2 : 1); i++)
		matches += schema_matches(c, list->items[i], value, place, scope);
	if (matches == 1)
		return;
	if (!c->errors) {
		c->found++;
		return;
	}
	auto_free char *names = names_of(list);
	if (matches > 1) {
		schema_error(c, place, code, "must match exactly one of, and matches several: %s", names);
		return;
	}
	schema_error(c, place, code, "must match %s of: %s", exactly_one ? "exactly one" : "at least one", names);
	candidate = only_candidate(list, value);
	if (candidate)
		schema_run(c, candidate, value, place, scope);
}

static const struct schema *choose(
	struct schema_check *c, const struct schema_discriminator *d, const json_t *value, const struct place *place)
{
	const json_t *member = json_object_get(value, d->property);
	struct place at = { .up = place, .key = d->property };
	const struct schema *chosen;
	char known[400] = "";

	if (!member) {
		schema_error(c, &at, "required", "is missing: it tells which kind this is");
		return NULL;
	}
	chosen = json_is_string(member) ? mapped(d, json_string_value(member)) : NULL;
	if (chosen)
		return chosen;
	for (size_t i = 0, used = 0; c->errors && i < d->count && used < sizeof known; i++)
		used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", d->mapping[i].name);
	schema_error(c, &at, "discriminator", "must be one of: %s", known);
	return NULL;
}

void schema_run_alternatives(struct schema_check *c, const struct schema *schema, const json_t *value,
	const struct place *place, struct schema_scope scope)
{
	const struct schema_discriminator *d = schema->discriminator;

	if (d && d->alternatives && json_is_object(value)) {
		const struct schema *chosen = choose(c, d, value, place);

		if (chosen)
			schema_run(c, chosen, value, place, scope);
		return;
	}
	if (schema->any_of.count)
		run_list(c, &schema->any_of, false, value, place, scope);
	if (schema->one_of.count)
		run_list(c, &schema->one_of, true, value, place, scope);
}

const struct schema *schema_choose_heir(
	struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place)
{
	return choose(c, schema->discriminator, value, place);
}
