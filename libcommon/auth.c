/* Owns the caller header between gateway and services: its form and its signature. Never sees a token. */
#include "auth.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "contract.h"
#include "text.h"

enum { MAX_AGE = 60, MAC_LENGTH = 32 };

static struct auth_key shared_key;
static EVP_MD *sha256; /* looking it up each time would cost more than what is done with it */
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static const char *const kind_names[] = { "anonymous", "citizen", "operator", "partner", "service" };

const char *auth_kind_name(enum caller_kind kind)
{
	return kind_names[kind];
}

static void fetch_sha256(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!sha256)
		abort();
}

static bool digest(const void *bytes, size_t length, unsigned char ret_digest[static MAC_LENGTH])
{
	return EVP_Digest(bytes, length, ret_digest, NULL, sha256, NULL) == 1;
}

/* The key as RFC 2104 wants it: of one block, and combined with its two constants. */
bool auth_key_read(struct auth_key *key, const char *text)
{
	size_t length = strlen(text);
	unsigned char block[AUTH_BLOCK] = { 0 };

	if (length < AUTH_KEY_MIN || length > AUTH_KEY_MAX)
		return false;
	pthread_once(&sha256_once, fetch_sha256);
	if (length <= sizeof block)
		memcpy(block, text, length);
	else if (!digest(text, length, block))
		return false;
	for (size_t i = 0; i < sizeof block; i++) {
		key->inner[i] = block[i] ^ 0x36;
		key->outer[i] = block[i] ^ 0x5c;
	}
	return true;
}

bool auth_start(const char *key)
{
	return auth_key_read(&shared_key, key);
}

/* HMAC-SHA-256 over caller LF method LF path LF time, written as hex. It is put together here, on a digest that is
 * looked up once, because it is a good part of what the gateway does for a request. A text that does not fit is
 * refused: the empty MAC never matches. */
static bool mac(const struct auth_key *key, const char *caller, size_t caller_length, const char *method,
	const char *path, size_t path_length, long long time, char hex[static 2 * MAC_LENGTH + 1])
{
	unsigned char outer[AUTH_BLOCK + MAC_LENGTH], whole[MAC_LENGTH];
	char text[8192];
	int length;

	hex[0] = '\0';
	memcpy(text, key->inner, AUTH_BLOCK);
	memcpy(outer, key->outer, AUTH_BLOCK);
	length = snprintf(text + AUTH_BLOCK, sizeof text - AUTH_BLOCK, "%.*s\n%s\n%.*s\n%lld", (int)caller_length,
		caller, method, (int)path_length, path, time);
	if (length < 0 || (size_t)length >= sizeof text - AUTH_BLOCK)
		return false;
	if (!digest(text, AUTH_BLOCK + (size_t)length, outer + AUTH_BLOCK) || !digest(outer, sizeof outer, whole))
		return false;
	text_hex(hex, whole, MAC_LENGTH);
	return true;
}

void auth_sign(const struct auth_key *key, const char *caller_header, size_t caller_length, const char *method,
	const char *path, size_t path_length, char signature[AUTH_SIGNATURE_MAX])
{
	long long now = time(NULL);
	char hex[2 * MAC_LENGTH + 1];

	mac(key ? key : &shared_key, caller_header, caller_length, method, path, path_length, now, hex);
	snprintf(signature, AUTH_SIGNATURE_MAX, "t=%lld,v=%s", now, hex);
}

char *auth_sign_dup(const char *caller_header, const char *method, const char *path)
{
	char signature[AUTH_SIGNATURE_MAX];

	auth_sign(NULL, caller_header, strlen(caller_header), method, path, strlen(path), signature);
	return strdup(signature);
}

static bool signature_holds(const char *caller, const char *signature, const char *method, const char *path)
{
	char expected[2 * MAC_LENGTH + 1], given[2 * MAC_LENGTH + 1] = "";
	long long stamp;
	int end = 0;

	if (sscanf(signature, "t=%19lld,v=%64[0-9a-f]%n", &stamp, given, &end) != 2 || signature[end] != '\0')
		return false;
	if (llabs(time(NULL) - stamp) > MAX_AGE || strlen(given) != 2 * MAC_LENGTH)
		return false;
	return mac(&shared_key, caller, strlen(caller), method, path, strlen(path), stamp, expected) &&
	       CRYPTO_memcmp(expected, given, 2 * MAC_LENGTH) == 0;
}

static bool kind_from(const char *name, enum caller_kind *ret_kind)
{
	for (size_t i = 0; name && i < sizeof kind_names / sizeof *kind_names; i++) {
		if (strcmp(kind_names[i], name) == 0) {
			*ret_kind = (enum caller_kind)i;
			return true;
		}
	}
	return false;
}

bool auth_read(const char *caller_header, const char *signature_header, const char *method, const char *path,
	struct caller *ret_caller, json_t **ret_json)
{
	struct caller caller = { 0 };
	const char *kind = NULL;
	json_t *json;

	if (!caller_header || !signature_header || !signature_holds(caller_header, signature_header, method, path))
		return false;
	json = json_loads(caller_header, JSON_REJECT_DUPLICATES, NULL);
	if (!json)
		return false;
	if (json_unpack(json, "{s:s s?s s?s s?s s?s s?s s?s s?s s?o}", "kind", &kind, "sub", &caller.subject, "act",
		    &caller.actor, "tenant", &caller.tenant, "client", &caller.client, "scope", &caller.scope, "acr",
		    &caller.acr, "sid", &caller.session, "roles", &caller.roles) != 0 ||
		!kind_from(kind, &caller.kind)) {
		json_decref(json);
		return false;
	}
	if (!caller.scope)
		caller.scope = "";
	*ret_caller = caller;
	*ret_json = json;
	return true;
}

/* Nearly every caller is written by this: with a JSON library it would be a good part of what a new token costs the
 * gateway. NULL when one of the strings is an odd one. */
static char *plain_caller_dup(const struct caller *caller)
{
	char text[2048] = "{", *at = text + 1;
	const char *end = text + sizeof(text) - 2;

	if (caller->roles || !text_plain_member(&at, end, "kind", kind_names[caller->kind]) ||
		!text_plain_member(&at, end, "sub", caller->subject) ||
		!text_plain_member(&at, end, "act", caller->actor) ||
		!text_plain_member(&at, end, "tenant", caller->tenant) ||
		!text_plain_member(&at, end, "client", caller->client) ||
		!text_plain_member(&at, end, "scope", caller->scope) ||
		!text_plain_member(&at, end, "acr", caller->acr) ||
		!text_plain_member(&at, end, "sid", caller->session))
		return NULL;
	*at++ = '}';
	return strndup(text, (size_t)(at - text));
}

static char *any_caller_dup(const struct caller *caller)
{
	json_t *json = json_pack("{s:s s:s* s:s* s:s* s:s* s:s* s:s* s:s* s:O*}", "kind", kind_names[caller->kind],
		"sub", caller->subject, "act", caller->actor, "tenant", caller->tenant, "client", caller->client,
		"scope", caller->scope, "acr", caller->acr, "sid", caller->session, "roles", caller->roles);
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	json_decref(json);
	return text;
}

char *auth_caller_dup(const struct caller *caller)
{
	char *text = plain_caller_dup(caller);

	if (!text)
		text = any_caller_dup(caller);
	if (!text)
		abort();
	return text;
}

bool auth_scope_held(const char *held, const char *wanted)
{
	size_t length = strlen(wanted);

	while (*held) {
		size_t word = strcspn(held, " ");

		if (word == length && strncmp(held, wanted, length) == 0)
			return true;
		held += word + (held[word] == ' ');
	}
	return false;
}

bool auth_allows(const struct contract_operation *operation, const struct caller *caller)
{
	for (size_t i = 0; i < operation->security_count; i++) {
		const char *const *scope = operation->security[i].scopes;

		while (*scope && auth_scope_held(caller->scope, *scope))
			scope++;
		if (!*scope && caller->kind != CALLER_ANONYMOUS)
			return true;
	}
	return operation->security_count == 0;
}
