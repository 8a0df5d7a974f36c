/* post.c - the worker never waits for helper or master: what they do not take yet is queued. */
#include "net/io/post.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct letter {
	struct letter *next;
	size_t n;
	uint8_t data[];
};

int post_open(struct post *p, int fd)
{
	memset(p, 0, sizeof *p);
	p->fd = fd;
	p->end = &p->first;
	return fd < 0 ? 0 : fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void post_close(struct post *p)
{
	struct letter *l;

	while ((l = p->first)) {
		p->first = l->next;
		wipe(l->data, l->n);
		free(l);
	}
	p->end = &p->first;
	p->waiting = 0;
}

static void post_queue(struct post *p, uint8_t role, const void *buf, size_t len)
{
	struct letter *l = NULL;

	if (p->waiting + len + 1 <= POST_QUEUE)
		l = malloc(sizeof *l + len + 1);
	if (!l) {
		p->lost++;
		return;
	}
	l->next = NULL;
	l->n = len + 1;
	l->data[0] = role;
	memcpy(l->data + 1, buf, len);
	*p->end = l;
	p->end = &l->next;
	p->waiting += l->n;
}

void post_send(struct post *p, uint8_t role, const void *buf, size_t len)
{
	struct iovec iov[2] = { { &role, 1 }, { (void *)(uintptr_t)buf, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (p->fd < 0 || len + 1 > POST_MAX)
		p->lost++;
	else if (p->first)
		post_queue(p, role, buf, len);
	else if (sendmsg(p->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN || errno == EINTR)
			post_queue(p, role, buf, len);
		else
			p->lost++;
	}
}

bool post_flush(struct post *p)
{
	struct letter *l;

	while ((l = p->first)) {
		if (send(p->fd, l->data, l->n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			if (errno == EAGAIN || errno == EINTR)
				return false;
			p->lost++;
		}
		p->first = l->next;
		if (!p->first)
			p->end = &p->first;
		p->waiting -= l->n;
		wipe(l->data, l->n);
		free(l);
	}
	return true;
}

int post_receive(struct post *p, uint8_t *buf, size_t cap)
{
	ssize_t n = recv(p->fd, buf, cap, MSG_DONTWAIT);

	if (n < 0 && (errno == ECONNRESET || errno == EPIPE || errno == ENOTCONN))
		return 0;
	return (int)n;
}
