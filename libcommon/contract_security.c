/* `security`: who may call an operation. Every scope is looked up in the scheme that declares it, since a scope with a
 * typing error would lock everybody out or, worse, be thought to protect. */
#include <string.h>
#include "contract_internal.h"

static bool scheme_of(struct builder *b, struct located at, const char *name, struct located *ret)
{
	struct located root = { b->contract->root, b->contract->root }, components, schemes;

	if (!builder_member(b, root, "components", &components) ||
		!builder_member(b, components, "securitySchemes", &schemes) || !builder_member(b, schemes, name, ret))
		return false;
	return ret->value || builder_fail(b, at, "security", "the security scheme '%s' is not declared", name);
}

static bool flow_has(struct located scheme, const char *scope)
{
	const char *name;
	json_t *flow;

	json_object_foreach(json_object_get(scheme.value, "flows"), name,
		flow) if (json_object_get(json_object_get(flow, "scopes"), scope)) return true;
	return false;
}

static bool read_scopes(struct builder *b, struct located at, struct located scheme, const json_t *list,
	struct contract_security *security)
{
	const char *type = json_string_value(json_object_get(scheme.value, "type"));
	const char **scopes = arena_alloc(b->contract->arena, (json_array_size(list) + 1) * sizeof *scopes);
	size_t index;
	json_t *scope;

	security->scopes = scopes;
	if (!type || !json_is_array(list))
		return builder_fail(b, at, "security", "the scheme '%s' must have a type, and here a list of scopes",
			security->scheme);
	json_array_foreach(list, index, scope)
	{
		scopes[index] = json_string_value(scope);
		if (!scopes[index])
			return builder_fail(b, at, "security", "a scope must be a string");
		if (strcmp(type, "openIdConnect") != 0 && !flow_has(scheme, scopes[index]))
			return builder_fail(
				b, at, "security", "unknown scope '%s' of '%s'", scopes[index], security->scheme);
	}
	return true;
}

static bool read_alternative(
	struct builder *b, struct located at, const json_t *alternative, struct contract_security *security)
{
	struct located scheme;
	void *only = json_object_iter((json_t *)alternative);

	if (json_object_size(alternative) != 1)
		return builder_fail(
			b, at, "security", "each alternative names one scheme; a public operation says security: []");
	security->scheme = json_object_iter_key(only);
	return scheme_of(b, at, security->scheme, &scheme) &&
	       read_scopes(b, at, scheme, json_object_iter_value(only), security);
}

bool operation_security(struct builder *b, struct contract_operation *operation, struct located at)
{
	struct located root = { b->contract->root, b->contract->root };
	const json_t *list;
	struct contract_security *security;
	size_t index;
	json_t *alternative;

	if (!json_object_get(at.value, "security") && json_object_get(root.value, "security"))
		at = root;
	list = json_object_get(at.value, "security");
	if (!json_is_array(list))
		return builder_fail(b, at, NULL, "security must be a list of alternatives; [] means public");
	security = arena_alloc(b->contract->arena, (json_array_size(list) + 1) * sizeof *security);
	json_array_foreach(
		list, index, alternative) if (!read_alternative(b, at, alternative, &security[index])) return false;
	operation->security = security;
	operation->security_count = json_array_size(list);
	return true;
}
