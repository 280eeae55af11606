/* Webhooks in memory: what the keeper (database side) and the sender (network side) share. One replica at a time has
 * them: the one that leads. Everything here is guarded by the lock of webhook_queue.c unless it says otherwise. */
#pragma once
#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

enum { HOOK_QUEUE = 128, HOOK_DOWN = 5, SECRET_BYTES = 32, ERROR_BYTES = 160 };

/* A subscription, its queue and its breaker. */
struct hook {
	char *tenant, *id, *client, *url;
	unsigned char secrets[2][SECRET_BYTES]; /* the second is there while has_secondary */
	bool has_secondary;
	int concurrency;
	bool gone;		/* paused or ended: nothing more is begun; freed when nothing of it is known any more */
	int failures;		/* in a row; from HOOK_DOWN on it counts as down, and one delivery at a time is tried */
	long long closed_until; /* monotonic ms; while it is down */
	int known;  /* deliveries that the keeper must not hand over again: queued, on their way, or not settled yet */
	int flying; /* on their way */
	bool back;  /* was down and has answered; until that is stored */
	int stored_failures; /* the keeper's own: what the database has, and since when */
	long long stored_at;
	struct call *first, **last; /* the queue */
	struct call *all;	    /* every known one */
	struct hook *next;
};

struct call {
	struct hook *hook;
	char id[37];
	int attempts; /* before this one */
	char *body;
	struct call *next;	      /* in the queue of its hook, or among the outcomes */
	struct call *later, *earlier; /* among all of its hook */
	/* the attempt; the sender's own while it is on its way */
	CURL *curl;
	struct curl_slist *headers;
	bool encrypted;
	bool refused;	 /* the address may not be called */
	size_t answered; /* bytes of the answer's body */
	double began;	 /* Unix seconds */
	/* and what became of it */
	bool ok;
	int status, latency_ms, retry_after;
	char error[ERROR_BYTES];
};

/* webhook_queue.c */
void webhooks_lock(void);
void webhooks_unlock(void);
extern struct hook *hooks;
struct hook *hook_by_id(const char *id);
bool hook_is_down(const struct hook *hook);
/* Whether an attempt may begin now: not too many on their way, and not while the breaker is open. */
bool hook_may_send(const struct hook *hook, long long now);
struct call *hook_find(const struct hook *hook, const char *event_id);
void hook_queue(struct hook *hook, const char *id, int attempts, const char *body);
struct call *hook_take(struct hook *hook);
/* Counts the attempt's result in the breaker, and leaves the delivery among the outcomes. */
void hook_tell(struct call *call, long long now);
/* What was told since, for the keeper. */
struct call *outcomes_take(void);
/* Those could not be stored: they are told again. */
void outcomes_give_back(struct call *outcomes);
void call_forget(struct call *call);
/* Removes hooks that are gone and have nothing on their way; what is only queued is forgotten, it waits in the
 * database. */
void hooks_clean(void);

/* webhook_sender.c: a task; and the word that there is something to send. */
struct request;
bool sender_start(void);
int send_webhooks(struct request *rq);
void sender_wake(void);

/* webhook_keeper.c: tasks. */
int load_subscriptions(struct request *rq);
/* The form in which the database has a secret of that client. */
const char *webhook_seal(struct request *rq, const char *tenant, const char *client, const char *secret);
int keep_webhooks(struct request *rq);

/* webhook_signature.c: the value of webhook-signature (free it) by Standard Webhooks. */
char *webhook_signature(const struct hook *hook, const char *id, long long timestamp, const char *body);
/* "whsec_…", and its bytes back; the bytes are random. */
struct arena;
const char *webhook_new_secret(struct arena *arena);
bool webhook_secret_bytes(const char *secret, unsigned char bytes[SECRET_BYTES]);
