/*
 * flows.c - streams: reliable and in order, each piece as late as its lines make it.  An end
 * is named by a number in events, as it may be gone when they happen.  Boxes are asked once,
 * when a stream is opened; one that forgets breaks it.
 */
#include "t/sim/boxes.h"
#include <stdlib.h>

#define SENT_AGAIN (200 * MS)		/* what the loss of a piece costs a stream */

static struct flow *flow_of(struct seat *s, uint32_t handle)
{
	struct flow *f = s->flows;

	while (f && f->handle != handle)
		f = f->next;
	return f;
}

static struct flow *by_number(struct seat *s, uint64_t number)
{
	struct flow *f = s->flows;

	while (f && f->number != number)
		f = f->next;
	return f;
}

static struct flow *flow_new(struct seat *s, uint32_t handle, enum port port,
			     const struct addr *to)
{
	struct flow *f = calloc(1, sizeof *f);

	if (!f)
		abort();
	f->seat = s;
	f->handle = handle;
	f->port = port;
	f->to = *to;
	f->trail.end[0] = f->trail.end[1] = s->process->host;
	f->number = ++s->process->world->flows;
	f->next = s->flows;
	s->flows = f;
	return f;
}

static void flow_free(struct flow *f)
{
	struct flow **at = &f->seat->flows;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	if (f->peer)
		f->peer->peer = NULL;
	free(f);
}

static uint64_t trail_delay(struct world *w, const struct trail *trail)
{
	uint64_t us = line_delay(w, &trail->end[0]->line);
	unsigned i;

	for (i = 0; i < trail->n; i++)
		us += line_delay(w, &trail->box[i]->line);
	return us;
}

static unsigned trail_loss(const struct trail *trail)
{
	unsigned i, loss = trail->end[0]->line.loss + (trail->end[1] ? trail->end[1]->line.loss : 0);

	for (i = 0; i < trail->n; i++)
		loss += trail->box[i]->line.loss;
	return loss;
}

/* An event for the end `to`, behind everything that `from` sent before. */
static void tell(struct flow *from, struct flow *to, enum flow_what what, const void *data,
		 size_t n)
{
	struct world *w = to->seat->process->world;
	struct event *e = event_new(EV_FLOW, to->seat->process, data, n);
	uint64_t at = w->time + trail_delay(w, &from->trail);

	if (from->trail.end[1])
		at += line_delay(w, &from->trail.end[1]->line);
	if (dice_below(&w->dice, 1000) < trail_loss(&from->trail))
		at += SENT_AGAIN;
	from->arrives = MAX(from->arrives, at);
	e->worker = to->seat->index;
	e->flow = to->number;
	e->what = what;
	event_at(w, e, from->arrives);
}

void flow_connect(struct seat *s, const struct out_item *item)
{
	struct flow *old = flow_of(s, item->handle), *f;
	struct datagram d = { .stream = true, .to = item->to };
	struct host *h = s->process->host;
	struct world *w = s->process->world;
	struct event *e;

	if (old)
		flow_close(s, item->handle);
	f = flow_new(s, item->handle, PORT_MAIN, &item->to);
	f->proto = item->proto;
	if (f->proto == FLOW_UDP) {
		tell(f, f, FLOW_OPENED, NULL, 0);
		return;
	}
	d.from = item->to.family == 4 ? h->ip4 : h->ip6;
	d.from.port = (uint16_t)(32768 + f->number % 28000);
	world_trail(&d, h, &f->trail);
	f->forgot = trail_forgot(&f->trail);
	e = event_new(EV_ACCEPT, s->process, NULL, 0);
	e->worker = s->index;
	e->flow = f->number;
	e->from = d.from;
	e->to = d.to;
	event_at(w, e, w->time + trail_delay(w, &f->trail));
}

/* A connection reaches its listener, if there is one; any worker may get it. */
void flow_accept(struct world *w, struct event *e)
{
	struct flow *f = by_number(&e->process->seat[e->worker], e->flow), *g;
	struct process *p = f ? host_listener(f->trail.end[1], e->to.port, true) : NULL;
	struct flow_event ev = { .what = FLOW_OPENED, .port = PORT_AS, .peer = e->from };
	struct seat *s;

	if (!f)
		return;
	s = p ? &p->seat[dice_below(&w->dice, p->workers)] : NULL;
	if (!s || !s->self) {
		tell(f, f, FLOW_CLOSED, NULL, 0);
		return;
	}
	ev.handle = STREAM_ACCEPTED + ++s->accepted;
	g = flow_new(s, ev.handle, PORT_AS, &ev.peer);
	g->trail = f->trail;
	g->trail.end[0] = f->trail.end[1];
	g->trail.end[1] = f->trail.end[0];
	g->forgot = f->forgot;
	f->peer = g;
	g->peer = f;
	tell(g, f, FLOW_OPENED, NULL, 0);
	seat_enter(s);
	s->process->role->flow(s->self, host_now(w, p->host), &ev, w->out);
	seat_leave(s);
}

static void break_both(struct flow *f, struct flow *g)
{
	f->peer = g->peer = NULL;
	tell(f, g, FLOW_CLOSED, NULL, 0);
	tell(g, f, FLOW_CLOSED, NULL, 0);
}

void flow_send(struct seat *s, const struct out_item *item)
{
	struct flow *f = flow_of(s, item->handle);
	struct process *p = s->process;
	struct datagram d = { .stream = true, .p = item->buf, .len = item->len, .sender = p };
	enum fate fate;

	if (f && f->port == PORT_CTL && p->on_control)
		p->on_control(p->arg, item->buf, item->len);
	if (!f || !f->peer)
		return;
	d.to = f->to;
	fate = world_fate(p->world, &d);
	if (trail_forgot(&f->trail) != f->forgot)
		fate = LOSE;
	switch (fate) {
	case LOSE:
		break_both(f, f->peer);
		return;
	case DELAY:
		f->arrives = MAX(f->arrives, p->world->time) + DELAYED;
		break;
	default:
		break;
	}
	tell(f, f->peer, FLOW_DATA, item->buf, item->len);
}

/* The handle is free at once; the other end hears it after what was sent. */
void flow_close(struct seat *s, uint32_t handle)
{
	struct flow *f = flow_of(s, handle);

	if (!f)
		return;
	if (f->peer)
		tell(f, f->peer, FLOW_CLOSED, NULL, 0);
	flow_free(f);
}

void flow_close_all(struct seat *s)
{
	while (s->flows)
		flow_close(s, s->flows->handle);
}

void flow_deliver(struct world *w, struct event *e)
{
	struct seat *s = &e->process->seat[e->worker];
	struct flow *f = by_number(s, e->flow);
	struct flow_event ev = { .what = e->what, .data = { event_data(e), e->len } };

	if (!f || !s->self)
		return;
	if (e->what == FLOW_DATA)
		world_mark(w, EV_FLOW, event_data(e), e->len);
	ev.port = f->port;
	ev.handle = f->handle;
	ev.peer = f->to;
	if (e->what == FLOW_CLOSED)
		flow_free(f);
	seat_enter(s);
	s->process->role->flow(s->self, host_now(w, s->process->host), &ev, w->out);
	seat_leave(s);
}

/* A client of the control socket: it asks one line and reads until it is closed. */
void process_control(struct process *p, const char *line)
{
	struct seat *s = &p->seat[0];
	static const struct addr nobody;
	struct flow *f;

	if (!s->self)
		return;
	f = flow_new(s, STREAM_ACCEPTED + ++s->accepted, PORT_CTL, &nobody);
	tell(f, f, FLOW_OPENED, NULL, 0);
	tell(f, f, FLOW_DATA, line, strlen(line));
}
