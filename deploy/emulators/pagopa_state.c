/* Owns what the emulator remembers: knobs, carts, receipts on their way, the last calls. Never talks to anyone. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "pagopa.h"

enum { MAX_CARTS = 1000, MAX_CALLS = 200, MAX_RECEIPTS = 1000, MAX_ATTEMPTS = 48 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t receipts_changed = PTHREAD_COND_INITIALIZER;
static json_t *knobs, *calls, *carts, *receipts;
static const char *journal;

/* All knobs: counters of what goes wrong next, and two values. */
static const char *const knob_names[] = { "delayMs", "refuseCarts", "failCarts", "refusePayments", "unknownNotices",
	"loseReceipts", "loseReceiptAnswers", "duplicateReceipts", "receiptAmountDelta", NULL };

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void set_defaults(void)
{
	for (size_t i = 0; knob_names[i]; i++)
		json_object_set_new(knobs, knob_names[i], json_integer(0));
}

/* The receipts that a restart must not lose. Written aside and renamed, so that the file is whole at any moment. */
static void write_journal(void)
{
	char aside[4096];

	if (!*journal)
		return;
	snprintf(aside, sizeof aside, "%s.new", journal);
	if (json_dump_file(receipts, aside, JSON_COMPACT) != 0 || rename(aside, journal) != 0)
		log_error("the journal cannot be written", "{s:s}", "file", journal);
}

void state_start(const char *journal_file)
{
	journal = journal_file;
	knobs = json_object();
	calls = json_array();
	carts = json_object();
	receipts = *journal ? json_load_file(journal, 0, NULL) : NULL;
	if (!json_is_object(receipts))
		receipts = json_object();
	set_defaults();
}

long long knob_value(const char *name)
{
	long long value;

	pthread_mutex_lock(&lock);
	value = json_int(knobs, name);
	pthread_mutex_unlock(&lock);
	return value;
}

bool knob_take(const char *name)
{
	long long left;

	pthread_mutex_lock(&lock);
	left = json_int(knobs, name);
	if (left > 0)
		json_object_set_new(knobs, name, json_integer(left - 1));
	pthread_mutex_unlock(&lock);
	return left > 0;
}

bool knobs_change(const json_t *changes, const char **ret_unknown)
{
	const char *name;
	json_t *value;
	bool known = true;

	pthread_mutex_lock(&lock);
	json_object_foreach((json_t *)changes, name, value)
	{
		if (known && (!json_object_get(knobs, name) || !json_is_integer(value))) {
			known = false;
			*ret_unknown = name;
		}
	}
	if (known)
		json_object_update(knobs, (json_t *)changes);
	pthread_mutex_unlock(&lock);
	return known;
}

void knobs_reset(void)
{
	pthread_mutex_lock(&lock);
	set_defaults();
	pthread_mutex_unlock(&lock);
}

json_t *state_report(void)
{
	json_t *report;

	pthread_mutex_lock(&lock);
	report = json_pack("{s:o s:o s:o}", "knobs", json_deep_copy(knobs), "calls", json_deep_copy(calls), "receipts",
		json_deep_copy(receipts));
	pthread_mutex_unlock(&lock);
	return report;
}

void call_note(const char *direction, const char *name, const char *about, const char *outcome)
{
	pthread_mutex_lock(&lock);
	json_array_append_new(calls, json_pack("{s:I s:s s:s s:s* s:s*}", "at", (json_int_t)now_ms(), "direction",
					     direction, "name", name, "about", about, "outcome", outcome));
	if (json_array_size(calls) > MAX_CALLS)
		json_array_remove(calls, 0);
	pthread_mutex_unlock(&lock);
}

/* jansson keeps the order of insertion: the first member is the oldest. */
static void forget_oldest(json_t *object, size_t most)
{
	if (json_object_size(object) > most)
		json_object_del(object, json_object_iter_key(json_object_iter(object)));
}

void cart_keep(const char *id, const json_t *cart)
{
	pthread_mutex_lock(&lock);
	json_object_set_new(carts, id, json_deep_copy(cart));
	forget_oldest(carts, MAX_CARTS);
	pthread_mutex_unlock(&lock);
}

json_t *cart_find(const char *id)
{
	json_t *copy;

	pthread_mutex_lock(&lock);
	copy = json_deep_copy(json_object_get(carts, id));
	pthread_mutex_unlock(&lock);
	return copy;
}

bool cart_move(const char *id, const char *from, const char *to)
{
	json_t *cart;
	bool moved;

	pthread_mutex_lock(&lock);
	cart = json_object_get(carts, id);
	moved = cart && strcmp(json_text(cart, "state"), from) == 0;
	if (moved)
		json_object_set_new(cart, "state", json_string(to));
	pthread_mutex_unlock(&lock);
	return moved;
}

void receipt_queue(const json_t *receipt)
{
	json_t *entry = json_pack("{s:O s:s s:i s:I}", "call", receipt, "state", "pending", "attempts", 0, "dueAt",
		(json_int_t)(now_ms() + knob_value("delayMs")));

	pthread_mutex_lock(&lock);
	json_object_set_new(receipts, json_text(receipt, "receipt.receiptId"), entry);
	forget_oldest(receipts, MAX_RECEIPTS);
	write_journal();
	pthread_cond_signal(&receipts_changed);
	pthread_mutex_unlock(&lock);
}

/* The receipt that is due first; *ret_due_at is when the next one will be. */
static json_t *due_receipt(long long *ret_due_at)
{
	const char *id;
	json_t *entry;

	json_object_foreach(receipts, id, entry)
	{
		long long due_at = json_int(entry, "dueAt");

		if (strcmp(json_text(entry, "state"), "pending") != 0)
			continue;
		if (due_at <= now_ms())
			return entry;
		if (due_at < *ret_due_at)
			*ret_due_at = due_at;
	}
	return NULL;
}

json_t *receipt_next(int wait_ms)
{
	long long until = now_ms() + wait_ms;
	json_t *copy, *due;

	pthread_mutex_lock(&lock);
	due = due_receipt(&until);
	if (!due) {
		pthread_cond_timedwait(&receipts_changed, &lock,
			&(struct timespec){ .tv_sec = until / 1000, .tv_nsec = (until % 1000) * 1000000 });
		until = now_ms() + wait_ms;
		due = due_receipt(&until);
	}
	copy = json_deep_copy(due ? json_object_get(due, "call") : NULL);
	pthread_mutex_unlock(&lock);
	return copy;
}

/* The real node tries 48 times, once an hour; here the hour is PORTICO_RECEIPT_RETRY_MS. What was taken is forgotten.
 */
void receipt_attempted(const char *id, const char *outcome, bool delivered)
{
	json_t *entry;
	long long attempts;

	pthread_mutex_lock(&lock);
	entry = json_object_get(receipts, id);
	if (entry && !delivered) {
		attempts = json_int(entry, "attempts") + 1;
		json_object_set_new(entry, "attempts", json_integer(attempts));
		json_object_set_new(entry, "outcome", json_string(outcome));
		json_object_set_new(entry, "dueAt", json_integer(now_ms() + config_number("PORTICO_RECEIPT_RETRY_MS")));
		if (attempts >= MAX_ATTEMPTS)
			json_object_set_new(entry, "state", json_string("given-up"));
	}
	if (delivered)
		json_object_del(receipts, id);
	write_journal();
	pthread_mutex_unlock(&lock);
}
