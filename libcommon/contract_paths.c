/* Which operation a request is for: the path templates as a tree by segments. Matching walks it and allocates nothing.
 */
#include <string.h>
#include "contract_internal.h"

struct path_node {
	const char *segment; /* a literal; NULL in the root and in parameters */
	size_t length;
	struct path_node *literals, *next, *parameter;
	const struct contract_operation *operations[HTTP_METHODS];
	const char *names[CONTRACT_MAX_PATH_VALUES];
	size_t name_count;
	char *allow; /* set where a path ends */
};

static struct path_node *literal_of(const struct path_node *node, const char *segment, size_t length)
{
	for (struct path_node *child = node->literals; child; child = child->next)
		if (child->length == length && memcmp(child->segment, segment, length) == 0)
			return child;
	return NULL;
}

static struct path_node *enter_literal(struct arena *arena, struct path_node *node, const char *segment, size_t length)
{
	struct path_node *child = literal_of(node, segment, length);

	if (child)
		return child;
	child = arena_alloc(arena, sizeof *child);
	child->segment = segment;
	child->length = length;
	child->next = node->literals;
	node->literals = child;
	return child;
}

void paths_add(struct contract *contract, const struct contract_operation *operation, enum http_method method)
{
	struct arena *arena = contract->arena;
	const char *names[CONTRACT_MAX_PATH_VALUES];
	struct path_node *node;
	size_t count = 0, length;

	if (!contract->paths)
		contract->paths = arena_alloc(arena, sizeof *contract->paths);
	node = contract->paths;
	for (const char *slash = operation->path; *slash; slash += 1 + length) {
		length = strcspn(slash + 1, "/");
		if (slash[1] == '{') {
			names[count++] = arena_strndup(arena, slash + 2, length - 2);
			if (!node->parameter)
				node->parameter = arena_alloc(arena, sizeof *node);
			node = node->parameter;
		} else {
			node = enter_literal(arena, node, slash + 1, length);
		}
	}
	memcpy(node->names, names, count * sizeof *names);
	node->name_count = count;
	node->operations[method] = operation;
	node->allow = arena_alloc(arena, 64); /* all the methods have room in it */
}

static void finish(struct path_node *node)
{
	if (!node)
		return;
	if (!node->operations[HTTP_HEAD])
		node->operations[HTTP_HEAD] = node->operations[HTTP_GET];
	for (enum http_method method = 0; node->allow && method < HTTP_METHODS; method++)
		if (node->operations[method]) {
			if (*node->allow)
				strcat(node->allow, ", ");
			strcat(node->allow, http_methods[method]);
		}
	finish(node->parameter);
	finish(node->literals);
	finish(node->next);
}

void paths_finish(struct contract *contract)
{
	finish(contract->paths);
}

static const struct path_node *descend(
	const struct path_node *node, const char *slash, const char *end, struct path_values *values)
{
	const struct path_node *found = NULL, *child;
	const char *segment = slash + 1, *stop;
	size_t length;

	if (slash == end)
		return node->allow ? node : NULL;
	stop = memchr(segment, '/', (size_t)(end - segment));
	length = (size_t)((stop ? stop : end) - segment);
	if (length == 0)
		return NULL;
	child = literal_of(node, segment, length);
	if (child)
		found = descend(child, segment + length, end, values);
	if (found || !node->parameter)
		return found;
	values->values[values->count].value = segment;
	values->values[values->count].length = length;
	values->count++;
	found = descend(node->parameter, segment + length, end, values);
	if (!found)
		values->count--;
	return found;
}

static enum http_method method_of(const char *text)
{
	enum http_method method = 0;

	while (method < HTTP_METHODS && strcmp(http_methods[method], text) != 0)
		method++;
	return method;
}

const struct contract_operation *contract_match(const struct contract *contract, const char *method, const char *path,
	size_t path_length, struct path_values *ret_values, const char **ret_allow)
{
	const struct path_node *node = NULL;
	enum http_method number = method_of(method);

	ret_values->count = 0;
	*ret_allow = NULL;
	if (contract->paths && path_length > 0 && *path == '/')
		node = descend(contract->paths, path, path + path_length, ret_values);
	if (!node)
		return NULL;
	*ret_allow = node->allow;
	for (size_t i = 0; i < ret_values->count; i++)
		ret_values->values[i].name = node->names[i];
	return number < HTTP_METHODS ? node->operations[number] : NULL;
}

/* Both match some path, and neither is at least as literal as the other in every segment. */
bool paths_ambiguous(const char *one, const char *other)
{
	bool one_ahead = false, other_ahead = false;

	while (*one && *other) {
		size_t length = strcspn(one + 1, "/"), other_length = strcspn(other + 1, "/");
		bool is_parameter = one[1] == '{', other_is_parameter = other[1] == '{';

		if (!is_parameter && !other_is_parameter &&
			(length != other_length || strncmp(one, other, length + 1) != 0))
			return false;
		one_ahead |= !is_parameter && other_is_parameter;
		other_ahead |= is_parameter && !other_is_parameter;
		one += length + 1;
		other += other_length + 1;
	}
	return !*one && !*other && one_ahead == other_ahead;
}
