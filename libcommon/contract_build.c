/* From the document of a contract to its operations: the root, the paths, the components, and every reference in every
 * file that is involved. What an operation holds is read by contract_operation.c. */
#include <stdlib.h>
#include <string.h>
#include "contract_internal.h"

static const char *text_of(struct located at, const char *key)
{
	return json_string_value(json_object_get(at.value, key));
}

/* https://api.portico.example/dossier/v1 → /dossier/v1 */
static bool read_base_path(struct builder *b, struct located root)
{
	const json_t *server = json_array_get(json_object_get(root.value, "servers"), 0);
	const char *url = json_string_value(json_object_get(server, "url"));
	const char *host = url ? strstr(url, "://") : NULL;
	char *base;
	size_t length;

	if (!url)
		return builder_fail(b, root, "servers", "servers[0].url must say where the API is");
	base = arena_strdup(b->contract->arena, host ? host + 3 + strcspn(host + 3, "/") : url);
	length = strlen(base);
	if (length && base[length - 1] == '/')
		base[--length] = '\0';
	if (strpbrk(base, "{}?#%") || strstr(base, "//") || (*base && *base != '/'))
		return builder_fail(b, root, "servers", "servers[0].url must end with a plain base path");
	b->contract->base_path = base;
	return true;
}

static bool read_head(struct builder *b, struct located root)
{
	static const char *const known[] = { "openapi", "info", "servers", "paths", "components", "security", "tags",
		"externalDocs", NULL };
	const char *openapi = text_of(root, "openapi");
	struct located info;

	if (!builder_keys(b, root, "the contract", known))
		return false;
	if (!openapi || strncmp(openapi, "3.0.", 4) != 0)
		return builder_fail(b, root, "openapi", "only OpenAPI 3.0 is understood");
	if (!builder_member(b, root, "info", &info))
		return false;
	b->contract->version = info.value ? text_of(info, "version") : NULL;
	if (!b->contract->version)
		return builder_fail(b, root, "info", "info.version is missing");
	return read_base_path(b, root);
}

static const char *const item_keys[] = { "get", "head", "post", "put", "patch", "delete", "options", "summary",
	"description", "parameters", NULL };

static size_t count_operations(const json_t *paths)
{
	const char *path;
	json_t *item;
	size_t count = 0;

	json_object_foreach((json_t *)paths, path, item) count += HTTP_METHODS;
	return count;
}

static bool is_template(const char *path)
{
	size_t length = strlen(path);

	return *path == '/' && length > 1 && path[length - 1] != '/' && !strstr(path, "//") && !strpbrk(path, "?#% ");
}

/* Braces enclose whole segments: /practices/{practiceId}. */
static bool has_whole_parameters(const char *path)
{
	size_t parameters = 0;

	for (const char *segment = path; *segment == '/';) {
		size_t length = strcspn(segment + 1, "/"), braces = 0;
		bool whole = length > 2 && segment[1] == '{' && segment[length] == '}';

		for (size_t i = 1; i <= length; i++)
			braces += segment[i] == '{' || segment[i] == '}';
		if (braces != (whole ? 2 : 0))
			return false;
		parameters += whole;
		segment += 1 + length;
	}
	return parameters <= CONTRACT_MAX_PATH_VALUES;
}

static bool check_path(struct builder *b, struct located paths, const char *path)
{
	const char *other;
	json_t *item;

	if (!is_template(path))
		return builder_fail(
			b, paths, path, "a path begins with a slash and has no empty segment, query or escape");
	if (!has_whole_parameters(path))
		return builder_fail(b, paths, path, "a path parameter is a whole segment, and there are at most %d",
			CONTRACT_MAX_PATH_VALUES);
	json_object_foreach((json_t *)paths.value, other, item)
	{
		if (strcmp(other, path) == 0)
			break;
		if (paths_ambiguous(other, path))
			return builder_fail(b, paths, path, "the path is ambiguous with '%s'", other);
	}
	return true;
}

static bool read_operation(
	struct builder *b, const char *path, enum http_method method, struct located item, struct located at)
{
	struct contract *contract = b->contract;
	struct contract_operation *operation = &contract->operations[contract->operation_count];

	*operation = (struct contract_operation){ .method = http_methods[method],
		.id = text_of(at, "operationId"),
		.path = arena_printf(contract->arena, "%s%s", contract->base_path, path) };
	if (!operation->id)
		return builder_fail(b, at, NULL, "the operation has no operationId");
	if (contract_operation_by_id(contract, operation->id))
		return builder_fail(b, at, "operationId", "the operationId '%s' is there twice", operation->id);
	if (!operation_build(b, operation, item, at))
		return false;
	contract->operation_count++;
	path_tree_add(contract->paths, operation->path, operation->method, operation);
	return true;
}

static bool read_path_item(struct builder *b, struct located paths, const char *path, struct located item)
{
	static const char *const keys[HTTP_METHODS] = { "get", "head", "post", "put", "patch", "delete", "options" };

	if (!builder_keys(b, item, "the path", item_keys) || !check_path(b, paths, path))
		return false;
	for (enum http_method method = 0; method < HTTP_METHODS; method++) {
		struct located at = { json_object_get(item.value, keys[method]), item.document };

		if (at.value && !read_operation(b, path, method, item, at))
			return false;
	}
	return true;
}

static bool read_paths(struct builder *b, struct located root)
{
	struct located paths;
	const char *path;
	json_t *item;

	if (!builder_member(b, root, "paths", &paths))
		return false;
	if (!paths.value)
		return builder_fail(b, root, NULL, "the contract has no paths");
	b->contract->operations =
		arena_alloc(b->contract->arena, (count_operations(paths.value) + 1) * sizeof *b->contract->operations);
	json_object_foreach((json_t *)paths.value, path, item)
	{
		struct located at;

		if (strncmp(path, "x-", 2) == 0)
			continue;
		if (!builder_member(b, paths, path, &at) || !read_path_item(b, paths, path, at))
			return false;
	}
	path_tree_finish(b->contract->paths);
	return true;
}

/* Also what no operation uses is checked, or it would break the first that does. */
static bool read_components(struct builder *b, struct located root)
{
	static const char *const known[] = { "schemas", "responses", "parameters", "examples", "requestBodies",
		"headers", "securitySchemes", "links", NULL };
	struct located components, schemas;
	const char *name;
	json_t *definition;

	if (!builder_member(b, root, "components", &components))
		return false;
	if (!components.value)
		return true;
	if (!builder_keys(b, components, "the components", known) ||
		!builder_member(b, components, "schemas", &schemas))
		return false;
	json_object_foreach((json_t *)schemas.value, name,
		definition) if (!builder_schema(b, (struct located){ definition, schemas.document })) return false;
	return true;
}

/* Every $ref of a file, wherever it stands, must lead somewhere. Depth is bounded by the reader of the files. */
static bool check_references(struct builder *b, struct located at)
{
	const char *key;
	json_t *member;
	size_t index;

	if (json_is_string(json_object_get(at.value, "$ref"))) {
		struct located target = at;

		return builder_follow(b, &target);
	}
	json_object_foreach((json_t *)at.value, key,
		member) if (!check_references(b, (struct located){ member, at.document })) return false;
	json_array_foreach(at.value, index,
		member) if (!check_references(b, (struct located){ member, at.document })) return false;
	return true;
}

/* Looking into a file may open the next one. */
static bool check_all_references(struct builder *b)
{
	const json_t *root;

	for (int i = 0; (root = documents_root(b->contract->documents, i)); i++)
		if (!check_references(b, (struct located){ root, root }))
			return false;
	return true;
}

bool contract_build(struct builder *b)
{
	struct located root = { b->contract->root, b->contract->root };

	return read_head(b, root) && read_paths(b, root) && read_components(b, root) && check_all_references(b);
}
