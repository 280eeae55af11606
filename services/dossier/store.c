/* Owns the documents' folder. A file comes into being under its digest by rename, whole and synced, or not at all;
 * nothing here is ever changed afterwards. */
#include "store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "scope.h"
#include "spool.h"

#define DECISION "decision-" /* of a document that we write ourselves, before it is in its place */

bool store_start(void)
{
	const char *folder = config("PORTICO_DOCUMENTS"), *spool = config("PORTICO_SPOOL");
	struct stat of_folder, of_spool;

	if (stat(folder, &of_folder) != 0 || !S_ISDIR(of_folder.st_mode) || access(folder, R_OK | W_OK | X_OK) != 0) {
		fprintf(stderr, "dossier does not start: PORTICO_DOCUMENTS=%s is no folder it can write to\n", folder);
		return false;
	}
	if (stat(spool, &of_spool) != 0 || of_spool.st_dev != of_folder.st_dev) {
		fprintf(stderr,
			"dossier does not start: PORTICO_SPOOL=%s must be on the file system of PORTICO_DOCUMENTS=%s\n",
			spool, folder);
		return false;
	}
	spool_sweep(spool, DECISION);
	return true;
}

static bool sync_folder(const char *folder)
{
	auto_fd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0;
}

/* A new folder is durable once the one above it is synced. */
static bool make_folder(const char *above, const char *folder)
{
	if (mkdir(folder, 0750) == 0)
		return sync_folder(above);
	return errno == EEXIST;
}

static bool place(struct request *rq, const char *file, const char *sha256)
{
	const char *root = config("PORTICO_DOCUMENTS");
	const char *outer = arena_printf(rq->arena, "%s/%.2s", root, sha256);
	const char *inner = arena_printf(rq->arena, "%s/%.2s", outer, sha256 + 2);

	return make_folder(root, outer) && make_folder(outer, inner) &&
	       rename(file, arena_printf(rq->arena, "%s/%s", inner, sha256)) == 0 && sync_folder(inner);
}

static bool refuse_storing(struct request *rq)
{
	int cause = errno;

	reply_header(rq, "Retry-After", "30");
	problem(rq, 503, "unavailable", "The document could not be stored: %s.", strerror(cause));
	return false;
}

bool store_take(struct request *rq, const char *file, const char *sha256)
{
	return place(rq, file, sha256) || refuse_storing(rq);
}

static bool write_whole(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		bytes += written;
		length -= (size_t)written;
	}
	return fchmod(fd, 0640) == 0 && fsync(fd) == 0;
}

bool store_write(struct request *rq, const void *bytes, size_t length, char digest[TEXT_SHA256_MAX])
{
	char *file = arena_printf(rq->arena, "%s/" DECISION "XXXXXX", config("PORTICO_SPOOL"));
	auto_fd int fd = mkostemp(file, O_CLOEXEC);

	text_sha256(digest, bytes, length);
	if (fd < 0)
		return refuse_storing(rq);
	if (write_whole(fd, bytes, length) && place(rq, file, digest))
		return true;
	refuse_storing(rq);
	unlink(file);
	return false;
}

static const char *place_of(struct request *rq, const char *sha256)
{
	return arena_printf(rq->arena, "%s/%.2s/%.2s/%s", config("PORTICO_DOCUMENTS"), sha256, sha256 + 2, sha256);
}

int store_open(struct request *rq, const char *sha256)
{
	return open(place_of(rq, sha256), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

bool store_remove(struct request *rq, const char *sha256)
{
	return unlink(place_of(rq, sha256)) == 0 || errno == ENOENT;
}
