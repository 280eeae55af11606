/* base64url without padding (RFC 7515, section 2), in the one form a value can have. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/* Decodes into out, which has room for size bytes. The length, or -1. */
ssize_t base64url_decode(const char *text, size_t length, unsigned char *out, size_t size);
