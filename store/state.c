/*
 * state.c - small files that are either the old one or the new one, whatever happens between.
 */
#include "store/state.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_SIZE 512

static bool path_make(char path[PATH_SIZE], const char *dir, const char *name, const char *suffix)
{
	if (snprintf(path, PATH_SIZE, "%s/%s%s", dir, name, suffix) < PATH_SIZE)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

static void close_quietly(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
}

long state_load(const char *dir, const char *name, void *out, size_t cap)
{
	char path[PATH_SIZE];
	size_t at = 0;
	ssize_t n = 1;
	int fd;

	if (!path_make(path, dir, name, ""))
		return -1;
	/* O_NONBLOCK: a named pipe in the file's place must not stop us */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -1;
	while (at < cap && n != 0) {
		n = read(fd, (uint8_t *)out + at, cap - at);
		if (n < 0 && errno != EINTR) {
			close_quietly(fd);
			return -1;
		}
		at += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return (long)at;
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

/* O_EXCL: what a crash, or somebody else, left under this name is not written through. */
static bool write_new(const char *path, const void *data, size_t n)
{
	int fd;
	bool good;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	good = write_all(fd, data, n) && fsync(fd) == 0;
	close_quietly(fd);
	return good;
}

/* The rename itself must reach the disk. */
static bool dir_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good;

	if (fd < 0)
		return false;
	good = fsync(fd) == 0;
	close_quietly(fd);
	return good;
}

bool state_save(const char *dir, const char *name, const void *data, size_t n)
{
	char path[PATH_SIZE], fresh[PATH_SIZE];
	int error;

	if (!path_make(path, dir, name, "") || !path_make(fresh, dir, name, ".new"))
		return false;
	if (write_new(fresh, data, n) && rename(fresh, path) == 0)
		return dir_sync(dir);
	error = errno;
	unlink(fresh);
	errno = error;
	return false;
}
