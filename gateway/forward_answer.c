/* The way back of an exchange: the head of the service's answer, checked as strictly as a client's, then its body as it
 * comes. */
#include <string.h>
#include "answer.h"
#include "forward_parts.h"

/* How the body goes on to the client: as long as it says, else in chunks, or until the connection (HTTP/1.0) or the
 * stream (HTTP/2) ends. */
static enum body_kind answer_framing(struct client *client, const struct http1_head *head)
{
	struct exchange *exchange = &client->exchange;

	if (head->body != BODY_CHUNKED && head->body != BODY_UNTIL_CLOSE)
		return BODY_LENGTH;
	if (!exchange->http10 && !client->multiplexed)
		return BODY_CHUNKED;
	exchange->keep_alive = false;
	return BODY_UNTIL_CLOSE;
}

static bool put_answer(struct client *client, const struct http1_head *head, enum body_kind framing)
{
	struct writer writer;

	buffer_need(&client->worker->buffers, &client->out);
	writer = writer_of(&client->out);
	put_literal(&writer, "HTTP/1.1 ");
	put_number(&writer, (uint64_t)head->status);
	put_literal(&writer, " ");
	put_text(&writer, head->reason);
	put_literal(&writer, "\r\n");
	forward_put_fields(&writer, head);
	if (client->exchange.route->partner) /* a page of theirs is not one of ours, though it has our name */
		put_literal(&writer, "Content-Security-Policy: sandbox\r\nX-Content-Type-Options: nosniff\r\n");
	if (framing != BODY_LENGTH)
		forward_put_framing(&writer, framing, 0);
	else if (head->known[FIELD_CONTENT_LENGTH] && head->status != 204)
		put_number_field(&writer, "Content-Length", head->content_length);
	answer_put_common_fields(&writer, client);
	put_literal(&writer, "\r\n");
	if (writer.full)
		return false;
	writer_commit(&writer, &client->out);
	return true;
}

static bool take_answer_head(struct client *client, size_t length)
{
	struct exchange *exchange = &client->exchange;
	char *data = buffer_bytes(&exchange->from_upstream);
	struct http1_head head;
	enum body_kind framing;

	exchange->from_upstream.start += length;
	exchange->scanned = 0;
	if (http1_parse_answer(data, length, exchange->head_request, &head) || head.status == 101)
		return forward_fault(client, FAILURE_GARBAGE, "the answer of the service is malformed");
	if (head.status < 200)
		return true;
	if (client->worker->draining || !exchange->request_body.done)
		exchange->keep_alive = false;
	framing = answer_framing(client, &head);
	if (exchange->route->partner)
		partner_drop_claims(&head);
	if (!put_answer(client, &head, framing))
		return forward_fault(client, FAILURE_GARBAGE, "the head of the service's answer is too large");
	exchange->status = head.status;
	exchange->answer_known = true;
	upstream_answered(client);
	exchange->upstream_reusable = head.keep_alive && head.body != BODY_UNTIL_CLOSE;
	exchange->answer_body = body_start(&head, framing, UINT64_MAX);
	return true;
}

bool forward_read_head(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	struct buffer *from = &exchange->from_upstream;

	while (!exchange->answer_known) {
		int end = from->data ? http1_head_end(buffer_bytes(from), buffer_length(from), &exchange->scanned) : 0;

		if (end > 0) {
			if (!take_answer_head(client, (size_t)end))
				return false;
			continue;
		}
		if (end < 0 || (from->data && !buffer_room(from)))
			return forward_fault(client, FAILURE_GARBAGE, "the answer of the service is malformed");
		if (!exchange->upstream->stream.readable)
			return true;
		buffer_need(&client->worker->buffers, from);
		switch (stream_fill(&exchange->upstream->stream, from)) {
		case STREAM_MOVED:
			exchange->answer_begun = true;
			break;
		case STREAM_WAITS:
			return true;
		case STREAM_CLOSED:
		case STREAM_FAILED:
			return forward_broke(client);
		}
	}
	return true;
}

/* What the service has sent goes into the buffer to the client. */
static bool take_answer_body(struct client *client, bool *moved)
{
	struct exchange *exchange = &client->exchange;
	struct buffer *from = &exchange->from_upstream;

	if (exchange->answer_body.done)
		return true;
	buffer_need(&client->worker->buffers, &client->out);
	if (client->out.start)
		buffer_compact(&client->out);
	switch (body_move(&exchange->answer_body, from, &client->out)) {
	case BODY_MALFORMED:
	case BODY_TOO_LARGE:
		return forward_fault(client, FAILURE_CUT, "a malformed chunk");
	case BODY_MOVED:
	case BODY_COMPLETE:
		*moved = true;
		break;
	case BODY_WAITS:
		break;
	}
	if (exchange->answer_body.done)
		return true;
	if (!buffer_room(from) || from->start == from->end)
		buffer_compact(from);
	switch (stream_fill(&exchange->upstream->stream, from)) {
	case STREAM_MOVED:
		*moved = true;
		break;
	case STREAM_WAITS:
		break;
	case STREAM_CLOSED:
		if (!buffer_length(from) && body_ends_at_close(&exchange->answer_body, &client->out))
			break;
		return buffer_length(from) ? true : forward_fault(client, FAILURE_CUT, "the service broke off");
	case STREAM_FAILED:
		return forward_fault(client, FAILURE_CUT, "the service broke off");
	}
	return true;
}

bool forward_send_answer(struct client *client)
{
	struct exchange *exchange = &client->exchange;
	bool moved = true;

	while (moved) {
		size_t pending;

		moved = false;
		if (exchange->answer_known && !take_answer_body(client, &moved))
			return false;
		if (exchange->answer_known && exchange->answer_body.done && exchange->upstream)
			upstream_release(client, exchange->upstream_reusable && exchange->sent &&
							 !buffer_length(&exchange->from_upstream));
		if (!client->out.data)
			break;
		pending = buffer_length(&client->out);
		if (stream_flush(&client->stream, &client->out) == STREAM_FAILED) {
			client_close(client);
			return false;
		}
		moved = moved || buffer_length(&client->out) != pending;
	}
	return true;
}
