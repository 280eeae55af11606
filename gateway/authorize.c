/* The right to call an operation, by its contract: the token is verified (or found in the cache), its scopes compared
 * with the operation's security, its tenant with the one that the request names. */
#include "authorize.h"
#include <stdio.h>
#include <string.h>
#include "answer.h"
#include "jwks.h"
#include "quota.h"
#include "revocations.h"

static void follow_keys(struct worker *worker)
{
	if (worker->keys && worker->keys_generation == jwks_generation())
		return;
	jwks_release(worker->keys);
	worker->keys = jwks_hold(&worker->keys_generation);
	token_cache_clear(worker->tokens);
}

static void follow_revocations(struct worker *worker)
{
	if (worker->revoked_generation == revocations_generation())
		return;
	revocations_release(worker->revoked);
	worker->revoked = revocations_hold(&worker->revoked_generation);
}

/* A caller who was cleared under the current revocations needs no second look. */
static bool was_revoked(struct worker *worker, struct principal *principal)
{
	follow_revocations(worker);
	if (principal->cleared_generation == worker->revoked_generation)
		return false;
	if (worker->revoked && revoked_has(worker->revoked, principal))
		return true;
	principal->cleared_generation = worker->revoked_generation;
	return false;
}

/* By its signature. NULL and *ret_reason: it is refused, and remembered as such if that is for good. */
static struct principal *verify(
	struct client *client, const char *token, size_t length, const unsigned char *digest, const char **ret_reason)
{
	struct worker *worker = client->worker;
	struct principal *principal;
	enum token_verdict verdict = token_verify(
		worker->keys, &worker->gateway->token_rules, token, length, worker->wall, &principal, ret_reason);

	if (verdict == TOKEN_VALID)
		token_cache_store(worker->tokens, digest, principal, worker->wall);
	else if (verdict == TOKEN_REFUSED || verdict == TOKEN_FORGED)
		token_cache_refuse(worker->tokens, digest, *ret_reason, worker->wall);
	if (verdict == TOKEN_FORGED)
		quota_count_forged(client);
	else if (verdict == TOKEN_UNKNOWN_KEY)
		jwks_want();
	return principal;
}

/* The principal of a token. NULL: it was answered with 401, or with 429 without a look at the token. */
static struct principal *principal_of(struct client *client, const char *token, size_t length)
{
	struct worker *worker = client->worker;
	unsigned char digest[TOKEN_DIGEST];
	struct principal *principal;
	const char *reason;

	token_digest(worker->tokens, token, length, digest);
	principal = token_cache_find(worker->tokens, digest, worker->wall);
	if (principal) {
		count(&worker->counters.token_hits, 1);
		return principal;
	}
	reason = token_cache_refusal(worker->tokens, digest, worker->wall);
	if (!reason) {
		if (!quota_admit_token(client))
			return NULL;
		count(&worker->counters.token_misses, 1);
		principal = verify(client, token, length, digest, &reason);
	}
	if (!principal)
		answer_unauthorized(client, "invalid_token", reason);
	return principal;
}

static bool verify_token(struct client *client, const char *token, size_t length)
{
	struct worker *worker = client->worker;

	follow_keys(worker);
	if (!worker->keys) {
		answer_later(client, 503, "unavailable", "tokens cannot be verified yet", 1);
		return false;
	}
	client->exchange.principal = principal_of(client, token, length);
	if (!client->exchange.principal)
		return false;
	if (!was_revoked(worker, client->exchange.principal))
		return true;
	answer_unauthorized(client, "invalid_token", "the token was revoked");
	return false;
}

/* Bearer tokens are ours and end here. Other schemes are the service's business where the operation is public: clients
 * of the token endpoint prove themselves with Basic. */
static bool identify(struct client *client, struct asking *asking)
{
	struct exchange *exchange = &client->exchange;
	struct http1_field *authorization = asking->head.known[FIELD_AUTHORIZATION];
	bool open_to_all = exchange->route->operation->security_count == 0;

	if (authorization && strncasecmp(authorization->value, "Bearer ", 7) == 0) {
		const char *token = authorization->value + 7;

		authorization->dropped = true;
		return verify_token(client, token, authorization->value_length - 7u);
	}
	if (!open_to_all) {
		answer_unauthorized(client, NULL, "this operation needs an access token");
		return false;
	}
	exchange->principal = principal_hold(client->worker->anonymous);
	return true;
}

/* The scopes of the first alternative that a token can hold. */
static void wanted_scopes(const struct contract_operation *operation, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < operation->security_count && !*text; i++) {
		for (const char *const *scope = operation->security[i].scopes; *scope; scope++) {
			size_t length = strlen(text);

			if (strcmp(*scope, "service") != 0)
				snprintf(text + length, size - length, "%s%s", length ? " " : "", *scope);
		}
	}
}

static bool may_call(struct client *client)
{
	const struct contract_operation *operation = client->exchange.route->operation;
	char scopes[256], detail[320], challenge[360];

	if (auth_allows(operation, &client->exchange.principal->caller))
		return true;
	wanted_scopes(operation, scopes, sizeof(scopes));
	snprintf(detail, sizeof(detail), "the token lacks the scope %s", scopes);
	snprintf(challenge, sizeof(challenge), "Bearer error=\"insufficient_scope\", scope=\"%s\"", scopes);
	answer_problem_with(client, 403, "forbidden", detail, (struct extra_field){ "WWW-Authenticate", challenge });
	return false;
}

/* A program that calls for itself has not logged in, and has no level to be too low (RFC 9470). */
static bool level_suffices(struct client *client)
{
	const struct caller *caller = &client->exchange.principal->caller;
	enum level wanted = client->exchange.route->min_level;
	char challenge[400];

	if (!wanted || caller->kind == CALLER_PARTNER || level_of(caller->acr) >= wanted)
		return true;
	snprintf(challenge, sizeof(challenge),
		"Bearer error=\"insufficient_user_authentication\", "
		"error_description=\"this operation needs a login of a higher level\", acr_values=\"%s\"",
		level_and_above(wanted));
	answer_problem_with(client, 401, "insufficient-user-authentication",
		"this operation needs a login of a higher level",
		(struct extra_field){ "WWW-Authenticate", challenge });
	return false;
}

static bool in_own_tenant(struct client *client, const struct asking *asking)
{
	const struct caller *caller = &client->exchange.principal->caller;
	const struct partner *partner = client->exchange.route->partner;

	if ((caller->kind != CALLER_OPERATOR && caller->kind != CALLER_PARTNER) ||
		client->exchange.route->operation->security_count == 0)
		return true;
	if ((!partner || strcmp(partner->tenant, caller->tenant) == 0) &&
		route_tenant_matches(client->exchange.route, &asking->values, asking->query, caller->tenant))
		return true;
	answer_problem(client, 403, "forbidden", "the token is of another tenant");
	return false;
}

bool authorize(struct client *client, struct asking *asking)
{
	return identify(client, asking) && may_call(client) && in_own_tenant(client, asking) && level_suffices(client);
}
