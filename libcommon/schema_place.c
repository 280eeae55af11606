/* JSON pointers (RFC 6901): how a place in a document is written, and where a node of a document is. Found by looking
 * for it, since it is only asked when something is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "schema_internal.h"
#include "scope.h"

#define HEX_DIGITS "0123456789abcdefABCDEF"

enum { MAX_VISITS = 1000000 }; /* aliases can make a small document into a huge tree */

static void put_token(FILE *out, const char *token)
{
	fputc('/', out);
	for (; *token; token++) {
		if (*token == '~')
			fputs("~0", out);
		else if (*token == '/')
			fputs("~1", out);
		else
			fputc(*token, out);
	}
}

void json_pointer_put(FILE *out, const struct place *place)
{
	if (!place)
		return;
	json_pointer_put(out, place->up);
	if (place->key)
		put_token(out, place->key);
	else
		fprintf(out, "/%zu", place->index);
}

static bool find(const json_t *here, const json_t *node, const struct place *place, FILE *out, int *visits)
{
	const char *key;
	json_t *member;
	size_t index;

	if (here == node) {
		json_pointer_put(out, place);
		return true;
	}
	if (++*visits > MAX_VISITS)
		return false;
	json_object_foreach((json_t *)here, key, member)
	{
		struct place at = { .up = place, .key = key };

		if (find(member, node, &at, out, visits))
			return true;
	}
	json_array_foreach(here, index, member)
	{
		struct place at = { .up = place, .index = index };

		if (find(member, node, &at, out, visits))
			return true;
	}
	return false;
}

char *json_place(const json_t *root, const json_t *node, const char *key)
{
	char *text = NULL;
	size_t size;
	int visits = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	if (!find(root, node, NULL, out, &visits))
		fputs("…", out);
	if (key)
		put_token(out, key);
	fclose(out);
	return text;
}

/* One %XX of a URI fragment or one ~0, ~1 of a JSON pointer in place of its escape. */
static void unescape(char *text, char mark)
{
	char *to = text;

	for (const char *from = text; *from; from++, to++) {
		unsigned code;

		*to = *from;
		if (*from != mark)
			continue;
		if (mark == '~' && (from[1] == '0' || from[1] == '1'))
			*to = *++from == '0' ? '~' : '/';
		else if (mark == '%' && sscanf(from + 1, "%2x", &code) == 1 && code &&
			 strspn(from + 1, HEX_DIGITS) >= 2) {
			*to = (char)code;
			from += 2;
		}
	}
	*to = '\0';
}

const json_t *json_pointer_get(const json_t *root, const char *text)
{
	auto_free char *pointer = strdup(text);
	const json_t *node = root;
	char *token, *rest = pointer;

	if (!pointer)
		abort();
	unescape(pointer, '%');
	if (*pointer == '\0')
		return root;
	if (*pointer != '/')
		return NULL;
	rest++;
	while (node && (token = strsep(&rest, "/"))) {
		unescape(token, '~');
		if (json_is_array(node))
			node = *token && token[strspn(token, "0123456789")] == '\0' && strlen(token) < 10
				       ? json_array_get(node, (size_t)atoi(token))
				       : NULL;
		else
			node = json_object_get(node, token);
	}
	return node;
}
