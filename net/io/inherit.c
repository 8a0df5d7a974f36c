/*
 * inherit.c - CYPHONIC_INHERIT="name=fd;name=fd;": a descriptor counts as taken as soon as it is
 * close-on-exec, so nothing else has to be remembered.
 */
#include "net/io/inherit.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VARIABLE "CYPHONIC_INHERIT"

bool inherit_leave(const char *name, int fd)
{
	const char *old = getenv(VARIABLE);
	char *all;
	bool good;

	if (asprintf(&all, "%s%s=%d;", old ? old : "", name, fd) < 0)
		return false;
	good = setenv(VARIABLE, all, 1) == 0 && fcntl(fd, F_SETFD, 0) == 0;
	free(all);
	return good;
}

/* The entry that begins so, and its descriptor if that is open and not taken. */
static const char *entry(const char *begin, size_t n, int *fd)
{
	const char *at = getenv(VARIABLE), *equals;

	for (; at && *at; at = strchr(at, ';') + 1) {
		if (!strchr(at, ';') || !(equals = strchr(at, '=')))
			return NULL;
		*fd = atoi(equals + 1);
		if (strncmp(at, begin, n) == 0 && fcntl(*fd, F_GETFD) == 0)
			return at;
	}
	return NULL;
}

int inherit_take(const char *name)
{
	char whole[160];
	int fd;

	snprintf(whole, sizeof whole, "%s=", name);
	if (!entry(whole, strlen(whole), &fd))
		return -1;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

const char *inherit_find(const char *begin, char *rest, size_t size)
{
	size_t n = strlen(begin), len;
	const char *at;
	int fd;

	at = entry(begin, n, &fd);
	if (!at)
		return NULL;
	len = MIN(strcspn(at + n, "="), size - 1);
	memcpy(rest, at + n, len);
	rest[len] = '\0';
	return rest;
}

void inherit_close(void)
{
	int fd;

	while (entry("", 0, &fd))
		close(fd);
	unsetenv(VARIABLE);
}
