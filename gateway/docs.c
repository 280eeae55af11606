/* Copies what the contracts were read from, takes out what nobody outside may see, and writes it as JSON, which is
 * YAML, too. References between files stay what they are, but for the ending of the name. */
#include "docs.h"
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arena.h"
#include "scope.h"

enum { MAX_FILES = 128 };

struct docs {
	struct arena *arena;
	char *folder; /* real path */
	json_t *items;
	const char *list;
	size_t count;
	struct file {
		const char *name, *text;
	} files[MAX_FILES];
};

/* "partners-acqua.json" for /srv/openapi/partners/acqua.yaml; NULL for what is not in the folder. */
static const char *name_of(const struct docs *docs, const char *real)
{
	size_t folder = strlen(docs->folder), length = strlen(real);
	char *name;

	if (strncmp(real, docs->folder, folder) != 0 || real[folder] != '/' || length < 5 ||
		strcmp(real + length - 5, ".yaml") != 0)
		return NULL;
	name = arena_printf(docs->arena, "%.*s.json", (int)(length - folder - 6), real + folder + 1);
	for (char *slash = name; (slash = strchr(slash, '/')); slash++)
		*slash = '-';
	return name;
}

/* "../common.yaml#/components" → "./common.json#/components": all files are side by side here. */
static void rename_reference(const struct docs *docs, json_t *object, const char *holder)
{
	const char *text = json_string_value(json_object_get(object, "$ref")), *name;
	size_t length = text ? strcspn(text, "#") : 0;
	auto_free char *path = NULL, *real = NULL;

	if (!length)
		return;
	if (asprintf(&path, "%.*s/%.*s", (int)(strrchr(holder, '/') - holder), holder, (int)length, text) < 0)
		abort();
	real = realpath(path, NULL);
	name = real ? name_of(docs, real) : NULL;
	if (name)
		json_object_set_new(object, "$ref", json_sprintf("./%s%s", name, text + length));
}

static void rename_references(const struct docs *docs, json_t *value, const char *holder)
{
	const char *key;
	json_t *inner;
	size_t index;

	if (json_is_object(value))
		rename_reference(docs, value, holder);
	json_object_foreach(value, key, inner) rename_references(docs, inner, holder);
	json_array_foreach(value, index, inner) rename_references(docs, inner, holder);
}

static bool has_operations(const json_t *item)
{
	static const char *const methods[] = { "get", "head", "post", "put", "patch", "delete", "options" };

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (json_object_get(item, methods[i]))
			return true;
	}
	return false;
}

static void take_out_operation(json_t *paths, const char *path, const char *method)
{
	json_t *item = json_object_get(paths, path);
	char key[16];
	size_t length = 0;

	for (; method[length] && length < sizeof(key) - 1; length++)
		key[length] = (char)tolower((unsigned char)method[length]);
	key[length] = '\0';
	json_object_del(item, key);
	if (item && !has_operations(item))
		json_object_del(paths, path);
}

static void take_out_what_is_internal(json_t *document, const struct contract *contract)
{
	size_t count;
	const struct contract_operation *operations = contract_operations(contract, &count);
	const char *base = contract_base_path(contract);

	for (size_t i = 0; i < count; i++) {
		if (route_only_for_siblings(&operations[i]))
			take_out_operation(json_object_get(document, "paths"), operations[i].path + strlen(base),
				operations[i].method);
	}
	json_object_del(document, "x-upstream");
	json_object_del(document, "x-caller");
}

/* Takes document over. A file that several contracts refer to is there once. */
static void add_file(struct docs *docs, const char *name, const char *real, json_t *document)
{
	bool wanted = name && docs->count < MAX_FILES && !docs_file(docs, name);
	char *text;

	if (wanted) {
		rename_references(docs, document, real);
		text = json_dumps(document, JSON_COMPACT);
		if (!text)
			abort();
		docs->files[docs->count++] = (struct file){ name, arena_lease(docs->arena, text, free) };
	}
	json_decref(document);
}

static void list_contract(
	struct docs *docs, const struct contract *contract, const struct partner *partner, const char *name)
{
	const json_t *info = json_object_get(contract_document(contract), "info");

	json_array_append_new(docs->items,
		json_pack("{s:s s:O? s:s s:s s:s s:s*}", "name", contract_name(contract), "title",
			json_object_get(info, "title"), "version", contract_version(contract), "basePath",
			*contract_base_path(contract) ? contract_base_path(contract) : "/", "href",
			arena_printf(docs->arena, "/openapi/%s", name), "tenant", partner ? partner->tenant : NULL));
}

static void add_contract(struct docs *docs, const struct contract *contract, const struct partner *partner)
{
	const json_t *document;
	const char *real;

	for (int i = 0; (document = contract_file(contract, i, &real)); i++) {
		const char *name = name_of(docs, real);
		json_t *copy = json_deep_copy(document);

		if (i == 0)
			take_out_what_is_internal(copy, contract);
		add_file(docs, name, real, copy);
		if (i == 0 && name)
			list_contract(docs, contract, partner, name);
	}
}

struct docs *docs_new(const struct routes *routes, const char *folder)
{
	struct docs *docs = calloc(1, sizeof(*docs));
	const struct contract *contract;
	const struct partner *partner;
	json_auto_t *list = NULL;
	char *text;

	if (!docs)
		abort();
	docs->arena = arena_new();
	docs->folder = arena_lease(docs->arena, realpath(folder, NULL), free);
	list = json_pack("{s:o}", "items", docs->items = json_array());
	for (size_t i = 0; (contract = routes_contract(routes, i, &partner)); i++)
		add_contract(docs, contract, partner);
	text = json_dumps(list, JSON_COMPACT);
	if (!text)
		abort();
	docs->list = arena_lease(docs->arena, text, free);
	return docs;
}

void docs_free(struct docs *docs)
{
	if (!docs)
		return;
	arena_free(docs->arena);
	free(docs);
}

const char *docs_list(const struct docs *docs)
{
	return docs->list;
}

const char *docs_file(const struct docs *docs, const char *name)
{
	for (size_t i = 0; i < docs->count; i++) {
		if (strcmp(docs->files[i].name, name) == 0)
			return docs->files[i].text;
	}
	return NULL;
}
