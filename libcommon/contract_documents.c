/* The files that a contract is made of: each is read once, by its real path, and $ref goes from one to the other.
 * It never reads anything but local files, and never looks into what a file means. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "contract_internal.h"

enum { MAX_FILE = 4 << 20, MAX_DOCUMENTS = 64 };

struct document {
	char *path; /* as it was asked for, for people */
	char *real; /* canonical, so that a file is read once */
	json_t *root;
};

struct documents {
	struct document list[MAX_DOCUMENTS];
	int count;
	char *failure;
};

struct documents *documents_new(void)
{
	struct documents *documents = calloc(1, sizeof *documents);

	if (!documents)
		abort();
	return documents;
}

void documents_free(struct documents *documents)
{
	for (int i = 0; i < documents->count; i++) {
		free(documents->list[i].path);
		free(documents->list[i].real);
		json_decref(documents->list[i].root);
	}
	free(documents->failure);
	free(documents);
}

const char *documents_failure(const struct documents *documents)
{
	return documents->failure;
}

static json_t *fail(struct documents *documents, const char *path, const char *reason)
{
	free(documents->failure);
	if (asprintf(&documents->failure, "%s: %s", path, reason) < 0)
		abort();
	return NULL;
}

static json_t *parse_file(struct documents *documents, const char *path, FILE *file)
{
	struct stat st;
	auto_free char *text = NULL, *error = NULL;
	json_t *root;

	if (fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode))
		return fail(documents, path, "is not a file");
	if (st.st_size > MAX_FILE)
		return fail(documents, path, "is larger than 4 MiB");
	if (!(text = malloc((size_t)st.st_size + 1)))
		abort();
	if (fread(text, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
		return fail(documents, path, "cannot be read to its end");
	root = contract_yaml_parse(text, (size_t)st.st_size, &error);
	return root ? root : fail(documents, path, error);
}

const json_t *documents_open(struct documents *documents, const char *path)
{
	auto_free char *real = realpath(path, NULL);
	auto_file FILE *file = NULL;
	struct document *document = &documents->list[documents->count];

	for (int i = 0; real && i < documents->count; i++)
		if (strcmp(documents->list[i].real, real) == 0)
			return documents->list[i].root;
	if (documents->count == MAX_DOCUMENTS)
		return fail(documents, path, "the contract is spread over too many files");
	if (!real || !(file = fopen(real, "re")))
		return fail(documents, path, strerror(errno));
	if (!(document->root = parse_file(documents, path, file)))
		return NULL;
	if (!(document->path = strdup(path)))
		abort();
	document->real = steal(real);
	documents->count++;
	return document->root;
}

const json_t *documents_root(const struct documents *documents, int index)
{
	return index < documents->count ? documents->list[index].root : NULL;
}

const char *documents_path(const struct documents *documents, int index)
{
	return index < documents->count ? documents->list[index].real : NULL;
}

static const struct document *document_of(const struct documents *documents, const json_t *root)
{
	for (int i = 0; i < documents->count; i++)
		if (documents->list[i].root == root)
			return &documents->list[i];
	return NULL;
}

char *documents_place(const struct documents *documents, const json_t *root, const json_t *node, const char *key)
{
	const struct document *document = document_of(documents, root);
	auto_free char *pointer = json_place(root, node, key);
	char *place = NULL;

	if (asprintf(&place, "%s#%s", document ? document->path : "", pointer) < 0)
		abort();
	return place;
}

static const json_t *open_relative(struct documents *documents, const char *file, const json_t *holder)
{
	const struct document *from = document_of(documents, holder);
	const char *slash = from ? strrchr(from->path, '/') : NULL;
	auto_free char *path = NULL;

	if (strstr(file, "://"))
		return fail(documents, file, "only files are referred to, never the network");
	if (strncmp(file, "./", 2) == 0)
		file += 2;
	if (asprintf(&path, "%.*s%s", slash && *file != '/' ? (int)(slash - from->path + 1) : 0,
		    slash ? from->path : "", file) < 0)
		abort();
	return documents_open(documents, path);
}

const json_t *documents_resolve(void *context, const char *ref, const json_t *holder, const json_t **document)
{
	struct documents *documents = context;
	auto_free char *copy = strdup(ref);
	char *fragment;

	if (!copy)
		abort();
	free(steal(documents->failure));
	fragment = strchr(copy, '#');
	if (fragment)
		*fragment++ = '\0';
	*document = *copy ? open_relative(documents, copy, holder) : holder;
	return *document ? json_pointer_get(*document, fragment ? fragment : "") : NULL;
}
