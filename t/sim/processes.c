/* processes.c - roles with their workers, helper and master, as the world calls them. */
#include "t/sim/world.h"
#include <stdio.h>
#include <stdlib.h>

#define NOTE_DELAY 10		/* us from worker to worker, and to and from the master */
#define PACKET_DELAY 20		/* us from a program on the computer to the TUN device */

/* A bug no story can go on from. */
__attribute__((noreturn))
static void bail(const struct process *p, const char *what, const char *detail)
{
	printf("Bail out! %s %s%s (at %.6f s)\n", p->role->name, what, detail,
	       (double)p->world->time / SEC);
	exit(99);
}

static uint64_t sum(const struct verdicts *v)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < V_COUNT; i++)
		n += v->count[i];
	return n;
}

/* ---- calls ---- */

/* The store is one for all workers here: each writes its own live environment. */
struct seat *seat_enter(struct seat *s)
{
	struct world *w = s->process->world;

	if (w->current)
		bail(s->process, "called from within a call", "");
	w->current = s;
	if (s->process->store)
		store_turn(s->process->store, s->index);
	return s;
}

void seat_leave(struct seat *s)
{
	struct world *w = s->process->world;
	uint64_t at = s->process->role->expiry(s->self);
	uint64_t ahead = host_now(w, s->process->host).boot - w->time;

	w->out->flush(w->out);
	w->current = NULL;
	queue_set(w, &s->alarm, at == NEVER ? NEVER : MAX(at, ahead + w->time) - ahead);
}

void seat_tick(struct seat *s)
{
	struct process *p = s->process;
	struct world *w = p->world;

	s->ticks = s->ticked == w->time ? s->ticks + 1 : 0;
	s->ticked = w->time;
	if (s->ticks > TICKS_MAX)
		bail(p, "spins: its expiry() stays in the past", "");
	seat_enter(s);
	p->role->tick(s->self, host_now(w, p->host), w->out);
	seat_leave(s);
}

/* buf has HEADROOM and TAILROOM. */
void process_datagram(struct process *p, const struct addr *from, const struct addr *to,
		      uint8_t ecn, uint8_t *buf, size_t n, size_t seg)
{
	/* as the kernel's program steers: by the last octet of the first datagram's ID */
	unsigned worker = n > 31 ? buf[31] % p->workers : 0;
	struct seat *s = &p->seat[worker];
	struct batch in = { .port = PORT_MAIN, .from = *from, .to = *to, .buf = buf, .len = (uint32_t)n, .seg = (uint16_t)(seg ? seg : n), .ecn = ecn };
	uint64_t before, datagrams = (n + in.seg - 1) / (in.seg ? in.seg : 1);

	if (!s->self || !n)
		return;
	if (p->udp2 && to->port == p->udp2)
		in.port = PORT_STUN;
	before = sum(p->role->verdicts(s->self));
	seat_enter(s);
	p->role->input(s->self, host_now(p->world, p->host), &in, p->world->out);
	seat_leave(s);
	if (sum(p->role->verdicts(s->self)) < before + datagrams)
		bail(p, "let a datagram end without a verdict", "");
}

static void give_packet(struct process *p, struct event *e)
{
	struct seat *s = &p->seat[0];
	struct batch in = { .buf = event_data(e), .len = e->len, .seg = (uint16_t)e->len };

	seat_enter(s);
	p->role->packets(s->self, host_now(p->world, p->host), &in, p->world->out);
	seat_leave(s);
}

static void give_query(struct process *p, struct event *e)
{
	struct seat *s = &p->seat[0];
	struct batch in = { .port = PORT_DNS, .buf = event_data(e), .len = e->len,
			    .seg = (uint16_t)e->len };

	ip_parse(&in.from, "127.0.0.1", 40000);
	ip_parse(&in.to, "127.0.0.45", 53);
	seat_enter(s);
	p->role->input(s->self, host_now(p->world, p->host), &in, p->world->out);
	seat_leave(s);
}

static void give_note(struct process *p, struct event *e)
{
	struct seat *s = &p->seat[e->worker];

	e->note.data = (struct bytes){ event_data(e), e->len };
	seat_enter(s);
	p->role->note(s->self, host_now(p->world, p->host), &e->note, p->world->out);
	seat_leave(s);
}

/* ---- the helper: what waits is one commit ---- */

static void note_at(struct process *p, unsigned worker, enum note_from from, unsigned sender,
		    const void *data, size_t n, uint64_t at)
{
	struct event *e = event_new(EV_NOTE, p, data, n);

	e->worker = worker;
	e->note.from = from;
	e->note.worker = sender;
	event_at(p->world, e, at);
}

static void ask_helper(struct seat *s, const struct out_item *item)
{
	struct process *p = s->process;
	struct letter *l = malloc(sizeof *l + item->len);

	if (!l)
		abort();
	l->next = NULL;
	l->worker = s->index;
	l->n = item->len;
	memcpy(l->data, item->buf, item->len);
	if (!p->letters)
		event_at(p->world, event_new(EV_HELPER, p, NULL, 0),
			 p->world->time + p->world->helper_delay);
	*p->letters_end = l;
	p->letters_end = &l->next;
}

static void drop_letters(struct process *p)
{
	struct letter *l;

	while ((l = p->letters)) {
		p->letters = l->next;
		free(l);
	}
	p->letters_end = &p->letters;
}

static void serve_letters(struct process *p)
{
	uint8_t answer[HELPER_MESSAGE_MAX];
	struct letter *l;
	size_t n;

	if (!p->clerk || store_begin(p->store) != STORE_OK)
		bail(p, "has a store that cannot be written", "");
	for (l = p->letters; l; l = l->next) {
		struct bytes request = { l->data, l->n };

		n = p->helper->serve(p->clerk, host_now(p->world, p->host), request, answer,
				     sizeof answer);
		if (n)
			note_at(p, l->worker, NOTE_HELPER, 0, answer, n, p->world->time + NOTE_DELAY);
	}
	if (store_end(p->store, true) != STORE_OK)
		bail(p, "cannot commit: ", store_error(p->store));
	drop_letters(p);
}

/* ---- the master ---- */

static void ask_master(struct seat *s, const struct out_item *item)
{
	struct process *p = s->process;
	struct priv_request r;
	struct priv_answer a = { 0 };

	if (item->len != sizeof r)
		bail(p, "asks the master for something that is no request", "");
	memcpy(&r, item->buf, sizeof r);
	if (r.kind > PRIV_TUN_DOWN)
		return;		/* no system here whose name resolution could change */
	a.kind = r.kind;
	if (p->refuse_tun && r.kind == PRIV_TUN_UP) {
		a.failed = 1;
		strcpy(a.text, "the range is routed elsewhere");
	}
	if (p->on_tun && !a.failed)
		p->on_tun(p->arg, &r);
	note_at(p, s->index, NOTE_MASTER, 0, &a, sizeof a, p->world->time + NOTE_DELAY);
}

/* ---- carrying out ---- */

void process_carry(struct seat *s, const struct out_item *item)
{
	struct process *p = s->process;

	switch (item->kind) {
	case OUT_DATAGRAM:
		if (item->port == PORT_DNS && p->on_dns)
			p->on_dns(p->arg, item->buf, item->len);
		else if (item->port != PORT_DNS)
			world_send(s, item);
		break;
	case OUT_TUN:
		if (p->on_packet)
			p->on_packet(p->arg, item->buf, item->len);
		break;
	case OUT_CONNECT:
		flow_connect(s, item);
		break;
	case OUT_STREAM:
		flow_send(s, item);
		break;
	case OUT_CLOSE:
		flow_close(s, item->handle);
		break;
	case OUT_WORKER:
		if (item->handle >= p->workers)
			bail(p, "sends a note to a worker there is none of", "");
		note_at(p, item->handle, NOTE_WORKER, s->index, item->buf, item->len,
			p->world->time + NOTE_DELAY);
		break;
	case OUT_HELPER:
		ask_helper(s, item);
		break;
	case OUT_MASTER:
		ask_master(s, item);
		break;
	}
}

void process_event(struct event *e)
{
	struct process *p = e->process;

	if (!p->seat[e->worker].self)
		return;
	switch (e->kind) {
	case EV_PACKET:
		give_packet(p, e);
		break;
	case EV_QUERY:
		give_query(p, e);
		break;
	case EV_NOTE:
		give_note(p, e);
		break;
	case EV_HELPER:
		if (p->letters)
			serve_letters(p);
		break;
	default:
		break;
	}
}

void process_packet(struct process *p, const uint8_t *packet, size_t n)
{
	event_at(p->world, event_new(EV_PACKET, p, packet, n), p->world->time + PACKET_DELAY);
}

void process_query(struct process *p, const uint8_t *query, size_t n)
{
	event_at(p->world, event_new(EV_QUERY, p, query, n), p->world->time + PACKET_DELAY);
}

void world_inject(struct process *p, const struct addr *from, const struct addr *to,
		  const uint8_t *buf, size_t n, size_t seg)
{
	struct event *e = event_new(EV_DATAGRAM, p, buf, n);

	process_datagram(p, from, to, 0, event_data(e), n, seg);
	free(e);
}

/* ---- life ---- */

struct process *process_new(struct host *h, struct world *w, const struct role *role,
			    const struct config *conf, struct store *store, unsigned workers)
{
	struct process *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->world = w;
	p->host = h;
	p->role = role;
	p->conf = *conf;
	p->store = store;
	p->workers = MIN(MAX(workers, 1u), (unsigned)SEATS_MAX);
	p->letters_end = &p->letters;
	p->next = h->processes;
	h->processes = p;
	return p;
}

static bool seat_open(struct seat *s, bool restarted, char *err)
{
	struct process *p = s->process;
	struct role_env env = {
		.conf = &p->conf, .store = p->store, .worker = s->index,
		.workers = p->workers, .restarted = restarted,
		.start = host_now(p->world, p->host),
	};

	memcpy(env.boot_id, p->world->boot_id, sizeof env.boot_id);
	if (p->store)
		store_turn(p->store, s->index);
	s->self = p->role->open(&env, err);
	if (s->self)
		seat_tick(s);
	return s->self != NULL;
}

static void seat_close(struct seat *s)
{
	if (!s->self)
		return;
	if (s->process->store)
		store_turn(s->process->store, s->index);
	s->process->role->close(s->self);
	s->self = NULL;
	queue_clear(s->process->world, &s->alarm);
	flow_close_all(s);
}

bool process_start(struct process *p, char *err)
{
	unsigned i;

	if (p->helper)
		p->clerk = p->helper->open(&p->conf, p->store, host_now(p->world, p->host), err);
	if (p->helper && !p->clerk)
		return false;
	for (i = 0; i < p->workers; i++) {
		p->seat[i].process = p;
		p->seat[i].index = i;
		p->seat[i].alarm.seat = &p->seat[i];
	}
	for (i = 0; i < p->workers; i++)
		if (!seat_open(&p->seat[i], false, err))
			return false;
	return true;
}

void process_stop(struct process *p)
{
	unsigned i;

	for (i = 0; i < p->workers; i++)
		seat_close(&p->seat[i]);
	if (p->clerk)
		p->helper->close(p->clerk);
	p->clerk = NULL;
	drop_letters(p);
}

void worker_restart(struct process *p, unsigned index)
{
	char err[256];

	seat_close(&p->seat[index]);
	if (!seat_open(&p->seat[index], true, err))
		bail(p, "does not open again: ", err);
}

void process_leave(struct process *p)
{
	unsigned i;

	for (i = 0; i < p->workers; i++) {
		struct seat *s = &p->seat[i];

		if (!s->self || !p->role->leave)
			continue;
		seat_enter(s);
		p->role->leave(s->self, host_now(p->world, p->host), p->world->out);
		seat_leave(s);
	}
	process_stop(p);
}

/* ---- looking ---- */

uint64_t process_verdict(const struct process *p, enum verdict v)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < p->workers; i++)
		if (p->seat[i].self)
			n += p->role->verdicts(p->seat[i].self)->count[v];
	return n;
}

uint64_t process_verdicts(const struct process *p)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < p->workers; i++)
		if (p->seat[i].self)
			n += sum(p->role->verdicts(p->seat[i].self));
	return n;
}

uint64_t process_drops(const struct process *p)
{
	enum verdict v;
	uint64_t n = 0;

	for (v = V_DROP_SHORT; v < V_COUNT; v++)
		n += process_verdict(p, v);
	return n;
}

const char *process_tell(const struct process *p, char *out, size_t cap)
{
	enum verdict v;
	size_t n = 0;

	out[0] = '\0';
	for (v = 0; v < V_COUNT && n < cap; v++)
		if (process_verdict(p, v))
			n += (size_t)snprintf(out + n, cap - n, "%s%s %llu", n ? ", " : "", verdict_name(v),
					      (unsigned long long)process_verdict(p, v));
	return out;
}
