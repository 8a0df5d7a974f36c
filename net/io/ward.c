/* ward.c - the lines between the master and its children: questions, answers, one descriptor. */
#include "net/io/ward.h"
#include "net/io/sandbox.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 16
#define LISTENER 0x100u		/* in an event's data: the child's listener, not its line */

enum line_kind { LINE_ANSWER = 1, LINE_LISTENER };

/* From a child. */
struct line_message {
	uint8_t kind, roles;
	struct summary said[ROLES_MAX];
};

struct line {
	int master, child;		/* SOCK_SEQPACKET */
	int listener;			/* of its refused system calls, -1: none */
	struct charge charge;
};

struct ward {
	int epoll;
	unsigned count, self;
	struct line line[];
};

static bool observe(const struct ward *w, int fd, uint32_t data)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = data };

	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

static bool open_line(struct ward *w, unsigned i)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) < 0)
		return false;
	w->line[i] = (struct line){ .master = fd[0], .child = fd[1], .listener = -1 };
	w->count = i + 1;
	return observe(w, fd[0], i);
}

struct ward *ward_new(unsigned children)
{
	struct ward *w = calloc(1, sizeof *w + children * sizeof w->line[0]);
	unsigned i;

	if (!w)
		return NULL;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < children && w->epoll >= 0; i++)
		if (!open_line(w, i))
			break;
	if (w->epoll >= 0 && i == children)
		return w;
	ward_free(w);
	return NULL;
}

static void close_listener(struct line *l)
{
	if (l->listener >= 0)
		close(l->listener);
	l->listener = -1;
}

void ward_free(struct ward *w)
{
	unsigned i;

	for (i = 0; w && i < w->count; i++) {
		close(w->line[i].master);
		close(w->line[i].child);
		close_listener(&w->line[i]);
	}
	if (w && w->epoll >= 0)
		close(w->epoll);
	free(w);
}

/* ---- in the child ---- */

void ward_take(struct ward *w, unsigned self)
{
	unsigned i;

	w->self = self;
	for (i = 0; i < w->count; i++) {
		close(w->line[i].master);
		close_listener(&w->line[i]);
		if (i != self)
			close(w->line[i].child);
	}
	close(w->epoll);
}

int ward_line(const struct ward *w)
{
	return w->line[w->self].child;
}

bool ward_answer(const struct ward *w, const struct summary *said, unsigned roles)
{
	struct line_message m = { .kind = LINE_ANSWER, .roles = (uint8_t)roles };
	int fd = ward_line(w);
	ssize_t n;
	char one;

	while ((n = recv(fd, &one, 1, MSG_DONTWAIT)) > 0)
		;
	if (roles)
		memcpy(m.said, said, roles * sizeof *said);
	return n != 0 && send(fd, &m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

union one_fd {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

void ward_hand_listener(const struct ward *w, int fd)
{
	struct line_message m = { .kind = LINE_LISTENER };
	struct iovec iov = { &m, sizeof m };
	union one_fd c = { .head = { CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			    .msg_controllen = CMSG_LEN(sizeof fd) };

	memcpy(CMSG_DATA(&c.head), &fd, sizeof fd);
	if (sendmsg(ward_line(w), &h, MSG_NOSIGNAL) < 0)
		cy_log(LOG_WARN, "the master will not hear of refused system calls");
	close(fd);
}

/* ---- in the master ---- */

/* A child may be in somebody else's hands by now: its words are shown, not obeyed. */
static void make_printable(char *text, size_t room)
{
	text[room - 1] = '\0';
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void take_answer(struct charge *c, struct line_message *m)
{
	unsigned i;

	c->open = true;
	c->missed = 0;
	c->roles = MIN(m->roles, ROLES_MAX);
	for (i = 0; i < c->roles; i++) {
		make_printable(m->said[i].text, sizeof m->said[i].text);
		make_printable(m->said[i].of, sizeof m->said[i].of);
	}
	memcpy(c->said, m->said, sizeof c->said);
}

/* Only the first of a life counts: it came before the child had met anybody. */
static void take_listener(struct ward *w, unsigned i, int fd)
{
	struct line *l = &w->line[i];

	if (l->listener < 0 && !l->charge.open && observe(w, fd, i | LISTENER))
		l->listener = fd;
	else
		close(fd);
}

/* One message of a child; false when there is none. */
static bool hear(struct ward *w, unsigned i)
{
	struct line_message m = { 0 };
	struct iovec iov = { &m, sizeof m };
	union one_fd c;
	int fd = -1;
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			    .msg_controllen = CMSG_LEN(sizeof fd) };
	ssize_t n = recvmsg(w->line[i].master, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *head;

	if (n < 0)
		return false;
	head = CMSG_FIRSTHDR(&h);
	if (head && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(head), sizeof fd);
	if (n == sizeof m && m.kind == LINE_ANSWER)
		take_answer(&w->line[i].charge, &m);
	if (fd >= 0 && m.kind == LINE_LISTENER)
		take_listener(w, i, fd);
	else if (fd >= 0)
		close(fd);
	return true;
}

static void refuse(struct line *l)
{
	struct charge *c = &l->charge;
	int call = sandbox_refuse(l->listener);

	if (call >= 0) {
		c->refused++;
		c->refused_call = call;
	} else if (errno != ENOENT && errno != EINTR) {
		close_listener(l);
	}
}

void ward_serve(struct ward *w)
{
	struct epoll_event e[EVENTS_MAX];
	int n = epoll_wait(w->epoll, e, EVENTS_MAX, 0), k;

	for (k = 0; k < n; k++) {
		uint32_t data = e[k].data.u32;
		unsigned i = data & ~LISTENER;

		if (!(data & LISTENER))
			hear(w, i);
		else if (w->line[i].listener >= 0 && e[k].events & EPOLLIN)
			refuse(&w->line[i]);
		else
			close_listener(&w->line[i]);
	}
}

int ward_fd(const struct ward *w)
{
	return w->epoll;
}

unsigned ward_count(const struct ward *w)
{
	return w->count;
}

const struct charge *ward_charge(const struct ward *w, unsigned child)
{
	return &w->line[child].charge;
}

void ward_ask(struct ward *w, unsigned child)
{
	struct line *l = &w->line[child];

	l->charge.missed++;
	if (send(l->master, "?", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		cy_log(LOG_WARN, "cannot ask child %u: %s", child, strerror(errno));
}

void ward_forget(struct ward *w, unsigned child)
{
	struct line *l = &w->line[child];
	char one;

	while (hear(w, child))
		;
	while (recv(l->child, &one, 1, MSG_DONTWAIT) > 0)
		;
	close_listener(l);
	memset(&l->charge, 0, sizeof l->charge);
}
