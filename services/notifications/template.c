/* Renders templates. One pass over the text, a stack of the objects that the open sections have brought into view;
 * knows nothing of notices. */
#include "template.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "arena.h"
#include "scope.h"
#include "text.h"

enum { MAX_DEPTH = 16, MAX_NAME = 80, MAX_OUTPUT = 200000, MAX_STEPS = 200000 };

struct tag {
	char kind; /* 'v' value, '{' raw value, '#', '^', '/', '!' */
	char name[MAX_NAME];
	const char *from, *to; /* the tag in the text; a section's tag alone on its line takes the line with it */
};

struct rendering {
	struct arena *arena;
	const char *start; /* of the whole template */
	enum template_escape escape;
	FILE *out;
	const json_t *stack[MAX_DEPTH];
	int depth;
	int steps; /* tags looked at, sections begun: those in sections multiply, also when they write nothing */
	const char *error;
};

static bool fail(struct rendering *r, const char *place, const char *sentence, const char *name)
{
	int line = 1;

	for (const char *c = r->start; c < place; c++)
		line += *c == '\n';
	r->error = arena_printf(r->arena, "line %d: {{%s}} %s", line, name, sentence);
	return false;
}

static bool take_step(struct rendering *r, const char *place)
{
	return r->steps++ < MAX_STEPS || fail(r, place, "comes round too often", "");
}

static void widen_to_line(const struct rendering *r, struct tag *tag)
{
	const char *from = tag->from, *to = tag->to;

	while (from > r->start && (from[-1] == ' ' || from[-1] == '\t'))
		from--;
	while (*to == ' ' || *to == '\t')
		to++;
	if ((from == r->start || from[-1] == '\n') && (*to == '\n' || !*to)) {
		tag->from = from;
		tag->to = *to ? to + 1 : to;
	}
}

static bool well_named(const char *name)
{
	if (strcmp(name, ".") == 0)
		return true;
	for (const char *c = name; *c; c++) {
		bool edge = c == name || c[-1] == '.';

		if (edge ? !isalpha((unsigned char)*c) : !isalnum((unsigned char)*c) && *c != '.' && *c != '_')
			return false;
	}
	return *name && name[strlen(name) - 1] != '.';
}

/* The next tag between text and end. False with r->error when it is malformed, false without when there is none. */
static bool next_tag(struct rendering *r, const char *text, const char *end, struct tag *tag)
{
	const char *open = memmem(text, (size_t)(end - text), "{{", 2), *inner, *close;
	size_t length;

	if (!open)
		return false;
	if (!take_step(r, open))
		return false;
	inner = open + 2;
	*tag = (struct tag){ .kind = 'v', .from = open };
	if (*inner && strchr("{#^/!", *inner))
		tag->kind = *inner++;
	close = memmem(inner, (size_t)(end - inner), tag->kind == '{' ? "}}}" : "}}", tag->kind == '{' ? 3 : 2);
	if (!close)
		return fail(r, open, "is not closed", "");
	tag->to = close + (tag->kind == '{' ? 3 : 2);
	if (tag->kind != '!') {
		for (; inner < close && isspace((unsigned char)*inner); inner++)
			;
		for (length = (size_t)(close - inner); length && isspace((unsigned char)inner[length - 1]); length--)
			;
		if (length >= MAX_NAME)
			return fail(r, open, "has too long a name", "");
		memcpy(tag->name, inner, length);
		if (!well_named(tag->name))
			return fail(r, open, "is not a tag that templates know", tag->name);
	}
	if (tag->kind != 'v' && tag->kind != '{')
		widen_to_line(r, tag);
	return true;
}

/* The value of a dotted name: its first part is looked for from the innermost object outwards, the rest below it. */
static const json_t *look_up(const struct rendering *r, const char *name)
{
	size_t head = strcspn(name, ".");
	const json_t *value = NULL;
	char part[MAX_NAME];

	if (strcmp(name, ".") == 0)
		return r->stack[r->depth - 1];
	snprintf(part, sizeof part, "%.*s", (int)head, name);
	for (int i = r->depth - 1; i >= 0 && !value; i--)
		value = json_object_get(r->stack[i], part);
	for (name += head; value && *name; name += head) {
		head = strcspn(++name, ".");
		snprintf(part, sizeof part, "%.*s", (int)head, name);
		value = json_object_get(value, part);
	}
	return value;
}

static void put(struct rendering *r, const char *text, bool escaped)
{
	if (escaped)
		text_escape(r->out, text, strlen(text));
	else
		fputs(text, r->out);
}

static bool put_value(struct rendering *r, const struct tag *tag)
{
	const json_t *value = look_up(r, tag->name);

	if (!value)
		return fail(r, tag->from, "is not among the data", tag->name);
	if (json_is_string(value))
		put(r, json_string_value(value), r->escape == ESCAPE_HTML && tag->kind == 'v');
	else if (json_is_integer(value))
		fprintf(r->out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		return fail(r, tag->from, "is neither a text nor a whole number", tag->name);
	return true;
}

/* Where the section that begins at tag ends: *ret_close is its closing tag. */
static bool find_close(struct rendering *r, const struct tag *tag, const char *end, struct tag *ret_close)
{
	const char *text = tag->to;
	int open = 1;

	while (next_tag(r, text, end, ret_close)) {
		open += ret_close->kind == '#' || ret_close->kind == '^';
		open -= ret_close->kind == '/';
		if (!open)
			return strcmp(ret_close->name, tag->name) == 0 ||
			       fail(r, ret_close->from, "closes a section that is not the open one", ret_close->name);
		text = ret_close->to;
	}
	return r->error ? false : fail(r, tag->from, "is never closed", tag->name);
}

static bool render(struct rendering *r, const char *text, const char *end);

static bool render_with(struct rendering *r, const json_t *value, const char *text, const char *end)
{
	bool done;

	if (r->depth == MAX_DEPTH)
		return fail(r, text, "is nested too deeply", "");
	if (!take_step(r, text))
		return false;
	r->stack[r->depth++] = value;
	done = render(r, text, end);
	r->depth--;
	return done;
}

static bool is_empty(const json_t *value)
{
	return json_is_null(value) || json_is_false(value) || (json_is_string(value) && !json_string_length(value)) ||
	       (json_is_array(value) && !json_array_size(value));
}

static bool render_section(struct rendering *r, const struct tag *tag, const char *end, const char **ret_next)
{
	const json_t *value = look_up(r, tag->name), *element;
	struct tag close = { 0 };
	size_t index;

	if (!value)
		return fail(r, tag->from, "is not among the data", tag->name);
	if (!find_close(r, tag, end, &close))
		return false;
	*ret_next = close.to;
	if (is_empty(value) != (tag->kind == '^'))
		return true;
	if (tag->kind == '^' || !json_is_array(value))
		return render_with(r, value, tag->to, close.from);
	json_array_foreach(value, index, element)
	{
		if (!render_with(r, element, tag->to, close.from))
			return false;
	}
	return true;
}

static bool render(struct rendering *r, const char *text, const char *end)
{
	struct tag tag;

	while (next_tag(r, text, end, &tag)) {
		fwrite(text, 1, (size_t)(tag.from - text), r->out);
		text = tag.to;
		if (tag.kind == '/')
			return fail(r, tag.from, "closes a section that is not open", tag.name);
		if ((tag.kind == 'v' || tag.kind == '{') && !put_value(r, &tag))
			return false;
		if ((tag.kind == '#' || tag.kind == '^') && !render_section(r, &tag, end, &text))
			return false;
		if (ftell(r->out) > MAX_OUTPUT)
			return fail(r, tag.from, "makes the text too long", tag.name);
	}
	if (!r->error)
		fwrite(text, 1, (size_t)(end - text), r->out);
	return !r->error;
}

const char *template_render(
	struct arena *arena, const char *text, const json_t *data, enum template_escape escape, const char **ret_error)
{
	auto_free char *made = NULL;
	size_t length;
	struct rendering r = { .arena = arena, .start = text, .escape = escape, .stack = { data }, .depth = 1 };
	bool done;

	r.out = open_memstream(&made, &length);
	if (!r.out) {
		*ret_error = "there is no memory to render it";
		return NULL;
	}
	done = render(&r, text, text + strlen(text));
	if (fclose(r.out) != 0 && !r.error)
		r.error = "there is no memory to render it";
	*ret_error = r.error;
	return done && !r.error ? arena_strdup(arena, made) : NULL;
}
