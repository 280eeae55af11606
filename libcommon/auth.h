/* Who calls. The gateway verifies the token and tells the services in two headers:
 *   Portico-Caller:    compact JSON of struct caller
 *   Portico-Signature: t=UNIX-SECONDS,v=HEX of HMAC-SHA-256(key, caller LF method LF path LF t)
 * path is the percent-decoded path without query. A service refuses a request whose signature is missing, wrong or
 * older than 60 s (401), so that being on the internal network is not enough. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum caller_kind { CALLER_ANONYMOUS, CALLER_CITIZEN, CALLER_OPERATOR, CALLER_PARTNER, CALLER_SERVICE };

struct caller {
	enum caller_kind kind;
	const char *subject; /* sub: the person (or operator) acted for; NULL for anonymous, partner and service */
	const char *actor;   /* act: who acts when it is not the subject; NULL otherwise */
	const char *tenant;  /* NULL for citizens: their area spans the territory */
	const char *client;  /* client_id, or the calling service's name */
	const char *scope;   /* space-separated; never NULL */
	const char *acr;     /* level of the login; NULL when there was none */
	const char *session; /* sid; NULL when there is none */
	json_t *roles;	     /* array of strings, or NULL */
};

/* Reads Portico-Caller and checks Portico-Signature. Strings are borrowed from *ret_json, which the caller owns (also
 * on success only). False when anything is wrong. */
bool auth_read(const char *caller_header, const char *signature_header, const char *method, const char *path,
	struct caller *ret_caller, json_t **ret_json);

/* The two header values for a request that this process makes. Both are malloc'ed. caller as compact JSON. */
char *auth_caller_dup(const struct caller *caller);
char *auth_sign_dup(const char *caller_header, const char *method, const char *path);

/* A key of the signature; 32 to 256 characters. */
enum { AUTH_KEY_MIN = 32, AUTH_KEY_MAX = 256, AUTH_BLOCK = 64 };
struct auth_key {
	unsigned char inner[AUTH_BLOCK], outer[AUTH_BLOCK];
};
bool auth_key_read(struct auth_key *key, const char *text);

/* The same without allocation, for the gateway: writes "t=…,v=…" into signature (at least AUTH_SIGNATURE_MAX bytes).
 * key NULL: the one that auth_start() took. */
enum { AUTH_SIGNATURE_MAX = 96 };
void auth_sign(const struct auth_key *key, const char *caller_header, size_t caller_length, const char *method,
	const char *path, size_t path_length, char signature[AUTH_SIGNATURE_MAX]);

/* The key shared by gateway and services; at least 32 bytes. Call once at start. False when it is too short. */
bool auth_start(const char *key);

/* "citizen" and the like, as in the header and in logs. */
const char *auth_kind_name(enum caller_kind kind);
/* Whether the space-separated list of scopes has it. */
bool auth_scope_held(const char *held, const char *wanted);

/* True when the caller holds one whole alternative of the operation's security, or the operation is public. */
struct contract_operation;
bool auth_allows(const struct contract_operation *operation, const struct caller *caller);
