/*
 * network.c - who gets what, when, and in which shape.  Networks hang together by boxes, as a
 * tree with the public one at its root: what is for nobody here goes out by the gate, what is
 * for a box goes in by it, and each line on the way takes its time and its toll.
 */
#include "t/sim/boxes.h"
#include <stdlib.h>

/* ---- addresses ---- */

static struct id key_of(const struct addr *ip)
{
	struct id key;

	memcpy(key.b, ip->ip, 16);
	if (ip->family == 4)
		key.b[15] = 4;
	return key;
}

static struct place *find(const struct lan *lan, const struct addr *ip)
{
	struct id key = key_of(ip);

	return LINK_OWNER(table_get(&lan->places, &key), struct place, link);
}

static struct box *gate_of(const struct lan *lan, const struct addr *ip)
{
	return lan->gate[ip->family == 6];
}

void lan_place(struct lan *lan, const struct addr *ip, struct host *h, struct box *b)
{
	struct place *p = find(lan, ip);

	if (!p) {
		p = calloc(1, sizeof *p);
		if (!p)
			abort();
		p->link.id = key_of(ip);
		table_add(&lan->places, &p->link);
	}
	p->host = h;
	p->box = b;
}

void lan_leave(struct lan *lan, const struct addr *ip)
{
	struct place *p = find(lan, ip);

	if (!p)
		return;
	table_remove(&lan->places, &p->link);
	free(p);
}

/* Where an address is known: on its own network, and outside of each box that only routes. */
static void settle(struct host *h, const struct addr *ip)
{
	struct lan *lan = h->lan;
	struct box *gate;

	lan_place(lan, ip, h, NULL);
	while ((gate = gate_of(lan, ip)) && !gate->ip.family) {
		lan = gate->outside;
		lan_place(lan, ip, NULL, gate);
	}
}

void lan_settle(struct world *w, struct lan *lan)
{
	struct host *h;

	for (h = w->hosts; h; h = h->next) {
		if (h->lan == lan && h->ip4.family)
			settle(h, &h->ip4);
		if (h->lan == lan && h->ip6.family)
			settle(h, &h->ip6);
	}
}

static void unsettle(struct host *h, struct addr *ip)
{
	struct lan *lan = h->lan;
	struct box *gate;

	if (!ip->family)
		return;
	lan_leave(lan, ip);
	while ((gate = gate_of(lan, ip)) && !gate->ip.family) {
		lan = gate->outside;
		lan_leave(lan, ip);
	}
	memset(ip, 0, sizeof *ip);
}

void host_enter(struct host *h, struct lan *lan, const char *ip4, const char *ip6)
{
	unsettle(h, &h->ip4);
	unsettle(h, &h->ip6);
	h->lan = lan;
	if (ip4 && ip_parse(&h->ip4, ip4, 0))
		settle(h, &h->ip4);
	if (ip6 && ip_parse(&h->ip6, ip6, 0))
		settle(h, &h->ip6);
}

void host_move(struct world *w, struct host *h, const char *ip4, const char *ip6)
{
	host_enter(h, h->lan, ip4, ip6);
}

struct host *host_new(struct world *w, const char *ip4, const char *ip6)
{
	struct host *h = calloc(1, sizeof *h);

	if (!h)
		abort();
	h->line = w->line;
	/* no two machines were switched on together */
	h->boot_skew = (int64_t)dice_below(&w->dice, 86400 * SEC);
	h->next = w->hosts;
	w->hosts = h;
	host_enter(h, &w->net, ip4, ip6);
	return h;
}

struct lan *lan_new(struct world *w)
{
	struct lan *lan = calloc(1, sizeof *lan);

	if (!lan)
		abort();
	table_init(&lan->places);
	lan->next = w->net.next;
	w->net.next = lan;
	return lan;
}

static void free_place(void *arg, struct link *link)
{
	free(LINK_OWNER(link, struct place, link));
}

static void lan_empty(struct lan *lan)
{
	table_each(&lan->places, free_place, NULL);
	table_free(&lan->places);
}

void network_free(struct world *w)
{
	struct lan *lan;
	struct box *b;

	while ((b = w->boxes)) {
		w->boxes = b->next;
		box_free(b);
	}
	while ((lan = w->net.next)) {
		w->net.next = lan->next;
		lan_empty(lan);
		free(lan);
	}
	lan_empty(&w->net);
}

/* ---- lines ---- */

uint64_t line_delay(struct world *w, const struct line *l)
{
	return l->delay + dice_below(&w->dice, l->jitter + 1);
}

static bool hits(struct world *w, unsigned per_a, unsigned per_b)
{
	if (!per_a && !per_b)
		return false;
	return dice_below(&w->dice, 1000) < per_a || dice_below(&w->dice, 1000) < per_b;
}

/* ---- datagrams ---- */

enum fate world_fate(struct world *w, struct datagram *d)
{
	d->number = w->sent++;
	return w->spy ? w->spy(w->spy_arg, d) : PASS;
}

static void fly(struct world *w, struct lan *lan, const struct datagram *d, const struct line *a,
		const struct line *b, uint64_t more)
{
	struct event *e;

	if (hits(w, a->loss, b->loss))
		return;
	e = event_new(EV_DATAGRAM, NULL, d->p, d->len);
	e->lan = lan;
	e->from = d->from;
	e->to = d->to;
	e->ecn = d->ecn;
	more += line_delay(w, a) + line_delay(w, b);
	event_at(w, e, w->time + more);
}

/* From whoever has that line (and is that box, or a host) to the next who knows where to. */
static void forward(struct world *w, struct lan *lan, const struct datagram *d,
		    const struct box *by, const struct line *line, enum fate fate)
{
	static const struct line none;
	const struct place *place = find(lan, &d->to);
	const struct line *there = &none;

	if (!place && !gate_of(lan, &d->to)) {
		w->astray++;
		return;
	}
	if (place)
		there = place->host ? &place->host->line : &place->box->line;
	if (place && by && place->box == by)
		line = there = &none;		/* a hairpin does not leave the box */
	fly(w, lan, d, line, there, fate == DELAY ? DELAYED : 0);
	if (fate == DOUBLE || (line->twice && dice_below(&w->dice, 1000) < line->twice))
		fly(w, lan, d, line, there, 0);
}

static void launch(struct seat *s, struct datagram *d)
{
	struct world *w = s->process->world;
	struct host *h = s->process->host;
	enum fate fate = world_fate(w, d);

	if (fate != LOSE)
		forward(w, h->lan, d, NULL, &h->line, fate);
}

void world_send(struct seat *s, const struct out_item *item)
{
	struct host *h = s->process->host;
	struct datagram d = { .from = item->from, .to = item->to, .ecn = item->ecn,
			      .sender = s->process };
	uint32_t at, seg = item->seg ? item->seg : item->len;

	if (!d.from.family)
		d.from = d.to.family == 4 ? h->ip4 : h->ip6;
	d.from.port = item->port == PORT_STUN ? s->process->udp2 : s->process->udp;
	/* sent from an address that was taken away, or over a family there is none of */
	if (!addr_same_ip(&d.from, d.to.family == 4 ? &h->ip4 : &h->ip6) || !d.from.family) {
		s->process->world->astray++;
		return;
	}
	for (at = 0; at < item->len; at += d.len) {
		d.p = item->buf + at;
		d.len = MIN(seg, item->len - at);
		launch(s, &d);
	}
}

struct process *host_listener(const struct host *h, uint16_t port, bool tcp)
{
	struct process *p = h && port ? h->processes : NULL;

	while (p && (tcp ? p->tcp != port : p->udp != port && p->udp2 != port))
		p = p->next;
	return p;
}

struct process *world_listener(struct world *w, const struct addr *to, bool tcp)
{
	const struct place *place = find(&w->net, to);

	return host_listener(place ? place->host : NULL, to->port, tcp);
}

static void deliver(struct world *w, struct host *h, struct event *e)
{
	struct process *p = host_listener(h, e->to.port, false);

	if (!p) {
		w->astray++;
		return;
	}
	world_mark(w, EV_DATAGRAM, event_data(e), e->len);
	if (w->tap)
		w->tap(w->tap_arg, p, &(struct datagram){ .from = e->from, .to = e->to,
				.p = event_data(e), .len = e->len });
	process_datagram(p, &e->from, &e->to, e->ecn, event_data(e), e->len, 0);
}

void world_arrive(struct world *w, struct event *e)
{
	static const struct line none;
	const struct place *place = find(e->lan, &e->to);
	struct datagram d = { .from = e->from, .to = e->to, .ecn = e->ecn, .p = event_data(e),
			      .len = e->len };
	struct box *b = place ? place->box : gate_of(e->lan, &e->to);

	if (place && place->host)
		deliver(w, place->host, e);
	else if (!b)
		w->astray++;		/* who was there is gone */
	else if (place && box_in(b, &d))
		forward(w, b->inside, &d, NULL, &none, PASS);
	else if (!place && box_out(b, &d))
		forward(w, b->outside, &d, b, &b->line, PASS);
}

/* ---- the way of a stream ---- */

void world_trail(struct datagram *d, struct host *from, struct trail *trail)
{
	struct lan *lan = from->lan;
	const struct place *place;
	struct box *b;

	*trail = (struct trail){ .end = { from } };
	while (d->from.family && trail->n < TRAIL_MAX) {
		place = find(lan, &d->to);
		if (place && place->host) {
			trail->end[1] = place->host;
			return;
		}
		b = place ? place->box : gate_of(lan, &d->to);
		if (!b || !(place ? box_in(b, d) : box_out(b, d)))
			return;
		trail->box[trail->n++] = b;
		lan = place ? b->inside : b->outside;
	}
}

uint64_t trail_forgot(const struct trail *trail)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < trail->n; i++)
		sum += trail->box[i]->forgot;
	return sum;
}
