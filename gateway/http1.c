/* The strict parser of message heads: request line or status line, then the fields, then what they say about the body.
 */
#include "http1.h"
#include "http1_fields.h"
#include <string.h>
#include <strings.h>

static const bool token_char[256] = {
	['!'] = 1,
	['#'] = 1,
	['$'] = 1,
	['%'] = 1,
	['&'] = 1,
	['\''] = 1,
	['*'] = 1,
	['+'] = 1,
	['-'] = 1,
	['.'] = 1,
	['^'] = 1,
	['_'] = 1,
	['`'] = 1,
	['|'] = 1,
	['~'] = 1,
	['0' ... '9'] = 1,
	['A' ... 'Z'] = 1,
	['a' ... 'z'] = 1,
};

/* VCHAR, obs-text, SP and HTAB: what a field value may hold. */
static const bool value_char[256] = { ['\t'] = 1, [' ' ... '~'] = 1, [128 ... 255] = 1 };

/* pchar, "/" and "?" of RFC 3986: what a request target may hold. */
static const bool target_char[256] = {
	['!'] = 1,
	['$'] = 1,
	['%'] = 1,
	['&'] = 1,
	['\''] = 1,
	['('] = 1,
	[')'] = 1,
	['*'] = 1,
	['+'] = 1,
	[','] = 1,
	['-'] = 1,
	['.'] = 1,
	['/'] = 1,
	['0' ... '9'] = 1,
	[':'] = 1,
	[';'] = 1,
	['='] = 1,
	['?'] = 1,
	['@'] = 1,
	['A' ... 'Z'] = 1,
	['_'] = 1,
	['a' ... 'z'] = 1,
	['~'] = 1,
};

static int refuse(struct http1_head *head, int status, const char *fault)
{
	head->fault = fault;
	return status;
}

int http1_head_end(const char *data, size_t length, size_t *scanned)
{
	size_t at = *scanned;

	for (;;) {
		const char *newline = memchr(data + at, '\n', length - at);
		size_t end;

		if (!newline) {
			*scanned = length;
			return 0;
		}
		end = (size_t)(newline - data);
		if (end == 0 || data[end - 1] != '\r')
			return -1;
		if (end >= 2 && data[end - 2] == '\n')
			return (int)end + 1;
		at = end + 1;
	}
}

/* One line "name: value" CRLF. *at is moved behind it. */
static int parse_field(char **at, struct http1_head *head, enum http1_direction direction)
{
	char *name = *at, *colon = name, *value, *end;
	struct http1_field *field;

	if (head->field_count == HTTP1_MAX_FIELDS)
		return refuse(head, 431, "too many header fields");
	while (token_char[(unsigned char)*colon])
		colon++;
	if (*colon != ':' || colon == name)
		return refuse(
			head, 400, *name == ' ' || *name == '\t' ? "a folded header line" : "a malformed field name");
	value = colon + 1;
	while (*value == ' ' || *value == '\t')
		value++;
	end = value;
	while (value_char[(unsigned char)*end])
		end++;
	if (end[0] != '\r' || end[1] != '\n')
		return refuse(head, 400, "a control character in a header field");
	*at = end + 2;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*colon = *end = '\0';
	field = &head->fields[head->field_count++];
	*field = (struct http1_field){ .name = name,
		.name_length = (uint16_t)(colon - name),
		.value = value,
		.value_length = (uint16_t)(end - value) };
	if (http1_classify(head, field, direction))
		return 0;
	return refuse(head, 400, "a field that may stand once stands twice");
}

/* Fields that are read here or by the service are for the whole way (RFC 9110, section 7.6.1): who names one of them in
 * Connection wants the two to see different requests. */
static bool drop_named(struct http1_head *head, const char *name, size_t length)
{
	for (size_t i = 0; i < head->field_count; i++) {
		struct http1_field *field = &head->fields[i];

		if (field->name_length != length || strncasecmp(field->name, name, length) != 0)
			continue;
		if (field->id != FIELD_OTHER && field->id != FIELD_DROPPED)
			return false;
		field->dropped = true;
	}
	return true;
}

/* Connection: close, keep-alive, and the names of fields that end at this hop. */
static int read_connection(struct http1_head *head, const char *value)
{
	while (*value) {
		size_t length = strcspn(value, ", \t");

		if (length == 5 && strncasecmp(value, "close", 5) == 0)
			head->keep_alive = false;
		else if (length == 10 && strncasecmp(value, "keep-alive", 10) == 0)
			head->keep_alive = head->minor == 0 ? true : head->keep_alive;
		else if (length && !drop_named(head, value, length))
			return refuse(head, 400, "Connection names a field that does not end here");
		value += length;
		value += strspn(value, ", \t");
	}
	return 0;
}

static int parse_fields(char *at, char *end, struct http1_head *head, enum http1_direction direction)
{
	head->keep_alive = head->minor == 1;
	while (at < end - 2) {
		int status = parse_field(&at, head, direction);

		if (status)
			return status;
	}
	for (size_t i = 0; head->known[FIELD_CONNECTION] && i < head->field_count; i++) {
		int status = head->fields[i].id == FIELD_CONNECTION ? read_connection(head, head->fields[i].value) : 0;

		if (status)
			return status;
	}
	return 0;
}

static int read_content_length(struct http1_head *head)
{
	const struct http1_field *field = head->known[FIELD_CONTENT_LENGTH];

	if (field->value_length == 0 || field->value_length > 18)
		return refuse(head, 400, "a malformed Content-Length");
	head->content_length = 0;
	for (const char *digit = field->value; *digit; digit++) {
		if (*digit < '0' || *digit > '9')
			return refuse(head, 400, "a malformed Content-Length");
		head->content_length = head->content_length * 10 + (uint64_t)(*digit - '0');
	}
	return 0;
}

/* RFC 9112, section 6.3, without its tolerance: a message that says its length in two ways is refused. */
static int read_framing(struct http1_head *head, enum body_kind otherwise)
{
	const char *coding = http1_value(head, FIELD_TRANSFER_ENCODING);

	head->body = otherwise;
	if (coding) {
		if (head->known[FIELD_CONTENT_LENGTH])
			return refuse(head, 400, "both Content-Length and Transfer-Encoding");
		if (head->minor == 0)
			return refuse(head, 400, "Transfer-Encoding in HTTP/1.0");
		if (strcasecmp(coding, "chunked") != 0)
			return refuse(head, 501, "a transfer coding other than chunked");
		head->body = BODY_CHUNKED;
		return 0;
	}
	if (head->known[FIELD_CONTENT_LENGTH]) {
		int status = read_content_length(head);

		if (status)
			return status;
		head->body = head->content_length ? BODY_LENGTH : BODY_NONE;
	}
	return 0;
}

static int read_version(struct http1_head *head, const char *version)
{
	if (strncmp(version, "HTTP/", 5) != 0)
		return refuse(head, 400, "a malformed request line");
	if (strncmp(version, "HTTP/1.", 7) != 0 || (version[7] != '0' && version[7] != '1'))
		return refuse(head, 505, "an HTTP version other than 1.1");
	head->minor = version[7] - '0';
	return 0;
}

/* METHOD SP target SP HTTP/1.1 CRLF, one space each. */
static int parse_request_line(char **at, struct http1_head *head)
{
	char *method_end = *at, *target, *target_end;
	int status;

	while (token_char[(unsigned char)*method_end])
		method_end++;
	if (*method_end != ' ' || method_end == *at || method_end - *at > 15)
		return refuse(head, 400, "a malformed method");
	target = target_end = method_end + 1;
	while (target_char[(unsigned char)*target_end])
		target_end++;
	if (*target_end != ' ' || target_end == target)
		return refuse(head, 400, "a malformed request target");
	if (target_end - target > HTTP1_MAX_TARGET)
		return refuse(head, 414, "the request target is too long");
	status = read_version(head, target_end + 1);
	if (status)
		return status;
	if (target_end[9] != '\r' || target_end[10] != '\n')
		return refuse(head, 400, "a malformed request line");
	*method_end = *target_end = '\0';
	head->method = *at;
	head->target = target;
	head->target_length = (size_t)(target_end - target);
	*at = target_end + 11;
	return 0;
}

/* A registered name, an IPv4 address or [IPv6], with an optional port. */
static bool host_holds(const char *host)
{
	size_t length;

	if (*host == '[') {
		length = strspn(host + 1, "0123456789abcdefABCDEF:.");
		if (length == 0 || host[length + 1] != ']')
			return false;
		host += length + 2;
	} else {
		length = strspn(host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~");
		if (length == 0 || length > 253)
			return false;
		host += length;
	}
	if (*host == '\0')
		return true;
	return *host == ':' && strspn(host + 1, "0123456789") == strlen(host + 1) && strlen(host + 1) <= 5;
}

/* absolute-form becomes origin-form when it names the host that Host names; anything but "/…" and "*" is refused. */
static int read_target(struct http1_head *head, const char *host)
{
	size_t scheme = 0, authority;

	if (head->target[0] == '/')
		return 0;
	if (strcmp(head->target, "*") == 0 && strcmp(head->method, "OPTIONS") == 0)
		return 0;
	if (strncasecmp(head->target, "http://", 7) == 0)
		scheme = 7;
	else if (strncasecmp(head->target, "https://", 8) == 0)
		scheme = 8;
	if (!scheme || !host)
		return refuse(head, 400, "a request target that is no path");
	authority = strcspn(head->target + scheme, "/?");
	if (authority != strlen(host) || strncasecmp(head->target + scheme, host, authority) != 0)
		return refuse(head, 400, "a request target for another host");
	if (head->target[scheme + authority] != '/')
		return refuse(head, 400, "a request target without a path");
	head->target += scheme + authority;
	head->target_length -= scheme + authority;
	return 0;
}

int http1_parse_request(char *data, size_t length, struct http1_head *head)
{
	char *at = data;
	const char *host;
	int status;

	memset(head->known, 0, sizeof(head->known));
	head->field_count = 0;
	head->content_length = 0;
	status = parse_request_line(&at, head);
	if (!status)
		status = parse_fields(at, data + length, head, HTTP1_REQUEST);
	if (!status)
		status = read_framing(head, BODY_NONE);
	if (status)
		return status;
	host = http1_value(head, FIELD_HOST);
	if (host ? !host_holds(host) : head->minor == 1)
		return refuse(head, 400, host ? "a malformed Host" : "no Host");
	return read_target(head, host);
}

/* HTTP/1.1 SP 3DIGIT SP reason CRLF */
static int parse_status_line(char **at, struct http1_head *head)
{
	const char *line = *at;
	char *end;

	if (read_version(head, line) || line[8] != ' ')
		return refuse(head, 502, "a malformed status line");
	head->status = 0;
	for (int i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return refuse(head, 502, "a malformed status line");
		head->status = head->status * 10 + line[i] - '0';
	}
	if (head->status < 100 || head->status > 599 || (line[12] != ' ' && line[12] != '\r'))
		return refuse(head, 502, "a malformed status line");
	end = *at + 12;
	while (value_char[(unsigned char)*end])
		end++;
	if (end[0] != '\r' || end[1] != '\n')
		return refuse(head, 502, "a malformed status line");
	head->reason = line[12] == ' ' ? line + 13 : line + 12;
	*end = '\0';
	*at = end + 2;
	return 0;
}

int http1_parse_answer(char *data, size_t length, bool to_head_request, struct http1_head *head)
{
	char *at = data;
	int status;

	memset(head->known, 0, sizeof(head->known));
	head->field_count = 0;
	head->content_length = 0;
	status = parse_status_line(&at, head);
	if (!status)
		status = parse_fields(at, data + length, head, HTTP1_ANSWER);
	if (!status)
		status = read_framing(head, BODY_UNTIL_CLOSE);
	if (status)
		return 502;
	if (to_head_request || head->status < 200 || head->status == 204 || head->status == 304)
		head->body = BODY_NONE;
	return 0;
}
