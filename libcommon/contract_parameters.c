/* Parameters of path, query and header: read from the contract once, then checked in every request. Only the styles of
 * OpenAPI that one text holds are supported: simple in path and header, form without explode in the query. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "contract_internal.h"

static const char *const place_names[] = { "path", "query", "header" };

static bool read_place(struct builder *b, struct located at, struct contract_parameter *parameter)
{
	const char *in = json_string_value(json_object_get(at.value, "in"));

	for (size_t i = 0; in && i < sizeof place_names / sizeof *place_names; i++)
		if (strcmp(in, place_names[i]) == 0) {
			parameter->place = (enum parameter_place)i;
			return true;
		}
	return builder_fail(b, at, "in", "'in' must be path, query or header");
}

static bool check_style(struct builder *b, struct located at, const struct contract_parameter *parameter)
{
	const char *style = json_string_value(json_object_get(at.value, "style"));
	enum schema_type type = schema_text_type(parameter->schema);
	bool exploded = json_is_true(json_object_get(at.value, "explode"));

	if (style && strcmp(style, parameter->place == IN_QUERY ? "form" : "simple") != 0)
		return builder_fail(b, at, "style", "the style '%s' is not supported here", style);
	if (type == TYPE_OBJECT)
		return builder_fail(b, at, "schema", "a parameter cannot be an object");
	if (parameter->place == IN_QUERY && type == TYPE_ARRAY && !json_is_false(json_object_get(at.value, "explode")))
		return builder_fail(
			b, at, NULL, "an array in the query needs 'explode: false': it is sent with commas");
	if (exploded && type == TYPE_ARRAY && parameter->place != IN_QUERY)
		return builder_fail(b, at, "explode", "'explode' is not supported here");
	return true;
}

static bool read_parameter(struct builder *b, struct located at, struct contract_parameter *parameter)
{
	static const char *const known[] = { "name", "in", "description", "required", "deprecated", "schema", "example",
		"examples", "style", "explode", NULL };
	const json_t *schema = json_object_get(at.value, "schema");

	if (!builder_keys(b, at, "the parameter", known) || !read_place(b, at, parameter))
		return false;
	parameter->name = json_string_value(json_object_get(at.value, "name"));
	parameter->required = json_is_true(json_object_get(at.value, "required"));
	if (!parameter->name || !*parameter->name)
		return builder_fail(b, at, NULL, "the parameter has no name");
	if (!schema)
		return builder_fail(b, at, NULL, "the parameter '%s' has no schema", parameter->name);
	if (parameter->place == IN_PATH && !parameter->required)
		return builder_fail(b, at, NULL, "the path parameter '%s' must be required: true", parameter->name);
	if (!(parameter->schema = builder_schema(b, (struct located){ schema, at.document })))
		return false;
	parameter->name_length = strlen(parameter->name);
	parameter->fallback = schema_fallback(parameter->schema);
	schema_prepare_text(parameter->schema);
	return check_style(b, at, parameter);
}

static bool is_same(const struct contract_parameter *one, const struct contract_parameter *other)
{
	if (one->place != other->place)
		return false;
	return one->place == IN_HEADER ? strcasecmp(one->name, other->name) == 0 : strcmp(one->name, other->name) == 0;
}

/* Adds the parameters of one list. Those of the operation come first, so that the path's own stand back behind them. */
static bool read_list(struct builder *b, struct contract_operation *operation, struct contract_parameter *parameters,
	struct located holder, bool of_path, json_t *found)
{
	const json_t *list = json_object_get(holder.value, "parameters");
	size_t index, first = operation->parameter_count;
	json_t *definition;

	if (list && !json_is_array(list))
		return builder_fail(b, holder, "parameters", "'parameters' must be an array");
	json_array_foreach(list, index, definition)
	{
		struct contract_parameter *parameter = &parameters[operation->parameter_count];
		struct located at = { definition, holder.document };
		size_t twin = 0;

		if (!builder_follow(b, &at) || !read_parameter(b, at, parameter))
			return false;
		while (twin < operation->parameter_count && !is_same(&parameters[twin], parameter))
			twin++;
		if (twin < operation->parameter_count && of_path && twin < first)
			continue;
		if (twin < operation->parameter_count)
			return builder_fail(
				b, holder, "parameters", "the parameter '%s' is there twice", parameter->name);
		operation->parameter_count++;
		operation->idempotent |=
			parameter->place == IN_HEADER && strcasecmp(parameter->name, "Idempotency-Key") == 0;
		json_array_append(found, (json_t *)at.value);
	}
	return true;
}

static bool in_template(const char *path, const char *name)
{
	size_t length = strlen(name);

	for (const char *brace = strchr(path, '{'); brace; brace = strchr(brace + 1, '{'))
		if (strncmp(brace + 1, name, length) == 0 && brace[1 + length] == '}')
			return true;
	return false;
}

static bool is_declared(const struct contract_operation *operation, const char *name, size_t length)
{
	for (size_t i = 0; i < operation->parameter_count; i++) {
		const struct contract_parameter *parameter = &operation->parameters[i];

		if (parameter->place == IN_PATH && strncmp(parameter->name, name, length) == 0 &&
			!parameter->name[length])
			return true;
	}
	return false;
}

/* The template and the declarations name the same path parameters, each once. */
static bool check_template(struct builder *b, const struct contract_operation *operation, struct located at)
{
	size_t in_path = 0, declared = 0;

	for (size_t i = 0; i < operation->parameter_count; i++) {
		const struct contract_parameter *parameter = &operation->parameters[i];

		declared += parameter->place == IN_PATH;
		if (parameter->place == IN_PATH && !in_template(operation->path, parameter->name))
			return builder_fail(b, at, NULL, "the path has no {%s}, which is declared", parameter->name);
	}
	for (const char *brace = strchr(operation->path, '{'); brace; brace = strchr(brace + 1, '{')) {
		size_t length = strcspn(brace + 1, "}");

		in_path++;
		if (!is_declared(operation, brace + 1, length))
			return builder_fail(
				b, at, NULL, "the path parameter {%.*s} is not declared", (int)length, brace + 1);
	}
	return in_path == declared || builder_fail(b, at, NULL, "a path parameter is twice in the path");
}

bool operation_parameters(struct builder *b, struct contract_operation *operation, struct located item,
	struct located at, json_t *definition)
{
	size_t most = json_array_size(json_object_get(item.value, "parameters")) +
		      json_array_size(json_object_get(at.value, "parameters"));
	struct contract_parameter *parameters = arena_alloc(b->contract->arena, (most + 1) * sizeof *parameters);
	json_auto_t *found = json_array();

	operation->parameters = parameters;
	if (!read_list(b, operation, parameters, at, false, found) ||
		!read_list(b, operation, parameters, item, true, found))
		return false;
	json_object_set(definition, "parameters", found);
	return check_template(b, operation, at);
}

static void add_error(
	json_t *errors, const char *name, enum parameter_place place, const char *code, const char *detail)
{
	if (json_array_size(errors) < SCHEMA_MAX_ERRORS)
		json_array_append_new(errors, json_pack("{s:s, s:s, s:s, s:s}", "parameter", name, "in",
						      place_names[place], "code", code, "detail", detail));
}

static char *path_value(const struct path_values *values, const char *name)
{
	for (size_t i = 0; i < values->count; i++)
		if (strcmp(values->values[i].name, name) == 0)
			return strndup(values->values[i].value, values->values[i].length);
	return NULL;
}

static void check_one(const struct contract_parameter *parameter, const char *text, json_t *found, json_t *errors)
{
	size_t first = json_array_size(errors);
	json_t *value = NULL, *error;

	if (!text && parameter->required) {
		add_error(errors, parameter->name, parameter->place, "required", "is missing");
		return;
	}
	schema_check_text(parameter->schema, text, parameter->name, errors, &value);
	for (; (error = json_array_get(errors, first)); first++)
		json_object_set_new(error, "in", json_string(place_names[parameter->place]));
	if (value)
		json_object_set_new(found, parameter->name, value);
}

static bool is_query_parameter(const struct contract_operation *operation, const char *name)
{
	for (size_t i = 0; i < operation->parameter_count; i++)
		if (operation->parameters[i].place == IN_QUERY && strcmp(operation->parameters[i].name, name) == 0)
			return true;
	return false;
}

static void check_names(const struct contract_operation *operation, const char *const *names, json_t *errors)
{
	for (const char *const *name = names; name && *name; name++) {
		size_t earlier = 0;

		while (&names[earlier] < name && strcmp(names[earlier], *name) != 0)
			earlier++;
		if (!is_query_parameter(operation, *name)) {
			if (!operation->open_query)
				add_error(errors, *name, IN_QUERY, "unknown", "is not a parameter of this operation");
		} else if (&names[earlier] < name) {
			add_error(errors, *name, IN_QUERY, "repeated", "may be sent only once");
		}
	}
}

json_t *contract_check_parameters(const struct contract_operation *operation, const struct path_values *values,
	const char *const *query_names, contract_lookup *lookup, void *context, json_t *errors)
{
	json_t *found = json_object();

	check_names(operation, query_names, errors);
	for (size_t i = 0; i < operation->parameter_count; i++) {
		const struct contract_parameter *parameter = &operation->parameters[i];
		auto_free char *in_path = parameter->place == IN_PATH ? path_value(values, parameter->name) : NULL;
		const char *text =
			parameter->place == IN_PATH ? in_path : lookup(context, parameter->place, parameter->name);

		check_one(parameter, text, found, errors);
	}
	return found;
}
