/* Reads application/x-www-form-urlencoded (WHATWG URL, section 5). */
#include <stdlib.h>
#include <string.h>
#include "http.h"
#include "scope.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes one name or value; NULL for a broken escape or a NUL. malloc'ed. */
static char *decode(const char *text, size_t length)
{
	char *plain = calloc(1, length + 1), *out = plain;

	for (size_t i = 0; plain && i < length; i++) {
		if (text[i] != '%') {
			*out++ = (char)(text[i] == '+' ? ' ' : text[i]);
			continue;
		}
		if (i + 2 > length - 1 || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0 ||
			strncmp(text + i, "%00", 3) == 0) {
			free(plain);
			return NULL;
		}
		*out++ = (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
		i += 2;
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
