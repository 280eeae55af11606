/* The body of one message on its way from one buffer to another: what framing it came with, what framing it leaves
 * with, and how much of it there has been. Content passes through and is never looked at. */
#pragma once
#include "buffer.h"
#include "chunked.h"
#include "http1.h"

struct body {
	enum body_kind from, to; /* to: BODY_LENGTH also stands for "as it is, until close" */
	bool done;
	uint64_t left;	 /* BODY_LENGTH */
	uint64_t passed; /* bytes of content so far */
	uint64_t limit;	 /* of content; more is BODY_TOO_LARGE */
	struct chunked chunked;
};

enum body_result { BODY_WAITS, BODY_MOVED, BODY_COMPLETE, BODY_MALFORMED, BODY_TOO_LARGE };

struct body body_start(const struct http1_head *head, enum body_kind to, uint64_t limit);

/* Moves what there is and fits. BODY_WAITS: more bytes are needed, or more room. to NULL: the content is thrown away.
 */
enum body_result body_move(struct body *body, struct buffer *from, struct buffer *to);

/* The sender closed: complete for a body that ends so, else it was cut. */
bool body_ends_at_close(struct body *body, struct buffer *to);
