/*
 * udp.c - the walk of a packet through the kernel costs more than the system call, so what
 * pays is one walk for many datagrams: GRO on the way in, GSO on the way out.
 *
 * A full send buffer loses datagrams rather than waits: queues make pings slow, and what
 * matters is sent again by its sender.
 */
#include "net/io/udp.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <stdlib.h>

#define SLOT (HEADROOM + 65536 + TAILROOM)
#define NARROW_TRIES 4096	/* messages after which narrow destinations get another chance */

socklen_t sockaddr_make(union sockaddr_any *s, const struct addr *a)
{
	memset(s, 0, sizeof *s);
	if (a->family == 4) {
		s->in.sin_family = AF_INET;
		s->in.sin_port = htons(a->port);
		memcpy(&s->in.sin_addr, a->ip, 4);
		return sizeof s->in;
	}
	if (a->family == 6) {
		s->in6.sin6_family = AF_INET6;
		s->in6.sin6_port = htons(a->port);
		s->in6.sin6_scope_id = a->scope;
		memcpy(&s->in6.sin6_addr, a->ip, 16);
		return sizeof s->in6;
	}
	return 0;
}

struct addr sockaddr_addr(const union sockaddr_any *s)
{
	struct addr a = { 0 };

	if (s->sa.sa_family == AF_INET) {
		a.family = 4;
		a.port = ntohs(s->in.sin_port);
		memcpy(a.ip, &s->in.sin_addr, 4);
	} else if (s->sa.sa_family == AF_INET6) {
		a.family = 6;
		a.port = ntohs(s->in6.sin6_port);
		a.scope = s->in6.sin6_scope_id;
		memcpy(a.ip, &s->in6.sin6_addr, 16);
	}
	return a;
}

static bool set(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

bool udp_prepare(int fd, uint8_t family, bool gro)
{
	if (gro)
		set(fd, SOL_UDP, UDP_GRO);
	if (family == 4)
		return set(fd, IPPROTO_IP, IP_PKTINFO) && set(fd, IPPROTO_IP, IP_RECVTOS);
	return set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) && set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS);
}

int udp_open(struct udp *u, const struct door *door)
{
	union sockaddr_any name;
	socklen_t n = sizeof name;

	memset(u, 0, sizeof *u);
	u->fd = door->fd;
	u->port = door->port;
	u->role = door->role;
	if (getsockname(door->fd, &name.sa, &n) < 0)
		return -1;
	u->local = sockaddr_addr(&name);
	return fcntl(door->fd, F_SETFL, fcntl(door->fd, F_GETFL) | O_NONBLOCK);
}

/* ---- in ---- */

struct udp_in *udp_in_new(void)
{
	struct udp_in *in = calloc(1, sizeof *in);
	unsigned i;

	if (!in)
		return NULL;
	in->buffers = malloc((size_t)UDP_BATCHES * SLOT);
	if (!in->buffers) {
		free(in);
		return NULL;
	}
	for (i = 0; i < UDP_BATCHES; i++) {
		in->iov[i] = (struct iovec){ in->buffers + (size_t)i * SLOT + HEADROOM, 65536 };
		in->msg[i].msg_hdr = (struct msghdr){
			.msg_name = &in->name[i], .msg_iov = &in->iov[i], .msg_iovlen = 1,
			.msg_control = in->control[i],
		};
	}
	return in;
}

void udp_in_free(struct udp_in *in)
{
	if (in)
		free(in->buffers);
	free(in);
}

/* One control message of the kernel: where it hit, ECN, or how long the segments are. */
static void take_control(struct batch *b, struct cmsghdr *c)
{
	struct in_pktinfo info;
	struct in6_pktinfo info6;
	int n;

	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&info, CMSG_DATA(c), sizeof info);
		memcpy(b->to.ip, &info.ipi_spec_dst, 4);
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&info6, CMSG_DATA(c), sizeof info6);
		memcpy(b->to.ip, &info6.ipi6_addr, 16);
		if (IN6_IS_ADDR_LINKLOCAL(&info6.ipi6_addr))
			b->to.scope = info6.ipi6_ifindex;
	} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
		b->ecn = *CMSG_DATA(c) & 3;
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
		memcpy(&n, CMSG_DATA(c), sizeof n);
		b->ecn = n & 3;
	} else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
		memcpy(&n, CMSG_DATA(c), sizeof n);
		b->seg = (uint16_t)n;
	}
}

static void take_message(struct udp *u, struct udp_in *in, unsigned i, struct batch *b)
{
	struct msghdr *m = &in->msg[i].msg_hdr;
	struct cmsghdr *c;

	*b = (struct batch){
		.port = u->port, .from = sockaddr_addr(&in->name[i]), .to = u->local,
		.buf = in->iov[i].iov_base, .len = in->msg[i].msg_len,
		.seg = (uint16_t)in->msg[i].msg_len,
	};
	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		take_control(b, c);
}

unsigned udp_receive(struct udp *u, struct udp_in *in)
{
	unsigned i, filled = 0;
	int n;

	for (i = 0; i < UDP_BATCHES; i++) {
		in->msg[i].msg_hdr.msg_namelen = sizeof in->name[i];
		in->msg[i].msg_hdr.msg_controllen = sizeof in->control[i];
	}
	/* an error is ICMP's word about something sent earlier, or that nothing is here */
	n = recvmmsg(u->fd, in->msg, UDP_BATCHES, MSG_DONTWAIT, NULL);
	for (i = 0; n > 0 && i < (unsigned)n; i++)
		if (!(in->msg[i].msg_hdr.msg_flags & MSG_TRUNC))
			take_message(u, in, i, &in->batch[filled++]);
	return filled;
}

/* ---- out ---- */

static void add_control(struct msghdr *m, int level, int type, const void *data, size_t n)
{
	struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)m->msg_control + m->msg_controllen);

	memset(c, 0, CMSG_SPACE(n));
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), data, n);
	m->msg_controllen += CMSG_SPACE(n);
}

static void add_source(struct msghdr *m, const struct addr *from)
{
	struct in_pktinfo info = { 0 };
	struct in6_pktinfo info6 = { 0 };

	if (from->family == 4) {
		memcpy(&info.ipi_spec_dst, from->ip, 4);
		add_control(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	} else {
		memcpy(&info6.ipi6_addr, from->ip, 16);
		info6.ipi6_ifindex = from->scope;
		add_control(m, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof info6);
	}
}

static bool takes_gso(struct udp *u, const struct addr *to)
{
	unsigned i;

	if (u->narrows && !u->tries--)
		u->narrows = 0;
	for (i = 0; i < MIN(u->narrows, UDP_NARROW); i++)
		if (addr_equal(&u->narrow[i], to))
			return false;
	return !u->no_gso;
}

static struct udp_run *run_start(struct udp_out *out, const struct out_item *item, uint32_t seg)
{
	unsigned i = out->runs++;
	struct udp_run *run = &out->run[i];
	struct msghdr *m = &out->msg[i].msg_hdr;
	int ecn = item->ecn;

	*run = (struct udp_run){ .first = item, .seg = seg, .most = 1 };
	if (seg < UDP_RUN_MAX && takes_gso(out->socket, &item->to))
		run->most = MIN(UDP_SEGMENTS, UDP_RUN_MAX / seg);
	*m = (struct msghdr){
		.msg_name = &out->name[i], .msg_namelen = sockaddr_make(&out->name[i], &item->to),
		.msg_iov = &out->iov[out->pieces], .msg_control = out->control[i],
	};
	if (item->from.family == item->to.family)
		add_source(m, &item->from);
	if (ecn && item->to.family == 4)
		add_control(m, IPPROTO_IP, IP_TOS, &ecn, sizeof ecn);
	else if (ecn)
		add_control(m, IPPROTO_IPV6, IPV6_TCLASS, &ecn, sizeof ecn);
	return run;
}

/* May the next octets of item, cut into seg, go on in this run? */
static bool run_takes(const struct udp_run *run, const struct out_item *item, uint32_t seg,
		      uint32_t left)
{
	const struct out_item *first = run->first;

	return !run->full && (seg == run->seg || left < run->seg) && seg >= MIN(left, run->seg) &&
	       first->ecn == item->ecn && addr_equal(&first->to, &item->to) &&
	       addr_equal(&first->from, &item->from);
}

void udp_put(struct udp_out *out, struct udp *u, const struct out_item *item)
{
	uint32_t seg = item->seg && item->seg < item->len ? item->seg : item->len;
	uint32_t off = 0, take;
	struct udp_run *run;

	if (out->socket != u)
		udp_send(out);
	out->socket = u;
	while (off < item->len) {
		if (out->pieces == UDP_PIECES)
			udp_send(out);
		run = out->runs ? &out->run[out->runs - 1] : NULL;
		if (!run || !run_takes(run, item, seg, item->len - off)) {
			if (out->runs == UDP_MESSAGES)
				udp_send(out);
			run = run_start(out, item, seg);
		}
		take = MIN(item->len - off, (run->most - run->segments) * run->seg);
		out->iov[out->pieces++] = (struct iovec){ item->buf + off, take };
		out->msg[out->runs - 1].msg_hdr.msg_iovlen++;
		run->segments += (take + run->seg - 1) / run->seg;
		run->full = take % run->seg != 0 || run->segments == run->most;
		off += take;
	}
}

/* The same datagrams without the kernel's help.  True when it took one of them. */
static bool send_singly(struct udp *u, const struct udp_run *run, const struct msghdr *whole)
{
	struct msghdr m = *whole;
	struct iovec iov;
	bool took = false;
	size_t i, off;

	m.msg_iov = &iov;
	m.msg_iovlen = 1;
	m.msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
	/* a piece holds whole segments, but for the last one's end */
	for (i = 0; i < whole->msg_iovlen; i++) {
		const struct iovec *piece = &whole->msg_iov[i];

		for (off = 0; off < piece->iov_len; off += run->seg) {
			iov.iov_base = (uint8_t *)piece->iov_base + off;
			iov.iov_len = MIN(piece->iov_len - off, run->seg);
			if (sendmsg(u->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
				u->lost++;
			else
				took = true;
		}
	}
	return took;
}

/*
 * A run was refused.  EIO: the device cannot do GSO.  EINVAL and EMSGSIZE may be the way to
 * this destination, narrower than a segment, where single datagrams are cut by IP; or
 * nothing to do with GSO at all, then single ones fail as well.
 */
static void refused(struct udp *u, const struct udp_run *run, const struct msghdr *m, int error)
{
	if (run->segments < 2 || (error != EIO && error != EINVAL && error != EMSGSIZE)) {
		u->lost += run->segments;
		return;
	}
	if (!send_singly(u, run, m))
		return;
	if (error == EIO) {
		u->no_gso = true;
		return;
	}
	u->narrow[u->narrows++ % UDP_NARROW] = run->first->to;
	u->tries = NARROW_TRIES;
}

void udp_send(struct udp_out *out)
{
	unsigned i, at = 0;
	int n;

	for (i = 0; i < out->runs; i++) {
		uint16_t seg = (uint16_t)out->run[i].seg;

		if (out->run[i].segments > 1)
			add_control(&out->msg[i].msg_hdr, SOL_UDP, UDP_SEGMENT, &seg, sizeof seg);
	}
	while (at < out->runs) {
		n = sendmmsg(out->socket->fd, out->msg + at, out->runs - at,
			     MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			at += (unsigned)n;
		} else if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			while (at < out->runs)
				out->socket->lost += out->run[at++].segments;
		} else if (n == 0 || errno != EINTR) {
			refused(out->socket, &out->run[at], &out->msg[at].msg_hdr, errno);
			at++;
		}
	}
	out->runs = out->pieces = 0;
}
