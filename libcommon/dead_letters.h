/* Events that could not have their effect. */
#pragma once
#include "db.h"
#include "events.h"

struct dead_letter {
	const char *tenant, *source, *event_id, *envelope;
	long long position;
	int status, attempts;
	const char *cause;
};

/* Stores it; false when the database does not take it, then it is to be tried again. */
bool dead_letter_add(struct db *db, const struct dead_letter *letter);

/* The task that delivers again what dead_letters_redrive() asked for. */
int redrive_dead_letters(struct request *rq);

/* events.c: delivers an envelope to the consumer of its source and type ("it.portico.…"). 422 when there is none. */
int events_deliver(const char *source, const char *type, const char *envelope, char **ret_cause);
