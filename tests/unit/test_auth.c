/* The signed caller: what is read back is what was signed, and nothing else is let in. */
#include <openssl/hmac.h>
#include <time.h>
#include "auth.h"
#include "contract.h"
#include "text.h"
#include "unit.h"

static const char caller_json[] = "{\"kind\":\"operator\",\"sub\":\"s-1\",\"tenant\":\"c_a944\",\"client\":\"desk\","
				  "\"scope\":\"desk:practices desk:persons\"}";

static bool accepted(const char *caller, const char *signature, const char *method, const char *path)
{
	struct caller read;
	json_t *json = NULL;
	bool good = auth_read(caller, signature, method, path, &read, &json);

	if (good)
		json_decref(json);
	return good;
}

static void reads_back_what_was_signed(void **state)
{
	char *signature = auth_sign_dup(caller_json, "GET", "/dossier/v1/practices");
	struct caller caller;
	json_t *json;

	assert_true(auth_read(caller_json, signature, "GET", "/dossier/v1/practices", &caller, &json));
	assert_int_equal(caller.kind, CALLER_OPERATOR);
	assert_string_equal(caller.tenant, "c_a944");
	assert_string_equal(caller.scope, "desk:practices desk:persons");
	assert_null(caller.actor);
	json_decref(json);
	free(signature);
}

static void refuses_what_was_not_signed(void **state)
{
	char *signature = auth_sign_dup(caller_json, "GET", "/dossier/v1/practices");
	const char *other = "{\"kind\":\"operator\",\"sub\":\"s-1\",\"tenant\":\"c_a662\",\"client\":\"desk\","
			    "\"scope\":\"desk:practices\"}";

	assert_false(accepted(other, signature, "GET", "/dossier/v1/practices"));
	assert_false(accepted(caller_json, signature, "POST", "/dossier/v1/practices"));
	assert_false(accepted(caller_json, signature, "GET", "/dossier/v1/me"));
	assert_false(accepted(caller_json, "t=1,v=00", "GET", "/dossier/v1/practices"));
	assert_false(accepted(caller_json, "", "GET", "/dossier/v1/practices"));
	assert_false(accepted(caller_json, NULL, "GET", "/dossier/v1/practices"));
	assert_false(accepted(NULL, signature, "GET", "/dossier/v1/practices"));
	signature[strlen(signature) - 1] ^= 1;
	assert_false(accepted(caller_json, signature, "GET", "/dossier/v1/practices"));
	free(signature);
}

/* A signature is worth a minute: one with an old time cannot be made without the key, one made then is refused now. */
static void refuses_an_old_time(void **state)
{
	char *signature = auth_sign_dup(caller_json, "GET", "/x");
	char *comma = strchr(signature, ','), old[AUTH_SIGNATURE_MAX];

	snprintf(old, sizeof old, "t=%lld%s", (long long)time(NULL) - 3600, comma);
	assert_false(accepted(caller_json, old, "GET", "/x"));
	free(signature);
}

static void refuses_malformed_callers(void **state)
{
	static const char *const callers[] = { "", "{}", "[]", "{\"kind\":\"king\"}", "{\"kind\":1}",
		"{\"kind\":\"citizen\",\"kind\":\"service\"}", "{\"kind\":\"citizen\",\"sub\":7}" };

	for (size_t i = 0; i < COUNT(callers); i++) {
		char *signature = auth_sign_dup(callers[i], "GET", "/x");

		assert_false(accepted(callers[i], signature, "GET", "/x"));
		free(signature);
	}
}

static void writes_what_it_reads(void **state)
{
	const struct caller caller = {
		.kind = CALLER_SERVICE, .client = "dossier", .tenant = "c_a944", .scope = "service"
	};
	char *text = auth_caller_dup(&caller);

	assert_string_equal(
		text, "{\"kind\":\"service\",\"tenant\":\"c_a944\",\"client\":\"dossier\",\"scope\":\"service\"}");
	free(text);
}

static void allows_one_whole_alternative(void **state)
{
	static const char *const both[] = { "a", "b", NULL }, *const one[] = { "desk", NULL };
	const struct contract_security security[] = { { "portico", both }, { "portico", one } };
	const struct contract_operation operation = { .security = security, .security_count = 2 },
					open = { .security_count = 0 };
	static const struct {
		const char *scope;
		bool allowed;
	} cases[] = { { "a b", true }, { "b a", true }, { "a", false }, { "ab", false }, { "desk", true },
		{ "desk:all", false }, { "", false }, { "x desk y", true } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct caller caller = { .kind = CALLER_CITIZEN, .scope = cases[i].scope };

		assert_int_equal(auth_allows(&operation, &caller), cases[i].allowed);
		assert_true(auth_allows(&open, &caller));
	}
	assert_false(auth_allows(&operation, &(struct caller){ .kind = CALLER_ANONYMOUS, .scope = "desk" }));
}

/* Keys shorter than a block of the digest, as long, and longer: what OpenSSL makes of them. */
static void signs_with_hmac_sha256(void **state)
{
	static const size_t lengths[] = { 32, 63, 64, 65, 256 };

	for (size_t i = 0; i < COUNT(lengths); i++) {
		char key[AUTH_KEY_MAX + 1] = "", text[200], signature[AUTH_SIGNATURE_MAX], hex[65];
		struct auth_key read;
		unsigned char digest[32];
		unsigned int length = sizeof digest;

		for (size_t at = 0; at < lengths[i]; at++)
			key[at] = (char)('!' + at % 90);
		assert_true(auth_key_read(&read, key));
		auth_sign(&read, "{}", 2, "GET", "/x", 2, signature);
		snprintf(text, sizeof text, "{}\nGET\n/x\n%lld", atoll(signature + 2));
		assert_non_null(
			HMAC(EVP_sha256(), key, (int)lengths[i], (unsigned char *)text, strlen(text), digest, &length));
		text_hex(hex, digest, sizeof digest);
		assert_string_equal(strstr(signature, ",v=") + 3, hex);
	}
}

static void wants_a_long_key(void **state)
{
	assert_false(auth_start("short"));
	assert_true(auth_start("0123456789abcdef0123456789abcdef"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(wants_a_long_key),
		cmocka_unit_test(signs_with_hmac_sha256), cmocka_unit_test(reads_back_what_was_signed),
		cmocka_unit_test(refuses_what_was_not_signed), cmocka_unit_test(refuses_an_old_time),
		cmocka_unit_test(refuses_malformed_callers), cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(allows_one_whole_alternative) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
