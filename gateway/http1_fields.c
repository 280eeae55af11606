/* The table of fields: which ones the gateway reads, which may stand once only, and which end at this hop or are its
 * own to write. */
#include "http1_fields.h"
#include <string.h>
#include <strings.h>

enum { SINGLE = 4, DROP_REQUEST = HTTP1_REQUEST, DROP_ANSWER = HTTP1_ANSWER, DROP = DROP_REQUEST | DROP_ANSWER };

static const struct known_field {
	const char *name;
	uint8_t length;
	enum field_id id;
	uint8_t rule;
} known_fields[] = {
#define FIELD(name, id, rule)                                                                                          \
	{                                                                                                              \
		name, sizeof(name) - 1, id, rule                                                                       \
	}
	FIELD("host", FIELD_HOST, SINGLE | DROP_ANSWER),
	FIELD("connection", FIELD_CONNECTION, DROP),
	FIELD("content-length", FIELD_CONTENT_LENGTH, SINGLE | DROP),
	FIELD("transfer-encoding", FIELD_TRANSFER_ENCODING, SINGLE | DROP),
	FIELD("expect", FIELD_EXPECT, SINGLE | DROP),
	FIELD("accept", FIELD_ACCEPT, 0),
	FIELD("authorization", FIELD_AUTHORIZATION, SINGLE),
	FIELD("content-type", FIELD_CONTENT_TYPE, SINGLE),
	FIELD("origin", FIELD_ORIGIN, SINGLE),
	FIELD("x-request-id", FIELD_REQUEST_ID, DROP),
	FIELD("traceparent", FIELD_TRACEPARENT, DROP),
	FIELD("tracestate", FIELD_TRACESTATE, DROP_ANSWER),
	FIELD("idempotency-key", FIELD_IDEMPOTENCY_KEY, SINGLE),
	FIELD("access-control-request-method", FIELD_REQUEST_METHOD, SINGLE),
	FIELD("keep-alive", FIELD_DROPPED, DROP),
	FIELD("proxy-connection", FIELD_DROPPED, DROP),
	FIELD("proxy-authenticate", FIELD_DROPPED, DROP),
	FIELD("proxy-authorization", FIELD_DROPPED, DROP),
	FIELD("te", FIELD_DROPPED, DROP),
	FIELD("trailer", FIELD_DROPPED, DROP),
	FIELD("upgrade", FIELD_DROPPED, DROP),
	FIELD("http2-settings", FIELD_DROPPED, DROP),
	FIELD("forwarded", FIELD_DROPPED, DROP_REQUEST),
	FIELD("x-real-ip", FIELD_DROPPED, DROP_REQUEST),
	FIELD("x-client-ip", FIELD_DROPPED, DROP_REQUEST),
	FIELD("true-client-ip", FIELD_DROPPED, DROP_REQUEST),
	FIELD("proxy", FIELD_DROPPED, DROP_REQUEST),
	/* another method or path than the one that was decided on */
	FIELD("x-http-method-override", FIELD_DROPPED, DROP_REQUEST),
	FIELD("x-http-method", FIELD_DROPPED, DROP_REQUEST),
	FIELD("x-method-override", FIELD_DROPPED, DROP_REQUEST),
	FIELD("x-original-url", FIELD_DROPPED, DROP_REQUEST),
	FIELD("x-rewrite-url", FIELD_DROPPED, DROP_REQUEST),
	FIELD("server", FIELD_DROPPED, DROP_ANSWER),
#undef FIELD
};

/* Families of fields that only the gateway writes, by prefix. */
static const struct {
	const char *prefix;
	uint8_t length;
	uint8_t rule;
} known_families[] = {
	{ "portico-", 8, DROP },
	{ "x-forwarded-", 12, DROP_REQUEST },
	{ "x-ratelimit-", 12, DROP_ANSWER },
	{ "access-control-allow-", 21, DROP_ANSWER },
	{ "access-control-expose-", 22, DROP_ANSWER },
	{ "access-control-max-", 19, DROP_ANSWER },
};

static const struct known_field *find_known(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++) {
		const struct known_field *field = &known_fields[i];

		if (field->length == length && field->name[0] == (name[0] | 0x20) &&
			strncasecmp(field->name, name, length) == 0)
			return field;
	}
	return NULL;
}

/* A name with an underscore is not passed on: for many a server "Portico_Caller" is "Portico-Caller". */
static uint8_t family_rule(const char *name, size_t length)
{
	if (memchr(name, '_', length))
		return DROP_REQUEST;
	for (size_t i = 0; i < sizeof(known_families) / sizeof(known_families[0]); i++) {
		if (length >= known_families[i].length && known_families[i].prefix[0] == (name[0] | 0x20) &&
			strncasecmp(known_families[i].prefix, name, known_families[i].length) == 0)
			return known_families[i].rule;
	}
	return 0;
}

bool http1_classify(struct http1_head *head, struct http1_field *field, enum http1_direction direction)
{
	const struct known_field *known = find_known(field->name, field->name_length);

	if (!known) {
		field->id = FIELD_OTHER;
		field->dropped = family_rule(field->name, field->name_length) & direction;
		return true;
	}
	field->id = known->id;
	field->dropped = known->rule & direction;
	if (head->known[known->id])
		return !(known->rule & SINGLE);
	head->known[known->id] = field;
	return true;
}
