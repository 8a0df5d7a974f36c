/* world.c - the clock, and what happens when. */
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
		world_arrive(w, e);
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
	table_init(&w->net.places);
	return w;
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
	network_free(w);
	free(w->heap);
	free(w->out->scratch);
	free(w->out);
	free(w);
}
