/* A small reader of MIME (RFC 2045, 2047, 5322): multiparts, quoted-printable, base64, encoded words. */
#include "mailbox_mime.h"
#include <ctype.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include "arena.h"
#include "text.h"

enum { MAX_DEPTH = 8 };

struct span {
	const char *text;
	size_t length;
};

/* underscore: in encoded words it is a space. */
static struct span decode_quoted(struct arena *arena, struct span in, bool underscore)
{
	char *out = arena_alloc(arena, in.length + 1), *end = out;

	for (size_t i = 0; i < in.length; i++) {
		char c = in.text[i];

		if (c == '=' && i + 2 < in.length && text_hex_value(in.text[i + 1]) >= 0 &&
			text_hex_value(in.text[i + 2]) >= 0) {
			*end++ = (char)(text_hex_value(in.text[i + 1]) * 16 + text_hex_value(in.text[i + 2]));
			i += 2;
		} else if (c == '=' && i + 1 < in.length && in.text[i + 1] == '\n') {
			i++;
		} else if (c == '=' && i + 2 < in.length && in.text[i + 1] == '\r' && in.text[i + 2] == '\n') {
			i += 2;
		} else {
			*end++ = underscore && c == '_' ? ' ' : c;
		}
	}
	return (struct span){ out, (size_t)(end - out) };
}

static struct span decode_base64(struct arena *arena, struct span in)
{
	unsigned char *packed = arena_alloc(arena, in.length + 4), *out = arena_alloc(arena, in.length + 4);
	size_t length = 0;
	int made, padding = 0;

	for (size_t i = 0; i < in.length; i++) {
		if (isalnum((unsigned char)in.text[i]) || in.text[i] == '+' || in.text[i] == '/' || in.text[i] == '=')
			packed[length++] = (unsigned char)in.text[i];
	}
	length -= length % 4;
	while (padding < 2 && length > (size_t)padding && packed[length - 1 - (size_t)padding] == '=')
		padding++;
	made = length ? EVP_DecodeBlock(out, packed, (int)length) : 0;
	return made < 0 ? in : (struct span){ (const char *)out, (size_t)(made - padding) };
}

static const char *text_of(struct arena *arena, struct span span)
{
	return arena_strndup(arena, span.text, span.length);
}

/* "=?UTF-8?B?…?=" at text, when it is one: *ret_next is behind it. */
static const char *decode_word(struct arena *arena, const char *text, const char **ret_next)
{
	const char *charset = text + 2, *encoding = strchr(charset, '?');
	const char *data = encoding && encoding[1] && encoding[2] == '?' ? encoding + 3 : NULL;
	const char *close = data ? strstr(data, "?=") : NULL;
	struct span span;

	if (strncmp(text, "=?", 2) != 0 || !close)
		return NULL;
	span = (struct span){ data, (size_t)(close - data) };
	*ret_next = close + 2;
	return text_of(arena, tolower((unsigned char)encoding[1]) == 'b' ? decode_base64(arena, span)
									 : decode_quoted(arena, span, true));
}

/* White space between two encoded words is not part of the text. */
static const char *decode_header(struct arena *arena, const char *value)
{
	const char *out = "", *word, *next;
	bool after_word = false;

	while (*value) {
		size_t blank = strspn(value, " \t\r\n");

		word = decode_word(arena, value + blank, &next);
		if (word) {
			out = arena_printf(arena, "%s%.*s%s", out, after_word ? 0 : (int)blank, value, word);
			value = next;
		} else {
			size_t length = blank + strcspn(value + blank, " \t\r\n");

			out = arena_printf(arena, "%s%.*s", out, (int)length, value);
			value += length;
		}
		after_word = word != NULL;
	}
	return out;
}

/* One header field, unfolded; of several by one name the first counts; gives where the next begins, or NULL at the
 * empty line. */
static const char *read_field(struct arena *arena, const char *at, const char *end, json_t *fields)
{
	const char *colon, *stop = at;
	char *value, *out, *name;

	do {
		const char *line = memchr(stop, '\n', (size_t)(end - stop));

		stop = line ? line + 1 : end;
	} while (stop < end && (*stop == ' ' || *stop == '\t'));
	colon = memchr(at, ':', (size_t)(stop - at));
	if (*at == '\r' || *at == '\n' || !colon)
		return NULL;
	value = out = arena_alloc(arena, (size_t)(stop - colon) + 1);
	for (const char *c = colon + 1; c < stop; c++) {
		if (*c != '\r' && *c != '\n')
			*out++ = *c;
	}
	while (*value == ' ')
		value++;
	name = arena_strndup(arena, at, (size_t)(colon - at));
	for (char *letter = name; *letter; letter++)
		*letter = (char)tolower((unsigned char)*letter);
	if (!json_object_get(fields, name))
		json_object_set_new(fields, name, json_string(decode_header(arena, value)));
	return stop;
}

/* The fields of an entity; *ret_body is what follows the empty line. */
static json_t *read_fields(struct arena *arena, struct span entity, struct span *ret_body)
{
	const char *at = entity.text, *end = entity.text + entity.length, *next;
	json_t *fields = arena_json(arena, json_object());

	while (at < end && (next = read_field(arena, at, end, fields)))
		at = next;
	if (at < end && *at == '\r')
		at++;
	if (at < end && *at == '\n')
		at++;
	*ret_body = (struct span){ at, (size_t)(end - at) };
	return fields;
}

static const char *field(const json_t *fields, const char *name)
{
	const char *value = json_string_value(json_object_get(fields, name));

	return value ? value : "";
}

static const char *boundary_of(struct arena *arena, const char *type)
{
	const char *at = strcasestr(type, "boundary=");

	if (!at)
		return NULL;
	at += strlen("boundary=");
	return *at == '"' ? arena_strndup(arena, at + 1, strcspn(at + 1, "\""))
			  : arena_strndup(arena, at, strcspn(at, "; \t"));
}

static void read_entity(struct arena *arena, struct span entity, json_t *mail, int depth);

static void read_parts(struct arena *arena, struct span body, const char *boundary, json_t *mail, int depth)
{
	const char *mark = arena_printf(arena, "--%s", boundary), *end = body.text + body.length;
	const char *at = memmem(body.text, body.length, mark, strlen(mark));

	while (at) {
		const char *line, *next;

		at += strlen(mark);
		if (at + 1 < end && at[0] == '-' && at[1] == '-')
			return;
		line = memchr(at, '\n', (size_t)(end - at));
		if (!line)
			return;
		next = memmem(line, (size_t)(end - line), mark, strlen(mark));
		read_entity(
			arena, (struct span){ line + 1, (size_t)((next ? next : end) - line - 1) }, mail, depth + 1);
		at = next;
	}
}

static void keep_text(struct arena *arena, const char *member, const char *encoding, struct span body, json_t *mail)
{
	json_t *text;

	if (json_object_get(mail, member))
		return;
	if (strcasecmp(encoding, "quoted-printable") == 0)
		body = decode_quoted(arena, body, false);
	else if (strcasecmp(encoding, "base64") == 0)
		body = decode_base64(arena, body);
	text = json_stringn(body.text, body.length);
	json_object_set_new(mail, member, text ? text : json_string("(not UTF-8)"));
}

static void read_entity(struct arena *arena, struct span entity, json_t *mail, int depth)
{
	struct span body;
	const json_t *fields = read_fields(arena, entity, &body);
	const char *type = field(fields, "content-type"), *encoding = field(fields, "content-transfer-encoding");
	const char *boundary = strncasecmp(type, "multipart/", 10) == 0 ? boundary_of(arena, type) : NULL;

	if (depth > MAX_DEPTH)
		return;
	if (boundary)
		read_parts(arena, body, boundary, mail, depth);
	else if (strncasecmp(type, "text/html", 9) == 0)
		keep_text(arena, "html", encoding, body, mail);
	else if (!*type || strncasecmp(type, "text/plain", 10) == 0)
		keep_text(arena, "text", encoding, body, mail);
}

json_t *mail_read(struct arena *arena, const char *raw, size_t length)
{
	struct span whole = { raw, length }, body;
	json_t *fields = read_fields(arena, whole, &body);
	json_t *mail = json_pack("{s:s s:s s:s s:s s:s s:O}", "from", field(fields, "from"), "to", field(fields, "to"),
		"subject", field(fields, "subject"), "date", field(fields, "date"), "messageId",
		field(fields, "message-id"), "headers", fields);

	if (mail)
		read_entity(arena, whole, mail, 0);
	return mail;
}
