/* Reads application/x-www-form-urlencoded (WHATWG URL, section 5). */
#include <stdlib.h>
#include <string.h>
#include "http.h"
#include "scope.h"
#include "text.h"

/* Decodes one name or value; NULL for a broken escape or a NUL. malloc'ed. */
static char *decode(const char *text, size_t length)
{
	char *plain = malloc(length + 1);

	if (plain && !text_form_decode(text, length, plain)) {
		free(plain);
		return NULL;
	}
	return plain;
}

static bool add_pair(json_t *form, const char *pair, size_t length)
{
	const char *equals = memchr(pair, '=', length);
	size_t name_length = equals ? (size_t)(equals - pair) : length;
	auto_free char *name = decode(pair, name_length);
	auto_free char *value = equals ? decode(equals + 1, length - name_length - 1) : strdup("");

	if (!name || !*name || !value || json_object_get(form, name))
		return false;
	return json_object_set_new(form, name, json_string(value)) == 0; /* fails on what is not UTF-8 */
}

json_t *form_parse(const char *text, size_t length)
{
	json_t *form = json_object();
	const char *end = text + length;

	while (form && text < end) {
		const char *next = memchr(text, '&', (size_t)(end - text));
		size_t pair = (size_t)((next ? next : end) - text);

		if (pair && !add_pair(form, text, pair)) {
			json_decref(form);
			return NULL;
		}
		text += pair + 1;
	}
	return form;
}
