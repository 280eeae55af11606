/* YAML as the JSON that it means: how contracts and other files that people write are read. */
#pragma once
#include <jansson.h>
#include <stddef.h>

/* NULL and *ret_error ("line 3, column 7: …", free it) when the text is not YAML 1.2 that JSON can hold. */
json_t *contract_yaml_parse(const char *text, size_t length, char **ret_error);
