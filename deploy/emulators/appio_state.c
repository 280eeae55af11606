/* Owns the memory of the App IO emulator. */
#include "appio_state.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static json_t *keys, *profiles, *messages, *calls, *behaviour;

bool appio_state_start(const char *keys_text, const char *profile_list)
{
	keys = json_loads(keys_text, JSON_REJECT_DUPLICATES, NULL);
	profiles = json_object();
	messages = json_array();
	calls = json_array();
	behaviour = json_pack("{s:s s:s s:i s:i s:i s:s}", "mode", "normal", "calls", "all", "times", -1, "retry_after",
		1, "delay_ms", 0, "outcome", "PROCESSED");
	while (*profile_list) {
		size_t length = strcspn(profile_list, ",");

		json_object_setn_new(profiles, profile_list, length,
			json_pack("{s:b s:[s]}", "sender_allowed", 1, "preferred_languages", "it_IT"));
		profile_list += length + (profile_list[length] == ',');
	}
	return json_is_object(keys);
}

void appio_lock(void)
{
	pthread_mutex_lock(&lock);
}

void appio_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

const char *appio_service_of(const char *key)
{
	const char *tenant;
	json_t *value;

	json_object_foreach(keys, tenant, value)
	{
		if (key && strcmp(json_string_value(value), key) == 0)
			return tenant;
	}
	return NULL;
}

json_t *appio_profiles(void)
{
	return profiles;
}

json_t *appio_messages(void)
{
	return messages;
}

json_t *appio_calls(void)
{
	return calls;
}

json_t *appio_behaviour(void)
{
	return behaviour;
}

static const char *message_member(const json_t *entry, const char *name)
{
	return json_string_value(json_object_get(json_object_get(entry, "message"), name));
}

json_t *appio_find_message(const char *fiscal_code, const char *id)
{
	for (size_t i = json_array_size(messages); i-- > 0;) {
		json_t *entry = json_array_get(messages, i);

		if (strcmp(message_member(entry, "id"), id) == 0 &&
			strcmp(message_member(entry, "fiscal_code"), fiscal_code) == 0)
			return entry;
	}
	return NULL;
}

static json_t *now(void)
{
	struct timespec moment;
	struct tm tm;
	char day[32], text[48];

	clock_gettime(CLOCK_REALTIME, &moment);
	gmtime_r(&moment.tv_sec, &tm);
	strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof text, "%s.%03ldZ", day, moment.tv_nsec / 1000000);
	return json_string(text);
}

/* 26 characters, as the real ones (ULID). */
static void new_id(char id[27])
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	unsigned char random[26] = { 0 };

	if (getrandom(random, sizeof random, 0) != sizeof random)
		random[0] = (unsigned char)json_array_size(messages);
	for (int i = 0; i < 26; i++)
		id[i] = digits[random[i] % 32];
	id[0] = '0';
	id[26] = '\0';
}

const char *appio_take_message(const char *service, const char *fiscal_code, json_t *message)
{
	char id[27];
	json_t *kept = json_deep_copy(message), *entry;

	new_id(id);
	json_object_set_new(kept, "id", json_string(id));
	json_object_set_new(kept, "fiscal_code", json_string(fiscal_code));
	json_object_set_new(kept, "created_at", now());
	json_object_set_new(kept, "sender_service_id", json_string(service));
	if (!json_object_get(kept, "feature_level_type"))
		json_object_set_new(kept, "feature_level_type", json_string("STANDARD"));
	entry = json_pack("{s:o s:{s:s s:s} s:O}", "message", kept, "notification", "email", "SENT", "webhook", "SENT",
		"status", json_object_get(behaviour, "outcome"));
	if (json_array_size(messages) == APPIO_MAX_MESSAGES)
		json_array_remove(messages, 0);
	json_array_append_new(messages, entry);
	return message_member(entry, "id");
}

void appio_note_call(const char *call, int status)
{
	if (json_array_size(calls) == APPIO_MAX_CALLS)
		json_array_remove(calls, 0);
	json_array_append_new(calls, json_pack("{s:o s:s s:i}", "at", now(), "call", call, "status", status));
}

const char *appio_mode_of(const char *call)
{
	const char *mode = json_string_value(json_object_get(behaviour, "mode"));
	const char *which = json_string_value(json_object_get(behaviour, "calls"));
	json_int_t times = json_integer_value(json_object_get(behaviour, "times"));

	if (strcmp(mode, "normal") == 0 || times == 0 || (strcmp(which, "all") != 0 && strcmp(which, call) != 0))
		return "normal";
	if (times > 0)
		json_object_set_new(behaviour, "times", json_integer(times - 1));
	return mode;
}
