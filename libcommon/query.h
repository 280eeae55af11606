/* A query string as it was sent, part by part. What a part means is not known here. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct query_part {		  /* still encoded (text_form_decode), not NUL-terminated */
	const char *name, *value; /* value NULL: the part has no "=" */
	size_t name_length, value_length;
};

/* The next part of *query, which is moved behind it. False after the last one, and for NULL. */
bool query_next(const char **query, struct query_part *ret_part);
