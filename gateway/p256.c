/* u1 * G + u2 * Q, each factor by a table: G is the generator of the curve, Q that of a copy of the group whose
 * generator is the public key. OpenSSL keeps such functions, though it calls them deprecated. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "p256.h"
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <stdlib.h>

struct p256 {
	EC_GROUP *curve;     /* its generator is G */
	EC_GROUP *of_key;    /* the same curve, its generator is the public key */
	const BIGNUM *order; /* of both, owned by curve */
};

static bool set_key(struct p256 *key, const unsigned char x[32], const unsigned char y[32])
{
	BIGNUM *x_number = BN_bin2bn(x, 32, NULL), *y_number = BN_bin2bn(y, 32, NULL);
	EC_POINT *point = EC_POINT_new(key->curve);
	bool set = x_number && y_number && point &&
		   EC_POINT_set_affine_coordinates(key->curve, point, x_number, y_number, NULL) == 1 &&
		   EC_GROUP_set_generator(key->of_key, point, key->order, BN_value_one()) == 1 &&
		   EC_GROUP_precompute_mult(key->of_key, NULL) == 1;

	EC_POINT_free(point);
	BN_free(x_number);
	BN_free(y_number);
	return set;
}

struct p256 *p256_new(const unsigned char x[32], const unsigned char y[32])
{
	struct p256 *key = calloc(1, sizeof(*key));

	if (!key)
		abort();
	key->curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	key->of_key = key->curve ? EC_GROUP_dup(key->curve) : NULL;
	key->order = key->curve ? EC_GROUP_get0_order(key->curve) : NULL;
	if (key->of_key && set_key(key, x, y))
		return key;
	p256_free(key);
	return NULL;
}

void p256_free(struct p256 *key)
{
	if (!key)
		return;
	EC_GROUP_free(key->of_key);
	EC_GROUP_free(key->curve);
	free(key);
}

/* From 1 to the order less one. */
static bool in_range(const BIGNUM *number, const BIGNUM *order)
{
	return !BN_is_zero(number) && !BN_is_negative(number) && BN_cmp(number, order) < 0;
}

struct sum { /* numbers of one check; those of context end with it */
	BN_CTX *context;
	BIGNUM *r, *s, *digest, *inverse, *u1, *u2, *x;
	EC_POINT *of_generator, *of_key;
};

/* x of u1 * G + u2 * Q, reduced by the order, is r. */
static bool equation_holds(const struct p256 *key, struct sum *sum)
{
	return BN_mod_inverse(sum->inverse, sum->s, key->order, sum->context) &&
	       BN_mod_mul(sum->u1, sum->digest, sum->inverse, key->order, sum->context) == 1 &&
	       BN_mod_mul(sum->u2, sum->r, sum->inverse, key->order, sum->context) == 1 &&
	       EC_POINT_mul(key->curve, sum->of_generator, sum->u1, NULL, NULL, sum->context) == 1 &&
	       EC_POINT_mul(key->of_key, sum->of_key, sum->u2, NULL, NULL, sum->context) == 1 &&
	       EC_POINT_add(key->curve, sum->of_generator, sum->of_generator, sum->of_key, sum->context) == 1 &&
	       !EC_POINT_is_at_infinity(key->curve, sum->of_generator) &&
	       EC_POINT_get_affine_coordinates(key->curve, sum->of_generator, sum->x, NULL, sum->context) == 1 &&
	       BN_nnmod(sum->x, sum->x, key->order, sum->context) == 1 && BN_cmp(sum->x, sum->r) == 0;
}

bool p256_verify(const struct p256 *key, const unsigned char digest[32], const unsigned char signature[64])
{
	struct sum sum = { .context = BN_CTX_new() };
	bool holds;

	if (!sum.context)
		return false;
	BN_CTX_start(sum.context);
	sum.r = BN_CTX_get(sum.context);
	sum.s = BN_CTX_get(sum.context);
	sum.digest = BN_CTX_get(sum.context);
	sum.inverse = BN_CTX_get(sum.context);
	sum.u1 = BN_CTX_get(sum.context);
	sum.u2 = BN_CTX_get(sum.context);
	sum.x = BN_CTX_get(sum.context); /* NULL when any of them is */
	sum.of_generator = EC_POINT_new(key->curve);
	sum.of_key = EC_POINT_new(key->of_key);
	holds = sum.x && sum.of_generator && sum.of_key && BN_bin2bn(signature, 32, sum.r) &&
		BN_bin2bn(signature + 32, 32, sum.s) && BN_bin2bn(digest, 32, sum.digest) &&
		in_range(sum.r, key->order) && in_range(sum.s, key->order) && equation_holds(key, &sum);
	EC_POINT_free(sum.of_generator);
	EC_POINT_free(sum.of_key);
	BN_CTX_end(sum.context);
	BN_CTX_free(sum.context);
	return holds;
}
