/* Any text as a token, as a JWKS, and as claims that were signed. Nobody is let in who could not have been: without the
 * private key no token holds, a caller that is made of claims has what its kind must have, and the services and the log
 * are told of it what the claims said. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "token.h"

static const char jwks[] =
	"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"e\",\"x\":\"11qYAYKxCrfVS_"
	"7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void as_token(const char *text, size_t size)
{
	static const struct token_rules rules = { "https://i", "portico" };
	static struct keys *keys;
	struct principal *principal;
	const char *reason = NULL;

	if (!keys)
		keys = keys_new(jwks, sizeof(jwks) - 1);
	must(keys && keys->count == 2);
	must(token_verify(keys, &rules, text, size, 1000, &principal, &reason) != TOKEN_VALID && !principal && reason);
}

static void same(const json_t *object, const char *name, const char *text)
{
	const json_t *value = json_object_get(object, name);

	must(text ? json_is_string(value) && strcmp(json_string_value(value), text) == 0 : value == NULL);
}

/* What the services are told is JSON, and says of the caller what the claims said, nothing else. */
static void check_header(const struct principal *principal, const json_t *claims)
{
	const struct caller *caller = &principal->caller;
	const json_t *roles = json_object_get(claims, "roles");
	json_t *header = json_loads(principal->header, JSON_REJECT_DUPLICATES, NULL);

	must(json_is_object(header));
	same(header, "kind", auth_kind_name(caller->kind));
	same(header, "sub", caller->subject);
	same(header, "act", caller->actor);
	same(header, "tenant", caller->tenant);
	same(header, "client", caller->client);
	same(header, "scope", caller->scope);
	same(header, "acr", caller->acr);
	same(header, "sid", caller->session);
	must(roles ? json_equal(json_object_get(header, "roles"), roles) : !json_object_get(header, "roles"));
	must(json_object_size(header) <= 9);
	same(claims, "tenant", caller->tenant);
	same(claims, "sid", caller->session);
	json_decref(header);
}

/* The members that the access log takes over as they are. */
static void check_log(const struct principal *principal)
{
	size_t length = strlen(principal->log_members);
	char *text = malloc(length + 3);
	json_t *members;

	must(text != NULL);
	text[0] = '{';
	memcpy(text + 1, principal->log_members, length);
	memcpy(text + 1 + length, "}", 2);
	members = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	must(json_is_object(members) && !strpbrk(text, "\r\n"));
	same(members, "kind", auth_kind_name(principal->caller.kind));
	same(members, "subject", principal->caller.subject);
	same(members, "tenant", principal->caller.tenant);
	same(members, "client", principal->caller.client);
	json_decref(members);
	free(text);
}

static void as_claims(const char *text, size_t size)
{
	json_t *claims = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	struct principal *principal;
	const struct caller *caller;
	const char *reason = NULL;

	if (!json_is_object(claims)) {
		json_decref(claims);
		return;
	}
	principal = principal_new(json_incref(claims), &reason);
	must((principal == NULL) == (reason != NULL));
	if (!principal) {
		json_decref(claims);
		return;
	}
	caller = &principal->caller;
	must(caller->kind == CALLER_CITIZEN || caller->kind == CALLER_OPERATOR || caller->kind == CALLER_PARTNER);
	must((caller->kind == CALLER_CITIZEN) == (caller->tenant == NULL));
	must((caller->kind == CALLER_PARTNER) == (caller->subject == NULL));
	must(!strpbrk(principal->header, "\r\n") && strlen(principal->header) == principal->header_length);
	check_header(principal, claims);
	check_log(principal);
	principal_release(principal);
	json_decref(claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_token((const char *)data, size);
	as_claims((const char *)data, size);
	keys_free(keys_new((const char *)data, size));
	return 0;
}
