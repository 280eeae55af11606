/* Owns what is left in the spool folder by those who cannot remove it any more. Never touches what is in use. */
#include "spool.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "log.h"

enum { LEFT_SECONDS = 3600, RANDOM_LENGTH = 6 };

static bool named_by(const char *name, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(name, prefix, length) == 0 && strlen(name) == length + RANDOM_LENGTH;
}

static bool is_left(int folder, const char *name)
{
	struct stat file;

	return fstatat(folder, name, &file, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(file.st_mode) &&
	       file.st_uid == geteuid() && file.st_mtime < time(NULL) - LEFT_SECONDS;
}

void spool_sweep(const char *folder, const char *prefix)
{
	DIR *files = opendir(folder);
	int removed = 0;

	if (!files)
		return;
	for (struct dirent *file; (file = readdir(files));) {
		if (named_by(file->d_name, prefix) && is_left(dirfd(files), file->d_name) &&
			unlinkat(dirfd(files), file->d_name, 0) == 0)
			removed++;
	}
	closedir(files);
	if (removed)
		log_info("what was left in the spool folder is removed", "{s:s s:s s:i}", "folder", folder, "prefix",
			prefix, "files", removed);
}
