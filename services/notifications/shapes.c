/* Turns the plain text of a notice into HTML and Markdown. Whatever came from data stays text: it can neither become
 * markup nor a link. */
#include "shapes.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "arena.h"
#include "scope.h"
#include "text.h"

enum block { NOTHING, PARAGRAPH, LIST };

static enum block change_block(FILE *out, enum block from, enum block to)
{
	static const char *const opening[] = { "", "<p>", "<ul>\n" }, *const closing[] = { "", "</p>\n", "</ul>\n" };

	if (from == to) {
		if (to == PARAGRAPH)
			fputs("<br>\n", out);
		return to;
	}
	fputs(closing[from], out);
	fputs(opening[to], out);
	return to;
}

static void put_html_line(FILE *out, enum block *block, const char *line, size_t length)
{
	if (!length) {
		*block = change_block(out, *block, NOTHING);
	} else if (length > 2 && strncmp(line, "- ", 2) == 0) {
		*block = change_block(out, *block, LIST);
		fputs("<li>", out);
		text_escape(out, line + 2, length - 2);
		fputs("</li>\n", out);
	} else {
		*block = change_block(out, *block, PARAGRAPH);
		text_escape(out, line, length);
	}
}

const char *shape_html(struct arena *arena, const char *text)
{
	auto_free char *made = NULL;
	size_t size;
	FILE *out = open_memstream(&made, &size);
	enum block block = NOTHING;

	if (!out)
		return "";
	while (*text) {
		size_t length = strcspn(text, "\n");

		put_html_line(out, &block, text, length);
		text += length + (text[length] == '\n');
	}
	change_block(out, block, NOTHING);
	fclose(out);
	return arena_strdup(arena, made);
}

/* What would begin a heading, a quotation or a numbered list at the start of a line. */
static bool begins_block(const char *line)
{
	size_t digits = strspn(line, "0123456789");

	return strchr("#>+=", *line) || (digits && (line[digits] == '.' || line[digits] == ')'));
}

static void put_markdown_line(FILE *out, const char *line, size_t length)
{
	size_t i = 0;

	if (length && begins_block(line)) {
		i = strspn(line, "0123456789");
		fwrite(line, 1, i, out);
		fprintf(out, "\\%c", line[i]);
		i++;
	}
	for (; i < length; i++) {
		if (strchr("\\`*_[]<>~|", line[i]))
			fputc('\\', out);
		fputc(line[i], out);
	}
}

const char *shape_markdown(struct arena *arena, const char *text)
{
	auto_free char *made = NULL;
	size_t size;
	FILE *out = open_memstream(&made, &size);

	if (!out)
		return "";
	while (*text) {
		size_t length = strcspn(text, "\n");

		put_markdown_line(out, text, length);
		text += length;
		if (*text == '\n') {
			/* two spaces keep the line break within a paragraph */
			fputs(length && text[1] && text[1] != '\n' && strncmp(text + 1, "- ", 2) != 0 ? "  \n" : "\n",
				out);
			text++;
		}
	}
	fclose(out);
	return arena_strdup(arena, made);
}

static bool begins_character(char c)
{
	return ((unsigned char)c & 0xC0) != 0x80;
}

size_t shape_length(const char *text)
{
	size_t characters = 0;

	for (; *text; text++)
		characters += begins_character(*text);
	return characters;
}

const char *shape_shorten(struct arena *arena, const char *text, size_t characters)
{
	const char *end = text;
	size_t seen = 0;

	if (shape_length(text) <= characters)
		return text;
	for (; *end; end++) {
		if (begins_character(*end) && ++seen == characters)
			break;
	}
	return arena_printf(arena, "%.*s…", (int)(end - text), text);
}
