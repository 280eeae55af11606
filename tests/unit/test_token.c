/* Access tokens. The first three tests are the three traps of the JWT library this gateway does not use: an HMAC with
 * the public key, tampering that an absent key lets through, claims that nobody looked at. */
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include "token.h"
#include "unit.h"

#define HEADER(algorithm, kid) "{\"alg\":\"" algorithm "\",\"kid\":\"" kid "\",\"typ\":\"at+jwt\"}"
#define CLAIMS(more)                                                                                                   \
	"{\"iss\":\"https://"                                                                                          \
	"i\",\"aud\":\"portico\",\"sub\":\"p-1\",\"client_id\":\"c\",\"kind\":\"citizen\",\"scope\":\"practices\","    \
	"\"iat\":1000,\"exp\":2000" more "}"

enum { NOW = 1500 };

static EVP_PKEY *private_key;
static struct keys *keys;
static const struct token_rules rules = { "https://i", "portico" };
static const char *reason;

static size_t encode(const void *bytes, size_t length, char *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *byte = bytes;
	size_t used = 0;

	for (size_t i = 0; i < length; i += 3) {
		unsigned bits = (unsigned)byte[i] << 16 | (i + 1 < length ? byte[i + 1] << 8 : 0) |
				(i + 2 < length ? byte[i + 2] : 0);

		for (size_t k = 0; k < 4 && i + k <= length; k++)
			out[used++] = alphabet[bits >> (18 - 6 * k) & 63];
	}
	out[used] = '\0';
	return used;
}

static int set_up(void **state)
{
	unsigned char point[65];
	size_t length;
	char x[44], y[44], jwks[400];

	private_key = EVP_EC_gen("P-256");
	assert_int_equal(
		EVP_PKEY_get_octet_string_param(private_key, "encoded-pub-key", point, sizeof(point), &length), 1);
	encode(point + 1, 32, x);
	encode(point + 33, 32, y);
	length = (size_t)snprintf(jwks, sizeof(jwks),
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\",\"use\":\"sig\",\"x\":\"%s\",\"y\":\"%s\"}]"
		"}",
		x, y);
	keys = keys_new(jwks, length);
	return keys ? 0 : -1;
}

static int tear_down(void **state)
{
	EVP_PKEY_free(private_key);
	keys_free(keys);
	return 0;
}

static size_t unsigned_token(char *token, const char *header, const char *claims)
{
	size_t length = encode(header, strlen(header), token);

	token[length++] = '.';
	return length + encode(claims, strlen(claims), token + length);
}

/* A JWS over header and claims, ES256 with the private key. */
static const char *sign(const char *header, const char *claims)
{
	static char token[8192];
	size_t length = unsigned_token(token, header, claims), der_length = 128;
	unsigned char der[128], raw[64];
	const unsigned char *at = der;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	ECDSA_SIG *pair;

	EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, private_key);
	assert_int_equal(EVP_DigestSign(context, der, &der_length, (unsigned char *)token, length), 1);
	EVP_MD_CTX_free(context);
	pair = d2i_ECDSA_SIG(NULL, &at, (long)der_length);
	BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
	ECDSA_SIG_free(pair);
	token[length++] = '.';
	encode(raw, 64, token + length);
	return token;
}

static enum token_verdict verify_at(const char *token, time_t now)
{
	struct principal *principal;
	enum token_verdict verdict = token_verify(keys, &rules, token, strlen(token), now, &principal, &reason);

	assert_true((verdict == TOKEN_VALID) == (principal != NULL));
	principal_release(principal);
	return verdict;
}

static enum token_verdict verify(const char *token)
{
	return verify_at(token, NOW);
}

static void an_hmac_with_the_public_key_is_refused(void **state)
{
	char token[2048];
	size_t length = unsigned_token(token, HEADER("HS256", "k"), CLAIMS(""));
	BIO *pem = BIO_new(BIO_s_mem());
	unsigned char mac[32];
	unsigned mac_length;
	char *key;
	long key_length;

	PEM_write_bio_PUBKEY(pem, private_key);
	key_length = BIO_get_mem_data(pem, &key);
	HMAC(EVP_sha256(), key, (int)key_length, (unsigned char *)token, length, mac, &mac_length);
	BIO_free(pem);
	token[length++] = '.';
	encode(mac, 32, token + length);
	assert_int_equal(verify(token), TOKEN_REFUSED);
}

static void tampering_and_absent_signatures_are_refused(void **state)
{
	char token[2048];
	size_t length;

	assert_int_equal(verify(sign(HEADER("ES256", "k"), CLAIMS(""))), TOKEN_VALID);
	strcpy(token, sign(HEADER("ES256", "k"), CLAIMS("")));
	for (size_t i = 0; token[i]; i++) {
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		assert_int_not_equal(verify(token), TOKEN_VALID);
		token[i] = was;
	}
	length = unsigned_token(token, HEADER("none", "k"), CLAIMS(""));
	strcpy(token + length, ".");
	assert_int_equal(verify(token), TOKEN_REFUSED);
	strcpy(token + length, ".AAAA");
	assert_int_equal(verify(token), TOKEN_REFUSED);
	token[length] = '\0';
	assert_int_equal(verify(token), TOKEN_REFUSED);
	length = unsigned_token(token, HEADER("ES256", "k"), CLAIMS(""));
	token[length++] = '.';
	memset(token + length, 'A', 86); /* r = s = 0 */
	token[length + 86] = '\0';
	assert_int_equal(verify(token), TOKEN_FORGED);
	assert_int_equal(verify(sign(HEADER("ES256", "other"), CLAIMS(""))), TOKEN_UNKNOWN_KEY);
}

static void claims_are_looked_at(void **state)
{
	static const char *const refused[] = {
		"{\"iss\":\"https://i\",\"aud\":\"portico\",\"sub\":\"p\",\"kind\":\"citizen\",\"iat\":1000}",
		"{\"iss\":\"https://"
		"j\",\"aud\":\"portico\",\"sub\":\"p\",\"kind\":\"citizen\",\"iat\":1000,\"exp\":2000}",
		"{\"iss\":\"https://"
		"i\",\"aud\":\"other\",\"sub\":\"p\",\"kind\":\"citizen\",\"iat\":1000,\"exp\":2000}",
		"{\"iss\":\"https://"
		"i\",\"aud\":{\"portico\":1},\"sub\":\"p\",\"kind\":\"citizen\",\"iat\":1000,\"exp\":2000}",
		"{\"iss\":\"https://"
		"i\",\"aud\":\"portico\",\"sub\":\"p\",\"kind\":\"citizen\",\"iat\":1000,\"exp\":\"2000\"}",
		"{\"iss\":\"https://"
		"i\",\"aud\":\"portico\",\"sub\":\"p\",\"kind\":\"citizen\",\"iat\":1000,\"exp\":2e3}",
		"{\"iss\":\"https://i\",\"aud\":\"portico\",\"sub\":\"p\",\"kind\":\"citizen\",\"exp\":2000}", "[]",
		"{}", "\"text\"", CLAIMS(",\"exp\":3000"), CLAIMS(",\"tenant\":\"c_a944\""), CLAIMS(",\"nbf\":\"1\""),
		CLAIMS(",\"acr\":1"), CLAIMS(",\"roles\":\"a\""), CLAIMS(",\"act\":{}")
	};

	assert_int_equal(verify_at(sign(HEADER("ES256", "k"), CLAIMS("")), 1999), TOKEN_VALID);
	assert_int_equal(verify_at(sign(HEADER("ES256", "k"), CLAIMS("")), 2000), TOKEN_REFUSED);
	assert_string_equal(reason, "the token has expired");
	assert_int_equal(verify_at(sign(HEADER("ES256", "k"), CLAIMS("")), 900), TOKEN_EARLY);
	assert_int_equal(verify(sign(HEADER("ES256", "k"), CLAIMS(",\"nbf\":1600"))), TOKEN_EARLY);
	for (size_t i = 0; i < COUNT(refused); i++)
		assert_int_equal(verify(sign(HEADER("ES256", "k"), refused[i])), TOKEN_REFUSED);
	assert_int_equal(verify(sign("{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"JWT\"}", CLAIMS(""))), TOKEN_REFUSED);
	assert_int_equal(verify(sign("{\"alg\":\"ES256\",\"kid\":\"k\"}", CLAIMS(""))), TOKEN_REFUSED);
	assert_int_equal(verify(sign("{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"at+jwt\",\"crit\":[]}", CLAIMS(""))),
		TOKEN_REFUSED);
	assert_int_equal(verify(sign(HEADER("RS256", "k"), CLAIMS(""))), TOKEN_REFUSED);
}

static void no_token_holds_the_scope_of_services(void **state)
{
	static const char claims[] =
		"{\"iss\":\"https://i\",\"aud\":\"portico\",\"sub\":\"p\",\"kind\":\"citizen\",\"iat\":1000,"
		"\"exp\":2000,\"scope\":\"%s\"}";
	char text[400];

	snprintf(text, sizeof(text), claims, "practices service");
	assert_int_equal(verify(sign(HEADER("ES256", "k"), text)), TOKEN_REFUSED);
	snprintf(text, sizeof(text), claims, "service");
	assert_int_equal(verify(sign(HEADER("ES256", "k"), text)), TOKEN_REFUSED);
	snprintf(text, sizeof(text), claims, "services myservice");
	assert_int_equal(verify(sign(HEADER("ES256", "k"), text)), TOKEN_VALID);
}

static void callers_are_what_their_kind_says(void **state)
{
	static const char operator[] =
		"{\"iss\":\"https://i\",\"aud\":[\"a\",\"portico\"],\"sub\":\"o-1\",\"client_id\":\"desk\","
		"\"kind\":\"operator\",\"tenant\":\"c_a944\",\"roles\":[\"mobilita\"],\"scope\":\"desk:practices\","
		"\"iat\":1000,\"exp\":2000}";
	const char *token = sign(HEADER("ES256", "k"), operator);
	struct principal *principal;

	assert_int_equal(token_verify(keys, &rules, token, strlen(token), NOW, &principal, &reason), TOKEN_VALID);
	assert_int_equal(principal->caller.kind, CALLER_OPERATOR);
	assert_string_equal(principal->caller.tenant, "c_a944");
	assert_int_equal(principal->expires, 2000);
	assert_string_equal(principal->header,
		"{\"kind\":\"operator\",\"sub\":\"o-1\",\"tenant\":\"c_a944\",\"client\":\"desk\","
		"\"scope\":\"desk:practices\",\"roles\":[\"mobilita\"]}");
	assert_string_equal(principal->log_members,
		"\"kind\":\"operator\",\"subject\":\"o-1\",\"tenant\":\"c_a944\",\"client\":\"desk\"");
	principal_release(principal);
}

static void the_cache_forgets(void **state)
{
	struct token_cache *cache = token_cache_new();
	const char *token = sign(HEADER("ES256", "k"), CLAIMS(""));
	unsigned char digest[TOKEN_DIGEST], other[TOKEN_DIGEST];
	struct principal *principal, *found;

	assert_int_equal(token_verify(keys, &rules, token, strlen(token), NOW, &principal, &reason), TOKEN_VALID);
	token_digest(cache, token, strlen(token), digest);
	token_digest(cache, token, strlen(token) - 1, other);
	token_cache_store(cache, digest, principal, NOW);
	found = token_cache_find(cache, digest, NOW + 59);
	assert_ptr_equal(found, principal);
	principal_release(found);
	assert_null(token_cache_find(cache, other, NOW));
	assert_null(token_cache_find(cache, digest, NOW + 60)); /* a minute at most */
	token_cache_store(cache, digest, principal, 1990);
	assert_null(token_cache_find(cache, digest, 2000)); /* and never beyond its end */
	token_cache_clear(cache);
	assert_null(token_cache_find(cache, digest, NOW));
	principal_release(principal);
	token_cache_free(cache);
}

static void refusals_are_remembered_and_crowd_out_nobody(void **state)
{
	struct token_cache *cache = token_cache_new();
	const char *token = sign(HEADER("ES256", "k"), CLAIMS(""));
	unsigned char good[TOKEN_DIGEST], bad[TOKEN_DIGEST];
	struct principal *principal, *found;

	assert_int_equal(token_verify(keys, &rules, token, strlen(token), NOW, &principal, &reason), TOKEN_VALID);
	token_digest(cache, token, strlen(token), good);
	token_cache_store(cache, good, principal, NOW);
	for (int i = 0; i < 100000; i++) {
		token_digest(cache, (const char *)&i, sizeof(i), bad);
		token_cache_refuse(cache, bad, "why", NOW);
		assert_string_equal(token_cache_refusal(cache, bad, NOW + 59), "why");
	}
	assert_null(token_cache_refusal(cache, bad, NOW + 60));
	assert_null(token_cache_refusal(cache, good, NOW));
	found = token_cache_find(cache, good, NOW);
	assert_ptr_equal(found, principal);
	principal_release(found);
	token_cache_clear(cache);
	assert_null(token_cache_refusal(cache, bad, NOW)); /* other keys may know it */
	principal_release(principal);
	token_cache_free(cache);
}

static void keys_that_cannot_be_ours_are_left_out(void **state)
{
	static const char *const bad[] = { "", "{}", "[]", "{\"keys\":{}}",
		"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"AAAA\",\"alg\":\"HS256\"}]}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}",
		"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"alg\":\"RS256\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"AAAA\"}]}" };

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_null(keys_new(bad[i], strlen(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hmac_with_the_public_key_is_refused),
		cmocka_unit_test(tampering_and_absent_signatures_are_refused),
		cmocka_unit_test(claims_are_looked_at),
		cmocka_unit_test(no_token_holds_the_scope_of_services),
		cmocka_unit_test(callers_are_what_their_kind_says),
		cmocka_unit_test(the_cache_forgets),
		cmocka_unit_test(refusals_are_remembered_and_crowd_out_nobody),
		cmocka_unit_test(keys_that_cannot_be_ours_are_left_out),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
