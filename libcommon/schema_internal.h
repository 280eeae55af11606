/* A compiled schema, and what the parts of the compiler and of the checker share. */
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <jansson.h>
#include <pcre2.h>
#include <stdbool.h>
#include <stdio.h>
#include "arena.h"
#include "schema.h"

enum { SCHEMA_MAX_ERRORS = 100, SCHEMA_MAX_STEPS = 2000000, SCHEMA_MAX_DEPTH = 500, SCHEMA_MAX_NESTING = 256 };

enum schema_type {
	TYPE_STRING = 1,
	TYPE_INTEGER = 2,
	TYPE_NUMBER = 4,
	TYPE_BOOLEAN = 8,
	TYPE_ARRAY = 16,
	TYPE_OBJECT = 32
};

struct schema_bounds { /* of a length or a count */
	size_t least, most;
};

struct schema_property {
	const char *name;
	struct schema *schema;
};

struct schema_list { /* of allOf, anyOf, oneOf, in the order of the contract */
	struct schema **items;
	const char **names; /* how an alternative is called in errors: the last word of its $ref, or its title */
	size_t count;
};

struct schema_discriminator { /* value of the property → the schema that then holds */
	const char *property;
	struct schema_property *mapping;
	size_t count;
	bool alternatives; /* beside oneOf or anyOf, else beside schemas that extend this one by allOf */
};

struct schema_pattern {
	pcre2_code *code;
	const char *source;
};

struct schema {
	const json_t *definition, *document;
	struct schema_set *set;
	enum schema_type type; /* 0: any */
	bool nullable, read_only, write_only, unique_items, exclusive_minimum, exclusive_maximum;
	const json_t *minimum, *maximum, *multiple_of, *options, *fallback;
	const char *format, *title;
	struct schema_bounds length, items_count, properties_count;
	struct schema_pattern *pattern;
	struct schema *items, *inverse, *additional;
	bool closed;			    /* additionalProperties: false */
	struct schema_property *properties; /* sorted by name */
	size_t property_count;
	const char **required;
	size_t required_count;
	struct schema_list all_of, any_of, one_of;
	struct schema_discriminator *discriminator;
	bool prepared;		    /* schema_prepare_text() has been here */
	struct schema_quick *quick; /* for schema_text_holds(); NULL: it has no quick look */
	char visit;		    /* of the search for endless references */
};

/* Schemas that refer to each other, compiled once each. */
struct schema_set {
	struct arena *arena;
	schema_resolver *resolve;
	void *context;
	void *by_definition; /* tsearch tree of struct schema */
	struct schema **list;
	size_t count, capacity;
	int depth;
	char *failure; /* the first one, with its place */
	const json_t *failed_in, *failed_at;
	const char *failed_key;
};

struct schema_set *schema_set_new(schema_resolver *resolve, void *context);
void schema_set_free(struct schema_set *set);
/* NULL when it does not compile: set->failure says what, failed_in (document), failed_at (object), failed_key where. */
struct schema *schema_compile(struct schema_set *set, const json_t *definition, const json_t *document);
/* After the last schema: no endless references, defaults and enums that hold. */
bool schema_set_finish(struct schema_set *set);
bool schema_fail(struct schema_set *set, const struct schema *schema, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Follows $ref to its end. NULL: dangling or a circle; the failure is kept. */
const json_t *schema_follow(struct schema_set *set, const json_t *definition, const json_t **document);

/* What one $ref points at: here, or by the resolver in another file; *document is then that file. */
const json_t *schema_resolve(struct schema_set *set, const char *ref, const json_t **document);

bool schema_compile_keywords(struct schema *schema);
bool schema_compile_pattern(struct schema *schema, const char *source);
bool schema_compile_discriminator(struct schema *schema, const json_t *argument);

/* A place in a value: frames on the stack, written out only when there is an error. */
struct place {
	const struct place *up;
	const char *key; /* NULL: an item, by index */
	size_t index;
};

void json_pointer_put(FILE *out, const struct place *place);
/* The node that a pointer names, as the fragment of a URI; NULL when there is none. */
const json_t *json_pointer_get(const json_t *root, const char *pointer);
/* The pointer of a node (or of its member key) in the tree of root. The caller owns it. */
char *json_place(const json_t *root, const json_t *node, const char *key);

/* One run of schema_check. A quiet one only wants to know whether there is an error. */
struct schema_budget {
	long steps;  /* what is left: nested alternatives can cost exponentially */
	int nesting; /* of schema_run within itself: threads have small stacks */
	pcre2_match_data *match;
};

struct schema_check {
	const char *prefix;
	const char *parameter; /* set: errors name it, not a pointer */
	json_t *errors;	       /* NULL: quiet */
	int found;
	struct schema_budget *budget;
};

/* What holds for all schemas that apply to one and the same value. */
struct schema_scope {
	const struct schema *whole; /* the outermost of them */
	bool discriminated;	    /* a discriminator has already chosen */
};

void schema_run(struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place,
	struct schema_scope scope);
bool schema_matches(struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place,
	struct schema_scope scope);
void schema_error(struct schema_check *c, const struct place *place, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void schema_run_alternatives(struct schema_check *c, const struct schema *schema, const json_t *value,
	const struct place *place, struct schema_scope scope);
/* Without alternatives: the schema that extends this one and that the value names. NULL: an error is noted. */
const struct schema *schema_choose_heir(
	struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place);
/* Does not allocate, but for the first match of a thread. */
bool schema_pattern_holds(const struct schema_pattern *pattern, const char *text, size_t length);
bool schema_pattern_matches(struct schema_budget *budget, const struct schema_pattern *pattern, const json_t *string);
const struct schema *schema_property_of(const struct schema *schema, const char *name);
/* Does `type` allow the value? And does anything that applies to it by allOf? */
bool schema_type_takes(const struct schema *schema, const json_t *value);
bool schema_takes(const struct schema *schema, const json_t *value);
void schema_run_number(
	struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place);
const char *schema_article(const char *format);
const char *schema_type_name(enum schema_type type);

int schema_check_all(struct schema_check *c, const struct schema *schema, const json_t *value);

/* What a parameter of this schema is read as, and what it is when absent: also where allOf states it. */
enum schema_type schema_text_type(const struct schema *schema);
const json_t *schema_fallback(const struct schema *schema);

/* Equality as JSON Schema means it: 1 and 1.0 are equal. */
bool json_same(const json_t *one, const json_t *other);
/* The first item that is equal to an earlier one, or -1. */
long json_repeated_item(const json_t *array);
int json_compare_numbers(const json_t *one, const json_t *other);
bool json_is_multiple(const json_t *number, const json_t *of);
size_t json_code_points(const json_t *string);
