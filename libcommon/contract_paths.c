/* The tree of path templates. A literal segment goes before a parameter, as OpenAPI wants. */
#include "contract_paths.h"
#include <string.h>
#include "contract_internal.h"

struct path_node {
	const char *segment; /* a literal; NULL in the root and in parameters */
	size_t length;
	struct path_node *literals, *next, *parameter;
	bool ends; /* a path ends here */
	const void *found[HTTP_METHODS];
	const char *names[CONTRACT_MAX_PATH_VALUES];
	char allow[48]; /* all the methods have room in it */
};

struct path_tree {
	struct arena *arena;
	struct path_node root;
};

struct path_tree *path_tree_new(struct arena *arena)
{
	struct path_tree *tree = arena_alloc(arena, sizeof *tree);

	tree->arena = arena;
	return tree;
}

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

/* HTTP_METHODS when it is none of them. */
static enum http_method method_of(const char *text)
{
	enum http_method method = 0;

	while (method < HTTP_METHODS && strcmp(http_methods[method], text) != 0)
		method++;
	return method;
}

void path_tree_add(struct path_tree *tree, const char *template, const char *method, const void *what)
{
	const char *names[CONTRACT_MAX_PATH_VALUES];
	struct path_node *node = &tree->root;
	size_t count = 0, length;

	for (const char *slash = template; *slash; slash += 1 + length) {
		length = strcspn(slash + 1, "/");
		if (slash[1] == '{') {
			names[count++] = arena_strndup(tree->arena, slash + 2, length - 2);
			if (!node->parameter)
				node->parameter = arena_alloc(tree->arena, sizeof *node);
			node = node->parameter;
		} else {
			node = enter_literal(tree->arena, node, slash + 1, length);
		}
	}
	memcpy(node->names, names, count * sizeof *names);
	node->ends = true;
	node->found[method_of(method)] = what;
}

static void finish(struct path_node *node)
{
	if (!node)
		return;
	if (!node->found[HTTP_HEAD])
		node->found[HTTP_HEAD] = node->found[HTTP_GET];
	for (enum http_method method = 0; method < HTTP_METHODS; method++)
		if (node->found[method]) {
			if (*node->allow)
				strcat(node->allow, ", ");
			strcat(node->allow, http_methods[method]);
		}
	finish(node->parameter);
	finish(node->literals);
	finish(node->next);
}

void path_tree_finish(struct path_tree *tree)
{
	finish(&tree->root);
}

static const struct path_node *descend(
	const struct path_node *node, const char *slash, const char *end, struct path_values *values)
{
	const struct path_node *found = NULL, *child;
	const char *segment = slash + 1, *stop;
	size_t length;

	if (slash == end)
		return node->ends ? node : NULL;
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

const void *path_tree_find(const struct path_tree *tree, const char *method, const char *path, size_t length,
	struct path_values *ret_values, const char **ret_allow)
{
	const struct path_node *node = NULL;
	enum http_method number = method_of(method);

	ret_values->count = 0;
	*ret_allow = NULL;
	if (length > 0 && *path == '/')
		node = descend(&tree->root, path, path + length, ret_values);
	if (!node || !*node->allow)
		return NULL;
	*ret_allow = node->allow;
	for (size_t i = 0; i < ret_values->count; i++)
		ret_values->values[i].name = node->names[i];
	return number < HTTP_METHODS ? node->found[number] : NULL;
}

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
