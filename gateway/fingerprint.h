/* Whom something is about, as a number: an address, a subject, a client, a tenant, a session. The tables of limits and
 * of revocations go by it. It is keyed by the suite's secret, so that all replicas agree on it and nobody outside can
 * find two names that share one. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Once at start. */
void fingerprint_start(const char *secret);

/* kind keeps equal names of different things apart. Never 0. */
uint64_t fingerprint(char kind, const void *name, size_t length);

/* That of a part of it, e.g. of an operation for this subject. Cheap, and only for parts that nobody outside chooses.
 */
uint64_t fingerprint_of_part(uint64_t whole, const char *part);
