/* An open hash table, at most half full. */
#include "revoked.h"
#include <stdlib.h>
#include <string.h>
#include "fingerprint.h"

enum { MIN_SLOTS = 16, MAX_ID = 200 };

static const time_t for_ever = INT64_MAX;

static struct revoked_entry *slot_of(struct revoked *revoked, uint64_t key)
{
	size_t at = key & (revoked->slots - 1);

	while (revoked->entries[at].key && revoked->entries[at].key != key)
		at = (at + 1) & (revoked->slots - 1);
	return &revoked->entries[at];
}

static void add(struct revoked *revoked, const struct revoked_entry *entry)
{
	struct revoked_entry *slot = slot_of(revoked, entry->key);

	if (!slot->key) {
		if (revoked->count == REVOKED_MAX)
			return;
		revoked->count++;
		*slot = *entry;
		return;
	}
	if (slot->not_before < entry->not_before)
		slot->not_before = entry->not_before;
	if (slot->forget_at < entry->forget_at)
		slot->forget_at = entry->forget_at;
}

/* {kind, id, notBefore} */
static bool read_item(const json_t *item, struct revoked_entry *entry)
{
	const char *kind = json_string_value(json_object_get(item, "kind"));
	const json_t *id = json_object_get(item, "id"), *not_before = json_object_get(item, "notBefore");
	char letter;

	if (!kind || !json_is_string(id) || json_string_length(id) > MAX_ID)
		return false;
	if (strcmp(kind, "session") == 0)
		letter = 'i';
	else if (strcmp(kind, "client") == 0)
		letter = 'c';
	else if (strcmp(kind, "subject") == 0)
		letter = 's';
	else
		return false;
	if (letter != 'i' && !json_is_integer(not_before))
		return false;
	entry->key = fingerprint(letter, json_string_value(id), json_string_length(id));
	entry->not_before = letter == 'i' ? for_ever : (time_t)json_integer_value(not_before);
	return true;
}

struct revoked *revoked_new(const struct revoked *old, const json_t *items, time_t now)
{
	size_t most = (old ? old->count : 0) + json_array_size(items), slots = MIN_SLOTS, index;
	struct revoked_entry entry = { .forget_at = now + REVOKED_SECONDS };
	struct revoked *revoked;
	json_t *item;

	if (most > REVOKED_MAX)
		most = REVOKED_MAX;
	while (slots < 2 * most)
		slots *= 2;
	revoked = calloc(1, sizeof(*revoked) + slots * sizeof(revoked->entries[0]));
	if (!revoked)
		abort();
	revoked->references = 1;
	revoked->slots = slots;
	for (size_t i = 0; old && i < old->slots; i++) {
		if (old->entries[i].key && old->entries[i].forget_at > now)
			add(revoked, &old->entries[i]);
	}
	json_array_foreach(items, index, item)
	{
		if (read_item(item, &entry))
			add(revoked, &entry);
	}
	return revoked;
}

static bool refuses(const struct revoked *revoked, uint64_t key, time_t issued)
{
	return key && slot_of((struct revoked *)revoked, key)->not_before > issued;
}

bool revoked_has(const struct revoked *revoked, const struct principal *principal)
{
	return refuses(revoked, principal->session_key, principal->issued) ||
	       refuses(revoked, principal->keys[PER_CLIENT], principal->issued) ||
	       refuses(revoked, principal->keys[PER_SUBJECT], principal->issued) ||
	       refuses(revoked, principal->actor_key, principal->issued);
}
