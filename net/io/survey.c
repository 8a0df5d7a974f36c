/*
 * survey.c - sockets, clock and routes of `cyphonic netcheck`: two UDP ports of each family, a TCP
 * connection to each AS, and one loop of its own that ends with the last question.
 */
#include "net/io/survey_who.h"
#include "net/io/loop.h"
#include "net/io/priv.h"
#include "net/io/udp.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define PORTS 2				/* of each family: PORT_MAIN, PORT_STUN */

struct run {
	const struct netcheck_half *half;
	void *self;
	struct netcheck_plan plan;
	struct udp udp[NETCHECK_FAMILIES][PORTS];	/* fd -1: none */
	int tcp[NETCHECK_AS];				/* -1: none */
	struct udp_in *in;
	struct udp_out *sender;
	struct outbox out;
};

static int to_af(unsigned family)
{
	return family == NETCHECK_IPV4 ? AF_INET : AF_INET6;
}

/* ---- before the first question ---- */

static bool open_udp(struct udp *u, unsigned family, enum port port)
{
	int fd = socket(to_af(family), SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
	struct door door = { .fd = fd, .port = port };
	union sockaddr_any any = { .sa.sa_family = (sa_family_t)to_af(family) };

	if (fd < 0)
		return false;
	if (family == NETCHECK_IPV6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, &any.sa, family == NETCHECK_IPV4 ? sizeof any.in : sizeof any.in6) == 0 &&
	    udp_prepare(fd, family == NETCHECK_IPV4 ? 4 : 6, false) && udp_open(u, &door) == 0)
		return true;
	close(fd);
	u->fd = -1;
	return false;
}

/* The address the kernel would send from, family 0: there is no route. */
static struct addr local_for(const struct addr *to)
{
	union sockaddr_any name;
	socklen_t n = sockaddr_make(&name, to);
	int fd = socket(name.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct addr a = { 0 };

	if (fd < 0)
		return a;
	if (connect(fd, &name.sa, n) == 0) {
		n = sizeof name;
		if (getsockname(fd, &name.sa, &n) == 0)
			a = sockaddr_addr(&name);
	}
	close(fd);
	return a;
}

/* A family without sockets, or with no way to any server, is left out. */
static void open_family(struct run *r, unsigned family)
{
	const struct netcheck_plan *p = &r->plan;
	struct addr local = { 0 };
	unsigned i;

	for (i = 0; i < p->servers && !local.family; i++)
		if (p->server[i].family == (family == NETCHECK_IPV4 ? 4 : 6))
			local = local_for(&p->server[i]);
	if (!local.family || !open_udp(&r->udp[family][0], family, PORT_MAIN) ||
	    !open_udp(&r->udp[family][1], family, PORT_STUN))
		return;
	local.port = r->udp[family][0].local.port;
	r->plan.local[family] = local;
}

/* ---- what the half wants done ---- */

static void dial(struct run *r, const struct out_item *i)
{
	struct flow_event failed = { .what = FLOW_CLOSED, .handle = i->handle };
	union sockaddr_any name;
	socklen_t n = sockaddr_make(&name, &i->to);
	int fd = socket(name.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && (connect(fd, &name.sa, n) == 0 || errno == EINPROGRESS)) {
		r->tcp[i->handle] = fd;
		return;
	}
	if (fd >= 0)
		close(fd);
	r->half->flow(r->self, clock_now(), &failed, &r->out);
}

static void hang_up(struct run *r, uint32_t handle)
{
	if (r->tcp[handle] >= 0)
		close(r->tcp[handle]);
	r->tcp[handle] = -1;
}

static void carry_out(struct outbox *out)
{
	struct run *r = out->owner;
	unsigned i;

	for (i = 0; i < out->n; i++) {
		const struct out_item *item = &out->item[i];
		struct udp *u = &r->udp[item->to.family == 6][item->port != PORT_MAIN];

		if (item->kind == OUT_DATAGRAM && u->fd >= 0)
			udp_put(r->sender, u, item);
		else if (item->kind == OUT_CONNECT)
			dial(r, item);
		else if (item->kind == OUT_CLOSE)
			hang_up(r, item->handle);
	}
	udp_send(r->sender);
	out->n = 0;
	out->used = 0;
}

/* ---- the loop ---- */

static void on_udp(struct run *r, struct udp *u)
{
	unsigned i, n = udp_receive(u, r->in);

	for (i = 0; i < n; i++)
		r->half->input(r->self, clock_now(), &r->in->batch[i], &r->out);
}

static void on_tcp(struct run *r, unsigned i)
{
	struct flow_event ev = { .what = FLOW_OPENED, .handle = i };
	socklen_t n = sizeof(int);
	int error = 0;

	if (getsockopt(r->tcp[i], SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error) {
		ev.what = FLOW_CLOSED;
		hang_up(r, i);
	}
	r->half->flow(r->self, clock_now(), &ev, &r->out);
}

static void look(struct run *r, int wait_ms)
{
	struct pollfd p[NETCHECK_FAMILIES * PORTS + NETCHECK_AS];
	unsigned i;

	for (i = 0; i < NETCHECK_FAMILIES * PORTS; i++)
		p[i] = (struct pollfd){ .fd = r->udp[i / PORTS][i % PORTS].fd, .events = POLLIN };
	for (i = 0; i < NETCHECK_AS; i++)
		p[NETCHECK_FAMILIES * PORTS + i] = (struct pollfd){ .fd = r->tcp[i],
								    .events = POLLOUT };
	if (poll(p, ARRAY_SIZE(p), wait_ms) <= 0)
		return;
	for (i = 0; i < NETCHECK_FAMILIES * PORTS; i++)
		if (p[i].revents)
			on_udp(r, &r->udp[i / PORTS][i % PORTS]);
	for (i = 0; i < NETCHECK_AS; i++)
		if (p[NETCHECK_FAMILIES * PORTS + i].revents)
			on_tcp(r, i);
}

static void ask(struct run *r)
{
	struct now now = r->plan.start;
	uint64_t at = now.boot;

	for (; at != NEVER; at = r->half->expiry(r->self)) {
		now = clock_now();
		if (at > now.boot)
			look(r, (int)((at - now.boot + MS - 1) / MS));
		now = clock_now();
		if (now.boot >= at)
			r->half->tick(r->self, now, &r->out);
		carry_out(&r->out);
	}
}

/* ---- the overlay's ranges ---- */

static void look_at_ranges(const struct config *conf, struct survey_facts *f)
{
	const struct prefix *range[] = { &conf->virtual4, &conf->virtual6 };
	char ip[ADDR_TEXT];
	struct addr a;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(range); i++)
		if (range[i]->family) {
			a = (struct addr){ .family = range[i]->family };
			memcpy(a.ip, range[i]->ip, sizeof a.ip);
			snprintf(f->range[i], sizeof f->range[i], "%.50s/%u", ip_text(ip, &a),
				 range[i]->bits);
		}
	priv_ranges_free(conf->node_tun, range[0], range[1], f->trouble, sizeof f->trouble);
}

/* ---- all of it ---- */

static void run_free(struct run *r)
{
	unsigned i;

	for (i = 0; i < NETCHECK_FAMILIES * PORTS; i++)
		if (r->udp[i / PORTS][i % PORTS].fd >= 0)
			close(r->udp[i / PORTS][i % PORTS].fd);
	for (i = 0; i < NETCHECK_AS; i++)
		hang_up(r, i);
	if (r->self)
		r->half->close(r->self);
	udp_in_free(r->in);
	free(r->sender);
	free(r->out.scratch);
	free(r);
}

static struct run *run_new(const struct netcheck_half *half)
{
	struct run *r = calloc(1, sizeof *r);
	unsigned i;

	if (!r)
		return NULL;
	r->half = half;
	for (i = 0; i < NETCHECK_FAMILIES * PORTS; i++)
		r->udp[i / PORTS][i % PORTS].fd = -1;
	for (i = 0; i < NETCHECK_AS; i++)
		r->tcp[i] = -1;
	r->in = udp_in_new();
	r->sender = calloc(1, sizeof *r->sender);
	r->out.scratch = malloc(OUTBOX_SCRATCH);
	r->out.flush = carry_out;
	r->out.owner = r;
	if (r->in && r->sender && r->out.scratch)
		return r;
	run_free(r);
	return NULL;
}

static int survey(struct run *r, const struct survey *s)
{
	struct netcheck_report report;
	struct survey_facts facts = { .took = 0 };
	unsigned i;
	int status;

	r->plan.start = clock_now();
	status = survey_who(&r->plan, s);
	if (status)
		return status;
	for (i = 0; i < NETCHECK_FAMILIES; i++)
		open_family(r, i);
	if (getrandom(r->plan.random, sizeof r->plan.random, 0) == sizeof r->plan.random)
		r->self = r->half->open(&r->plan);
	if (!r->self) {
		cy_log(LOG_ERROR_, "out of memory");
		return 1;
	}
	look_at_ranges(s->conf, &facts);
	ask(r);
	r->half->report(r->self, &report);
	facts.took = clock_now().boot - r->plan.start.boot;
	survey_say(s->out, s->json, &report, &facts);
	return report.verdict <= VERDICT_UDP_BLOCKED;
}

int survey_run(const struct netcheck_half *half, const struct survey *s)
{
	struct run *r = run_new(half);
	int status;

	if (!r) {
		cy_log(LOG_ERROR_, "out of memory");
		return 1;
	}
	status = survey(r, s);
	run_free(r);
	return status;
}
