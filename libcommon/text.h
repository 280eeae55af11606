/* The small forms of text that several programs need: hexadecimal, base64url, percent-escapes, markup. */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include "arena.h"

enum { TEXT_SHA256_MAX = 65 };

/* Lower-case hexadecimal; hex has room for 2 * length + 1. */
void text_hex(char *hex, const void *bytes, size_t length);
/* The value of a hexadecimal digit of either case, or -1. */
int text_hex_value(char c);
void text_sha256(char hex[static TEXT_SHA256_MAX], const void *bytes, size_t length);

/* So many random bytes in hexadecimal. Aborts when the system has no randomness: nothing made from it would be worth
 * anything. */
char *text_random_hex(struct arena *arena, size_t bytes);

/* Compares in constant time, whatever the first difference is; only the lengths may be learned from it. */
bool text_same_secret(const char *one, const char *other);

/* Appends ,"name":"value" to JSON that is being written at *at (without the comma behind an opening brace), or nothing
 * when value is NULL. False when the value has a character that JSON escapes or that is not ASCII, or when it has no
 * room before end: then a JSON library has to write it. */
bool text_plain_member(char **at, const char *end, const char *name, const char *value);

/* base64url without padding (RFC 7515, section 2), in the one form that a value can have. */
char *text_base64url(struct arena *arena, const void *bytes, size_t length);
/* Decodes into out, which has room for size bytes. The length, or -1. */
ssize_t text_base64url_decode(const char *text, size_t length, unsigned char *out, size_t size);
/* The same into the arena, with a NUL behind *ret_length bytes. NULL when it is not base64url. */
unsigned char *text_base64url_bytes(struct arena *arena, const char *text, size_t length, size_t *ret_length);

/* A name or value of application/x-www-form-urlencoded, decoded into out (room for length + 1). False for a broken
 * escape or an escaped NUL. */
bool text_form_decode(const char *text, size_t length, char *out);

/* Text as content of HTML or XML: markup characters and quotes as entities, without the control characters that neither
 * can hold. */
void text_escape(FILE *out, const char *text, size_t length);
char *text_escaped(struct arena *arena, const char *text);
