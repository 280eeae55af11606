/* Shows over HTTP what a real SMTP server has put into a Maildir (aiosmtpd in the local stack). Reads that folder and
 * nothing else: a name with a slash, or that begins with a dot, is no message.
 *
 *   GET /                      the messages, for people
 *   GET /messages              {"items"}, the newest first (?to=part of an address, ?limit=1 to 1000, 100 by default)
 *   GET /messages/ID           one, with its headers, text and html
 *   GET /messages/ID/raw       as it came
 *   DELETE /messages           forgets all of them */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "emulator.h"
#include "mailbox_mime.h"
#include "scope.h"
#include "text.h"

enum { MAX_MESSAGE = 4 * 1024 * 1024, DEFAULT_LIMIT = 100, MAX_LIMIT = 1000 };

static const char *const folders[] = { "new", "cur" };

struct entry {
	const char *folder, *name;
	double time; /* of arrival, by the name's "SECONDS.Mmicroseconds…" */
};

struct listing {
	struct entry *entries;
	size_t count, capacity;
};

static bool is_message_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/') && strlen(name) < 200;
}

static void add_entry(struct arena *arena, struct listing *listing, const char *folder, const char *name)
{
	long seconds = 0, micros = 0;

	if (listing->count == listing->capacity) {
		size_t capacity = listing->capacity ? listing->capacity * 2 : 256;
		struct entry *larger = arena_alloc(arena, capacity * sizeof *larger);

		if (listing->count)
			memcpy(larger, listing->entries, listing->count * sizeof *larger);
		listing->entries = larger;
		listing->capacity = capacity;
	}
	sscanf(name, "%ld.M%ld", &seconds, &micros);
	listing->entries[listing->count++] =
		(struct entry){ folder, arena_strdup(arena, name), (double)seconds + (double)micros / 1e6 };
}

static int newest_first(const void *one, const void *other)
{
	double a = ((const struct entry *)one)->time, b = ((const struct entry *)other)->time;

	return (a < b) - (a > b);
}

static struct listing list(struct arena *arena)
{
	struct listing listing = { 0 };

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		DIR *directory = opendir(arena_printf(arena, "%s/%s", config("PORTICO_MAILDIR"), folders[i]));
		const struct dirent *file;

		while (directory && (file = readdir(directory))) {
			if (is_message_name(file->d_name))
				add_entry(arena, &listing, folders[i], file->d_name);
		}
		if (directory)
			closedir(directory);
	}
	if (listing.count)
		qsort(listing.entries, listing.count, sizeof *listing.entries, newest_first);
	return listing;
}

/* The bytes of a message, NUL-terminated; NULL when it is not there. */
static char *read_message(struct arena *arena, const char *folder, const char *name, size_t *ret_length)
{
	auto_fd int fd = open(arena_printf(arena, "%s/%s/%s", config("PORTICO_MAILDIR"), folder, name),
		O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat file;
	ssize_t got;
	char *raw;

	*ret_length = 0;
	if (fd < 0 || fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size > MAX_MESSAGE)
		return NULL;
	raw = arena_alloc(arena, (size_t)file.st_size + 1);
	while ((got = read(fd, raw + *ret_length, (size_t)file.st_size - *ret_length)) > 0)
		*ret_length += (size_t)got;
	return raw;
}

static char *find_message(struct request *rq, const char *id, size_t *ret_length)
{
	char *raw = NULL;

	for (size_t i = 0; is_message_name(id) && !raw && i < sizeof folders / sizeof *folders; i++)
		raw = read_message(rq->arena, folders[i], id, ret_length);
	if (!raw)
		problem(rq, 404, "not-found", "There is no such message.");
	return raw;
}

/* aiosmtpd notes the envelope's recipients in X-RcptTo. */
static bool is_to(const json_t *mail, const char *wanted)
{
	const char *envelope = json_text(json_at(mail, "headers"), "x-rcptto"), *to = json_text(mail, "to");

	return !wanted || strcasestr(to, wanted) || (envelope && strcasestr(envelope, wanted));
}

/* The newest messages to somebody, at most limit. Each is read into an arena of its own, so that a long list costs
 * little. */
static json_t *newest(struct request *rq, const char *to, size_t limit)
{
	struct listing listing = list(rq->arena);
	json_t *items = json_make(rq, "[]");

	for (size_t i = 0; i < listing.count && json_array_size(items) < limit; i++) {
		struct arena *arena = arena_new();
		size_t length;
		char *raw = read_message(arena, listing.entries[i].folder, listing.entries[i].name, &length);
		json_t *mail = raw ? mail_read(arena, raw, length) : NULL;

		if (mail && is_to(mail, to)) {
			json_object_set_new(mail, "id", json_string(listing.entries[i].name));
			json_array_append(items, mail);
		}
		json_decref(mail);
		arena_free(arena);
	}
	return items;
}

static int list_messages(struct request *rq)
{
	const char *limit = http_query(rq, "limit");
	long wanted = limit ? strtol(limit, NULL, 10) : DEFAULT_LIMIT;

	if (wanted < 1 || wanted > MAX_LIMIT)
		return problem(rq, 400, "invalid-request", "limit is a number from 1 to %d.", MAX_LIMIT);
	return reply_json(rq, 200, json_make(rq, "{s:O}", "items", newest(rq, http_query(rq, "to"), (size_t)wanted)));
}

static int show_message(struct request *rq, const char *id)
{
	size_t length;
	char *raw = find_message(rq, id, &length);
	json_auto_t *mail = raw ? mail_read(rq->arena, raw, length) : NULL;

	if (!raw)
		return rq->status;
	json_object_set_new(mail, "id", json_string(id));
	return reply_json(rq, 200, mail);
}

static int show_raw(struct request *rq, const char *id)
{
	size_t length;
	char *raw = find_message(rq, id, &length);

	if (!raw)
		return rq->status;
	reply_text(rq, 200, "message/rfc822", "");
	rq->reply_body = raw;
	rq->reply_length = length;
	return 200;
}

static int delete_messages(struct request *rq)
{
	struct listing listing = list(rq->arena);

	for (size_t i = 0; i < listing.count; i++)
		unlink(arena_printf(rq->arena, "%s/%s/%s", config("PORTICO_MAILDIR"), listing.entries[i].folder,
			listing.entries[i].name));
	return reply_empty(rq, 204);
}

static const char *shown(struct request *rq, const json_t *mail, const char *member)
{
	const char *text = json_text(mail, member);

	return text_escaped(rq->arena, text ? text : "");
}

static int show_page(struct request *rq)
{
	const char *rows = "";
	json_t *items = newest(rq, http_query(rq, "to"), DEFAULT_LIMIT), *mail;
	size_t index;

	json_array_foreach(items, index, mail) rows = arena_printf(rq->arena,
		"%s<article><p>%s &middot; %s &rarr; %s &middot; <a "
		"href=\"/messages/%s/raw\">raw</a></p><h2>%s</h2><pre>%s</pre></article>\n",
		rows, shown(rq, mail, "date"), shown(rq, mail, "from"), shown(rq, mail, "to"), shown(rq, mail, "id"),
		shown(rq, mail, "subject"), shown(rq, mail, "text"));
	return reply_text(rq, 200, "text/html; charset=utf-8",
		arena_printf(rq->arena,
			"<!DOCTYPE html><html lang=\"en\"><title>Mailbox</title><style>body{font:16px "
			"sans-serif;max-width:50em;margin:2em auto}"
			"pre{white-space:pre-wrap}article{border-top:1px solid #ccc}</style><h1>Mailbox</h1>"
			"<p>The newest %zu messages that Portico has sent. Only those to one person: "
			"/?to=address</p>\n%s</html>\n",
			json_array_size(items), rows));
}

static int answer(struct request *rq)
{
	const char *parts[1] = { NULL };

	if (emulator_route(rq, "GET", "/", parts))
		return show_page(rq);
	if (emulator_route(rq, "GET", "/messages", parts))
		return list_messages(rq);
	if (emulator_route(rq, "DELETE", "/messages", parts))
		return delete_messages(rq);
	if (emulator_route(rq, "GET", "/messages/*", parts))
		return show_message(rq, parts[0]);
	if (emulator_route(rq, "GET", "/messages/*/raw", parts))
		return show_raw(rq, parts[0]);
	return problem(rq, 404, "not-found", "There is no %s %s.", rq->method, rq->path);
}

int main(int argc, char **argv)
{
	static const struct setting settings[] = {
		{ "PORTICO_MAILDIR", NULL, "The Maildir to show." },
		{ 0 },
	};
	static const struct emulator mailbox = { .name = "mailbox", .settings = settings, .answer = answer };

	return emulator_main(argc, argv, &mailbox);
}
