/* Makes the header fields of e-mails. Bodies are encoded by libcurl. */
#include "mime.h"
#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>
#include "arena.h"

/* An encoded word has at most 75 characters: "=?UTF-8?B?" and "?=" leave 63, which is 45 bytes. A field's first line
 * also has the name, hence fewer. */
enum { WORD_BYTES = 36, LINE_MAX_ASCII = 900 };

static bool plain_ascii(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7E)
			return false;
	}
	return true;
}

/* Control characters become spaces. */
static char *without_controls(struct arena *arena, const char *text)
{
	char *clean = arena_strdup(arena, text);

	for (char *c = clean; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7F)
			*c = ' ';
	}
	return clean;
}

/* How many bytes of text, at most limit, end at the end of a character. */
static size_t whole_characters(const char *text, size_t limit)
{
	size_t length = strnlen(text, limit + 1);

	if (length <= limit)
		return length;
	for (length = limit; length && ((unsigned char)text[length] & 0xC0) == 0x80; length--)
		;
	return length;
}

static const char *encoded_words(struct arena *arena, const char *text)
{
	const char *words = "";

	while (*text) {
		size_t length = whole_characters(text, WORD_BYTES);
		unsigned char word[WORD_BYTES * 2];

		if (!length)
			length = 1; /* not UTF-8: byte by byte */
		EVP_EncodeBlock(word, (const unsigned char *)text, (int)length);
		words = arena_printf(arena, "%s%s=?UTF-8?B?%s?=", words, *words ? "\r\n " : "", (const char *)word);
		text += length;
	}
	return words;
}

/* "=?" in plain text would be taken for an encoded word. */
static bool needs_encoding(const char *text)
{
	return !plain_ascii(text) || strstr(text, "=?") || strlen(text) > LINE_MAX_ASCII;
}

const char *mime_field(struct arena *arena, const char *name, const char *value)
{
	const char *clean = without_controls(arena, value);

	return arena_printf(arena, "%s: %s", name, needs_encoding(clean) ? encoded_words(arena, clean) : clean);
}

static const char *quoted(struct arena *arena, const char *text)
{
	char *out = arena_alloc(arena, strlen(text) * 2 + 3), *end = out;

	*end++ = '"';
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			*end++ = '\\';
		*end++ = *text;
	}
	*end = '"';
	return out;
}

const char *mime_mailbox_field(struct arena *arena, const char *name, const char *display, const char *address)
{
	const char *clean = without_controls(arena, display);
	const char *phrase = needs_encoding(clean) ? encoded_words(arena, clean) : quoted(arena, clean);

	return arena_printf(arena, "%s: %s <%s>", name, phrase, address);
}

bool mime_address_ok(const char *address)
{
	const char *at = strchr(address, '@');

	return at && at > address && at[1] && !strchr(at + 1, '@') && strlen(address) <= 254 && plain_ascii(address) &&
	       !strpbrk(address, " <>(),;:\\\"[]");
}
