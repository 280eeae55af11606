/* Any bytes as a request and as an answer, with the body that the head announces. Whatever they are: reading ends, it
 * is the same for every division into pieces, a head that was taken holds to the rules that forwarding relies on, and
 * what is passed on of it is read again as exactly that. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "body.h"
#include "forward_parts.h"
#include "path.h"

static char copy[BUFFER_SIZE];

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* The end of the head found byte by byte is the one found at once. */
static int find_end(const char *data, size_t length)
{
	size_t at_once = 0, piecewise = 0;
	int end = http1_head_end(data, length, &at_once), same = 0;

	for (size_t seen = 0; seen <= length && same == 0; seen++)
		same = http1_head_end(data, seen, &piecewise);
	must(end == same);
	return end;
}

/* No field that is passed on can begin another line, or be taken for the gateway's own. */
static void check_fields(const struct http1_head *head)
{
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http1_field *field = &head->fields[i];

		must(strlen(field->name) == field->name_length && strlen(field->value) == field->value_length);
		must(field->name_length && !strpbrk(field->name, " \t\r\n:") && !strpbrk(field->value, "\r\n"));
		if (!field->dropped)
			must(strncasecmp(field->name, "portico-", 8) != 0 &&
				strcasecmp(field->name, "connection") != 0 &&
				strcasecmp(field->name, "transfer-encoding") != 0 &&
				strcasecmp(field->name, "content-length") != 0);
	}
	must(!(head->known[FIELD_CONTENT_LENGTH] && head->known[FIELD_TRANSFER_ENCODING]));
}

/* The fields of first that are passed on are those of second, in their order. */
static void same_fields(const struct http1_head *first, const struct http1_head *second)
{
	size_t k = 0;

	for (size_t i = 0; i < first->field_count; i++) {
		const struct http1_field *field = &first->fields[i];

		if (field->dropped)
			continue;
		while (k < second->field_count && second->fields[k].dropped)
			k++;
		must(k < second->field_count);
		must(strcmp(field->name, second->fields[k].name) == 0 &&
			strcmp(field->value, second->fields[k].value) == 0);
		k++;
	}
	for (; k < second->field_count; k++)
		must(second->fields[k].dropped);
}

/* A head as forward.c writes it: method, target and fields, and the framing that was understood, is one head and says
 * the same to the next reader. */
static void pass_head(const struct http1_head *head)
{
	static char data[BUFFER_SIZE];
	static struct http1_head again;
	struct buffer buffer = { data, 0, 0 };
	struct writer writer = writer_of(&buffer);
	size_t scanned = 0;

	put_text(&writer, head->method);
	put_literal(&writer, " ");
	put(&writer, head->target, head->target_length);
	put_literal(&writer, " HTTP/1.1\r\n");
	if (!head->known[FIELD_HOST])
		put_literal(&writer, "Host: x\r\n");
	forward_put_fields(&writer, head);
	forward_put_framing(&writer, head->body, head->content_length);
	put_literal(&writer, "\r\n");
	if (writer.full || (head->field_count == HTTP1_MAX_FIELDS && !head->known[FIELD_HOST]))
		return;
	writer_commit(&writer, &buffer);
	must(http1_head_end(data, buffer.end, &scanned) == (int)buffer.end);
	must(http1_parse_request(data, buffer.end, &again) == 0);
	must(strcmp(head->method, again.method) == 0 && strcmp(head->target, again.target) == 0);
	must(head->body == again.body && head->content_length == again.content_length);
	if (head->known[FIELD_HOST])
		same_fields(head, &again);
}

static void check_path(const char *target)
{
	static char decoded[HTTP1_MAX_TARGET + 1];
	const char *query;
	size_t length;

	if (!path_decode(target, decoded, &length, &query))
		return;
	must(strlen(decoded) == length && decoded[0] == '/');
	must(!strstr(decoded, "//") && !strstr(decoded, "/../") && !strstr(decoded, "/./"));
	must(!strstr(decoded, "/;") && !strstr(decoded, "/..;") && !strstr(decoded, "/.;"));
	for (const char *escape = query ? strchr(query, '%') : NULL; escape; escape = strchr(escape + 3, '%'))
		must(isxdigit((unsigned char)escape[1]) && isxdigit((unsigned char)escape[2]) &&
			memcmp(escape, "%00", 3) != 0);
}

/* Content that went into chunks comes out of them unchanged. */
static void pass_body(const struct http1_head *head, const char *bytes, size_t length)
{
	static char from_data[BUFFER_SIZE], through_data[BUFFER_SIZE], to_data[BUFFER_SIZE], plain_data[BUFFER_SIZE];
	struct buffer from = { from_data, 0, length }, through = { through_data, 0, 0 }, to = { to_data, 0, 0 };
	struct buffer again = { from_data, 0, length }, plain = { plain_data, 0, 0 };
	struct http1_head chunks = { .body = BODY_CHUNKED };
	struct body in = body_start(head, BODY_CHUNKED, UINT64_MAX), out = body_start(&chunks, BODY_LENGTH, UINT64_MAX);
	struct body straight = body_start(head, BODY_LENGTH, UINT64_MAX);
	enum body_result result;

	if (head->body == BODY_NONE || head->body == BODY_UNTIL_CLOSE)
		return;
	memcpy(from_data, bytes, length);
	do
		result = body_move(&in, &from, &through);
	while (result == BODY_MOVED);
	while (body_move(&straight, &again, &plain) == BODY_MOVED)
		;
	while (body_move(&out, &through, &to) == BODY_MOVED)
		;
	must(result != BODY_COMPLETE || out.done);
	if (in.passed == straight.passed && buffer_length(&through) == 0)
		must(buffer_length(&to) == buffer_length(&plain) &&
			memcmp(to_data, plain_data, buffer_length(&to)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http1_head head;
	int end;

	if (size > BUFFER_SIZE)
		return 0;
	memcpy(copy, data, size);
	end = find_end(copy, size);
	if (end <= 0)
		return 0;
	if (http1_parse_request(copy, (size_t)end, &head) == 0) {
		check_fields(&head);
		check_path(head.target);
		pass_head(&head);
		pass_body(&head, (const char *)data + end, size - (size_t)end);
	}
	memcpy(copy, data, size);
	if (http1_parse_answer(copy, (size_t)end, false, &head) == 0) {
		check_fields(&head);
		must(head.status >= 100 && head.status <= 599);
		pass_body(&head, (const char *)data + end, size - (size_t)end);
	}
	return 0;
}
