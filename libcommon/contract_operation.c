/* One operation from its definition: body, answers, extensions, and what the rest of the program reads off its struct.
 * Parameters and security have files of their own. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "contract_internal.h"

enum {
	DEFAULT_MAX_BODY = 64 * 1024,
	DEFAULT_TIMEOUT = 10,
	MOST_BODY = 1 << 30,
	MOST_TIMEOUT = 300,
	MOST_RATES = 4,
	MOST_RATE = 1000000
};

const char *const rate_per_names[PER_COUNT] = { "address", "subject", "client", "tenant" };

static bool read_body(struct builder *b, struct contract_operation *operation, struct located at)
{
	static const char *const known[] = { "description", "content", "required", NULL };
	struct located body, content;
	struct contract_body *bodies;
	const char *name;
	json_t *media;

	if (!builder_member(b, at, "requestBody", &body))
		return false;
	if (!body.value)
		return true;
	if (!builder_keys(b, body, "the requestBody", known) || !builder_member(b, body, "content", &content))
		return false;
	if (json_object_size(content.value) == 0)
		return builder_fail(b, body, NULL, "the requestBody has no content");
	bodies = arena_alloc(b->contract->arena, json_object_size(content.value) * sizeof *bodies);
	operation->bodies = bodies;
	operation->body_required = json_is_true(json_object_get(body.value, "required"));
	operation->max_body = DEFAULT_MAX_BODY;
	json_object_foreach((json_t *)content.value, name, media)
	{
		bodies->media_type = name;
		if (!strchr(name, '/') || strchr(name, ';'))
			return builder_fail(b, content, name, "'%s' is not a media type without parameters", name);
		if (!operation_media_type(b, (struct located){ media, content.document }, name, &bodies->schema))
			return false;
		bodies++;
		operation->body_count++;
	}
	return true;
}

static bool read_number(struct builder *b, struct located at, const char *key, long long most, long long *number)
{
	const json_t *value = json_object_get(at.value, key);

	if (!value)
		return true;
	*number = json_integer_value(value);
	return (json_is_integer(value) && *number >= 1 && *number <= most) ||
	       builder_fail(b, at, key, "'%s' must be an integer from 1 to %lld", key, most);
}

static bool read_limits(struct builder *b, struct contract_operation *operation, struct located at)
{
	const json_t *stream = json_object_get(at.value, "x-stream");
	const json_t *open_query = json_object_get(at.value, "x-open-query");
	long long max_body = (long long)operation->max_body, timeout = DEFAULT_TIMEOUT;

	if (stream && !json_is_boolean(stream))
		return builder_fail(b, at, "x-stream", "'x-stream' must be true or false");
	if (open_query && !json_is_boolean(open_query))
		return builder_fail(b, at, "x-open-query", "'x-open-query' must be true or false");
	if (!operation->body_count && (stream || json_object_get(at.value, "x-max-body")))
		return builder_fail(b, at, NULL, "x-stream and x-max-body need a requestBody");
	if (!read_number(b, at, "x-max-body", MOST_BODY, &max_body) ||
		!read_number(b, at, "x-timeout", MOST_TIMEOUT, &timeout))
		return false;
	operation->stream = json_is_true(stream);
	operation->open_query = json_is_true(open_query);
	operation->max_body = (size_t)max_body;
	operation->timeout = (int)timeout;
	return true;
}

static bool read_per(struct builder *b, struct located operation, const json_t *value, enum rate_per *ret_per)
{
	const char *name = json_string_value(value);

	for (*ret_per = 0; name && *ret_per < PER_COUNT; ++*ret_per) {
		if (strcmp(rate_per_names[*ret_per], name) == 0)
			return true;
	}
	return builder_fail(b, operation, "x-rate", "'per' must be address, subject, client or tenant");
}

/* {perMinute: 60, per: subject} */
static bool read_rate(struct builder *b, struct located operation, const json_t *value, struct contract_rate *rate)
{
	static const struct {
		const char *name;
		unsigned seconds;
	} windows[] = { { "perMinute", 60 }, { "perHour", 3600 }, { "perDay", 86400 } };
	const json_t *number = NULL;

	for (size_t i = 0; i < sizeof windows / sizeof *windows && !number; i++) {
		number = json_object_get(value, windows[i].name);
		rate->seconds = windows[i].seconds;
	}
	if (!number || json_object_size(value) != 2)
		return builder_fail(
			b, operation, "x-rate", "an entry has one of perMinute, perHour and perDay, and per");
	if (!json_is_integer(number) || json_integer_value(number) < 1 || json_integer_value(number) > MOST_RATE)
		return builder_fail(b, operation, "x-rate", "a rate must be an integer from 1 to %d", MOST_RATE);
	rate->requests = (unsigned)json_integer_value(number);
	return read_per(b, operation, json_object_get(value, "per"), &rate->per);
}

/* One entry or a list of them. Where nobody need say who he is, only his address can be counted. */
static bool read_rates(struct builder *b, struct contract_operation *operation, struct located at)
{
	json_t *value = json_object_get(at.value, "x-rate"), *entry;
	json_auto_t *list = json_is_array(value) ? json_incref(value) : value ? json_pack("[O]", value) : json_array();
	struct contract_rate *rates = arena_alloc(b->contract->arena, (json_array_size(list) + 1) * sizeof *rates);
	size_t index;

	operation->rates = rates;
	operation->rate_count = json_array_size(list);
	if ((value && !operation->rate_count) || operation->rate_count > MOST_RATES)
		return builder_fail(b, at, "x-rate", "'x-rate' must be one entry or a list of 1 to %d", MOST_RATES);
	json_array_foreach(list, index, entry)
	{
		if (!read_rate(b, at, entry, &rates[index]))
			return false;
		if (operation->security_count == 0 && rates[index].per != PER_ADDRESS)
			return builder_fail(b, at, "x-rate", "a public operation can only be limited per address");
	}
	return true;
}

static bool is_slug(const char *text)
{
	size_t length = text ? strlen(text) : 0;

	return length && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length && *text != '-' &&
	       text[length - 1] != '-';
}

static bool read_problems(struct builder *b, struct contract_operation *operation, struct located at)
{
	const json_t *list = json_object_get(at.value, "x-problems");
	const char **problems = arena_alloc(b->contract->arena, (json_array_size(list) + 1) * sizeof *problems);
	size_t index;
	json_t *slug;

	operation->problems = problems;
	if (list && !json_is_array(list))
		return builder_fail(b, at, "x-problems", "'x-problems' must be an array of slugs");
	json_array_foreach(list, index, slug)
	{
		problems[index] = json_string_value(slug);
		if (!is_slug(problems[index]))
			return builder_fail(
				b, at, "x-problems", "entry %zu is not a slug (lower-case-with-hyphens)", index + 1);
	}
	return true;
}

bool operation_build(struct builder *b, struct contract_operation *operation, struct located item, struct located at)
{
	static const char *const known[] = { "tags", "summary", "description", "externalDocs", "operationId",
		"parameters", "requestBody", "responses", "deprecated", "security", NULL };
	json_t *definition = json_copy((json_t *)at.value);

	operation->definition = arena_json(b->contract->arena, definition);
	return builder_keys(b, at, "the operation", known) && operation_security(b, operation, at) &&
	       operation_parameters(b, operation, item, at, definition) && read_body(b, operation, at) &&
	       operation_answers(b, operation, at, definition) && read_limits(b, operation, at) &&
	       read_rates(b, operation, at) && read_problems(b, operation, at);
}

/* How closely a declared type fits the one that was sent: 3 exactly, 2 by its type, 1 as anything, 0 not at all. */
static int fit_of(const char *declared, const char *sent, size_t length)
{
	size_t type = strcspn(declared, "/") + 1;

	if (strcmp(declared, "*/*") == 0)
		return 1;
	if (strcmp(declared + type, "*") == 0)
		return length > type && strncasecmp(declared, sent, type) == 0 ? 2 : 0;
	return strlen(declared) == length && strncasecmp(declared, sent, length) == 0 ? 3 : 0;
}

const struct contract_body *contract_body_for(const struct contract_operation *operation, const char *content_type)
{
	const struct contract_body *best = NULL;
	size_t length = content_type ? strcspn(content_type, "; \t") : 0;
	int best_fit = 0;

	for (size_t i = 0; i < operation->body_count && length; i++) {
		int fit = fit_of(operation->bodies[i].media_type, content_type, length);

		if (fit > best_fit) {
			best_fit = fit;
			best = &operation->bodies[i];
		}
	}
	return best;
}
