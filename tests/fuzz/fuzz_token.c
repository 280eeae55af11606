/* Any text as a token, as a JWKS, and as claims that were signed. Nobody is let in who could not have been: without the
 * private key no token holds, and a caller that is made of claims has what its kind must have. */
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
	principal = principal_new(claims, &reason);
	must((principal == NULL) == (reason != NULL));
	if (!principal)
		return;
	caller = &principal->caller;
	must(caller->kind == CALLER_CITIZEN || caller->kind == CALLER_OPERATOR || caller->kind == CALLER_PARTNER);
	must((caller->kind == CALLER_CITIZEN) == (caller->tenant == NULL));
	must((caller->kind == CALLER_PARTNER) == (caller->subject == NULL));
	must(!strpbrk(principal->header, "\r\n") && strlen(principal->header) == principal->header_length);
	principal_release(principal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_token((const char *)data, size);
	as_claims((const char *)data, size);
	keys_free(keys_new((const char *)data, size));
	return 0;
}
