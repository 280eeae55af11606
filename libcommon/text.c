/* Owns encodings of text. Keeps no state and decides nothing. */
#include "text.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void text_hex(char *hex, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < length; i++) {
		hex[2 * i] = "0123456789abcdef"[byte[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[byte[i] & 15];
	}
	hex[2 * length] = '\0';
}

int text_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void text_sha256(char hex[static TEXT_SHA256_MAX], const void *bytes, size_t length)
{
	unsigned char digest[32];

	if (!EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL))
		abort();
	text_hex(hex, digest, sizeof digest);
}

char *text_random_hex(struct arena *arena, size_t bytes)
{
	unsigned char *random = arena_alloc(arena, bytes);
	char *text = arena_alloc(arena, 2 * bytes + 1);

	if (RAND_bytes(random, (int)bytes) != 1)
		abort();
	text_hex(text, random, bytes);
	return text;
}

bool text_same_secret(const char *one, const char *other)
{
	size_t length = strlen(one);

	return length == strlen(other) && CRYPTO_memcmp(one, other, length) == 0;
}

char *text_base64url(struct arena *arena, const void *bytes, size_t length)
{
	char *text = arena_alloc(arena, (length + 2) / 3 * 4 + 1);
	int written = EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);

	while (written > 0 && text[written - 1] == '=')
		text[--written] = '\0';
	for (char *c = text; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return text;
}

static int base64url_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

ssize_t text_base64url_decode(const char *text, size_t length, unsigned char *out, size_t size)
{
	size_t used = 0;
	uint32_t bits = 0;
	int count = 0;

	if (length % 4 == 1 || length / 4 * 3 + (length % 4 ? length % 4 - 1 : 0) > size)
		return -1;
	for (size_t i = 0; i < length; i++) {
		int value = base64url_value((unsigned char)text[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[used++] = (unsigned char)(bits >> count);
			bits &= (1u << count) - 1;
		}
	}
	return bits ? -1 : (ssize_t)used;
}

unsigned char *text_base64url_bytes(struct arena *arena, const char *text, size_t length, size_t *ret_length)
{
	size_t size = length / 4 * 3 + 3;
	unsigned char *bytes = arena_alloc(arena, size + 1);
	ssize_t used = text_base64url_decode(text, length, bytes, size);

	if (used < 0)
		return NULL;
	*ret_length = (size_t)used;
	bytes[used] = '\0';
	return bytes;
}

bool text_form_decode(const char *text, size_t length, char *out)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] != '%') {
			*out++ = (char)(text[i] == '+' ? ' ' : text[i]);
			continue;
		}
		int high = i + 2 < length ? text_hex_value(text[i + 1]) : -1;
		int low = i + 2 < length ? text_hex_value(text[i + 2]) : -1;

		if (high < 0 || low < 0 || !(high | low))
			return false;
		*out++ = (char)(high * 16 + low);
		i += 2;
	}
	*out = '\0';
	return true;
}

void text_escape(FILE *out, const char *text, size_t length)
{
	static const char *const entities[128] = {
		['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;", ['\r'] = "&#13;"
	};

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 128 && entities[c])
			fputs(entities[c], out);
		else if (c >= ' ' || c == '\n' || c == '\t')
			fputc(c, out);
	}
}

char *text_escaped(struct arena *arena, const char *text)
{
	char *escaped = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&escaped, &size);

	if (!out)
		abort();
	text_escape(out, text, strlen(text));
	if (fclose(out) != 0)
		abort();
	return arena_lease(arena, escaped, free);
}

static bool is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

bool text_plain_member(char **at, const char *end, const char *name, const char *value)
{
	size_t name_length = strlen(name), value_length = value ? strlen(value) : 0;
	char *out = *at;

	if (!value)
		return true;
	if ((size_t)(end - out) < name_length + value_length + 7)
		return false;
	if (out[-1] != '{')
		*out++ = ',';
	*out++ = '"';
	out = (char *)memcpy(out, name, name_length) + name_length;
	out = (char *)memcpy(out, "\":\"", 3) + 3;
	for (; *value; value++) {
		if (!is_plain(*value))
			return false;
		*out++ = *value;
	}
	*out++ = '"';
	*at = out;
	return true;
}
