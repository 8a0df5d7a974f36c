/*
 * netcheck.c - asks STUN servers how they see us, from two ports, until all is known or the time
 * is up.  Of each family:
 *
 *	first port --- plain ----------> every server at once; one that names another address
 *	                                 of its own is chosen for the rest
 *	first port --- plain ----------> its other address, its other port
 *	second port -- plain, change --> the chosen one, whose answers come from elsewhere
 *	second port <- plain ----------> first port, by their addresses outside: hairpinning
 *
 * The second port never speaks to the server's other address, else that were let in by itself.
 * An answer settles a question at once; only what does not come is waited for.
 */
#include "roles/netcheck.h"
#include "net/proto/ip.h"
#include "net/proto/stun.h"
#include <stdlib.h>

#define PROBE_TIME (1400 * MS)		/* unanswered for this long: silent */
#define AS_TIME (2500 * MS)		/* enough for a second SYN */
#define ID_PROBE 10			/* octet of the transaction id; the next is the attempt */

static const uint64_t send_after[PROBE_SENDS] = { 0, 250 * MS, 750 * MS };

/* ---- one question ---- */

static void ask(struct probe *p, enum port port, const struct addr *to, unsigned change,
		uint64_t at)
{
	if (p->state != PROBE_IDLE)
		return;
	*p = (struct probe){
		.state = PROBE_ASKED, .port = port, .to = *to, .change = change, .start = at
	};
}

static void send_probe(struct netcheck *n, struct probe *p, struct now now, struct outbox *out)
{
	uint8_t datagram[STUN_REQUEST_SIZE];
	struct stun_id id;

	/* an id for each attempt: it tells which one is answered, and so the time it took */
	memcpy(id.b, n->plan.random, sizeof n->plan.random);
	id.b[ID_PROBE] = (uint8_t)(p - n->probe);
	id.b[ID_PROBE + 1] = (uint8_t)p->sent;
	p->sent_at[p->sent++] = now.boot;
	stun_request(datagram, &id, p->change);
	out_datagram(out, p->port, &p->to, NULL, datagram, sizeof datagram);
}

static uint64_t end_of(const struct netcheck *n)
{
	return n->plan.start.boot + NETCHECK_MS * MS;
}

static uint64_t probe_expiry(const struct probe *p)
{
	uint64_t next = p->start + PROBE_TIME;

	if (p->state != PROBE_ASKED)
		return NEVER;
	return p->sent < PROBE_SENDS ? MIN(next, p->start + send_after[p->sent]) : next;
}

static void probe_tick(struct netcheck *n, struct probe *p, struct now now, struct outbox *out)
{
	if (p->state != PROBE_ASKED)
		return;
	if (now.boot >= p->start + PROBE_TIME)
		p->state = PROBE_SILENT;
	else if (now.boot >= end_of(n))
		p->state = PROBE_CUT;
	else if (p->sent < PROBE_SENDS && now.boot >= p->start + send_after[p->sent])
		send_probe(n, p, now, out);
}

/* ---- what follows from the answers ---- */

static bool is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == 4 ? a->ip[0] == 127 : memcmp(a->ip, one, sizeof one) == 0;
}

/* An address that this server may name: to be written to, and nobody's who can be harmed by that. */
static bool is_place(const struct addr *a, const struct addr *server)
{
	return a->family == server->family && a->port &&
	       (ip_is_usable(a->family, a->ip) || (is_loopback(a) && is_loopback(server)));
}

static bool is_other(const struct addr *other, const struct addr *server)
{
	return is_place(other, server) &&
	       !(addr_same_ip(other, server) && other->port == server->port);
}

static struct probe *question(struct netcheck *n, unsigned family, enum netcheck_question q)
{
	return &n->probe[NETCHECK_SERVERS + family * QUESTIONS + q];
}

/* Of use, the more the better: beyond the NAPT, and with another address of its own. */
static unsigned worth(const struct probe *p)
{
	return p->state == PROBE_ANSWERED ? 1 + 2 * !p->own + (p->other.family != 0) : 0;
}

/* The best server, as soon as there can be no better one; NULL: not yet, or none. */
static const struct probe *choose(const struct netcheck *n, unsigned family)
{
	const struct probe *p, *best = NULL;
	bool waiting = false;

	for (p = n->probe; p < n->probe + n->plan.servers; p++) {
		if (p->state == PROBE_IDLE || netcheck_family_of(&p->to) != family)
			continue;
		waiting |= p->state == PROBE_ASKED;
		if (worth(p) > (best ? worth(best) : 0))
			best = p;
	}
	return best && (!waiting || worth(best) == 4) ? best : NULL;
}

static void ask_chosen(struct netcheck *n, unsigned family, uint64_t at)
{
	const struct probe *c = n->chosen[family];
	struct addr to = c->to;

	ask(question(n, family, SECOND_PLAIN), PORT_STUN, &to, 0, at);
	if (!c->other.family)
		return;
	if (c->other.port != c->to.port) {
		ask(question(n, family, SECOND_CHANGE_PORT), PORT_STUN, &to, STUN_CHANGE_PORT, at);
		to.port = c->other.port;
		ask(question(n, family, ASK_OTHER_PORT), PORT_MAIN, &to, 0, at);
	}
	if (!addr_same_ip(&c->other, &c->to)) {
		ask(question(n, family, SECOND_CHANGE_IP), PORT_STUN, &c->to,
		    STUN_CHANGE_IP | STUN_CHANGE_PORT, at);
		to = c->other;
		to.port = c->to.port;
		ask(question(n, family, ASK_OTHER_IP), PORT_MAIN, &to, 0, at);
	}
}

static void ask_hairpin(struct netcheck *n, unsigned family, uint64_t at)
{
	const struct probe *first = n->chosen[family];
	const struct probe *second = question(n, family, SECOND_PLAIN);

	if (second->state != PROBE_ANSWERED || first->own)
		return;
	ask(question(n, family, HAIRPIN_IN), PORT_STUN, &first->mapped, 0, at);
	ask(question(n, family, HAIRPIN_OUT), PORT_MAIN, &second->mapped, 0, at);
}

/* Asks what can be asked now, and sends what is due. */
static void go_on(struct netcheck *n, struct now now, struct outbox *out)
{
	unsigned i;

	for (i = 0; i < NETCHECK_FAMILIES; i++) {
		if (!n->chosen[i]) {
			n->chosen[i] = choose(n, i);
			if (n->chosen[i])
				ask_chosen(n, i, now.boot);
		}
		if (n->chosen[i])
			ask_hairpin(n, i, now.boot);
	}
	for (i = 0; i < PROBES; i++)
		probe_tick(n, &n->probe[i], now, out);
}

/* ---- answers ---- */

static bool is_hairpin(const struct netcheck *n, const struct probe *p)
{
	size_t i = (size_t)(p - n->probe);

	return i >= NETCHECK_SERVERS && (i - NETCHECK_SERVERS) % QUESTIONS >= HAIRPIN_IN;
}

/* Our own question came back to us. */
static void take_hairpin(struct netcheck *n, struct probe *p)
{
	unsigned family = netcheck_family_of(&p->to);

	if (!is_hairpin(n, p) || p->state == PROBE_IDLE)
		return;
	question(n, family, HAIRPIN_IN)->state = PROBE_ANSWERED;
	question(n, family, HAIRPIN_OUT)->state = PROBE_ANSWERED;
}

/* From where it was asked to come? */
static bool came_as_asked(const struct probe *p, const struct addr *from)
{
	if (!p->change)
		return addr_equal(from, &p->to);
	if (p->change & STUN_CHANGE_IP)
		return from->family == p->to.family && !addr_same_ip(from, &p->to);
	return addr_same_ip(from, &p->to) && from->port != p->to.port;
}

static void take_answer(struct probe *p, struct now now, const struct batch *in,
			const struct stun_message *m)
{
	bool as_asked = came_as_asked(p, &in->from);

	if (!as_asked && !addr_equal(&in->from, &p->to))
		return;
	if (m->kind == STUN_ERROR || !as_asked || !is_place(&m->mapped, &p->to)) {
		p->state = PROBE_REFUSED;
		p->error = m->error;
		return;
	}
	p->state = PROBE_ANSWERED;
	p->rtt = now.boot - p->sent_at[m->id.b[ID_PROBE + 1]];
	p->mapped = m->mapped;
	p->own = addr_same_ip(&m->mapped, &in->to) && m->mapped.port == in->to.port;
	if (is_other(&m->other, &p->to))
		p->other = m->other;
}

static void take_datagram(struct netcheck *n, struct now now, const struct batch *in,
			  const uint8_t *p, size_t len)
{
	struct stun_message m;
	struct probe *probe;

	if (!stun_parse(&m, p, len) || memcmp(m.id.b, n->plan.random, sizeof n->plan.random) ||
	    m.id.b[ID_PROBE] >= PROBES)
		return;
	probe = &n->probe[m.id.b[ID_PROBE]];
	if (m.id.b[ID_PROBE + 1] >= probe->sent)
		return;
	if (m.kind == STUN_REQUEST)
		take_hairpin(n, probe);
	else if (probe->state == PROBE_ASKED && probe->port == in->port && !is_hairpin(n, probe))
		take_answer(probe, now, in, &m);
}

static void input(void *self, struct now now, struct batch *in, struct outbox *out)
{
	struct netcheck *n = self;
	uint32_t at, seg = in->seg ? in->seg : in->len;

	for (at = 0; at < in->len; at += seg)
		take_datagram(n, now, in, in->buf + at, MIN(seg, in->len - at));
	go_on(n, now, out);
}

/* ---- TCP to the AS ---- */

static void flow(void *self, struct now now, const struct flow_event *ev, struct outbox *out)
{
	struct netcheck *n = self;
	struct netcheck_as *as;

	if (ev->handle >= n->plan.as_n || n->as_settled[ev->handle])
		return;
	as = &n->as[ev->handle];
	n->as_settled[ev->handle] = true;
	as->reached = ev->what == FLOW_CLOSED ? FACT_NO : FACT_YES;
	as->rtt = now.boot - n->plan.start.boot;
	if (ev->what != FLOW_CLOSED)
		out_close(out, ev->handle);
}

static void as_tick(struct netcheck *n, struct now now, struct outbox *out)
{
	unsigned i;

	for (i = 0; i < n->plan.as_n; i++)
		if (!n->as_settled[i] && now.boot >= n->plan.start.boot + AS_TIME) {
			n->as_settled[i] = true;
			out_close(out, i);
		}
}

/* ---- the half ---- */

static void start(struct netcheck *n, struct now now, struct outbox *out)
{
	unsigned i;

	n->started = true;
	for (i = 0; i < n->plan.servers; i++)
		if (n->plan.local[netcheck_family_of(&n->plan.server[i])].family)
			ask(&n->probe[i], PORT_MAIN, &n->plan.server[i], 0, now.boot);
	for (i = 0; i < n->plan.as_n; i++)
		out_connect(out, i, FLOW_TCP, &n->plan.as[i]);
}

static void tick(void *self, struct now now, struct outbox *out)
{
	struct netcheck *n = self;

	if (!n->started)
		start(n, now, out);
	go_on(n, now, out);
	/* what fell silent just now may be what a choice waited for */
	go_on(n, now, out);
	as_tick(n, now, out);
}

static uint64_t expiry(const void *self)
{
	const struct netcheck *n = self;
	uint64_t at = NEVER;
	unsigned i;

	for (i = 0; i < PROBES; i++)
		at = MIN(at, probe_expiry(&n->probe[i]));
	for (i = 0; i < n->plan.as_n; i++)
		if (!n->as_settled[i])
			at = MIN(at, n->plan.start.boot + AS_TIME);
	return at == NEVER ? NEVER : MIN(at, end_of(n));
}

static void *open_half(const struct netcheck_plan *plan)
{
	struct netcheck *n = calloc(1, sizeof *n);
	unsigned i;

	if (!n)
		return NULL;
	n->plan = *plan;
	for (i = 0; i < plan->as_n; i++)
		n->as[i].at = plan->as[i];
	return n;
}

static void close_half(void *self)
{
	free(self);
}

static void report(const void *self, struct netcheck_report *r)
{
	netcheck_judge(self, r);
}

const struct netcheck_half netcheck_protocol = {
	.open = open_half, .close = close_half, .input = input, .flow = flow, .tick = tick,
	.expiry = expiry, .report = report,
};
