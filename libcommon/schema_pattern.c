/* `pattern` by PCRE2, set up to read expressions as ECMA-262 does, and bounded: no expression of a contract and no text
 * of a client can make it run for long. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "schema_internal.h"

enum { MAX_PATTERN = 4096, MATCH_LIMIT = 200000, HEAP_LIMIT_KIB = 8192 };

static void release_code(void *code)
{
	pcre2_code_free(code);
}

bool schema_compile_pattern(struct schema *schema, const char *source)
{
	const uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS |
				 PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	struct schema_pattern *pattern = arena_alloc(schema->set->arena, sizeof *pattern);
	PCRE2_UCHAR reason[200];
	PCRE2_SIZE offset;
	int error;

	if (!context)
		abort();
	pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
	pcre2_set_max_pattern_length(context, MAX_PATTERN);
	pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
	pattern->source = source;
	pattern->code = pcre2_compile((PCRE2_SPTR)source, strlen(source), options, &error, &offset, context);
	pcre2_compile_context_free(context);
	if (!pattern->code) {
		pcre2_get_error_message(error, reason, sizeof reason);
		return schema_fail(schema->set, schema, "pattern", "the pattern is wrong at character %zu: %s",
			offset + 1, (const char *)reason);
	}
	arena_lease(schema->set->arena, pattern->code, release_code);
	schema->pattern = pattern;
	return true;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pcre2_match_context *limits;
static pthread_key_t own_match; /* of each thread */

static void free_match(void *match)
{
	pcre2_match_data_free(match);
}

static void start(void)
{
	if (!(limits = pcre2_match_context_create(NULL)) || pthread_key_create(&own_match, free_match) != 0)
		abort();
	pcre2_set_match_limit(limits, MATCH_LIMIT);
	pcre2_set_heap_limit(limits, HEAP_LIMIT_KIB);
}

bool schema_pattern_holds(const struct schema_pattern *pattern, const char *text, size_t length)
{
	pcre2_match_data *match;

	pthread_once(&once, start);
	match = pthread_getspecific(own_match);
	if (!match) {
		match = pcre2_match_data_create(1, NULL);
		if (!match || pthread_setspecific(own_match, match) != 0)
			abort();
	}
	return pcre2_match(pattern->code, (PCRE2_SPTR)text, length, 0, PCRE2_NO_UTF_CHECK, match, limits) >= 0;
}

bool schema_pattern_matches(struct schema_budget *budget, const struct schema_pattern *pattern, const json_t *string)
{
	size_t length = json_string_length(string);
	int result;

	pthread_once(&once, start);
	if (!budget->match && !(budget->match = pcre2_match_data_create(1, NULL)))
		abort();
	result = pcre2_match(pattern->code, (PCRE2_SPTR)json_string_value(string), length, 0, PCRE2_NO_UTF_CHECK,
		budget->match, limits);
	budget->steps -= (long)(length / 16);
	if (result < 0 && result != PCRE2_ERROR_NOMATCH)
		budget->steps -= SCHEMA_MAX_STEPS / 50; /* a limit was hit: some more of these and the check ends */
	return result >= 0;
}
