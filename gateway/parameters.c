/* A request that is right costs one quick look; only what is not, or cannot be told by it, is read again with arena and
 * JSON, by the code that the services judge with. Never looks at a body. */
#include "parameters.h"
#include <jansson.h>
#include <string.h>
#include <strings.h>
#include "answer.h"
#include "arena.h"
#include "query.h"
#include "scope.h"
#include "text.h"

/* As libmicrohttpd has it for the services: the first field of the name. */
static const char *find_header(const struct asking *asking, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < asking->head.field_count; i++) {
		const struct http1_field *field = &asking->head.fields[i];

		if (field->name_length == length && strncasecmp(field->name, name, length) == 0)
			return field->value;
	}
	return NULL;
}

static const char *look_up_header(void *context, enum parameter_place place, const char *name)
{
	return find_header(context, name);
}

/* The query of a request, decoded: NULL-terminated names, repeats included, each with its value (NULL: no "="). */
struct decoded_query {
	const struct asking *asking;
	const char **names, **values;
};

static const char *look_up(void *context, enum parameter_place place, const char *name)
{
	const struct decoded_query *query = context;
	size_t i = 0;

	if (place == IN_HEADER)
		return find_header(query->asking, name);
	while (query->names[i] && strcmp(query->names[i], name) != 0)
		i++;
	return query->names[i] ? query->values[i] : NULL;
}

static bool decode(struct arena *arena, const char *text, size_t length, const char **ret_text)
{
	char *decoded = arena_alloc(arena, length + 1);

	*ret_text = decoded;
	return text_form_decode(text, length, decoded);
}

/* False when a percent sign is broken: one reader would take it as it stands, another would not. */
static bool decode_query(struct arena *arena, const struct asking *asking, struct decoded_query *ret_query)
{
	const char *query = asking->query;
	struct query_part part;
	size_t count = 0, at = 0;

	while (query_next(&query, &part))
		count++;
	*ret_query = (struct decoded_query){ .asking = asking,
		.names = arena_alloc(arena, (count + 1) * sizeof(char *)),
		.values = arena_alloc(arena, (count + 1) * sizeof(char *)) };
	for (query = asking->query; query_next(&query, &part); at++) {
		if (!decode(arena, part.name, part.name_length, &ret_query->names[at]) ||
			(part.value && !decode(arena, part.value, part.value_length, &ret_query->values[at])))
			return false;
	}
	return true;
}

static bool judge(struct client *client, struct asking *asking, struct arena *arena)
{
	const struct contract_operation *operation = client->exchange.route->operation;
	json_auto_t *errors = json_array();
	struct decoded_query query;

	if (!decode_query(arena, asking, &query)) {
		answer_problem(client, 400, "malformed-request", "a broken percent sign in the query");
		return false;
	}
	json_decref(contract_check_parameters(operation, &asking->values, query.names, look_up, &query, errors));
	if (!json_array_size(errors))
		return true;
	answer_invalid(client, errors);
	return false;
}

bool parameters_hold(struct client *client, struct asking *asking)
{
	struct arena *arena;
	bool hold;

	if (contract_parameters_hold(
		    client->exchange.route->operation, &asking->values, asking->query, look_up_header, asking))
		return true;
	arena = arena_new();
	hold = judge(client, asking, arena);
	arena_free(arena);
	return hold;
}
