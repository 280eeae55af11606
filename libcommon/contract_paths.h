/* Which operation a request is for: path templates, those of one contract or of many, as a tree by segments. It is
 * built once and immutable afterwards; finding walks it and allocates nothing. */
#pragma once
#include "arena.h"
#include "contract.h"

struct path_tree;

struct path_tree *path_tree_new(struct arena *arena);

/* template ("/dossier/v1/practices/{practiceId}", borrowed) is well formed. what NULL: the path is there, and keeps
 * more general ones from matching, but has nothing for this method. */
void path_tree_add(struct path_tree *tree, const char *template, const char *method, const void *what);
/* After the last one: HEAD finds GET, and each path knows its methods. */
void path_tree_finish(struct path_tree *tree);

/* As contract_match() says. */
const void *path_tree_find(const struct path_tree *tree, const char *method, const char *path, size_t length,
	struct path_values *ret_values, const char **ret_allow);

/* Both match some path, and neither is at least as literal as the other in every segment. */
bool paths_ambiguous(const char *one, const char *other);
