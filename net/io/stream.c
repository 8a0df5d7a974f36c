/*
 * stream.c - a flow is a descriptor, a handle and a bounded queue; it is freed in one place.
 *
 * Roles are called only from stream_ready() and streams_settle().  A call may end any flow,
 * so an ended one (fd -1) stays in memory until streams_settle() meets it.
 */
#include "net/io/stream.h"
#include "net/io/udp.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define BUCKETS 1024
#define READ_SIZE 65536
#define READ_DATAGRAMS 16		/* of one connected UDP socket in one wake-up */
#define ACCEPT_MANY 16			/* of one listener in one wake-up */
#define PAUSE (100 * MS)		/* accept nothing for so long when descriptors ran out */
#define COMPLAIN (10 * SEC)		/* between two lines in the log about that */
#define LINGER (5 * SEC)		/* for a closed flow's last octets */
#define SWEEP SEC			/* between two looks at which have lingered long enough */

enum stream_news { NEWS_NONE, NEWS_OPENED, NEWS_CLOSED };

struct stream {
	struct stream *next;		/* in its bucket */
	struct stream *later;		/* in the list for streams_settle() */
	struct streams *all;
	struct watch *watch;
	int fd;				/* -1: ended, to be freed */
	uint8_t role;
	enum port port;
	enum flow_proto proto;
	uint32_t handle;
	struct addr peer;
	bool opening;			/* connect() is under way */
	bool closing;			/* the handle is free, the last octets go out */
	bool eof;			/* nothing more comes */
	bool listed;			/* is in the list for streams_settle() */
	enum stream_news news;		/* what streams_settle() is to tell */
	uint64_t deadline;		/* of closing */
	uint8_t *queue;
	size_t queued, room;
};

struct listener {
	struct streams *all;
	struct door door;
	struct watch *watch;
};

struct streams {
	struct loop *loop;
	void (*tell)(void *arg, unsigned role, const struct flow_event *ev);
	void *arg;
	struct stream *bucket[BUCKETS];
	struct stream *later;
	struct listener listener[DOORS_MAX];
	unsigned listeners;
	unsigned accepted, own, closing;
	uint32_t last;			/* accepted handles count up */
	uint64_t paused;		/* accepting goes on at this time; 0: it does */
	uint64_t complained;		/* not before this time again */
	uint64_t sweep;			/* the next, while any are closing */
	uint8_t buf[READ_SIZE];
};

struct streams *streams_new(struct loop *l,
			    void (*tell)(void *arg, unsigned role, const struct flow_event *ev),
			    void *arg)
{
	struct streams *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->loop = l;
	s->tell = tell;
	s->arg = arg;
	return s;
}

/* ---- one flow's life ---- */

static struct stream **bucket_of(struct streams *s, uint32_t handle)
{
	return &s->bucket[handle % BUCKETS];
}

static struct stream *stream_find(struct streams *s, uint8_t role, uint32_t handle)
{
	struct stream *st;

	for (st = *bucket_of(s, handle); st; st = st->next)
		if (st->handle == handle && st->role == role && !st->closing)
			return st;
	return NULL;
}

static void stream_list(struct stream *st)
{
	if (st->listed)
		return;
	st->listed = true;
	st->later = st->all->later;
	st->all->later = st;
}

static void stream_news(struct stream *st, enum stream_news news)
{
	st->news = news;
	stream_list(st);
}

/* The one place where a flow ends. */
static void stream_end(struct stream *st)
{
	struct streams *s = st->all;
	struct stream **at = bucket_of(s, st->handle);

	while (*at != st)
		at = &(*at)->next;
	*at = st->next;
	if (st->handle >= STREAM_ACCEPTED)
		s->accepted--;
	else
		s->own--;
	if (st->closing)
		s->closing--;
	watch_free(st->watch);
	if (st->fd >= 0)
		close(st->fd);
	st->fd = -1;
	free(st->queue);
	st->queue = NULL;
	st->queued = 0;
	stream_list(st);
}

static void stream_interest(struct stream *st)
{
	unsigned what = st->queued || st->opening ? WATCH_WRITE : 0;

	if (!st->opening && !st->eof)
		what |= WATCH_READ;
	watch_set(st->watch, what);
}

/* The role knows it no more. */
static void stream_forget(struct stream *st)
{
	struct streams *s = st->all;
	uint64_t now = loop_now(s->loop).boot;

	if (!s->closing++)
		s->sweep = now + SWEEP;
	st->closing = true;
	st->deadline = now + LINGER;
	st->news = NEWS_NONE;
}

/* The handle is free from here on; the octets still queued go out, then the end of stream. */
static void stream_leave(struct stream *st)
{
	stream_forget(st);
	if (st->proto == FLOW_UDP || (!st->queued && (st->opening || st->eof || st->fd < 0))) {
		stream_end(st);
		return;
	}
	/* closing with unread octets would reset the stream and take our last ones with it */
	if (!st->queued)
		shutdown(st->fd, SHUT_WR);
	stream_interest(st);
}

static void stream_tell(struct stream *st, enum flow_what what, const uint8_t *p, size_t n)
{
	struct flow_event ev = {
		.what = what, .port = st->port, .handle = st->handle, .peer = st->peer,
		.data = { p, n },
	};

	st->all->tell(st->all->arg, st->role, &ev);
}

/* The other side is gone: the role learns it once, its handle is free before. */
static void stream_lost(struct stream *st, bool at_once)
{
	if (at_once)
		st->queued = 0;
	st->eof = true;
	if (!st->closing) {
		stream_forget(st);
		stream_tell(st, FLOW_CLOSED, NULL, 0);
	}
	if (!st->queued)
		stream_end(st);
	else
		stream_interest(st);
}

static bool is_temporary(int error)
{
	return error == EAGAIN || error == EINTR || error == ENOBUFS;
}

/* ---- descriptors are ready ---- */

static void stream_write(struct stream *st)
{
	ssize_t n = send(st->fd, st->queue, st->queued, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0) {
		if (!is_temporary(errno))
			stream_lost(st, true);
		return;
	}
	st->queued -= (size_t)n;
	memmove(st->queue, st->queue + n, st->queued);
	if (!st->queued && st->closing && st->eof) {
		stream_end(st);
		return;
	}
	if (!st->queued && st->closing)
		shutdown(st->fd, SHUT_WR);
	stream_interest(st);
}

static void stream_read(struct stream *st)
{
	unsigned turns = st->proto == FLOW_UDP ? READ_DATAGRAMS : 1;
	struct streams *s = st->all;
	ssize_t n;

	while (turns-- && st->fd >= 0) {
		n = recv(st->fd, s->buf, sizeof s->buf, MSG_DONTWAIT);
		if (n < 0 && is_temporary(errno))
			return;
		if (n < 0 || (n == 0 && st->proto == FLOW_TCP))
			stream_lost(st, n < 0);
		else if (n && !st->closing)
			stream_tell(st, FLOW_DATA, s->buf, (size_t)n);
	}
}

static void stream_opened(struct stream *st)
{
	int error = 0;
	socklen_t n = sizeof error;

	if (getsockopt(st->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error) {
		stream_lost(st, true);
		return;
	}
	st->opening = false;
	stream_interest(st);
	if (!st->closing)
		stream_tell(st, FLOW_OPENED, NULL, 0);
}

static void stream_ready(void *arg, unsigned what)
{
	struct stream *st = arg;

	if (st->opening) {
		stream_opened(st);
		return;
	}
	/* data may have been first, but opened is what the role must hear first */
	if (st->news)
		return;
	if (what & WATCH_WRITE && st->queued)
		stream_write(st);
	if (what & WATCH_READ && st->fd >= 0)
		stream_read(st);
}

/* Takes the descriptor; without memory it is closed. */
static struct stream *stream_add(struct streams *s, int fd, uint8_t role, uint32_t handle)
{
	struct stream *st = calloc(1, sizeof *st);

	if (st && fd >= 0)
		st->watch = watch_new(s->loop, fd, stream_ready, st);
	if (!st || (fd >= 0 && !st->watch)) {
		free(st);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	st->all = s;
	st->fd = fd;
	st->role = role;
	st->handle = handle;
	st->next = *bucket_of(s, handle);
	*bucket_of(s, handle) = st;
	if (handle >= STREAM_ACCEPTED)
		s->accepted++;
	else
		s->own++;
	return st;
}

/* ---- accepting ---- */

static void listeners_set(struct streams *s, unsigned what)
{
	unsigned i;

	for (i = 0; i < s->listeners; i++)
		watch_set(s->listener[i].watch, what);
}

/* A listener stays readable while nothing can be accepted, and would spin. */
static void streams_pause(struct streams *s, const char *why)
{
	uint64_t now = loop_now(s->loop).boot;

	s->paused = now + PAUSE;
	listeners_set(s, 0);
	if (now < s->complained)
		return;
	s->complained = now + COMPLAIN;
	cy_log(LOG_WARN, "new connections wait: %s (%u are open)", why, s->accepted);
}

static void stream_accepted(struct listener *l, int fd, const union sockaddr_any *name)
{
	struct streams *s = l->all;
	struct stream *st;
	int on = 1;

	do {
		s->last = (s->last + 1) | STREAM_ACCEPTED;
	} while (stream_find(s, l->door.role, s->last));
	st = stream_add(s, fd, l->door.role, s->last);
	if (!st)
		return;
	st->port = l->door.port;
	st->peer = sockaddr_addr(name);
	if (st->peer.family)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	stream_interest(st);
	stream_tell(st, FLOW_OPENED, NULL, 0);
}

static void listener_ready(void *arg, unsigned what)
{
	struct listener *l = arg;
	union sockaddr_any name;
	socklen_t n;
	int fd, many = ACCEPT_MANY;

	while (many--) {
		if (l->all->accepted == STREAMS_ACCEPTED_MAX) {
			streams_pause(l->all, "this worker's limit is reached");
			return;
		}
		n = sizeof name;
		memset(&name, 0, sizeof name);
		fd = accept4(l->door.fd, &name.sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			stream_accepted(l, fd, &name);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			 errno == ENOMEM) {
			streams_pause(l->all, strerror(errno));
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

int streams_listen(struct streams *s, const struct door *door)
{
	struct listener *l = &s->listener[s->listeners];

	l->all = s;
	l->door = *door;
	l->watch = watch_new(s->loop, door->fd, listener_ready, l);
	if (!l->watch)
		return -1;
	s->listeners++;
	watch_set(l->watch, WATCH_READ);
	return fcntl(door->fd, F_SETFL, fcntl(door->fd, F_GETFL) | O_NONBLOCK);
}

/* ---- what roles want ---- */

/* A descriptor on its way to that address; -1 and errno when it failed at once. */
static int connect_start(enum flow_proto proto, const struct addr *to)
{
	int type = (proto == FLOW_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	union sockaddr_any name;
	socklen_t n = sockaddr_make(&name, to);
	int fd = socket(name.sa.sa_family, type, 0), on = 1;

	if (fd < 0)
		return -1;
	if (proto == FLOW_TCP)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, &name.sa, n) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

void streams_connect(struct streams *s, uint8_t role, uint32_t handle, enum flow_proto proto,
		     const struct addr *to)
{
	struct stream *st = stream_find(s, role, handle);
	int fd = -1;

	if (handle >= STREAM_ACCEPTED)
		return;
	if (st)
		stream_leave(st);
	if (s->own < STREAMS_OWN_MAX)
		fd = connect_start(proto, to);
	st = stream_add(s, fd, role, handle);
	if (!st && fd >= 0)
		st = stream_add(s, -1, role, handle);
	if (!st) {
		cy_log(LOG_ERROR_, "no memory to connect");
		return;
	}
	st->proto = proto;
	st->peer = *to;
	st->opening = proto == FLOW_TCP && st->fd >= 0;
	if (st->fd < 0)
		stream_news(st, NEWS_CLOSED);
	else if (!st->opening)
		stream_news(st, NEWS_OPENED);
	if (st->fd >= 0)
		stream_interest(st);
}

/* False when it is too much, or there is no memory. */
static bool stream_queue(struct stream *st, const uint8_t *buf, size_t len)
{
	size_t need = st->queued + len, room = MAX(st->room, 4096);
	uint8_t *p;

	if (need > STREAM_QUEUE_MAX)
		return false;
	while (room < need)
		room *= 2;
	if (room != st->room || !st->queue) {
		p = realloc(st->queue, room);
		if (!p)
			return false;
		st->queue = p;
		st->room = room;
	}
	memcpy(st->queue + st->queued, buf, len);
	st->queued = need;
	return true;
}

void streams_send(struct streams *s, uint8_t role, uint32_t handle, const uint8_t *buf,
		  size_t len)
{
	struct stream *st = stream_find(s, role, handle);
	ssize_t n = 0;

	if (!st || st->fd < 0 || st->news == NEWS_CLOSED || !len)
		return;
	if (!st->opening && !st->queued) {
		n = send(st->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && is_temporary(errno))
			n = 0;
	}
	/* a datagram that was not taken is lost, as on the way */
	if (st->proto == FLOW_UDP && n >= 0)
		return;
	if (n < 0 || !stream_queue(st, buf + n, len - (size_t)n)) {
		st->queued = 0;
		st->eof = true;
		stream_news(st, NEWS_CLOSED);
	}
	stream_interest(st);
}

void streams_close(struct streams *s, uint8_t role, uint32_t handle)
{
	struct stream *st = stream_find(s, role, handle);

	if (st)
		stream_leave(st);
}

/* ---- between the calls ---- */

bool streams_settle(struct streams *s)
{
	struct stream *st, *list = s->later;

	s->later = NULL;
	while ((st = list)) {
		enum stream_news news = st->news;

		list = st->later;
		st->listed = false;
		st->news = NEWS_NONE;
		if (news == NEWS_CLOSED)
			stream_lost(st, true);
		else if (news == NEWS_OPENED)
			stream_tell(st, FLOW_OPENED, NULL, 0);
		else if (st->fd < 0)
			free(st);
	}
	return s->later != NULL;
}

uint64_t streams_expiry(const struct streams *s)
{
	uint64_t sweep = s->closing ? s->sweep : NEVER;

	return s->paused ? MIN(s->paused, sweep) : sweep;
}

void streams_tick(struct streams *s)
{
	uint64_t now = loop_now(s->loop).boot;
	struct stream *st, *next;
	unsigned i;

	if (s->paused && now >= s->paused) {
		s->paused = 0;
		listeners_set(s, WATCH_READ);
	}
	if (!s->closing || now < s->sweep)
		return;
	s->sweep = now + SWEEP;
	for (i = 0; i < BUCKETS; i++)
		for (st = s->bucket[i]; st; st = next) {
			next = st->next;
			if (st->closing && now >= st->deadline)
				stream_end(st);
		}
}

static void stream_drain(struct stream *st, uint64_t until)
{
	struct pollfd p = { .fd = st->fd, .events = POLLOUT };
	uint64_t now;
	ssize_t n;

	while (st->queued && !st->opening && (now = clock_now().boot) < until) {
		poll(&p, 1, (int)((until - now) / MS) + 1);
		n = send(st->fd, st->queue, st->queued, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && !is_temporary(errno))
			return;
		n = MAX(n, 0);
		st->queued -= (size_t)n;
		memmove(st->queue, st->queue + n, st->queued);
	}
}

void streams_drain(struct streams *s, unsigned ms)
{
	uint64_t until = clock_now().boot + ms * MS;
	struct stream *st;
	unsigned i;

	for (i = 0; i < BUCKETS; i++)
		for (st = s->bucket[i]; st; st = st->next)
			stream_drain(st, until);
}

void streams_free(struct streams *s)
{
	struct stream *st;
	unsigned i;

	if (!s)
		return;
	for (i = 0; i < BUCKETS; i++)
		while ((st = s->bucket[i]))
			stream_end(st);
	while ((st = s->later)) {
		s->later = st->later;
		free(st);
	}
	for (i = 0; i < s->listeners; i++)
		watch_free(s->listener[i].watch);
	free(s);
}
