/* notify.c - sd_notify without libsystemd: a datagram to a Unix socket, which is all there is to it. */
#include "net/io/notify.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 512

/* Length of the address, 0 if there is none to use. */
static socklen_t manager(struct sockaddr_un *at)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;

	memset(at, 0, sizeof *at);
	if (n < 2 || n >= sizeof at->sun_path || (*path != '/' && *path != '@'))
		return 0;
	at->sun_family = AF_UNIX;
	memcpy(at->sun_path, path, n);
	/* '@' stands for the abstract namespace, whose names have no end but their length */
	if (*path == '@')
		at->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

void notify_say(const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	struct sockaddr_un at;
	socklen_t n = manager(&at);
	va_list ap;
	int fd;

	if (!n)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&at, n) < 0)
		cy_log(LOG_DEBUG, "the service manager does not listen");
	close(fd);
}

uint64_t notify_watchdog(void)
{
	const char *time = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!time || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(time, NULL, 10);
}
