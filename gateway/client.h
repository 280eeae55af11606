/* A client's connection and the one request that is being served on it. worker.c accepts it, client.c reads the head of
 * a request, exchange.c decides, forward.c passes it on and the answer back, or answer.c answers; then the next
 * request. A connection that speaks HTTP/2 has a client of this kind for each of its streams. */
#pragma once
#include "body.h"
#include "fair_queue.h"
#include "limit.h"
#include "peer.h"
#include "route.h"
#include "stream.h"
#include "timers.h"
#include "trace.h"
#include "worker.h"

struct upstream_connection;

enum client_state {
	CLIENT_READS_HEAD,
	CLIENT_FORWARDS,
	CLIENT_ANSWERS,
	CLIENT_LINGERS,
	CLIENT_SHAKES_HANDS, /* of TLS */
	CLIENT_SPEAKS_HTTP2,
	CLIENT_HAS_ANSWERED /* a stream of HTTP/2, until its last frame is out */
};

enum listener_kind { LISTENER_PLAIN, LISTENER_TLS, LISTENER_METRICS };

struct exchange {
	bool open; /* begun, and not in the access log yet */
	int64_t started_us;
	char method[16], path[160];			/* for the log */
	bool head_request, http10, keep_alive, refused; /* refused: what follows on this connection cannot be read */
	char request_id[TRACE_ID_MAX + 1], traceparent[TRACEPARENT_LENGTH + 1];
	const char *origin;	 /* an allowed origin, or NULL */
	struct rules_view *view; /* the rules that the request is under; NULL: it never came so far */
	const struct route *route;
	struct principal *principal;
	struct limit_state rate; /* the tighter of the limits that were looked at */
	struct body request_body, answer_body;
	bool expects_continue;
	int status;
	const char *problem; /* slug of our own answer */
	const char *page;    /* an answer of our own that may be longer than a buffer */
	char *page_memory;   /* what it is in, unless it belongs to the view */
	size_t page_length, page_sent;
	/* forward.c, forward_attempt.c, forward_answer.c */
	struct upstream_connection *upstream;
	struct buffer to_upstream, from_upstream;
	size_t scanned;
	struct waiter waiting;	      /* for a connection */
	int64_t wait_deadline;	      /* of the queue, then of the connection */
	int64_t deadline;	      /* of the head of the answer, over all tries; 0: the request is not whole yet */
	size_t deadline_at;	      /* where in to_upstream the service is told of it */
	uint32_t unconnected, failed; /* replicas that took no connection, or failed the request: bit by index */
	unsigned retries;
	const char *replica;	       /* the last one, for the log */
	int64_t given_us, upstream_us; /* when it got the request, and how long it took to answer */
	bool idempotent, replayable;   /* replayable: to_upstream still has the request from its first byte */
	bool stamped, sent, send_failed, answer_begun, answer_known, upstream_reusable;
};

struct client {
	struct stream stream;
	struct worker *worker;
	struct timer timer;
	struct buffer in, out;
	enum client_state state;
	size_t scanned;
	bool metrics_only, newline_skipped, secure;
	bool multiplexed;	      /* a stream of HTTP/2 */
	bool body_follows;	      /* on such a stream, perhaps without saying how long it is */
	struct http2 *http2;	      /* of the connection that has the streams */
	struct rules_view *handshake; /* whose certificates TLS is being started with */
	struct peer peer;
	struct client *next, **previous; /* of the worker */
	struct client *next_scheduled;
	bool scheduled;
	struct exchange exchange;
};

struct client *client_new(struct worker *worker, int fd, const struct peer *peer, enum listener_kind listener);
/* A stream (zeroed but for client->stream) of a connection: the same caller, in a list of its own. */
void client_begin_stream(struct client *client, const struct client *connection, struct client **list);
/* Goes on as far as the sockets allow. */
void client_run(struct client *client);
/* The connection ends here and now, whatever is under way. */
void client_close(struct client *client);
/* The connection ends when the client has read what it was sent, or after a moment. */
void client_linger(struct client *client);
/* The answer is out: log it, then the next request or the end of the connection. */
void client_answer_sent(struct client *client);
