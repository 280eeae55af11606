/* What http2.c (the connection), http2_stream.c (one request on it) and http2_head.c (the head of that request) share.
 */
#pragma once
#include <nghttp2/nghttp2.h>
#include "http2.h"

struct http2 {
	struct client *connection;
	nghttp2_session *session;
	const uint8_t *frames; /* what nghttp2 wants sent and the buffer had no room for yet */
	size_t frames_length;
	struct client *streams; /* a list by client.next */
	bool closing;
	bool blocked;	  /* the socket takes no more */
	bool noticed;	  /* the client has been told that the end is near */
	int64_t nuisance; /* frames that ask for work and lead to nothing, as a bucket that leaks */
	int64_t nuisance_at;
};

enum { HTTP2_BODY_BLOCKS = 6 }; /* hold a window of body, however it is cut into frames */

struct http2_stream {
	struct client client; /* first: the worker frees it by this address */
	struct http2 *http2;
	int32_t id;
	nghttp2_rcbuf *method, *path, *authority; /* until the head is whole */
	bool head_begun, head_too_large, head_fault;
	struct buffer body[HTTP2_BODY_BLOCKS]; /* received and not read yet; the first is the oldest */
	bool body_ended;
	bool closed; /* nghttp2 has ended the stream */
	bool head_sent, bodiless, deferred, answered;
	bool end_sent;	      /* the last frame of the answer is out */
	uint64_t answer_left; /* bytes of the answer's body; UINT64_MAX: until answered */
};

struct http2_stream *http2_stream_new(struct http2 *http2, int32_t id);
/* A field of the request's head, pseudo fields first as RFC 9113, section 8.3, demands (nghttp2 has checked it). */
void http2_stream_field(struct http2_stream *stream, nghttp2_rcbuf *name, nghttp2_rcbuf *value);
/* The head is whole: the request is served. */
void http2_stream_begin(struct http2_stream *stream);
void http2_stream_forget_head(struct http2_stream *stream);
void http2_stream_data(struct http2_stream *stream, const uint8_t *data, size_t length);
void http2_stream_body_ended(struct http2_stream *stream);
/* The last frame of the answer is out. */
void http2_stream_end_sent(struct http2_stream *stream);
