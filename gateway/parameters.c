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

/* path_decode() has refused what cannot be decoded. */
static const char *decode(struct arena *arena, const char *text, size_t length)
{
	char *decoded = arena_alloc(arena, length + 1);

	text_form_decode(text, length, decoded);
	return decoded;
}

static struct decoded_query decode_query(struct arena *arena, const struct asking *asking)
{
	struct decoded_query decoded = { .asking = asking };
	const char *query = asking->query;
	struct query_part part;
	size_t count = 0, at = 0;

	while (query_next(&query, &part))
		count++;
	decoded.names = arena_alloc(arena, (count + 1) * sizeof(char *));
	decoded.values = arena_alloc(arena, (count + 1) * sizeof(char *));
	for (query = asking->query; query_next(&query, &part); at++) {
		decoded.names[at] = decode(arena, part.name, part.name_length);
		decoded.values[at] = part.value ? decode(arena, part.value, part.value_length) : NULL;
	}
	return decoded;
}

static bool judge(struct client *client, struct asking *asking, struct arena *arena)
{
	const struct contract_operation *operation = client->exchange.route->operation;
	json_auto_t *errors = json_array();
	struct decoded_query query = decode_query(arena, asking);

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
