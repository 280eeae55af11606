/* HTTP/2 (RFC 9113) as a skin over HTTP/1.1: nghttp2 takes the frames apart, each request becomes a head in the form of
 * HTTP/1.1 that passes through the same strict parser and the same decisions as any other, and each answer is turned
 * back into frames. A stream is a client of its own whose bytes come from here instead of a socket. */
#pragma once
#include "client.h"

enum { HTTP2_MAX_STREAMS = 100, HTTP2_STREAM_WINDOW = 65535, HTTP2_CONNECTION_WINDOW = 262144 };

struct http2; /* one connection */

/* The client's connection speaks HTTP/2 from now on. */
struct http2 *http2_new(struct client *connection);
/* All its streams end. */
void http2_free(struct http2 *http2);

/* Reads and writes as far as the socket allows. Always false: there is nothing to do until the next event. */
bool http2_step(struct client *connection);
void http2_expired(struct client *connection);
/* Says goodbye: what has begun is finished, nothing new is taken. */
void http2_drain(struct client *connection);

/* The answer on a stream has been handed over as a whole; ended: the client's body need not be read any more. */
void http2_answer_sent(struct client *stream_client);
