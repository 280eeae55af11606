/* Owns how handlers read what the contract has checked and how they answer. Never sends: http.c does. */
#include "reply.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *parameter(struct request *rq, const char *name)
{
	const json_t *value = json_object_get(rq->parameters, name);

	if (!value || json_is_null(value))
		return NULL;
	return json_is_string(value) ? json_string_value(value) : json_sql(rq, value);
}

const char *path(struct request *rq, const char *name)
{
	return parameter(rq, name);
}

const char *query(struct request *rq, const char *name)
{
	return parameter(rq, name);
}

const char *header(struct request *rq, const char *name)
{
	return parameter(rq, name);
}

long long query_number(struct request *rq, const char *name, long long fallback)
{
	const json_t *value = json_object_get(rq->parameters, name);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

json_t *json_at(const json_t *object, const char *dotted)
{
	while (object && *dotted) {
		size_t length = strcspn(dotted, ".");

		object = json_object_getn(object, dotted, length);
		dotted += length + (dotted[length] == '.');
	}
	return (json_t *)object;
}

const char *json_text(const json_t *object, const char *dotted)
{
	return json_string_value(json_at(object, dotted));
}

long long json_int(const json_t *object, const char *dotted)
{
	return json_integer_value(json_at(object, dotted));
}

const char *json_sql(struct request *rq, const json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	return text ? arena_lease(rq->arena, text, free) : NULL;
}

json_t *json_make(struct request *rq, const char *format, ...)
{
	json_t *json;
	va_list args;

	va_start(args, format);
	json = json_vpack_ex(NULL, 0, format, args);
	va_end(args);
	return arena_json(rq->arena, json);
}

void reply_header(struct request *rq, const char *name, const char *value)
{
	struct reply_header *entry = arena_alloc(rq->arena, sizeof *entry);

	*entry = (struct reply_header){ rq->reply_headers, arena_strdup(rq->arena, name),
		arena_strdup(rq->arena, value) };
	rq->reply_headers = entry;
}

void reply_reset(struct request *rq)
{
	if (rq->reply_file >= 0)
		close(rq->reply_file);
	rq->status = 0;
	rq->problem_slug = rq->problem_detail = NULL;
	rq->reply_body = (char *)"";
	rq->reply_length = 0;
	rq->reply_type = NULL;
	rq->reply_file = -1;
	rq->reply_headers = NULL;
}

int reply_text(struct request *rq, int status, const char *media_type, const char *text)
{
	rq->status = status;
	rq->reply_type = media_type;
	rq->reply_length = strlen(text);
	rq->reply_body = arena_strndup(rq->arena, text, rq->reply_length);
	return status;
}

int reply_json(struct request *rq, int status, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	if (!text)
		return problem(rq, 500, "internal-error", "The answer could not be written.");
	rq->status = status;
	rq->reply_type = "application/json";
	rq->reply_body = arena_lease(rq->arena, text, free);
	rq->reply_length = strlen(text);
	return status;
}

int reply_empty(struct request *rq, int status)
{
	rq->status = status;
	rq->reply_type = NULL;
	rq->reply_body = (char *)"";
	rq->reply_length = 0;
	return status;
}

int reply_redirect(struct request *rq, int status, const char *location)
{
	reply_header(rq, "Location", location);
	return reply_empty(rq, status);
}

/* filename for old readers in plain ASCII, filename* with the real name (RFC 6266, RFC 8187). */
static const char *disposition(struct request *rq, const char *filename)
{
	size_t length = strlen(filename);
	char *plain = arena_alloc(rq->arena, length + 1);
	char *encoded = arena_alloc(rq->arena, 3 * length + 1), *out = encoded;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)filename[i];
		bool safe = isalnum(c) || strchr("-._", c);

		plain[i] = (char)(safe || c == ' ' ? c : '_');
		out += safe ? sprintf(out, "%c", c) : sprintf(out, "%%%02X", c);
	}
	return arena_printf(rq->arena, "attachment; filename=\"%s\"; filename*=UTF-8''%s", plain, encoded);
}

int reply_file(struct request *rq, int fd, const char *media_type, const char *filename)
{
	reply_header(rq, "Content-Disposition", disposition(rq, filename));
	reply_header(rq, "X-Content-Type-Options", "nosniff");
	rq->status = 200;
	rq->reply_type = arena_strdup(rq->arena, media_type);
	rq->reply_file = fd;
	return 200;
}
