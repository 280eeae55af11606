/* From the claims of an access token to the caller that the services are told of. Trusts nothing but the types it has
 * checked. */
#include "caller.h"
#include <stdlib.h>
#include <string.h>
#include "fingerprint.h"
#include "text.h"

/* Text, absent, or wrong. */
static bool read_text(const json_t *claims, const char *name, const char **ret_text)
{
	const json_t *value = json_object_get(claims, name);

	*ret_text = json_string_value(value);
	return !value || (json_is_string(value) && **ret_text && strlen(*ret_text) <= 200);
}

static bool read_roles(const json_t *claims, json_t **ret_roles)
{
	json_t *roles = json_object_get(claims, "roles"), *role;
	size_t index;

	*ret_roles = roles;
	if (!roles)
		return true;
	if (!json_is_array(roles) || json_array_size(roles) > 50)
		return false;
	json_array_foreach(roles, index, role)
	{
		if (!json_is_string(role))
			return false;
	}
	return true;
}

/* "act" as RFC 8693 has it ({"sub": …}) or as plain text. */
static bool read_actor(const json_t *claims, const char **ret_actor)
{
	const json_t *act = json_object_get(claims, "act");

	if (json_is_object(act))
		return read_text(act, "sub", ret_actor) && *ret_actor;
	return read_text(claims, "act", ret_actor);
}

static const char *read_kind(struct caller *caller, const char *kind)
{
	if (!kind)
		return "the token says no kind";
	if (strcmp(kind, "citizen") == 0) {
		caller->kind = CALLER_CITIZEN;
		return caller->subject && !caller->tenant ? NULL : "a citizen's token has a subject and no tenant";
	}
	if (strcmp(kind, "operator") == 0) {
		caller->kind = CALLER_OPERATOR;
		return caller->subject && caller->tenant ? NULL : "an operator's token has a subject and a tenant";
	}
	if (strcmp(kind, "partner") == 0) {
		caller->kind = CALLER_PARTNER;
		return caller->tenant && caller->client ? NULL : "a partner's token has a client and a tenant";
	}
	return "the token is of an unknown kind";
}

static const char *read_caller(const json_t *claims, struct caller *caller)
{
	const json_t *scope = json_object_get(claims, "scope");
	const char *kind, *reason;

	if (!read_text(claims, "kind", &kind) || !read_text(claims, "sub", &caller->subject) ||
		!read_text(claims, "tenant", &caller->tenant) || !read_text(claims, "client_id", &caller->client) ||
		!read_text(claims, "acr", &caller->acr) || !read_text(claims, "sid", &caller->session) ||
		!read_actor(claims, &caller->actor) || !read_roles(claims, &caller->roles))
		return "a claim has the wrong type";
	if (scope && !json_is_string(scope))
		return "a claim has the wrong type";
	caller->scope = scope ? json_string_value(scope) : "";
	if (auth_scope_held(caller->scope, "service"))
		return "no token holds the scope of sibling services";
	reason = read_kind(caller, kind);
	if (caller->kind == CALLER_PARTNER)
		caller->subject = NULL; /* RFC 9068 puts the client there */
	return reason;
}

static char *any_members_dup(const struct caller *caller)
{
	json_t *members = json_pack("{s:s s:s* s:s* s:s* s:s*}", "kind", auth_kind_name(caller->kind), "subject",
		caller->subject, "actor", caller->actor, "tenant", caller->tenant, "client", caller->client);
	char *text = json_dumps(members, JSON_COMPACT | JSON_ENSURE_ASCII);

	json_decref(members);
	return text;
}

/* {"kind":"citizen","subject":"…"} */
static char *members_dup(const struct caller *caller)
{
	char text[1024] = "{", *at = text + 1;
	const char *end = text + sizeof(text) - 2;

	if (!text_plain_member(&at, end, "kind", auth_kind_name(caller->kind)) ||
		!text_plain_member(&at, end, "subject", caller->subject) ||
		!text_plain_member(&at, end, "actor", caller->actor) ||
		!text_plain_member(&at, end, "tenant", caller->tenant) ||
		!text_plain_member(&at, end, "client", caller->client))
		return any_members_dup(caller);
	*at++ = '}';
	return strndup(text, (size_t)(at - text));
}

static void finish(struct principal *principal)
{
	char *text = members_dup(&principal->caller);

	principal->header = auth_caller_dup(&principal->caller);
	if (!text || !principal->header)
		abort();
	principal->header_length = strlen(principal->header);
	text[strlen(text) - 1] = '\0'; /* without its braces */
	memmove(text, text + 1, strlen(text));
	principal->log_members = text;
}

/* The strings of the caller, in one piece of memory: the claims with all their nodes are not kept. */
static void keep_strings(struct principal *principal)
{
	struct caller *caller = &principal->caller;
	const char **strings[] = { &caller->subject, &caller->actor, &caller->tenant, &caller->client, &caller->scope,
		&caller->acr, &caller->session };
	size_t total = 0;
	char *at;

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		total += *strings[i] ? strlen(*strings[i]) + 1 : 0;
	principal->strings = at = malloc(total);
	if (!at)
		abort();
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		if (!*strings[i])
			continue;
		*strings[i] = strcpy(at, *strings[i]);
		at += strlen(at) + 1;
	}
	caller->roles = NULL; /* in the header, for the services */
}

static uint64_t key_of(char kind, const char *name)
{
	return name ? fingerprint(kind, name, strlen(name)) : 0;
}

static void name_keys(struct principal *principal)
{
	const struct caller *caller = &principal->caller;

	principal->keys[PER_CLIENT] = key_of('c', caller->client);
	principal->keys[PER_TENANT] = key_of('t', caller->tenant);
	principal->keys[PER_SUBJECT] = caller->subject ? key_of('s', caller->subject) : principal->keys[PER_CLIENT];
	principal->session_key = key_of('i', caller->session);
	principal->actor_key = key_of('s', caller->actor);
}

static struct principal *principal_empty(void)
{
	struct principal *principal = calloc(1, sizeof(*principal));

	if (!principal)
		abort();
	principal->references = 1;
	principal->caller.scope = "";
	return principal;
}

struct principal *principal_anonymous_new(void)
{
	struct principal *principal = principal_empty();

	principal->caller.kind = CALLER_ANONYMOUS;
	finish(principal);
	return principal;
}

struct principal *principal_new(json_t *claims, const char **ret_reason)
{
	struct principal *principal = principal_empty();

	*ret_reason = read_caller(claims, &principal->caller);
	if (*ret_reason) {
		json_decref(claims);
		principal_release(principal);
		return NULL;
	}
	principal->issued = (time_t)json_integer_value(json_object_get(claims, "iat"));
	principal->expires = (time_t)json_integer_value(json_object_get(claims, "exp"));
	name_keys(principal);
	finish(principal);
	keep_strings(principal);
	json_decref(claims);
	return principal;
}

struct principal *principal_hold(struct principal *principal)
{
	principal->references++;
	return principal;
}

void principal_release(struct principal *principal)
{
	if (!principal || --principal->references)
		return;
	free(principal->strings);
	free(principal->header);
	free(principal->log_members);
	free(principal);
}
