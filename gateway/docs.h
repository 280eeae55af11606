/* The contracts as they are served here, for those who write against them: without the operations of sibling services
 * and without where a partner's back end runs. Made once for a set of rules. */
#pragma once
#include <stddef.h>
#include "route.h"

struct docs;

/* folder is that of the contracts: what a contract refers to outside of it is not shown. */
struct docs *docs_new(const struct routes *routes, const char *folder);
void docs_free(struct docs *docs);

/* The list of them, as JSON. */
const char *docs_list(const struct docs *docs);
/* A file as JSON, "dossier.json", "partners-acqua.json" or "common.json"; NULL when there is none. */
const char *docs_file(const struct docs *docs, const char *name);
