/* Verification by table against OpenSSL's own: both say the same of good signatures, of broken ones and of those at the
 * edges of what numbers may be. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include "p256.h"
#include "unit.h"

/* The order of the curve, n (SP 800-186, section 3.2.1.3). */
static const char order[] = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

struct pair { /* a key as both know it */
	EVP_PKEY *openssl;
	struct p256 *ours;
};

static struct pair pair_new(void)
{
	unsigned char point[65];
	size_t length;
	struct pair pair = { .openssl = EVP_EC_gen("P-256") };

	assert_int_equal(EVP_PKEY_get_octet_string_param(
				 pair.openssl, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, sizeof(point), &length),
		1);
	pair.ours = p256_new(point + 1, point + 33);
	assert_non_null(pair.ours);
	return pair;
}

static void pair_free(struct pair *pair)
{
	EVP_PKEY_free(pair->openssl);
	p256_free(pair->ours);
}

static void sign(struct pair *pair, const unsigned char digest[32], unsigned char signature[64])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pair->openssl, NULL);
	unsigned char der[80];
	const unsigned char *at = der;
	size_t length = sizeof(der);
	ECDSA_SIG *parts;

	assert_int_equal(EVP_PKEY_sign_init(context), 1);
	assert_int_equal(EVP_PKEY_sign(context, der, &length, digest, 32), 1);
	parts = d2i_ECDSA_SIG(NULL, &at, (long)length);
	BN_bn2binpad(ECDSA_SIG_get0_r(parts), signature, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(parts), signature + 32, 32);
	ECDSA_SIG_free(parts);
	EVP_PKEY_CTX_free(context);
}

static bool openssl_verifies(struct pair *pair, const unsigned char digest[32], const unsigned char signature[64])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pair->openssl, NULL);
	ECDSA_SIG *parts = ECDSA_SIG_new();
	unsigned char *der = NULL;
	int length;
	bool holds;

	ECDSA_SIG_set0(parts, BN_bin2bn(signature, 32, NULL), BN_bin2bn(signature + 32, 32, NULL));
	length = i2d_ECDSA_SIG(parts, &der);
	holds = EVP_PKEY_verify_init(context) == 1 && EVP_PKEY_verify(context, der, (size_t)length, digest, 32) == 1;
	OPENSSL_free(der);
	ECDSA_SIG_free(parts);
	EVP_PKEY_CTX_free(context);
	return holds;
}

static void assert_same(struct pair *pair, const unsigned char digest[32], const unsigned char signature[64])
{
	assert_int_equal(p256_verify(pair->ours, digest, signature), openssl_verifies(pair, digest, signature));
}

static void test_good_and_broken(void **state)
{
	for (int key = 0; key < 8; key++) {
		struct pair pair = pair_new();

		for (int i = 0; i < 60; i++) {
			unsigned char digest[32], signature[64];
			unsigned bit;

			RAND_bytes(digest, sizeof(digest));
			RAND_bytes((unsigned char *)&bit, sizeof(bit));
			sign(&pair, digest, signature);
			assert_true(p256_verify(pair.ours, digest, signature));
			signature[bit / 8 % 64] ^= (unsigned char)(1u << bit % 8);
			assert_false(p256_verify(pair.ours, digest, signature));
			assert_same(&pair, digest, signature);
			signature[bit / 8 % 64] ^= (unsigned char)(1u << bit % 8);
			digest[bit / 8 % 32] ^= (unsigned char)(1u << bit % 8);
			assert_false(p256_verify(pair.ours, digest, signature));
		}
		pair_free(&pair);
	}
}

static void put(const char *hexadecimal, int more, unsigned char number[32])
{
	BIGNUM *value = NULL;

	BN_hex2bn(&value, hexadecimal);
	if (more < 0)
		BN_sub_word(value, (BN_ULONG)-more);
	else
		BN_add_word(value, (BN_ULONG)more);
	BN_bn2binpad(value, number, 32);
	BN_free(value);
}

/* Every pair of numbers at the edges as r and s, with digests at the edges: no verdict differs, and none is yes. */
static void test_numbers_at_the_edges(void **state)
{
	static const struct {
		const char *number;
		int more;
	} edges[] = { { "0", 0 }, { "0", 1 }, { "0", 2 }, { order, -2 }, { order, -1 }, { order, 0 }, { order, 1 },
		{ "7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8", 0 },  /* (n - 1) / 2 */
		{ "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF", -1 }, /* the field less one */
		{ "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", 0 } };
	struct pair pair = pair_new();

	for (size_t r = 0; r < COUNT(edges); r++) {
		for (size_t s = 0; s < COUNT(edges); s++) {
			for (size_t d = 0; d < COUNT(edges); d++) {
				unsigned char digest[32], signature[64];

				put(edges[r].number, edges[r].more, signature);
				put(edges[s].number, edges[s].more, signature + 32);
				put(edges[d].number, edges[d].more, digest);
				assert_same(&pair, digest, signature);
				assert_false(p256_verify(pair.ours, digest, signature));
			}
		}
	}
	pair_free(&pair);
}

/* Signatures of digests that are zero, the order and all ones, and the twin (r, n - s) of each, which ECDSA allows. */
static void test_digests_at_the_edges(void **state)
{
	struct pair pair = pair_new();
	BIGNUM *n = NULL, *s = BN_new();

	BN_hex2bn(&n, order);
	for (int i = 0; i < 3; i++) {
		unsigned char digest[32], signature[64];

		put(i == 0	 ? "0"
			: i == 1 ? order
				 : "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
			0, digest);
		sign(&pair, digest, signature);
		assert_true(p256_verify(pair.ours, digest, signature));
		BN_bin2bn(signature + 32, 32, s);
		BN_sub(s, n, s);
		BN_bn2binpad(s, signature + 32, 32);
		assert_true(p256_verify(pair.ours, digest, signature));
		assert_same(&pair, digest, signature);
	}
	BN_free(n);
	BN_free(s);
	pair_free(&pair);
}

static void test_another_key(void **state)
{
	struct pair one = pair_new(), other = pair_new();
	unsigned char digest[32] = { 1, 2, 3 }, signature[64];

	sign(&one, digest, signature);
	assert_true(p256_verify(one.ours, digest, signature));
	assert_false(p256_verify(other.ours, digest, signature));
	pair_free(&one);
	pair_free(&other);
}

static void test_what_is_no_key(void **state)
{
	unsigned char zero[32] = { 0 }, one[32] = { [31] = 1 }, huge[32];

	memset(huge, 0xff, sizeof(huge));
	assert_null(p256_new(zero, zero));
	assert_null(p256_new(one, one));
	assert_null(p256_new(huge, huge));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_and_broken),
		cmocka_unit_test(test_numbers_at_the_edges),
		cmocka_unit_test(test_digests_at_the_edges),
		cmocka_unit_test(test_another_key),
		cmocka_unit_test(test_what_is_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
