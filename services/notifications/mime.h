/* Header fields of e-mails (RFC 5322, 2047). Control characters never pass: a value cannot begin another field. Results
 * live in the arena. */
#pragma once
#include <stdbool.h>

struct arena;

/* "Name: value", encoded and folded where it has to be. */
const char *mime_field(struct arena *arena, const char *name, const char *value);
/* "Name: Comune di Bologna <portico@comune.example>". */
const char *mime_mailbox_field(struct arena *arena, const char *name, const char *display, const char *address);
/* What an SMTP envelope takes without extensions: ASCII, one @, no spaces, brackets or control characters. */
bool mime_address_ok(const char *address);
