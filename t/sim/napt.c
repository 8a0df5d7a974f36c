/*
 * napt.c - a mapping is an address inside, one outside and, where mapping depends on it, the far
 * end.  It stands as long as one of its talks does: what was said to one far end, and whether
 * that answered.  Talks are also what filtering asks.
 */
#include "t/sim/napt.h"
#include <stdlib.h>

#define PORT_FIRST 1024
#define PORT_TRIES 1000			/* then it is full */

struct talk {
	struct talk *next;
	struct addr far;
	bool answered;
	uint64_t until;
};

struct mapping {
	struct mapping *next;
	bool stream;
	struct addr inner, outer;
	struct addr far;		/* as much of it as the mapping depends on */
	struct talk *talks;
};

static const struct {
	const char *name;
	enum depends mapping, filtering;
} kinds[NAPT_KINDS] = {
	[FULL_CONE] = { "full cone", ENDPOINT_INDEPENDENT, ENDPOINT_INDEPENDENT },
	[RESTRICTED] = { "restricted", ENDPOINT_INDEPENDENT, ADDRESS_DEPENDENT },
	[PORT_RESTRICTED] = { "port restricted", ENDPOINT_INDEPENDENT,
			      ADDRESS_AND_PORT_DEPENDENT },
	[SYMMETRIC] = { "symmetric", ADDRESS_AND_PORT_DEPENDENT, ADDRESS_AND_PORT_DEPENDENT },
	[FIREWALL] = { "firewall", ENDPOINT_INDEPENDENT, ADDRESS_AND_PORT_DEPENDENT },
	[ROUTER] = { "router", ENDPOINT_INDEPENDENT, ENDPOINT_INDEPENDENT },
};

const char *napt_kind_name(enum napt_kind kind)
{
	return kinds[kind].name;
}

const char *depends_name(enum depends d)
{
	static const char *const name[] = { "endpoint independent", "address dependent",
					    "address and port dependent" };

	return name[d];
}

/* ---- time ---- */

static void talks_expire(struct mapping *m, uint64_t now)
{
	struct talk **at = &m->talks, *s;

	while ((s = *at)) {
		if (s->until > now) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		free(s);
	}
}

/* Forgets what is over at that time; NEVER: everything. */
static void expire(struct napt *n, uint64_t now)
{
	struct mapping **at = &n->mappings, *m;

	while ((m = *at)) {
		talks_expire(m, now);
		if (m->talks) {
			at = &m->next;
			continue;
		}
		*at = m->next;
		free(m);
	}
}

static void refresh(const struct napt *n, struct talk *s)
{
	s->until = n->box.world->time + (s->answered ? n->answered : n->unanswered);
}

unsigned napt_mappings(struct napt *n)
{
	const struct mapping *m;
	unsigned count = 0;

	expire(n, n->box.world->time);
	for (m = n->mappings; m; m = m->next)
		count++;
	return count;
}

/* ---- out ---- */

static bool same(enum depends on, const struct addr *a, const struct addr *b)
{
	return on == ENDPOINT_INDEPENDENT ||
	       (addr_same_ip(a, b) && (on == ADDRESS_DEPENDENT || a->port == b->port));
}

static struct mapping *by_inner(const struct napt *n, const struct datagram *d)
{
	struct mapping *m = n->mappings;

	while (m && (m->stream != d->stream || !addr_equal(&m->inner, &d->from) ||
		     !same(n->mapping, &m->far, &d->to)))
		m = m->next;
	return m;
}

static struct mapping *by_outer(const struct napt *n, bool stream, const struct addr *outer)
{
	struct mapping *m = n->mappings;

	while (m && (m->stream != stream || !addr_equal(&m->outer, outer)))
		m = m->next;
	return m;
}

static bool choose_port(struct napt *n, struct mapping *m)
{
	unsigned tries;

	m->outer = n->ip;
	m->outer.port = m->inner.port;
	if (n->keeps_port && !by_outer(n, m->stream, &m->outer))
		return true;
	for (tries = 0; tries < PORT_TRIES; tries++) {
		m->outer.port = (uint16_t)(PORT_FIRST +
					   dice_below(&n->box.world->dice, 65536 - PORT_FIRST));
		if (!by_outer(n, m->stream, &m->outer))
			return true;
	}
	return false;
}

/* NULL: no port is free. */
static struct mapping *map(struct napt *n, const struct datagram *d)
{
	struct mapping *m = calloc(1, sizeof *m);

	if (!m)
		abort();
	m->stream = d->stream;
	m->inner = m->outer = d->from;
	m->far = d->to;
	if (n->ip.family && !choose_port(n, m)) {
		free(m);
		return NULL;
	}
	m->next = n->mappings;
	n->mappings = m;
	n->made++;
	return m;
}

static struct talk *talk_with(const struct mapping *m, enum depends on, const struct addr *far)
{
	struct talk *s = m->talks;

	while (s && !same(on, &s->far, far))
		s = s->next;
	return s;
}

static struct talk *talk_new(struct mapping *m, const struct addr *far)
{
	struct talk *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->far = *far;
	s->next = m->talks;
	m->talks = s;
	return s;
}

static bool napt_out(struct box *b, struct datagram *d)
{
	struct napt *n = (struct napt *)b;
	struct mapping *m;
	struct talk *s;

	if (n->ip.family && !n->hairpin && addr_same_ip(&d->to, &n->ip))
		return false;
	expire(n, b->world->time);
	m = by_inner(n, d);
	if (!m)
		m = map(n, d);
	if (!m)
		return false;
	s = talk_with(m, ADDRESS_AND_PORT_DEPENDENT, &d->to);
	refresh(n, s ? s : talk_new(m, &d->to));
	d->from = m->outer;
	return true;
}

/* ---- in ---- */

static bool napt_in(struct box *b, struct datagram *d)
{
	struct napt *n = (struct napt *)b;
	struct mapping *m;
	struct talk *s;

	expire(n, b->world->time);
	m = by_outer(n, d->stream, &d->to);
	if (!m || !talk_with(m, n->filtering, &d->from)) {
		n->filtered++;
		return false;
	}
	/* a stranger that is let in keeps nothing alive */
	s = talk_with(m, ADDRESS_AND_PORT_DEPENDENT, &d->from);
	if (s) {
		s->answered = true;
		refresh(n, s);
	}
	d->to = m->inner;
	return true;
}

static bool pass(struct box *b, struct datagram *d)
{
	return true;
}

/* ---- life ---- */

static void napt_free(struct box *b)
{
	struct napt *n = (struct napt *)b;

	expire(n, NEVER);
	free(n);
}

static struct napt *make(struct world *w, enum napt_kind kind, struct lan *inside,
			 struct lan *outside)
{
	struct napt *n = calloc(1, sizeof *n);

	if (!n)
		abort();
	n->box = (struct box){
		.next = w->boxes, .world = w, .line = w->line, .free = napt_free,
		.inside = inside ? inside : lan_new(w), .outside = outside ? outside : &w->net,
		.out = kind == ROUTER ? pass : napt_out, .in = kind == ROUTER ? pass : napt_in,
	};
	w->boxes = &n->box;
	n->kind = kind;
	n->mapping = kinds[kind].mapping;
	n->filtering = kinds[kind].filtering;
	n->unanswered = 30 * SEC;
	n->answered = 120 * SEC;
	return n;
}

struct napt *napt_wall(struct world *w, enum napt_kind kind, unsigned family, struct lan *inside,
		       struct lan *outside)
{
	struct napt *n = make(w, kind, inside, outside);

	n->box.inside->gate[family == 6] = &n->box;
	return n;
}

struct napt *napt_new(struct world *w, enum napt_kind kind, const char *ip, struct lan *outside)
{
	struct napt *n = make(w, kind, NULL, outside);

	if (!ip_parse(&n->ip, ip, 0))
		abort();
	n->box.translates = true;
	n->box.inside->gate[n->ip.family == 6] = &n->box;
	lan_place(n->box.outside, &n->ip, NULL, &n->box);
	return n;
}

void napt_forget(struct napt *n, const char *ip)
{
	expire(n, NEVER);
	n->box.forgot++;
	if (!ip)
		return;
	lan_leave(n->box.outside, &n->ip);
	if (!ip_parse(&n->ip, ip, 0))
		abort();
	lan_place(n->box.outside, &n->ip, NULL, &n->box);
}
