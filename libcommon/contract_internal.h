/* What the parts of the contract share: contract_yaml.c reads, contract_documents.c finds, contract_build.c and
 * contract_operation.c understand, contract_paths.c matches, contract_parameters.c checks. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include "arena.h"
#include "contract.h"
#include "contract_paths.h"
#include "contract_yaml.h"
#include "schema_internal.h"
#include "scope.h"

struct documents *documents_new(void);
void documents_free(struct documents *documents);
/* The root of a file, owned by documents; NULL when it cannot be read, and documents_failure() says why. */
const json_t *documents_open(struct documents *documents, const char *path);
/* The files in the order they were opened; NULL after the last. */
const json_t *documents_root(const struct documents *documents, int index);
/* The real path of the same. */
const char *documents_path(const struct documents *documents, int index);
const char *documents_failure(const struct documents *documents);
/* "openapi/dossier.yaml#/paths/~1practices/get" for a node of the document (the caller owns it). */
char *documents_place(const struct documents *documents, const json_t *root, const json_t *node, const char *key);
schema_resolver documents_resolve;

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS, HTTP_METHODS };
extern const char *const http_methods[HTTP_METHODS];

struct contract {
	struct arena *arena;
	struct documents *documents;
	struct schema_set *schemas;
	const json_t *root;
	const char *name, *base_path, *version;
	struct contract_operation *operations;
	size_t operation_count;
	struct path_tree *paths;
};

/* A value and the file that it stands in: what a $ref inside of it is relative to. */
struct located {
	const json_t *value, *document;
};

struct builder {
	struct contract *contract;
	char *error;
};

/* Keeps the first error, placed at key (or at the node itself when NULL) of node. Always false. */
bool builder_fail(struct builder *b, struct located at, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Steps over $ref, so that at->value is the thing itself. */
bool builder_follow(struct builder *b, struct located *at);
/* Is at an object whose keys are all in the list (which ends with NULL) or begin with x-? */
bool builder_keys(struct builder *b, struct located at, const char *what, const char *const *known);
struct schema *builder_schema(struct builder *b, struct located at);
/* Follows a member that must be an object; absent is allowed and gives value NULL. */
bool builder_member(struct builder *b, struct located at, const char *key, struct located *ret);

/* Fills in one operation from its definition. item is the path item, whose parameters hold for all its operations. */
bool operation_build(struct builder *b, struct contract_operation *operation, struct located item, struct located at);
bool operation_answers(struct builder *b, struct contract_operation *operation, struct located at, json_t *definition);
bool operation_media_type(struct builder *b, struct located media, const char *name, struct schema **ret_schema);
bool operation_security(struct builder *b, struct contract_operation *operation, struct located at);

/* Those of the operation and of its path item; definition gets them with their $ref followed. */
bool operation_parameters(struct builder *b, struct contract_operation *operation, struct located item,
	struct located at, json_t *definition);
bool contract_build(struct builder *b);
