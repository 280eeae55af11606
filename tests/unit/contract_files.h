/* Contracts for one test: texts written to a folder of their own, removed afterwards. */
#pragma once
#include <unistd.h>
#include "contract.h"
#include "unit.h"

struct contract_folder {
	char path[64];
};

static inline void folder_make(struct contract_folder *folder)
{
	strcpy(folder->path, "/tmp/portico-contract-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
}

static inline void folder_write(const struct contract_folder *folder, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder->path, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static inline void folder_remove(const struct contract_folder *folder, const char *const *names)
{
	for (; *names; names++) {
		char path[128];

		snprintf(path, sizeof path, "%s/%s", folder->path, *names);
		unlink(path);
	}
	rmdir(folder->path);
}
