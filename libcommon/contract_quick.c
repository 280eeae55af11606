/* The quick look at all parameters of a request: a yes without allocation and without JSON, or no answer at all. The
 * gateway asks it for every request; contract_check_parameters() has the last word and names what is wrong. */
#include <stdint.h>
#include <string.h>
#include "contract_internal.h"
#include "query.h"
#include "text.h"

enum { MAX_VALUE = 512, MAX_NAME = 64, MAX_TRACKED = 64 };

/* Most names and values are sent as they are. */
static bool decode(const char *text, size_t length, char *out, size_t size, size_t *ret_length)
{
	if (length >= size)
		return false;
	if (!memchr(text, '%', length) && !memchr(text, '+', length)) {
		memcpy(out, text, length);
		out[length] = '\0';
		*ret_length = length;
		return true;
	}
	if (!text_form_decode(text, length, out))
		return false;
	*ret_length = strlen(out);
	return true;
}

/* parameter_count when there is none of this name. */
static size_t find_in_query(const struct contract_operation *operation, const char *name, size_t length)
{
	size_t i = 0;

	for (; i < operation->parameter_count; i++) {
		const struct contract_parameter *parameter = &operation->parameters[i];

		if (parameter->place == IN_QUERY && parameter->name_length == length &&
			memcmp(parameter->name, name, length) == 0)
			break;
	}
	return i;
}

static bool query_holds(const struct contract_operation *operation, const char *query, uint64_t *ret_sent)
{
	struct query_part part;
	char text[MAX_VALUE];
	size_t length;

	while (query_next(&query, &part)) {
		size_t i;

		if (!decode(part.name, part.name_length, text, MAX_NAME, &length))
			return false;
		i = find_in_query(operation, text, length);
		if (i == operation->parameter_count) {
			if (!operation->open_query)
				return false;
			continue;
		}
		if (!part.value || i >= MAX_TRACKED || *ret_sent >> i & 1)
			return false;
		*ret_sent |= (uint64_t)1 << i;
		if (!decode(part.value, part.value_length, text, sizeof text, &length) ||
			!schema_text_holds(operation->parameters[i].schema, text, length))
			return false;
	}
	return true;
}

static bool path_holds(const struct contract_parameter *parameter, const struct path_values *values)
{
	char text[MAX_VALUE];

	for (size_t i = 0; i < values->count; i++) {
		if (strcmp(values->values[i].name, parameter->name) != 0)
			continue;
		if (values->values[i].length >= sizeof text)
			return false;
		memcpy(text, values->values[i].value, values->values[i].length);
		text[values->values[i].length] = '\0';
		return schema_text_holds(parameter->schema, text, values->values[i].length);
	}
	return false;
}

bool contract_parameters_hold(const struct contract_operation *operation, const struct path_values *values,
	const char *query, contract_lookup *lookup, void *context)
{
	uint64_t sent = 0;

	if (!query_holds(operation, query, &sent))
		return false;
	for (size_t i = 0; i < operation->parameter_count; i++) {
		const struct contract_parameter *parameter = &operation->parameters[i];
		const char *text;

		switch (parameter->place) {
		case IN_PATH:
			if (!path_holds(parameter, values))
				return false;
			break;
		case IN_QUERY:
			if (parameter->required && (i >= MAX_TRACKED || !(sent >> i & 1)))
				return false;
			break;
		case IN_HEADER:
			text = lookup(context, IN_HEADER, parameter->name);
			if (text ? !schema_text_holds(parameter->schema, text, strlen(text)) : parameter->required)
				return false;
		}
	}
	return true;
}
