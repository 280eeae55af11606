/* Owns the metadata by which client libraries find everything. */
#include "identity.h"

static const char *endpoint(struct request *rq, const char *path_below)
{
	return arena_printf(rq->arena, "%s%s", issuer(), path_below);
}

int show_metadata(struct request *rq)
{
	reply_header(rq, "Cache-Control", "public, max-age=600");
	return reply_json(rq, 200,
		json_make(rq,
			"{s:s s:s s:s s:s s:s s:s s:s s:[sss] s:[s] s:[s] s:[sss] s:[s] s:[sss] s:[sss] s:[ss] s:[s] "
			"s:[s] s:b s:b s:b s:b s:[s]}",
			"issuer", issuer(), "authorization_endpoint", endpoint(rq, "/authorize"), "token_endpoint",
			endpoint(rq, "/token"), "userinfo_endpoint", endpoint(rq, "/userinfo"), "jwks_uri",
			endpoint(rq, "/jwks.json"), "revocation_endpoint", endpoint(rq, "/revoke"),
			"introspection_endpoint", endpoint(rq, "/introspect"), "scopes_supported", "openid", "profile",
			"offline_access", "response_types_supported", "code", "response_modes_supported", "query",
			"grant_types_supported", "authorization_code", "refresh_token", "client_credentials",
			"code_challenge_methods_supported", "S256", "token_endpoint_auth_methods_supported", "none",
			"client_secret_basic", "client_secret_post", "revocation_endpoint_auth_methods_supported",
			"none", "client_secret_basic", "client_secret_post",
			"introspection_endpoint_auth_methods_supported", "client_secret_basic", "client_secret_post",
			"subject_types_supported", "public", "id_token_signing_alg_values_supported", "ES256",
			"authorization_response_iss_parameter_supported", 1, "request_parameter_supported", 0,
			"request_uri_parameter_supported", 0, "claims_parameter_supported", 0, "acr_values_supported",
			"https://www.spid.gov.it/SpidL2"));
}
