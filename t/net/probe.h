/*
 * probe.h - what the laboratory's probes share: sockets in several hosts at once.
 *
 * A socket stays in the network namespace it was made in, so one process can stand inside a box and
 * outside of it, and an order of events needs no conversation.
 */
#ifndef T_PROBE_H
#define T_PROBE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

/* From here on sockets are made in this network namespace, by the name ip-netns(8) gave it. */
static inline void enter(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		give_up(path);
	close(fd);
}

/* Nanoseconds of a clock that is never set. */
static inline uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Whether there is something to read before that time. */
static inline bool readable_until(int fd, uint64_t end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now = clock_ns(), left = end > now ? end - now : 0;
	struct timespec t = { (time_t)(left / 1000000000u), (long)(left % 1000000000u) };

	return ppoll(&p, 1, &t, NULL) == 1;
}

#endif
