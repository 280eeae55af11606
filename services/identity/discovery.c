/* Owns the metadata by which client libraries find everything. */
#include "identity.h"

static const char *endpoint(struct request *rq, const char *path_below)
{
	return arena_printf(rq->arena, "%s%s", issuer(), path_below);
}

static json_t *names(struct request *rq, const char *const *list)
{
	json_t *array = json_make(rq, "[]");

	for (; *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

/* The scopes are those that any front end may be allowed; each client has fewer. */
static const struct list {
	const char *name;
	const char *const *values;
} lists[] = {
	{ "scopes_supported",
		(const char *const[]){ "openid", "offline_access", "profile", "practices", "payments", "bookings",
			"messages", "desk:persons", "desk:practices", "desk:payments", "desk:bookings", "desk:messages",
			"desk:registrations", "desk:admin", "partner:positions", "partner:registrations",
			"partner:practices", "partner:events", NULL } },
	{ "response_types_supported", (const char *const[]){ "code", NULL } },
	{ "response_modes_supported", (const char *const[]){ "query", NULL } },
	{ "grant_types_supported", (const char *const[]){ "authorization_code", "refresh_token", "client_credentials",
					   "urn:ietf:params:oauth:grant-type:token-exchange", NULL } },
	{ "code_challenge_methods_supported", (const char *const[]){ "S256", NULL } },
	{ "subject_types_supported", (const char *const[]){ "public", NULL } },
	{ "id_token_signing_alg_values_supported", (const char *const[]){ "ES256", NULL } },
	{ "acr_values_supported", (const char *const[]){ "https://www.spid.gov.it/SpidL1",
					  "https://www.spid.gov.it/SpidL2", "https://www.spid.gov.it/SpidL3", NULL } },
	{ "prompt_values_supported", (const char *const[]){ "login", "consent", NULL } },
	{ "ui_locales_supported", (const char *const[]){ "it", NULL } },
	{ "claims_supported",
		(const char *const[]){ "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid",
			"name", "given_name", "family_name", "birthdate", "email", "phone_number",
			"https://attributes.eid.gov.it/fiscal_number", "tenant", "roles", "offices", NULL } },
	{ NULL, NULL },
};

/* Each endpoint that clients call themselves says the same about how they prove themselves; introspection is not for
 * public ones. */
static void add_proofs(struct request *rq, json_t *metadata, const char *which, bool public)
{
	static const char *const methods[] = { "none", "client_secret_basic", "client_secret_post", "private_key_jwt",
		NULL };
	static const char *const algorithms[] = { "ES256", "RS256", "PS256", NULL };

	json_object_set(metadata, arena_printf(rq->arena, "%s_endpoint_auth_methods_supported", which),
		names(rq, methods + !public));
	json_object_set(metadata, arena_printf(rq->arena, "%s_endpoint_auth_signing_alg_values_supported", which),
		names(rq, algorithms));
}

int show_metadata(struct request *rq)
{
	json_t *metadata = json_make(rq, "{s:s s:s s:s s:s s:s s:s s:s s:s s:s s:b s:b s:b s:b s:b s:b s:b}", "issuer",
		issuer(), "authorization_endpoint", endpoint(rq, "/authorize"), "token_endpoint",
		endpoint(rq, "/token"), "userinfo_endpoint", endpoint(rq, "/userinfo"), "jwks_uri",
		endpoint(rq, "/jwks.json"), "revocation_endpoint", endpoint(rq, "/revoke"), "introspection_endpoint",
		endpoint(rq, "/introspect"), "end_session_endpoint", endpoint(rq, "/logout"),
		"pushed_authorization_request_endpoint", endpoint(rq, "/par"), "require_pushed_authorization_requests",
		0, "backchannel_logout_supported", 1, "backchannel_logout_session_supported", 1,
		"authorization_response_iss_parameter_supported", 1, "request_parameter_supported", 0,
		"request_uri_parameter_supported", 0, "claims_parameter_supported", 0);

	for (const struct list *list = lists; list->name; list++)
		json_object_set(metadata, list->name, names(rq, list->values));
	add_proofs(rq, metadata, "token", true);
	add_proofs(rq, metadata, "revocation", true);
	add_proofs(rq, metadata, "introspection", false);
	reply_header(rq, "Cache-Control", "public, max-age=600");
	return reply_json(rq, 200, metadata);
}
