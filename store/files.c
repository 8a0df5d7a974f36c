/* files.c - copy, remove, sync. */
#include "store/files.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

const char *files_stamp(char out[24], uint64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, 24, "%Y%m%dT%H%M%SZ", &tm))
		strcpy(out, "unknown");
	return out;
}

static bool pour(int from, int to)
{
	uint8_t p[65536];
	ssize_t n, k;
	size_t at;

	while ((n = read(from, p, sizeof p)) != 0) {
		if (n < 0 && errno != EINTR)
			return false;
		for (at = 0; n > 0 && at < (size_t)n; at += k > 0 ? (size_t)k : 0) {
			k = write(to, p + at, (size_t)n - at);
			if (k < 0 && errno != EINTR)
				return false;
		}
	}
	return fsync(to) == 0;
}

bool files_copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = -1, error;
	bool good = false;

	if (in >= 0)
		out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out >= 0)
		good = pour(in, out);
	error = errno;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	if (!good && out >= 0)
		unlink(to);
	errno = error;
	return good;
}

bool files_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good;

	if (fd < 0)
		return false;
	good = fsync(fd) == 0;
	close(fd);
	return good;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

bool files_remove(const char *dir)
{
	if (access(dir, F_OK) != 0 && errno == ENOENT)
		return true;
	return nftw(dir, drop, 16, FTW_DEPTH | FTW_PHYS) == 0;
}
