/* ECDSA on P-256 (FIPS 186-5, section 6.4.2) for keys that check many signatures: each key has a table of its
 * multiples, so a check costs half of what OpenSSL's own takes, which can make such a table for the generator only. All
 * values are public, so nothing here has to take constant time. The arithmetic is OpenSSL's; tests hold each verdict
 * against its own verification. */
#pragma once
#include <stdbool.h>

struct p256; /* immutable: threads share it */

/* From the coordinates of the public key. NULL when they are no point of the curve. Takes some 20 ms. */
struct p256 *p256_new(const unsigned char x[32], const unsigned char y[32]);
void p256_free(struct p256 *key);

/* signature is r and s side by side, as in JWS (RFC 7518, section 3.4). */
bool p256_verify(const struct p256 *key, const unsigned char digest[32], const unsigned char signature[64]);
