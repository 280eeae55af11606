/* The answers of an operation: read from the contract, and held against what a client accepts. */
#include <string.h>
#include <strings.h>
#include "contract_internal.h"

bool operation_media_type(struct builder *b, struct located media, const char *name, struct schema **ret_schema)
{
	static const char *const known[] = { "schema", "example", "examples", "encoding", NULL };
	const json_t *schema = json_object_get(media.value, "schema");

	if (!builder_keys(b, media, "the media type", known))
		return false;
	if (!schema)
		return builder_fail(b, media, NULL, "the media type '%s' has no schema", name);
	return (*ret_schema = builder_schema(b, (struct located){ schema, media.document })) != NULL;
}

static bool read_header(struct builder *b, struct located headers, const char *name)
{
	struct located header;

	if (!builder_member(b, headers, name, &header))
		return false;
	return builder_schema(b, (struct located){ json_object_get(header.value, "schema"), header.document }) != NULL;
}

static bool read_response(struct builder *b, struct located at)
{
	static const char *const known[] = { "description", "headers", "content", "links", NULL };
	struct located headers, content;
	struct schema *schema;
	const char *name;
	json_t *member;

	if (!builder_keys(b, at, "the response", known))
		return false;
	if (!json_is_string(json_object_get(at.value, "description")))
		return builder_fail(b, at, NULL, "the response has no description");
	if (!builder_member(b, at, "headers", &headers) || !builder_member(b, at, "content", &content))
		return false;
	json_object_foreach((json_t *)headers.value, name, member) if (!read_header(b, headers, name)) return false;
	json_object_foreach((json_t *)content.value, name,
		member) if (!operation_media_type(b, (struct located){ member, content.document }, name,
				    &schema)) return false;
	return true;
}

static bool is_status(const char *key)
{
	if (strcmp(key, "default") == 0)
		return true;
	return strlen(key) == 3 && *key >= '1' && *key <= '5' &&
	       (strcmp(key + 1, "XX") == 0 || strspn(key + 1, "0123456789") == 2);
}

/* What a client gets when all goes well. */
static void list_media_types(struct builder *b, struct contract_operation *operation, const json_t *answers)
{
	const char *status, *type;
	json_t *answer, *media;
	size_t room = 0;
	const char **types;

	json_object_foreach((json_t *)answers, status, answer) room +=
		json_object_size(json_object_get(answer, "content"));
	operation->answers = types = arena_alloc(b->contract->arena, (room + 1) * sizeof *types);
	json_object_foreach((json_t *)answers, status, answer)
	{
		if (*status != '2')
			continue;
		json_object_foreach(json_object_get(answer, "content"), type, media)
		{
			types[operation->answer_count++] = type;
		}
	}
}

/* Checks the answers and puts them, found, into the operation's own definition. */
bool operation_answers(struct builder *b, struct contract_operation *operation, struct located at, json_t *definition)
{
	struct located responses;
	json_auto_t *found = json_object();
	const char *status;
	json_t *member;

	if (!builder_member(b, at, "responses", &responses))
		return false;
	if (json_object_size(responses.value) == 0)
		return builder_fail(b, at, NULL, "the operation has no responses");
	json_object_foreach((json_t *)responses.value, status, member)
	{
		struct located response;

		if (strncmp(status, "x-", 2) == 0)
			continue;
		if (!is_status(status))
			return builder_fail(b, responses, status, "'%s' is not a status", status);
		if (!builder_member(b, responses, status, &response) || !read_response(b, response))
			return false;
		json_object_set(found, status, (json_t *)response.value);
	}
	json_object_set(definition, "responses", found);
	list_media_types(b, operation, found);
	return true;
}
