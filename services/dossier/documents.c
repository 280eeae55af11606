/* Documents up and down. What a file is, its first bytes say; what it is called is only a label. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "dossier.h"
#include "dossier.sql.h"
#include "scope.h"
#include "store.h"

static const struct {
	const char *media_type;
	const char *bytes;
	size_t length;
} beginnings[] = {
	{ "application/pdf", "%PDF-", 5 },
	{ "image/png", "\x89PNG\r\n\x1a\n", 8 },
	{ "image/jpeg", "\xff\xd8\xff", 3 },
	{ "image/tiff", "II*\0", 4 },
	{ "image/tiff", "MM\0*", 4 },
	{ "application/pkcs7-mime", "\x30\x80", 2 }, /* a DER or BER sequence, as CAdES signatures (.p7m) are */
	{ "application/pkcs7-mime", "\x30\x82", 2 },
	{ "application/pkcs7-mime", "\x30\x83", 2 },
	{ "application/pkcs7-mime", "\x30\x84", 2 },
};

static bool begins_as(const char *file, const char *media_type)
{
	auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC);
	char start[8];
	ssize_t length = fd < 0 ? -1 : read(fd, start, sizeof start);

	for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
		if (strcmp(beginnings[i].media_type, media_type) == 0 && length >= (ssize_t)beginnings[i].length &&
			memcmp(beginnings[i].bytes, start, beginnings[i].length) == 0)
			return true;
	}
	return false;
}

/* The row first, in the transaction that the file's move then decides about: a row never stands without its file. */
int add_document(struct request *rq)
{
	const char *size = arena_printf(rq->arena, "%zu", rq->body_length);

	if (!begins_as(rq->body_file, rq->media_type))
		return problem(
			rq, 422, "document-type-mismatch", "The file does not begin as %s does.", rq->media_type);
	if (!sql_done(rq, SQL_HOLD_PRACTICE, path(rq, "practiceId")))
		return rq->status;
	if (sql_reply(rq, 201, SQL_ADD_DOCUMENT, path(rq, "practiceId"), query(rq, "name"), query(rq, "kind"),
		    rq->media_type, size, rq->body_sha256) == 201)
		store_take(rq, rq->body_file, rq->body_sha256);
	return rq->status;
}

int download_document(struct request *rq)
{
	const json_t *document = sql_row(rq, SQL_SHOW_DOCUMENT, path(rq, "documentId"));
	int fd;

	if (!document)
		return rq->status;
	fd = store_open(rq, json_text(document, "sha256"));
	if (fd < 0)
		return problem(rq, 503, "unavailable", "The file is not within reach now.");
	reply_header(rq, "ETag", arena_printf(rq->arena, "\"%s\"", json_text(document, "sha256")));
	return reply_file(rq, fd, json_text(document, "mediaType"), json_text(document, "name"));
}

int delete_document(struct request *rq)
{
	if (!sql_row(rq, SQL_DELETE_DOCUMENT, path(rq, "documentId")))
		return rq->status;
	return reply_empty(rq, 204);
}

/* What was taken out of drafts, one file a run: claimed, then looked for, then removed, each committed before the next.
 */
int sweep_documents(struct request *rq)
{
	const json_t *file = sql_maybe(rq, SQL_CLAIM_LOOSE_FILE), *look;
	const char *sha256 = json_text(file, "sha256");

	if (!file)
		return rq->status;
	if (!sha256)
		return reply_empty(rq, 204);
	look = sql_row(rq, SQL_NEEDS_FILE, sha256);
	if (!look)
		return rq->status;
	if (!json_is_true(json_at(look, "needed")) && !store_remove(rq, sha256))
		return problem(rq, 503, "unavailable", "The file %s could not be removed.", sha256);
	return sql_done(rq, SQL_DROP_LOOSE_FILE, json_text(file, "tenant"), sha256, json_text(file, "since"))
		       ? reply_empty(rq, 200)
		       : rq->status;
}
