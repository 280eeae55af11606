/* Verification, once per token. Nothing of a token is believed before its signature holds, but "alg", "kid" and "typ",
 * which only choose the key and are then compared with what that key is for. */
#include "token.h"
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

static enum token_verdict read_header(
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

static enum token_verdict choose_key(
	const struct keys *keys, struct part part, const struct token_key **ret_key, const char **ret_reason)
{
	enum token_verdict verdict;
	json_t *header;

	*ret_key = keys_by_header(keys, part.text, part.length);
	if (*ret_key)
		return TOKEN_VALID;
	header = read_json(part);
	verdict = header ? read_header(keys, header, ret_key, ret_reason) : TOKEN_REFUSED;
	json_decref(header);
	return verdict;
}

static bool es256_holds(
	const struct keys *keys, const struct token_key *key, struct part text, const unsigned char signature[64])
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	return EVP_Digest(text.text, text.length, digest, NULL, keys->sha256, NULL) == 1 &&
	       p256_verify(key->p256, digest, signature);
}

static bool signature_holds(
	const struct keys *keys, const struct token_key *key, struct part text, struct part signature)
{
	auto_md_ctx EVP_MD_CTX *context = NULL;
	unsigned char bytes[1024];
	ssize_t length = text_base64url_decode(signature.text, signature.length, bytes, sizeof(bytes));

	if (key->algorithm == ALGORITHM_ES256)
		return length == 64 && es256_holds(keys, key, text, bytes);
	context = EVP_MD_CTX_new();
	return length > 0 && context && EVP_MD_CTX_copy_ex(context, key->verification) == 1 &&
	       EVP_DigestVerify(context, bytes, (size_t)length, (const unsigned char *)text.text, text.length) == 1;
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
	json_t *claims;

	*ret_principal = NULL;
	*ret_reason = "the token is malformed";
	if (length > TOKEN_MAX || !split(token, length, parts))
		return TOKEN_REFUSED;
	verdict = choose_key(keys, parts[0], &key, ret_reason);
	if (verdict != TOKEN_VALID)
		return verdict;
	if (!signature_holds(keys, key, (struct part){ token, (size_t)(parts[2].text - 1 - token) }, parts[2])) {
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
