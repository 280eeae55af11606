/* Addresses of the network: e-mail as citizens have it (no quoted local parts, no IP literals), URIs by RFC 3986. */
#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include "format_internal.h"

#define ALPHA "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"
#define UNRESERVED ALPHA DIGIT "-._~"
#define SUB_DELIMS "!$&'()*+,;="

/* Words of the given characters between single dots. */
static bool is_dotted(const char *text, size_t length, const char *characters, size_t longest_word)
{
	size_t word = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] != '.' ? !strchr(characters, text[i]) || ++word > longest_word : word == 0)
			return false;
		if (text[i] == '.')
			word = 0;
	}
	return word > 0;
}

static bool is_mail_domain(const char *text)
{
	size_t length = strlen(text);

	if (length > 253 || !strchr(text, '.') || !is_dotted(text, length, ALPHA DIGIT "-", 63))
		return false;
	for (size_t i = 0; i < length; i++) { /* no word begins or ends with a hyphen */
		bool first = i == 0 || text[i - 1] == '.', last = i + 1 == length || text[i + 1] == '.';

		if (text[i] == '-' && (first || last))
			return false;
	}
	return true;
}

bool format_email(const char *text)
{
	const char *at = strrchr(text, '@');

	return at && at - text <= 64 && strlen(text) <= 254 &&
	       is_dotted(text, (size_t)(at - text), ALPHA DIGIT "!#$%&'*+-/=?^_`{|}~", 64) && is_mail_domain(at + 1);
}

/* Only these characters and %XX in the first `length` of text. */
static bool is_made_of(const char *text, size_t length, const char *characters)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '%') {
			if (i + 2 >= length || !isxdigit((unsigned char)text[i + 1]) ||
				!isxdigit((unsigned char)text[i + 2]))
				return false;
			i += 2;
		} else if (!strchr(characters, text[i])) {
			return false;
		}
	}
	return true;
}

/* [user@]host[:port], where host may be an IPv6 address in brackets. */
static bool is_authority(const char *text, size_t length)
{
	const char *at = memchr(text, '@', length), *end = text + length, *colon;

	if (at) {
		if (!is_made_of(text, (size_t)(at - text), UNRESERVED SUB_DELIMS ":"))
			return false;
		text = at + 1;
	}
	if (text < end && *text == '[') {
		const char *close = memchr(text, ']', (size_t)(end - text));

		if (!close || close == text + 1 ||
			!is_made_of(text + 1, (size_t)(close - text - 1), DIGIT "abcdefABCDEFv.:"))
			return false;
		text = close + 1;
		if (text < end && *text != ':')
			return false;
	}
	colon = memchr(text, ':', (size_t)(end - text));
	if (!colon)
		return is_made_of(text, (size_t)(end - text), UNRESERVED SUB_DELIMS);
	return is_made_of(text, (size_t)(colon - text), UNRESERVED SUB_DELIMS) &&
	       strspn(colon + 1, DIGIT) >= (size_t)(end - colon - 1);
}

/* What follows the scheme: [//authority] path [?query] [#fragment]. */
static bool is_hierarchy(const char *text)
{
	size_t length;

	if (strncmp(text, "//", 2) == 0) {
		text += 2;
		length = strcspn(text, "/?#");
		if (!is_authority(text, length))
			return false;
		text += length;
	}
	length = strcspn(text, "?#");
	if (!is_made_of(text, length, UNRESERVED SUB_DELIMS ":@/"))
		return false;
	text += length;
	length = *text == '?' ? strcspn(text, "#") : 0;
	if (length && !is_made_of(text + 1, length - 1, UNRESERVED SUB_DELIMS ":@/?"))
		return false;
	text += length;
	return *text == '\0' || is_made_of(text + 1, strlen(text + 1), UNRESERVED SUB_DELIMS ":@/?");
}

bool format_uri(const char *text)
{
	size_t scheme = strspn(text, ALPHA DIGIT "+-.");

	return isalpha((unsigned char)*text) && text[scheme] == ':' && is_hierarchy(text + scheme + 1);
}

bool format_uri_reference(const char *text)
{
	/* a colon in the first segment would make a scheme of it */
	return format_uri(text) || (is_hierarchy(text) && !memchr(text, ':', strcspn(text, "/?#")));
}
