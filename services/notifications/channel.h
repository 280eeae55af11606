/* A way to reach a person, one file each. A new one is a file and a line in channels.c: who is reachable is planned,
 * deliveries are claimed, retried, settled and counted for all of them alike in delivery.c. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

struct request;

/* What is handed over. The strings live with the request. */
struct delivery {
	const char *tenant, *notice, *claim, *address;
	const char *subject, *text, *link;
	const char *due_at;		/* RFC 3339, or NULL */
	const char *layout;		/* template "layout.NAME", or NULL */
	const char *provider_reference; /* of the earlier hand-over, when there was one */
	long long created_at;		/* of the notice, Unix seconds */
	const json_t *payment;		/* {"noticeNumber", "amount", "payeeFiscalCode"}, or NULL */
	const json_t *sender;		/* {"name", "email", "replyTo", "areaUrl", "fiscalCode"} */
};

enum outcome_kind {
	OUTCOME_SENT,	     /* the provider has it */
	OUTCOME_PENDING,     /* follow: nothing new yet */
	OUTCOME_DELIVERED,   /* the person has it */
	OUTCOME_TEMPORARY,   /* not now */
	OUTCOME_LIMITED,     /* too many requests: nothing more for this tenant before retry_after */
	OUTCOME_UNAVAILABLE, /* this channel does not reach this person */
	OUTCOME_PERMANENT,   /* the provider will never take it */
	OUTCOME_TECHNICAL    /* given up for a reason that is nobody's address */
};

struct outcome {
	enum outcome_kind kind;
	const char *answer;    /* the provider's, in a few words, without any address */
	const char *reference; /* the provider's id of it, or NULL */
	int retry_after;       /* seconds */
};

struct channel {
	const char *name;    /* as in deliveries.channel and identity's preferences */
	bool (*start)(void); /* reads its settings; may be NULL */
	/* The address that this channel would use, NULL when it cannot reach the person or the tenant does not have it.
	 */
	const char *(*address)(struct request *rq, const json_t *person, const json_t *sender);
	/* Enough of an address to recognise it. */
	const char *(*hint)(struct request *rq, const char *address);
	/* The outside call. No transaction is open. */
	struct outcome (*deliver)(struct request *rq, const struct delivery *delivery);
	/* Asks what became of it. NULL: nothing more is ever learnt. */
	struct outcome (*follow)(struct request *rq, const struct delivery *delivery);
};

/* Ends with NULL. */
extern const struct channel *const channels[];
extern const struct channel email_channel, appio_channel;

const struct channel *channel_by_name(const char *name);

/* delivery.c: to be called by deliver() right before a call that the provider would not recognise as repeated. False:
 * do not call, somebody else has the delivery by now. */
bool delivery_begin_handover(struct request *rq, const struct delivery *delivery, const char *channel);
