/* YAML 1.2 text to a jansson tree, by the core schema: plain true, null, 12 and 1.5 have their types, what is quoted is
 * a string. Anchors and aliases share subtrees. It never guesses: other tags, merge keys, repeated keys, a second
 * document and numbers that JSON cannot hold are errors with their line. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>
#include "contract_internal.h"

enum { MAX_DEPTH = 64, MAX_NODES = 500000 };

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the one being looked at */
	json_t *anchors;    /* name → value, complete ones only, so that no value can contain itself */
	int depth, nodes;
	char *error;
};

static json_t *read_node(struct reader *r);

static json_t *__attribute__((format(printf, 3, 4)))
fail(struct reader *r, const yaml_mark_t *mark, const char *format, ...)
{
	va_list args;
	char *reason = NULL;

	if (r->error)
		return NULL;
	va_start(args, format);
	if (vasprintf(&reason, format, args) < 0 ||
		asprintf(&r->error, "line %zu, column %zu: %s", mark->line + 1, mark->column + 1, reason) < 0)
		abort();
	va_end(args);
	free(reason);
	return NULL;
}

static bool next(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (yaml_parser_parse(&r->parser, &r->event))
		return true;
	memset(&r->event, 0, sizeof r->event);
	fail(r, &r->parser.problem_mark, "%s", r->parser.problem ? r->parser.problem : "not readable");
	return false;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

static bool looks_integer(const char *text)
{
	text += *text == '-' || *text == '+';
	return *text && text[digits(text)] == '\0';
}

static bool looks_float(const char *text)
{
	size_t whole, fraction = 0;

	text += *text == '-' || *text == '+';
	whole = digits(text);
	text += whole;
	if (*text == '.') {
		fraction = digits(++text);
		text += fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		return *text && text[digits(text)] == '\0';
	}
	return *text == '\0';
}

static json_t *read_integer(struct reader *r, const char *text, int base)
{
	long long number;

	errno = 0;
	number = strtoll(text, NULL, base);
	if (errno)
		return fail(r, &r->event.start_mark, "%s does not fit in 64 bits", text);
	return json_integer(number);
}

static json_t *read_plain(struct reader *r, const char *text)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const trues[] = { "true", "True", "TRUE", NULL };
	static const char *const falses[] = { "false", "False", "FALSE", NULL };
	const char *unsigned_text = text + (*text == '-' || *text == '+');

	if (is_one_of(text, nulls))
		return json_null();
	if (is_one_of(text, trues))
		return json_true();
	if (is_one_of(text, falses))
		return json_false();
	if (looks_integer(text))
		return read_integer(r, text, 10);
	if (strncmp(text, "0x", 2) == 0 && text[2] && text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] == '\0')
		return read_integer(r, text + 2, 16);
	if (strncmp(text, "0o", 2) == 0 && text[2] && text[2 + strspn(text + 2, "01234567")] == '\0')
		return read_integer(r, text + 2, 8);
	if (looks_float(text)) {
		json_t *real = json_real(strtod(text, NULL)); /* NULL when it is infinite */

		return real ? real : fail(r, &r->event.start_mark, "%s is too large", text);
	}
	if (strcasecmp(unsigned_text, ".inf") == 0 || strcasecmp(text, ".nan") == 0)
		return fail(r, &r->event.start_mark, "%s is not a number that JSON has", text);
	return json_string(text);
}

static json_t *read_scalar(struct reader *r)
{
	const char *text = (const char *)r->event.data.scalar.value, *tag = (const char *)r->event.data.scalar.tag;
	size_t length = r->event.data.scalar.length;
	json_t *value;

	if (tag && strcmp(tag, "!") != 0 && strcmp(tag, YAML_STR_TAG) != 0)
		return fail(r, &r->event.start_mark, "the tag %s is not supported", tag);
	if (strlen(text) != length)
		return fail(r, &r->event.start_mark, "a NUL character is not allowed");
	if (!tag && r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		value = read_plain(r, text);
	else
		value = json_stringn(text, length);
	return value ? value : fail(r, &r->event.start_mark, "not valid UTF-8");
}

static json_t *read_sequence(struct reader *r)
{
	json_auto_t *list = json_array();

	while (next(r) && r->event.type != YAML_SEQUENCE_END_EVENT)
		if (json_array_append_new(list, read_node(r)) < 0)
			break;
	return r->error ? NULL : json_incref(list);
}

/* Keys are taken as they are written, so that the status 200 and the word null can be keys. */
static bool read_member(struct reader *r, json_t *object)
{
	yaml_mark_t mark = r->event.start_mark;
	json_auto_t *key = NULL;

	if (r->event.type != YAML_SCALAR_EVENT)
		return fail(r, &mark, "a key must be a plain word or a quoted string");
	key = json_stringn((const char *)r->event.data.scalar.value, r->event.data.scalar.length);
	if (!key || strlen(json_string_value(key)) != json_string_length(key))
		return fail(r, &mark, "a key must be valid UTF-8 without NUL");
	if (r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(json_string_value(key), "<<") == 0)
		return fail(r, &mark, "merge keys (<<) are not supported");
	if (json_object_get(object, json_string_value(key)))
		return fail(r, &mark, "the key '%s' is there twice", json_string_value(key));
	return next(r) && json_object_set_new(object, json_string_value(key), read_node(r)) == 0;
}

static json_t *read_mapping(struct reader *r)
{
	json_auto_t *object = json_object();

	while (next(r) && r->event.type != YAML_MAPPING_END_EVENT)
		if (!read_member(r, object))
			break;
	return r->error ? NULL : json_incref(object);
}

static json_t *read_alias(struct reader *r)
{
	const char *name = (const char *)r->event.data.alias.anchor;
	json_t *value = json_object_get(r->anchors, name);

	return value ? json_incref(value)
		     : fail(r, &r->event.start_mark, "the alias *%s has no anchor before it", name);
}

static json_t *read_content(struct reader *r)
{
	const unsigned char *tag = NULL;

	if (r->event.type == YAML_SCALAR_EVENT)
		return read_scalar(r);
	if (r->event.type == YAML_ALIAS_EVENT)
		return read_alias(r);
	tag = r->event.type == YAML_SEQUENCE_START_EVENT ? r->event.data.sequence_start.tag
							 : r->event.data.mapping_start.tag;
	if (tag)
		return fail(r, &r->event.start_mark, "the tag %s is not supported", tag);
	return r->event.type == YAML_SEQUENCE_START_EVENT ? read_sequence(r) : read_mapping(r);
}

static char *anchor_of(const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL;

	if (event->type == YAML_SCALAR_EVENT)
		anchor = event->data.scalar.anchor;
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		anchor = event->data.sequence_start.anchor;
	else if (event->type == YAML_MAPPING_START_EVENT)
		anchor = event->data.mapping_start.anchor;
	return anchor ? strdup((const char *)anchor) : NULL;
}

static json_t *read_node(struct reader *r)
{
	auto_free char *anchor = anchor_of(&r->event);
	json_t *value = NULL;

	if (++r->nodes > MAX_NODES)
		return fail(r, &r->event.start_mark, "the document is too large");
	if (++r->depth > MAX_DEPTH)
		return fail(r, &r->event.start_mark, "nested more than %d deep", MAX_DEPTH);
	value = read_content(r);
	r->depth--;
	if (value && anchor)
		json_object_set(r->anchors, anchor, value);
	return value;
}

static json_t *read_document(struct reader *r)
{
	json_t *root = NULL;

	if (!next(r) || !next(r)) /* the start of the stream, then of the document */
		return NULL;
	if (r->event.type != YAML_DOCUMENT_START_EVENT)
		return fail(r, &r->event.start_mark, "the file is empty");
	if (!next(r) || !(root = read_node(r)))
		return NULL;
	if (next(r) && next(r) && r->event.type != YAML_STREAM_END_EVENT)
		fail(r, &r->event.start_mark, "a second document is not allowed");
	if (r->error) {
		json_decref(root);
		return NULL;
	}
	return root;
}

json_t *contract_yaml_parse(const char *text, size_t length, char **ret_error)
{
	struct reader r = { .anchors = json_object() };
	json_t *root;

	if (!r.anchors || !yaml_parser_initialize(&r.parser))
		abort();
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
	root = read_document(&r);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	json_decref(r.anchors);
	*ret_error = r.error;
	return root;
}
