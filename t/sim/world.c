/* world.c - the clock and the network: who gets what, when, and in which shape. */
#include "t/sim/world.h"
#include <stdio.h>
#include <stdlib.h>

#define BEGAN (1800000000 * SEC)	/* 2027-01-15: wall clock when the world begins */
#define BOOTED (1000 * SEC)		/* boot clock then */

struct now host_now(const struct world *w, const struct host *h)
{
	return (struct now){
		.boot = w->time + BOOTED + (uint64_t)h->boot_skew,
		.wall = w->time + BEGAN + (uint64_t)h->wall_skew,
	};
}

/* FNV-1a: the run's fingerprint needs no strength. */
static void mix(struct world *w, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n--)
		w->hash = (w->hash ^ *p++) * 0x100000001b3;
}

void world_mark(struct world *w, uint8_t kind, const void *data, size_t n)
{
	uint64_t len = n;

	mix(w, &w->time, sizeof w->time);
	mix(w, &kind, 1);
	mix(w, &len, sizeof len);
	mix(w, data, n);
}

/* ---- addresses ---- */

static struct id key_of(const struct addr *ip)
{
	struct id key;

	memcpy(key.b, ip->ip, 16);
	if (ip->family == 4)
		key.b[15] = 4;
	return key;
}

struct place *world_place(struct world *w, const struct addr *ip)
{
	struct id key = key_of(ip);

	return LINK_OWNER(table_get(&w->places, &key), struct place, link);
}

void host_place(struct world *w, const struct addr *ip, struct host *h, struct box *b)
{
	struct place *p = world_place(w, ip);

	if (!p) {
		p = calloc(1, sizeof *p);
		if (!p)
			abort();
		p->link.id = key_of(ip);
		table_add(&w->places, &p->link);
	}
	p->host = h;
	p->box = b;
}

static void leave(struct world *w, const struct addr *ip)
{
	struct place *p = world_place(w, ip);

	if (!ip->family || !p)
		return;
	table_remove(&w->places, &p->link);
	free(p);
}

void host_move(struct world *w, struct host *h, const char *ip4, const char *ip6)
{
	leave(w, &h->ip4);
	leave(w, &h->ip6);
	memset(&h->ip4, 0, sizeof h->ip4);
	memset(&h->ip6, 0, sizeof h->ip6);
	if (ip4 && ip_parse(&h->ip4, ip4, 0))
		host_place(w, &h->ip4, h, NULL);
	if (ip6 && ip_parse(&h->ip6, ip6, 0))
		host_place(w, &h->ip6, h, NULL);
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
	host_move(w, h, ip4, ip6);
	return h;
}

struct process *world_listener(struct world *w, const struct addr *to, bool tcp)
{
	struct place *place = world_place(w, to);
	struct process *p = place && place->host ? place->host->processes : NULL;

	while (p && (tcp ? p->tcp : p->udp) != to->port)
		p = p->next;
	return p;
}

/* ---- datagrams ---- */

uint64_t line_delay(struct world *w, const struct line *l)
{
	return l->delay + dice_below(&w->dice, l->jitter + 1);
}

enum fate world_fate(struct world *w, struct datagram *d)
{
	d->number = w->sent++;
	return w->spy ? w->spy(w->spy_arg, d) : PASS;
}

static bool hits(struct world *w, const struct host *a, const struct host *b, unsigned per_a,
		 unsigned per_b)
{
	if (!per_a && !per_b)
		return false;
	return dice_below(&w->dice, 1000) < per_a || (b && dice_below(&w->dice, 1000) < per_b);
}

static void fly(struct world *w, const struct host *from, const struct datagram *d,
		uint64_t more)
{
	struct place *place = world_place(w, &d->to);
	const struct host *there = place ? place->host : NULL;
	struct event *e;

	if (!place) {
		w->astray++;
		return;
	}
	if (hits(w, from, there, from->line.loss, there ? there->line.loss : 0))
		return;
	e = event_new(EV_DATAGRAM, NULL, d->p, d->len);
	e->from = d->from;
	e->to = d->to;
	e->ecn = d->ecn;
	more += line_delay(w, &from->line) + (there ? line_delay(w, &there->line) : 0);
	event_at(w, e, w->time + more);
}

static void launch(struct seat *s, struct datagram *d)
{
	struct world *w = s->process->world;
	struct host *h = s->process->host;
	enum fate fate = world_fate(w, d);

	if (fate == LOSE || (h->box && !h->box->out(h->box, host_now(w, h), h, d)))
		return;
	fly(w, h, d, fate == DELAY ? DELAYED : 0);
	if (fate == DOUBLE || hits(w, h, NULL, h->line.twice, 0))
		fly(w, h, d, 0);
}

void world_send(struct seat *s, const struct out_item *item)
{
	struct host *h = s->process->host;
	struct datagram d = { .from = item->from, .to = item->to, .ecn = item->ecn,
			      .sender = s->process };
	uint32_t at, seg = item->seg ? item->seg : item->len;

	if (!d.from.family)
		d.from = d.to.family == 4 ? h->ip4 : h->ip6;
	d.from.port = s->process->udp;
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

static void arrive(struct world *w, struct event *e)
{
	struct place *place = world_place(w, &e->to);
	struct host *h = place ? place->host : NULL;
	struct process *p;
	struct datagram d = { .from = e->from, .to = e->to, .ecn = e->ecn, .p = event_data(e),
			      .len = e->len };

	if (place && place->box) {
		struct now now = { w->time + BOOTED, w->time + BEGAN };

		h = place->box->in(place->box, now, &d);
	}
	for (p = h ? h->processes : NULL; p && p->udp != d.to.port; p = p->next)
		;
	if (!p) {
		w->astray++;
		return;
	}
	world_mark(w, EV_DATAGRAM, d.p, d.len);
	process_datagram(p, &d.from, &d.to, d.ecn, event_data(e), d.len, 0);
}

/* ---- the clock ---- */

static void happen(struct world *w, struct alarm_event *a)
{
	struct event *e = (struct event *)(void *)a;

	if (a->seat) {
		seat_tick(a->seat);
		return;
	}
	switch (e->kind) {
	case EV_DATAGRAM:
		arrive(w, e);
		break;
	case EV_ACCEPT:
		flow_accept(w, e);
		break;
	case EV_FLOW:
		flow_deliver(w, e);
		break;
	case EV_CALL:
		e->call(e->arg);
		break;
	default:
		process_event(e);
	}
	free(e);
}

static bool step(struct world *w, uint64_t end)
{
	struct alarm_event *a = w->queued ? w->heap[0] : NULL;

	if (!a || a->at > end)
		return false;
	queue_clear(w, a);
	w->time = MAX(w->time, a->at);
	happen(w, a);
	return true;
}

bool world_until(struct world *w, uint64_t us, bool (*holds)(void *arg), void *arg)
{
	uint64_t end = w->time + us;

	while (!holds || !holds(arg)) {
		if (step(w, end))
			continue;
		w->time = end;
		return holds && holds(arg);
	}
	return true;
}

void world_run(struct world *w, uint64_t us)
{
	world_until(w, us, NULL, NULL);
}

void world_call(struct world *w, uint64_t us, void (*call)(void *arg), void *arg)
{
	struct event *e = event_new(EV_CALL, NULL, NULL, 0);

	e->call = call;
	e->arg = arg;
	event_at(w, e, w->time + us);
}

struct event *event_new(enum event_kind kind, struct process *p, const void *data, size_t n)
{
	struct event *e = calloc(1, sizeof *e + HEADROOM + n + TAILROOM);

	if (!e)
		abort();
	e->kind = kind;
	e->process = p;
	e->len = (uint32_t)n;
	if (n)
		memcpy(event_data(e), data, n);
	return e;
}

void event_at(struct world *w, struct event *e, uint64_t at)
{
	queue_set(w, &e->when, at);
}

/* ---- life ---- */

static void flush(struct outbox *out)
{
	struct world *w = out->owner;
	unsigned i;

	for (i = 0; i < out->n; i++)
		process_carry(w->current, &out->item[i]);
	out->n = 0;
	out->used = 0;
}

struct world *world_new(uint64_t seed)
{
	struct world *w = calloc(1, sizeof *w);

	if (w)
		w->out = calloc(1, sizeof *w->out);
	if (w && w->out)
		w->out->scratch = malloc(OUTBOX_SCRATCH);
	if (!w || !w->out || !w->out->scratch)
		abort();
	random_seed(seed);
	dice_seed(&w->dice, ~seed);
	w->out->flush = flush;
	w->out->owner = w;
	w->hash = 0xcbf29ce484222325;
	w->line.delay = 5 * MS;
	w->helper_delay = 20 * MS;
	put64(w->boot_id, seed);
	put64(w->boot_id + 8, 1);
	table_init(&w->places);
	return w;
}

static void free_place(void *arg, struct link *link)
{
	free(LINK_OWNER(link, struct place, link));
}

void world_free(struct world *w)
{
	struct host *h;
	struct process *p;

	while ((h = w->hosts)) {
		while ((p = h->processes)) {
			process_stop(p);
			h->processes = p->next;
			free(p);
		}
		w->hosts = h->next;
		free(h);
	}
	while (w->queued) {
		struct alarm_event *a = w->heap[0];

		queue_clear(w, a);
		if (!a->seat)
			free(a);
	}
	table_each(&w->places, free_place, NULL);
	table_free(&w->places);
	free(w->heap);
	free(w->out->scratch);
	free(w->out);
	free(w);
}
