/* Strict: no padding, no other alphabet, no bits left over. */
#include "base64url.h"
#include <stdint.h>

static int value_of(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

ssize_t base64url_decode(const char *text, size_t length, unsigned char *out, size_t size)
{
	size_t used = 0;
	uint32_t bits = 0;
	int count = 0;

	if (length % 4 == 1 || length / 4 * 3 + (length % 4 ? length % 4 - 1 : 0) > size)
		return -1;
	for (size_t i = 0; i < length; i++) {
		int value = value_of((unsigned char)text[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[used++] = (unsigned char)(bits >> count);
			bits &= (1u << count) - 1;
		}
	}
	return bits ? -1 : (ssize_t)used;
}
