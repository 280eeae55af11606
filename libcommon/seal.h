/* Encryption of small secrets at rest: AES-256-GCM under a key that is derived from a setting for one purpose. A sealed
 * text is base64url of "nonce ‖ text ‖ tag"; the label (whose secret it is) is bound to it, so that a row cannot be
 * given the secret of another. */
#pragma once
#include "arena.h"

/* secret is the setting's value, purpose a text that no other use of that setting has. */
const char *seal_text(
	struct arena *arena, const char *secret, const char *purpose, const char *label, const char *text);
/* NULL when it cannot be opened: another secret, another label, or not sealed by us. */
const char *seal_open(
	struct arena *arena, const char *secret, const char *purpose, const char *label, const char *sealed);
