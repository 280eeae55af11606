/* Passwords under argon2id (RFC 9106) and codes of authenticators (RFC 6238). */
#pragma once
#include "service.h"

enum { TOTP_SECRET = 20, TOTP_SECONDS = 30 };

/* The encoded hash, or NULL: already answered (503, too many at once). */
const char *password_hash(struct request *rq, const char *password);
/* Whether it is the password of that hash, in *ret_right. With NULL for the hash it takes as long and is never right.
 * False: already answered (503). */
bool password_check(struct request *rq, const char *hash, const char *password, bool *ret_right);

/* The 30 seconds that a code is of: those of now, or of one step before or after. -1: it is no code of this secret. */
long long totp_step(const unsigned char secret[static TOTP_SECRET], const char *code);
/* RFC 4648, without padding; length must be a multiple of 5. */
const char *base32(struct request *rq, const unsigned char *bytes, size_t length);
