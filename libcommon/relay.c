/* Owns the way of events out. The stream is an image of the newest STREAM_LENGTH rows of the outbox, and of nothing
 * else:
 *
 * - A row's position in the log is its id in the stream. Positions are given under a lock and committed before Redis
 * sees them.
 * - The only cursor is the stream's own last id. Rows are appended by a script that first compares it with what the
 * relay believes (compare and append): a stream that was lost, cut short by a crash (appendonly everysec), or written
 * by another relay is noticed before anything is added, and the relay goes on from where the stream really is. So every
 * committed row gets in, in order.
 * - Readers keep their own position in their own database, in the terms of the log. A reader that finds that entries
 * before its next one are gone (after a loss, or because it was away for more than STREAM_LENGTH events) leaves a
 * request; the script finds it, drops the stream, and the relay fills it again from there. The inbox makes what is read
 * twice harmless.
 * - The stream does not grow past what a live reader has yet to read: the rest waits in the outbox.
 *
 * The bound of all this is the outbox's retention of 30 days. */
#include "relay.h"
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common.sql.h"
#include "log.h"
#include "redis.h"
#include "scope.h"

enum { BATCH = 500, STREAM_LENGTH = 100000 };
#define STREAM_LENGTH_TEXT "100000"
#define BATCH_TEXT "500"

struct relay {
	char stream[96], replay[96];
	char *address;
	redisContext *redis;
	_Atomic(long long) last; /* the last id of the stream, as far as the relay knows */
	long long cursor;	 /* the rows after it come next; behind `last` never, before it only while refilling */
	atomic_bool alive;
};

/* KEYS: stream, replay request. ARGV: expected last id, length, then position, previous, envelope of each row. */
static const char append_script[] =
	"local wanted = redis.call('GET', KEYS[2])\n"
	"if wanted then redis.call('DEL', KEYS[1], KEYS[2]) return {'replay', wanted} end\n"
	"local last, half = '0', tonumber(ARGV[2]) / 2\n"
	"local function fields(list) local map = {} for i = 1, #list, 2 do map[list[i]] = list[i + 1] end return map "
	"end\n"
	"if redis.call('EXISTS', KEYS[1]) == 1 then\n"
	"  last = fields(redis.call('XINFO', 'STREAM', KEYS[1]))['last-generated-id']:match('^%d+')\n"
	"  if last ~= ARGV[1] then return {'moved', last} end\n"
	"  if redis.call('XLEN', KEYS[1]) > half then\n"
	"    for _, raw in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do\n"
	"      local group = fields(raw)\n"
	"      if last - group['last-delivered-id']:match('^%d+') > half then\n"
	"        for _, reader in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group['name'])) do\n"
	"          if fields(reader)['idle'] < 30000 then return {'slow', last} end\n"
	"        end\n"
	"      end\n"
	"    end\n"
	"  end\n"
	"end\n"
	"if last ~= ARGV[1] then return {'moved', last} end\n"
	"for i = 3, #ARGV, 3 do\n"
	"  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], ARGV[i] .. '-0', 'previous', ARGV[i + 1], 'event', "
	"ARGV[i + 2])\n"
	"end\n"
	"return {'done', last}\n";

struct relay *relay_new(const char *service, const char *redis)
{
	struct relay *relay = calloc(1, sizeof *relay);

	if (!relay || !(relay->address = strdup(redis)))
		abort();
	snprintf(relay->stream, sizeof relay->stream, "portico:events:%s", service);
	snprintf(relay->replay, sizeof relay->replay, "portico:events:%s:replay", service);
	relay->last = -1;
	return relay;
}

void relay_free(struct relay *relay)
{
	if (relay->redis)
		redisFree(relay->redis);
	free(relay->address);
	free(relay);
}

bool relay_redis_alive(const struct relay *relay)
{
	return relay->alive;
}

long long relay_position(const struct relay *relay)
{
	return relay->last;
}

static PGresult *next_rows(struct relay *relay, struct connection *session)
{
	const struct prepared batch = { "batch", SQL_EVENT_BATCH->text, SESSION_BATCH };
	struct exchange exchange = { .connection = session };
	struct db_failure failure;
	char after[24], last[24];

	snprintf(after, sizeof after, "%lld", relay->cursor);
	snprintf(last, sizeof last, "%lld", (long long)relay->last);
	exchange_add(&exchange, &batch, 3, (const char *[]){ after, last, BATCH_TEXT }, true);
	return exchange_run(&exchange, DB_EXCHANGE_MS, &failure, NULL);
}

static redisReply *append(struct relay *relay, const PGresult *rows)
{
	const char *arguments[7 + 3 * BATCH];
	char last[24];
	int count = 0, row_count = rows ? PQntuples(rows) : 0;

	snprintf(last, sizeof last, "%lld", (long long)relay->last);
	arguments[count++] = "EVAL";
	arguments[count++] = append_script;
	arguments[count++] = "2";
	arguments[count++] = relay->stream;
	arguments[count++] = relay->replay;
	arguments[count++] = last;
	arguments[count++] = STREAM_LENGTH_TEXT;
	for (int row = 0; row < row_count; row++) {
		for (int column = 0; column < 3; column++)
			arguments[count++] = PQgetvalue(rows, row, column);
	}
	return redis_call(&relay->redis, count, arguments);
}

/* The stream ends elsewhere than believed: goes on from its end, or fills it with the newest rows again if it was lost.
 */
static bool follow(struct relay *relay, struct connection *session, long long last)
{
	const struct prepared top = { "top", SQL_EVENT_TOP->text, SESSION_TOP };
	struct exchange exchange = { .connection = session };
	struct db_failure failure;

	exchange_add(&exchange, &top, 0, NULL, true);
	auto_result PGresult *result = exchange_run(&exchange, DB_EXCHANGE_MS, &failure, NULL);
	if (!result)
		return false;
	long long oldest = atoll(PQgetvalue(result, 0, 0)) - STREAM_LENGTH;
	if (relay->last >= 0 && relay->last != last)
		log_warning("the stream is not where it was left", "{s:s s:I s:I}", "stream", relay->stream, "expected",
			(json_int_t)relay->last, "found", (json_int_t)last);
	relay->last = last;
	relay->cursor = last > oldest ? last : oldest;
	return true;
}

static enum relay_result refill(struct relay *relay, long long after)
{
	log_info("a reader asked for older events", "{s:s s:I}", "stream", relay->stream, "after", (json_int_t)after);
	relay->last = 0;
	relay->cursor = after;
	return RELAY_WORKED;
}

static enum relay_result appended(struct relay *relay, const PGresult *rows)
{
	int count = rows ? PQntuples(rows) : 0;

	if (count == 0)
		return RELAY_IDLE;
	relay->last = relay->cursor = atoll(PQgetvalue(rows, count - 1, 0));
	return RELAY_WORKED;
}

static enum relay_result fail(struct relay *relay)
{
	if (relay->redis)
		redisFree(relay->redis);
	relay->redis = NULL;
	return RELAY_FAILED;
}

enum relay_result relay_step(struct relay *relay, struct connection *session)
{
	auto_result PGresult *rows = NULL;

	if (!relay->redis)
		relay->redis = redis_open(relay->address);
	relay->alive = relay->redis != NULL;
	if (!relay->redis)
		return RELAY_FAILED;
	if (relay->last >= 0 && !(rows = next_rows(relay, session)))
		return RELAY_FAILED;
	auto_reply redisReply *reply = append(relay, rows);
	relay->alive = reply != NULL;
	if (!reply)
		return RELAY_FAILED;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
		log_error("the stream refuses events", "{s:s s:s*}", "stream", relay->stream, "error", reply->str);
		return fail(relay);
	}
	const char *outcome = reply->element[0]->str;
	long long position = redis_position(reply->element[1]);
	if (strcmp(outcome, "moved") == 0)
		return follow(relay, session, position) ? RELAY_WORKED : RELAY_FAILED;
	if (strcmp(outcome, "replay") == 0)
		return refill(relay, position);
	return strcmp(outcome, "slow") == 0 ? RELAY_SLOW : appended(relay, rows);
}
