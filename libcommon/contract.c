/* A contract as a whole: loaded, asked for its operations, freed. The parts are read by contract_build.c and
 * contract_operation.c; a contract is complete or there is none. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "contract_internal.h"

const char *const http_methods[HTTP_METHODS] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

bool builder_fail(struct builder *b, struct located at, const char *key, const char *format, ...)
{
	auto_free char *reason = NULL;
	auto_free char *place = NULL;
	va_list args;

	if (b->error)
		return false;
	va_start(args, format);
	if (vasprintf(&reason, format, args) < 0)
		abort();
	va_end(args);
	place = documents_place(b->contract->documents, at.document, at.value, key);
	if (asprintf(&b->error, "%s: %s", place, reason) < 0)
		abort();
	return false;
}

/* A failure of the schema compiler, told in the words and with the place that it kept. */
static bool schemas_failed(struct builder *b)
{
	const struct schema_set *set = b->contract->schemas;
	const struct located at = { set->failed_at, set->failed_in };
	const char *unreadable = documents_failure(b->contract->documents);

	if (unreadable)
		return builder_fail(b, at, set->failed_key, "%s (%s)", set->failure, unreadable);
	return builder_fail(b, at, set->failed_key, "%s", set->failure);
}

bool builder_follow(struct builder *b, struct located *at)
{
	at->value = schema_follow(b->contract->schemas, at->value, &at->document);
	return at->value || schemas_failed(b);
}

struct schema *builder_schema(struct builder *b, struct located at)
{
	struct schema *schema = schema_compile(b->contract->schemas, at.value, at.document);

	if (!schema)
		schemas_failed(b);
	return schema;
}

bool builder_keys(struct builder *b, struct located at, const char *what, const char *const *known)
{
	const char *key;
	json_t *value;

	if (!json_is_object(at.value))
		return builder_fail(b, at, NULL, "%s must be an object", what);
	json_object_foreach((json_t *)at.value, key, value)
	{
		const char *const *word = known;

		while (*word && strcmp(*word, key) != 0)
			word++;
		if (!*word && strncmp(key, "x-", 2) != 0)
			return builder_fail(b, at, key, "unknown keyword '%s' in %s", key, what);
	}
	return true;
}

bool builder_member(struct builder *b, struct located at, const char *key, struct located *ret)
{
	*ret = (struct located){ json_object_get(at.value, key), at.document };
	if (ret->value && !json_is_object(ret->value))
		return builder_fail(b, at, key, "'%s' must be an object", key);
	return !ret->value || builder_follow(b, ret);
}

struct contract *contract_load(const char *directory, const char *name, char **ret_error)
{
	struct arena *arena = arena_new();
	struct contract *contract = arena_alloc(arena, sizeof *contract);
	struct builder b = { .contract = contract };
	auto_free char *path = NULL;

	if (asprintf(&path, "%s/%s.yaml", directory, name) < 0)
		abort();
	contract->arena = arena;
	contract->documents = documents_new();
	contract->schemas = schema_set_new(documents_resolve, contract->documents);
	contract->paths = path_tree_new(arena);
	contract->name = arena_strdup(arena, name);
	contract->root = documents_open(contract->documents, path);
	if (!contract->root)
		b.error = strdup(documents_failure(contract->documents));
	*ret_error = NULL;
	if (contract->root && contract_build(&b) && (schema_set_finish(contract->schemas) || schemas_failed(&b)))
		return contract;
	*ret_error = b.error;
	contract_free(contract);
	return NULL;
}

void contract_free(struct contract *contract)
{
	struct arena *arena;

	if (!contract)
		return;
	arena = contract->arena;
	schema_set_free(contract->schemas);
	documents_free(contract->documents);
	arena_free(arena);
}

const char *contract_name(const struct contract *contract)
{
	return contract->name;
}

const char *contract_base_path(const struct contract *contract)
{
	return contract->base_path;
}

const char *contract_version(const struct contract *contract)
{
	return contract->version;
}

const json_t *contract_document(const struct contract *contract)
{
	return contract->root;
}

const json_t *contract_file(const struct contract *contract, int index, const char **ret_path)
{
	*ret_path = documents_path(contract->documents, index);
	return documents_root(contract->documents, index);
}

const struct contract_operation *contract_operations(const struct contract *contract, size_t *ret_count)
{
	*ret_count = contract->operation_count;
	return contract->operations;
}

const struct contract_operation *contract_match(const struct contract *contract, const char *method, const char *path,
	size_t path_length, struct path_values *ret_values, const char **ret_allow)
{
	return path_tree_find(contract->paths, method, path, path_length, ret_values, ret_allow);
}

const struct contract_operation *contract_operation_by_id(const struct contract *contract, const char *id)
{
	for (size_t i = 0; i < contract->operation_count; i++)
		if (strcmp(contract->operations[i].id, id) == 0)
			return &contract->operations[i];
	return NULL;
}
