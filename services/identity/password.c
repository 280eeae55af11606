/* Owns the checking of passwords and of authenticators' codes. A hash takes 19 MiB and tens of milliseconds on purpose,
 * so only a few are made at once; who has to wait too long is told to come again. */
#include "password.h"
#include <argon2.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "text.h"

/* OWASP's second choice for argon2id: 19 MiB, two passes, one lane. */
enum { MEMORY_KIB = 19456, PASSES = 2, LANES = 1, SALT = 16, HASH = 32, ENCODED = 128, AT_ONCE = 4, WAIT_SECONDS = 3 };

/* Of a password that nobody has, with the same costs. */
static const char nobody[] =
	"$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static sem_t slots;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_slots(void)
{
	sem_init(&slots, 0, AT_ONCE);
}

static bool take_slot(struct request *rq)
{
	struct timespec until;

	pthread_once(&once, make_slots);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WAIT_SECONDS;
	if (sem_clockwait(&slots, CLOCK_MONOTONIC, &until) == 0)
		return true;
	reply_header(rq, "Retry-After", "5");
	problem(rq, 503, "unavailable", "Too many are logging in at once.");
	return false;
}

const char *password_hash(struct request *rq, const char *password)
{
	char *encoded = arena_alloc(rq->arena, ENCODED);
	unsigned char salt[SALT];
	int failed;

	if (RAND_bytes(salt, sizeof salt) != 1)
		abort();
	if (!take_slot(rq))
		return NULL;
	failed = argon2id_hash_encoded(
		PASSES, MEMORY_KIB, LANES, password, strlen(password), salt, sizeof salt, HASH, encoded, ENCODED);
	sem_post(&slots);
	if (!failed)
		return encoded;
	problem(rq, 503, "unavailable", "The password cannot be kept now.");
	return NULL;
}

bool password_check(struct request *rq, const char *hash, const char *password, bool *ret_right)
{
	if (!take_slot(rq))
		return false;
	*ret_right = argon2id_verify(hash ? hash : nobody, password, strlen(password)) == ARGON2_OK && hash;
	sem_post(&slots);
	return true;
}

/* RFC 4226, section 5.3. */
static const char *code_at(const unsigned char *secret, long long step, char code[static 7])
{
	unsigned char counter[8], digest[EVP_MAX_MD_SIZE];
	unsigned int length = 0, offset, number;

	for (int i = 7; i >= 0; i--, step >>= 8)
		counter[i] = (unsigned char)step;
	if (!HMAC(EVP_sha1(), secret, TOTP_SECRET, counter, sizeof counter, digest, &length))
		abort();
	offset = digest[length - 1] & 15;
	number = (digest[offset] & 127u) << 24 | (unsigned)digest[offset + 1] << 16 |
		 (unsigned)digest[offset + 2] << 8 | digest[offset + 3];
	snprintf(code, 7, "%06u", number % 1000000);
	return code;
}

long long totp_step(const unsigned char secret[static TOTP_SECRET], const char *code)
{
	long long now = time(NULL) / TOTP_SECONDS, found = -1;
	char expected[7];

	for (long long step = now - 1; step <= now + 1; step++) {
		if (text_same_secret(code, code_at(secret, step, expected)))
			found = step;
	}
	return found;
}

const char *base32(struct request *rq, const unsigned char *bytes, size_t length)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	char *text = arena_alloc(rq->arena, length / 5 * 8 + 1), *out = text;

	for (size_t i = 0; i + 5 <= length; i += 5) {
		unsigned long long group = 0;

		for (int n = 0; n < 5; n++)
			group = group << 8 | bytes[i + (size_t)n];
		for (int shift = 35; shift >= 0; shift -= 5)
			*out++ = letters[group >> shift & 31];
	}
	return text;
}
