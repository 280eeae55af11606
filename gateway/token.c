/* Verification, once per token. Nothing of a token is believed before its signature holds, but "alg", "kid" and "typ",
 * which only choose the key and are then compared with what that key is for. */
#include "token.h"
#include <openssl/rsa.h>
#include <string.h>
#include "scope.h"
#include "text.h"

enum { CLOCK_SKEW = 5, JSON_FLAGS = JSON_REJECT_DUPLICATES };

struct part {
	const char *text;
	size_t length;
};

/* header.payload.signature: exactly three parts, none empty. */
static bool split(const char *token, size_t length, struct part parts[3])
{
	const char *at = token, *end = token + length;

	for (int i = 0; i < 3; i++) {
		const char *dot = i < 2 ? memchr(at, '.', (size_t)(end - at)) : end;

		if (!dot || dot == at)
			return false;
		parts[i] = (struct part){ at, (size_t)(dot - at) };
		at = dot + 1;
	}
	return true;
}

static json_t *read_json(struct part part)
{
	unsigned char bytes[TOKEN_MAX];
	ssize_t length = text_base64url_decode(part.text, part.length, bytes, sizeof(bytes));
	json_t *json = length > 0 ? json_loadb((char *)bytes, (size_t)length, JSON_FLAGS, NULL) : NULL;

	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

static enum token_verdict choose_key(
	const struct keys *keys, const json_t *header, const struct token_key **ret_key, const char **ret_reason)
{
	const char *algorithm = json_string_value(json_object_get(header, "alg"));
	const char *id = json_string_value(json_object_get(header, "kid"));
	const char *type = json_string_value(json_object_get(header, "typ"));

	*ret_reason = "the token is not an access token of ours";
	if (!type || (strcasecmp(type, "at+jwt") != 0 && strcasecmp(type, "application/at+jwt") != 0))
		return TOKEN_REFUSED;
	if (!algorithm || !id || json_object_get(header, "crit") || algorithm_named(algorithm) == ALGORITHM_NONE)
		return TOKEN_REFUSED;
	*ret_key = keys_find(keys, id);
	if (!*ret_key) {
		*ret_reason = "the token is signed with an unknown key";
		return TOKEN_UNKNOWN_KEY;
	}
	return algorithm_named(algorithm) == (*ret_key)->algorithm ? TOKEN_VALID : TOKEN_REFUSED;
}

/* An unsigned big-endian number as DER INTEGER. The length. */
static size_t put_integer(unsigned char *out, const unsigned char *number)
{
	size_t skip = 0, sign;

	while (skip < 31 && number[skip] == 0)
		skip++;
	sign = number[skip] >> 7;
	out[0] = 2;
	out[1] = (unsigned char)(32 - skip + sign);
	out[2] = 0;
	memcpy(out + 2 + sign, number + skip, 32 - skip);
	return 2 + sign + 32 - skip;
}

/* JWS has r and s side by side, OpenSSL wants them as an ASN.1 sequence. */
static size_t ecdsa_der(const unsigned char raw[64], unsigned char der[72])
{
	size_t length = put_integer(der + 2, raw);

	length += put_integer(der + 2 + length, raw + 32);
	der[0] = 0x30;
	der[1] = (unsigned char)length;
	return length + 2;
}

static bool start_verification(EVP_MD_CTX *context, const struct token_key *key)
{
	const EVP_MD *digest = key->algorithm == ALGORITHM_EDDSA ? NULL : EVP_sha256();
	EVP_PKEY_CTX *parameters;

	if (EVP_DigestVerifyInit(context, &parameters, digest, NULL, key->key) != 1)
		return false;
	return key->algorithm != ALGORITHM_PS256 ||
	       (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool signature_holds(
	const struct token_key *key, const char *signed_text, size_t signed_length, struct part signature)
{
	auto_md_ctx EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char bytes[1024], der[72];
	const unsigned char *given = bytes;
	ssize_t length = text_base64url_decode(signature.text, signature.length, bytes, sizeof(bytes));

	if (length <= 0 || !context || !start_verification(context, key))
		return false;
	if (key->algorithm == ALGORITHM_ES256) {
		if (length != 64)
			return false;
		length = (ssize_t)ecdsa_der(bytes, der);
		given = der;
	}
	return EVP_DigestVerify(context, given, (size_t)length, (const unsigned char *)signed_text, signed_length) == 1;
}

static bool audience_holds(const json_t *audience, const char *wanted)
{
	const json_t *entry;
	size_t index;

	if (json_is_string(audience))
		return strcmp(json_string_value(audience), wanted) == 0;
	json_array_foreach(audience, index, entry)
	{
		if (json_is_string(entry) && strcmp(json_string_value(entry), wanted) == 0)
			return true;
	}
	return false;
}

static enum token_verdict check_claims(
	const json_t *claims, const struct token_rules *rules, time_t now, const char **ret_reason)
{
	const char *issuer = json_string_value(json_object_get(claims, "iss"));
	const json_t *expires = json_object_get(claims, "exp"), *begins = json_object_get(claims, "nbf");
	const json_t *issued = json_object_get(claims, "iat");

	*ret_reason = NULL;
	if (!issuer || strcmp(issuer, rules->issuer) != 0)
		*ret_reason = "the token is from another issuer";
	else if (!audience_holds(json_object_get(claims, "aud"), rules->audience))
		*ret_reason = "the token is for another audience";
	else if (!json_is_integer(expires) || json_integer_value(expires) <= now)
		*ret_reason = "the token has expired";
	else if (!json_is_integer(issued) || (begins && !json_is_integer(begins)))
		*ret_reason = "the token does not say since when it is valid";
	if (*ret_reason)
		return TOKEN_REFUSED;
	if (begins && json_integer_value(begins) > now + CLOCK_SKEW)
		*ret_reason = "the token is not valid yet";
	else if (json_integer_value(issued) > now + CLOCK_SKEW)
		*ret_reason = "the token is from the future";
	return *ret_reason ? TOKEN_EARLY : TOKEN_VALID;
}

enum token_verdict token_verify(const struct keys *keys, const struct token_rules *rules, const char *token,
	size_t length, time_t now, struct principal **ret_principal, const char **ret_reason)
{
	struct part parts[3];
	const struct token_key *key = NULL;
	enum token_verdict verdict;
	json_t *header, *claims;

	*ret_principal = NULL;
	*ret_reason = "the token is malformed";
	if (length > TOKEN_MAX || !split(token, length, parts) || !(header = read_json(parts[0])))
		return TOKEN_REFUSED;
	verdict = choose_key(keys, header, &key, ret_reason);
	json_decref(header);
	if (verdict != TOKEN_VALID)
		return verdict;
	if (!signature_holds(key, token, (size_t)(parts[2].text - 1 - token), parts[2])) {
		*ret_reason = "the signature of the token does not hold";
		return TOKEN_FORGED;
	}
	claims = read_json(parts[1]);
	if (!claims)
		return TOKEN_REFUSED;
	verdict = check_claims(claims, rules, now, ret_reason);
	if (verdict != TOKEN_VALID) {
		json_decref(claims);
		return verdict;
	}
	*ret_principal = principal_new(claims, ret_reason);
	return *ret_principal ? TOKEN_VALID : TOKEN_REFUSED;
}
