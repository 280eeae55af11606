/* Percent-decoding with nothing left to interpretation. */
#include "path.h"
#include <stdint.h>
#include <string.h>
#include "http1.h"
#include "query.h"
#include "text.h"

enum { MAX_QUERY_VALUE = 256 };

/* The byte at *at, decoded; *at is moved behind it. -1: broken. */
static int decode_byte(const char **at)
{
	int high, low;

	if (**at != '%')
		return (unsigned char)*(*at)++;
	high = text_hex_value((*at)[1]);
	low = high < 0 ? -1 : text_hex_value((*at)[2]);
	if (low < 0)
		return -1;
	*at += 3;
	return high << 4 | low;
}

/* Well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF. */
static bool utf8_holds(const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length;) {
		unsigned lead = bytes[i], more, least;
		uint32_t code;

		if (lead < 0x80) {
			i++;
			continue;
		}
		more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
		if (lead < 0xc2 || lead > 0xf4 || i + more >= length + 0u)
			return false;
		least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
		code = lead & (0x3fu >> more);
		for (unsigned k = 1; k <= more; k++) {
			if ((bytes[i + k] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (bytes[i + k] & 0x3f);
		}
		if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return false;
		i += more + 1;
	}
	return true;
}

/* True when the segment that ends at length is "", "." or "..", or would be for who takes a path parameter (";a=b")
 * off. */
static bool ends_in_odd_segment(const char *path, size_t length)
{
	size_t start = length;
	const char *parameters;

	while (start && path[start - 1] != '/')
		start--;
	length -= start;
	parameters = memchr(path + start, ';', length);
	if (parameters)
		length = (size_t)(parameters - (path + start));
	return length == 0 || (length <= 2 && path[start] == '.' && path[start + length - 1] == '.');
}

/* Whole escapes, no NUL, UTF-8. */
static bool query_holds(const char *query)
{
	unsigned char decoded[HTTP1_MAX_TARGET];
	size_t length = 0;

	if (!strchr(query, '%'))
		return true;
	while (*query) {
		int byte = decode_byte(&query);

		if (byte <= 0 || length == sizeof(decoded))
			return false;
		decoded[length++] = (unsigned char)byte;
	}
	return utf8_holds(decoded, length);
}

bool path_decode(const char *target, char *decoded, size_t *ret_length, const char **ret_query)
{
	size_t length = 0;
	bool plain_ascii = true;

	if (*target != '/')
		return false;
	while (*target && *target != '?') {
		bool encoded = *target == '%';
		int byte = decode_byte(&target);

		if (byte < 0x20 || byte == 0x7f || byte == '\\' || (encoded && byte == '/'))
			return false;
		if (byte == '/' && length && ends_in_odd_segment(decoded, length))
			return false;
		plain_ascii = plain_ascii && byte < 0x80;
		decoded[length++] = (char)byte;
	}
	decoded[length] = '\0';
	*ret_length = length;
	*ret_query = *target == '?' ? target + 1 : NULL;
	if (*ret_query && !query_holds(*ret_query))
		return false;
	if (length > 1 && decoded[length - 1] != '/' && ends_in_odd_segment(decoded, length))
		return false;
	return plain_ascii || utf8_holds((const unsigned char *)decoded, length);
}

/* False when it is broken or too long. */
static bool decode_part(const char *text, size_t length, char decoded[static MAX_QUERY_VALUE + 1])
{
	return length <= MAX_QUERY_VALUE && text_form_decode(text, length, decoded);
}

bool query_each(const char *query, const char *name, bool (*found)(void *context, const char *value, size_t length),
	void *context)
{
	char text[MAX_QUERY_VALUE + 1];
	struct query_part part;

	while (query_next(&query, &part)) {
		if (!decode_part(part.name, part.name_length, text) || strcmp(text, name) != 0)
			continue;
		if (!decode_part(part.value ? part.value : "", part.value_length, text) ||
			!found(context, text, strlen(text)))
			return false;
	}
	return true;
}
