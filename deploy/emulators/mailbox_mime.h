/* Reads an e-mail as a person would see it. */
#pragma once
#include <jansson.h>

struct arena;

/* {"from", "to", "subject", "date", "messageId", "headers": {…}, "text", "html"}: headers decoded (RFC 2047), the first
 * text/plain and text/html part as UTF-8. What is malformed is shown as it stands. New reference. */
json_t *mail_read(struct arena *arena, const char *raw, size_t length);
