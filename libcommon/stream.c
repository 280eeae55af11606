/* Owns the reader's side of a stream. The group in Redis only shows the reader to the relay and to operators: it is
 * made again from the reader's own position whenever it is missing, so there is nothing to acknowledge and nothing to
 * claim (XREADGROUP … NOACK). */
#include "stream.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "scope.h"

void stream_init(struct stream *stream, const char *source)
{
	*stream = (struct stream){ .source = source };
	snprintf(stream->key, sizeof stream->key, "portico:events:%s", source);
	snprintf(stream->replay, sizeof stream->replay, "portico:events:%s:replay", source);
}

bool stream_place(redisContext **redis, const char *group, struct stream *stream)
{
	char id[32];

	snprintf(id, sizeof id, "%lld-0", (long long)stream->seen);
	auto_reply redisReply *created = redis_do(redis, "XGROUP", "CREATE", stream->key, group, id, "MKSTREAM");
	if (!created)
		return false;
	if (created->type != REDIS_REPLY_ERROR)
		return true;
	auto_reply redisReply *placed = redis_do(redis, "XGROUP", "SETID", stream->key, group, id);
	return placed && placed->type != REDIS_REPLY_ERROR;
}

/* Entries between the last one read and this one are gone from the stream: asks the relay to fill it again from there.
 */
static void ask_for_replay(redisContext **redis, struct stream *stream)
{
	char position[24];

	snprintf(position, sizeof position, "%lld", (long long)stream->seen);
	auto_reply redisReply *reply = redis_do(redis, "SET", stream->replay, position, "NX");
	log_warning("events are missing from the stream", "{s:s s:I s:b}", "source", stream->source, "after",
		(json_int_t)stream->seen, "asked", reply != NULL);
}

/* Each entry is its position, then previous and event as name, value, name, value. False when some are missing before
 * them: they are not taken. */
static bool take_entries(redisContext **redis, struct stream *stream, const redisReply *entries, stream_taker *take)
{
	for (size_t i = 0; i < entries->elements; i++) {
		const redisReply *entry = entries->element[i];

		if (entry->elements != 2 || entry->element[1]->type != REDIS_REPLY_ARRAY)
			continue;
		const redisReply *fields = entry->element[1];
		long long previous = fields->elements == 4 ? redis_position(fields->element[1]) : 0;
		long long position = redis_position(entry->element[0]);
		if (previous > stream->seen) {
			ask_for_replay(redis, stream);
			return false;
		}
		if (position <= stream->seen)
			continue;
		stream->seen = position;
		take(stream, position, fields->elements == 4 ? fields->element[3]->str : "");
	}
	return true;
}

static redisReply *read_group(
	redisContext **redis, const char *group, struct stream *const *streams, int stream_count, int limit)
{
	const char *arguments[10 + 2 * STREAMS_MAX] = { "XREADGROUP", "GROUP", group, group, "COUNT", NULL, "BLOCK",
		"1000", "NOACK", "STREAMS" };
	int count = 10;
	char limit_text[16];

	snprintf(limit_text, sizeof limit_text, "%d", limit);
	arguments[5] = limit_text;
	for (int i = 0; i < stream_count; i++)
		arguments[count++] = streams[i]->key;
	for (int i = 0; i < stream_count; i++)
		arguments[count++] = ">";
	return redis_call(redis, count, arguments);
}

bool stream_read(redisContext **redis, const char *group, struct stream *const *streams, int stream_count, int count,
	stream_taker *take)
{
	auto_reply redisReply *reply = read_group(redis, group, streams, stream_count, count);

	if (!reply || reply->type == REDIS_REPLY_ERROR)
		return false;
	for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
		const redisReply *read = reply->element[i];
		struct stream *stream = NULL;

		for (int k = 0; k < stream_count; k++) {
			if (strcmp(streams[k]->key, read->element[0]->str) == 0)
				stream = streams[k];
		}
		if (stream && !take_entries(redis, stream, read->element[1], take))
			return false;
	}
	return true;
}

void stream_look_ahead(redisContext **redis, struct stream *stream)
{
	auto_reply redisReply *info = redis_do(redis, "XINFO", "STREAM", stream->key);

	for (size_t i = 0; info && info->type == REDIS_REPLY_ARRAY && i + 1 < info->elements; i += 2) {
		if (strcmp(info->element[i]->str, "last-generated-id") == 0)
			stream->last = redis_position(info->element[i + 1]);
	}
}
