/*
 * boxes.c - a binding is an address inside, one outside and, where the mapping depends on it,
 * the far end.  It stands as long as one of its talks does: to whom something was said, and
 * whether that one answered.  Talks are also what filtering asks.
 */
#include "t/sim/boxes.h"
#include <stdlib.h>

#define PORT_FIRST 1024
#define PORT_TRIES 1000			/* then it is full */

struct talk {
	struct talk *next;
	struct addr far;
	bool answered;
	uint64_t until;
};

struct binding {
	struct binding *next;
	bool stream;
	struct addr inner, outer;
	struct addr far;		/* the first; others only where the mapping is the same for them */
	struct talk *talks;
};

static const struct {
	const char *name;
	struct behaviour is;
} kinds[BOX_KINDS] = {
	[FULL_CONE] = { "full cone",
		{ MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ENDPOINT_INDEPENDENT } },
	[RESTRICTED] = { "restricted",
		{ MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ADDRESS_DEPENDENT } },
	[PORT_RESTRICTED] = { "port restricted",
		{ MAPPING_ENDPOINT_INDEPENDENT, FILTERING_PORT_DEPENDENT } },
	[SYMMETRIC] = { "symmetric", { MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT } },
	[FIREWALL] = { "firewall", { MAPPING_NONE, FILTERING_PORT_DEPENDENT } },
	[ROUTER] = { "router", { MAPPING_NONE, FILTERING_ENDPOINT_INDEPENDENT } },
};

const char *box_kind_name(enum box_kind kind)
{
	return kinds[kind].name;
}

/* ---- time ---- */

static void talks_expire(struct binding *m, uint64_t now)
{
	struct talk **at = &m->talks, *t;

	while ((t = *at)) {
		if (t->until > now) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		free(t);
	}
}

/* Forgets what is over at that time; NEVER: everything. */
static void expire(struct box *b, uint64_t now)
{
	struct binding **at = &b->bindings, *m;

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

static void refresh(const struct box *b, struct talk *t)
{
	t->until = b->world->time + (t->answered ? b->answered : b->unanswered);
}

unsigned box_mappings(struct box *b)
{
	const struct binding *m;
	unsigned count = 0;

	expire(b, b->world->time);
	for (m = b->bindings; m; m = m->next)
		count++;
	return count;
}

static struct talk *talk_with(const struct binding *m, const struct addr *far)
{
	struct talk *t = m->talks;

	while (t && !addr_equal(&t->far, far))
		t = t->next;
	return t;
}

static struct talk *talk_new(struct binding *m, const struct addr *far)
{
	struct talk *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	t->far = *far;
	t->next = m->talks;
	m->talks = t;
	return t;
}

/* ---- out ---- */

static bool maps_alike(enum mapping is, const struct addr *a, const struct addr *b)
{
	if (is == MAPPING_PORT_DEPENDENT)
		return addr_equal(a, b);
	return is != MAPPING_ADDRESS_DEPENDENT || addr_same_ip(a, b);
}

static struct binding *by_inner(const struct box *b, const struct datagram *d)
{
	struct binding *m = b->bindings;

	while (m && (m->stream != d->stream || !addr_equal(&m->inner, &d->from) ||
		     !maps_alike(b->is.mapping, &m->far, &d->to)))
		m = m->next;
	return m;
}

static struct binding *by_outer(const struct box *b, bool stream, const struct addr *outer)
{
	struct binding *m = b->bindings;

	while (m && (m->stream != stream || !addr_equal(&m->outer, outer)))
		m = m->next;
	return m;
}

static bool choose_port(struct box *b, struct binding *m)
{
	unsigned tries;

	m->outer = b->ip;
	m->outer.port = m->inner.port;
	if (b->keeps_port && !by_outer(b, m->stream, &m->outer))
		return true;
	for (tries = 0; tries < PORT_TRIES; tries++) {
		m->outer.port = (uint16_t)(PORT_FIRST +
					   dice_below(&b->world->dice, 65536 - PORT_FIRST));
		if (!by_outer(b, m->stream, &m->outer))
			return true;
	}
	return false;
}

/* NULL: no port is free. */
static struct binding *bind_new(struct box *b, const struct datagram *d)
{
	struct binding *m = calloc(1, sizeof *m);

	if (!m)
		abort();
	m->stream = d->stream;
	m->inner = m->outer = d->from;
	m->far = d->to;
	if (b->ip.family && !choose_port(b, m)) {
		free(m);
		return NULL;
	}
	m->next = b->bindings;
	b->bindings = m;
	b->made++;
	return m;
}

bool box_out(struct box *b, struct datagram *d)
{
	struct binding *m;
	struct talk *t;

	if (b->kind == ROUTER)
		return true;
	if (b->ip.family && !b->hairpin && addr_same_ip(&d->to, &b->ip))
		return false;
	expire(b, b->world->time);
	m = by_inner(b, d);
	if (!m)
		m = bind_new(b, d);
	if (!m)
		return false;
	t = talk_with(m, &d->to);
	refresh(b, t ? t : talk_new(m, &d->to));
	d->from = m->outer;
	return true;
}

/* ---- in ---- */

static bool lets_in(enum filtering is, const struct binding *m, const struct addr *from)
{
	const struct talk *t = m->talks;

	if (is == FILTERING_PORT_DEPENDENT)
		return talk_with(m, from);
	while (is == FILTERING_ADDRESS_DEPENDENT && t && !addr_same_ip(&t->far, from))
		t = t->next;
	return t;
}

bool box_in(struct box *b, struct datagram *d)
{
	struct binding *m;
	struct talk *t;

	if (b->kind == ROUTER)
		return true;
	expire(b, b->world->time);
	m = by_outer(b, d->stream, &d->to);
	if (!m || !lets_in(b->is.filtering, m, &d->from)) {
		b->filtered++;
		return false;
	}
	/* a stranger that is let in keeps nothing alive */
	t = talk_with(m, &d->from);
	if (t) {
		t->answered = true;
		refresh(b, t);
	}
	d->to = m->inner;
	return true;
}

/* ---- life ---- */

static struct box *box_new(struct world *w, enum box_kind kind, struct lan *inside,
			   struct lan *outside)
{
	struct box *b = calloc(1, sizeof *b);

	if (!b)
		abort();
	b->next = w->boxes;
	w->boxes = b;
	b->world = w;
	b->kind = kind;
	b->is = kinds[kind].is;
	b->inside = inside ? inside : lan_new(w);
	b->outside = outside ? outside : &w->net;
	b->line = w->line;
	b->unanswered = 30 * SEC;
	b->answered = 120 * SEC;
	return b;
}

struct box *box_wall(struct world *w, enum box_kind kind, unsigned family, struct lan *inside,
		     struct lan *outside)
{
	struct box *b = box_new(w, kind, inside, outside);

	b->inside->gate[family == 6] = b;
	lan_settle(w, b->inside);
	return b;
}

static void take_address(struct box *b, const char *ip)
{
	if (!ip_parse(&b->ip, ip, 0))
		abort();
	lan_place(b->outside, &b->ip, NULL, b);
}

struct box *box_napt(struct world *w, enum box_kind kind, const char *ip, struct lan *outside)
{
	struct box *b = box_new(w, kind, NULL, outside);

	take_address(b, ip);
	b->inside->gate[b->ip.family == 6] = b;
	return b;
}

void box_forget(struct box *b, const char *ip)
{
	expire(b, NEVER);
	b->forgot++;
	if (!ip)
		return;
	lan_leave(b->outside, &b->ip);
	take_address(b, ip);
}

void box_free(struct box *b)
{
	expire(b, NEVER);
	free(b);
}
