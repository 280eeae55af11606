/* What the App IO emulator remembers: who has the app, the messages it took, how it is to misbehave. In memory, behind
 * one lock. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

enum { APPIO_MAX_MESSAGES = 20000, APPIO_MAX_CALLS = 2000 };

/* keys: {tenant: subscription key}; profiles: fiscal codes separated by commas. False when keys is not an object. */
bool appio_state_start(const char *keys, const char *profiles);

void appio_lock(void);
void appio_unlock(void);

/* All of these with the lock held; what they give is borrowed. */
const char *appio_service_of(const char *key); /* the tenant whose key it is, or NULL */
json_t *appio_profiles(void);		       /* {fiscal code: {"sender_allowed", "preferred_languages"}} */
json_t *appio_messages(void);		       /* as GET /messages/{fiscal_code}/{id} gives them, oldest first */
json_t *appio_find_message(const char *fiscal_code, const char *id);
const char *appio_take_message(const char *service, const char *fiscal_code, json_t *message); /* its new id */
json_t *appio_calls(void); /* {"at", "call", "status"} of the latest calls, oldest first */
void appio_note_call(const char *call, int status);
json_t *appio_behaviour(void); /* appio.c says what it may be */

/* The mode that applies to this call, and one fewer left of a limited number of times. */
const char *appio_mode_of(const char *call);
