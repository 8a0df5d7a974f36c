/*
 * 160-replay.c - somebody recorded everything and sends it again: at once, later, to a service
 * that was restarted, from elsewhere.  Nothing changes but the counters of what was dropped.
 */
#include "t/sim/peek.h"
#include "t/tap.h"
#include <stdlib.h>

#define TAPES 4096

struct tape {
	unsigned n;
	struct piece {
		struct addr from, to;
		uint32_t len;
		uint8_t p[1500];
	} piece[TAPES];
};

static enum fate record(void *arg, const struct datagram *d)
{
	struct tape *t = arg;
	struct piece *p = &t->piece[t->n];

	if (d->stream || t->n == TAPES)
		return PASS;
	t->n++;
	p->from = d->from;
	p->to = d->to;
	p->len = d->len;
	memcpy(p->p, d->p, d->len);
	return PASS;
}

/* Everything that could have changed. */
struct state {
	uint64_t tun, drops, all, nms_drops, nms_all;
	unsigned sent, tunnels;
	struct id path;
	struct registration reg[2];
};

static struct state look(struct lab *l)
{
	struct state s;
	unsigned i;

	memset(&s, 0, sizeof s);
	for (i = 0; i < 2; i++) {
		struct computer *c = &l->computer[i];

		s.tun += c->echoes + c->replies;
		s.drops += process_drops(c->node);
		s.all += process_verdicts(c->node);
		s.tunnels += peek_tunnels(c);
		registration_get(l->store, &c->node_id, &s.reg[i]);
	}
	s.nms_drops = process_drops(l->nms);
	s.nms_all = process_verdicts(l->nms);
	s.sent = l->world->sent;
	if (peek_tunnel(&l->computer[0], &l->computer[1]))
		s.path = peek_tunnel(&l->computer[0], &l->computer[1])->setup.path;
	return s;
}

/* from: NULL as recorded. */
static void play(struct lab *l, const struct tape *t, const struct addr *from)
{
	unsigned i;

	for (i = 0; i < t->n; i++) {
		const struct piece *p = &t->piece[i];
		struct process *to = world_listener(l->world, &p->to, false);

		if (to)
			world_inject(to, from ? from : &p->from, &p->to, p->p, p->len, 0);
	}
}

/* A replay during which time stands still: whatever is sent is an answer to it. */
static void check(struct lab *l, const struct tape *t, const struct addr *from, const char *when)
{
	struct state before = look(l), after;
	uint64_t handed, said;

	handed = process_verdict(l->nms, V_HANDED);
	play(l, t, from);
	world_run(l->world, 100);
	handed = process_verdict(l->nms, V_HANDED) - handed;
	after = look(l);
	said = after.drops + after.nms_drops - before.drops - before.nms_drops;
	ok(said == t->n && after.all + after.nms_all - before.all - before.nms_all - handed == t->n,
	   "%s: all %u are dropped (%" PRIu64 ")", when, t->n, said);
	ok(after.sent == before.sent, "%s: none is answered (%u)", when, after.sent - before.sent);
	ok(after.tun == before.tun && after.tunnels == before.tunnels &&
	   id_equal(&after.path, &before.path) &&
	   !memcmp(after.reg, before.reg, sizeof after.reg), "%s: nothing has changed", when);
}

static void story(unsigned workers)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 160, .computers = 2,
						    .workers = workers });
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	struct tape *t = calloc(1, sizeof *t);
	struct addr elsewhere;
	char say[512];
	uint64_t stale;

	if (!t)
		exit(99);
	diag("%u workers", workers);
	l->world->spy = record;
	l->world->spy_arg = t;
	ok(lab_start_all(l, 5 * SEC) && computer_ping(a, b, 4, SEC) && computer_ping(b, a, 6, SEC),
	   "two computers meet, and somebody records it");
	world_run(l->world, 35 * SEC);
	l->world->spy = NULL;

	check(l, t, NULL, "at once");
	world_run(l->world, 3 * SEC);
	check(l, t, NULL, "3 s later");
	world_run(l->world, 60 * SEC);
	check(l, t, NULL, "a minute later");
	ip_parse(&elsewhere, "203.0.113.66", 6666);
	check(l, t, &elsewhere, "from elsewhere");
	diag("nms: %s", process_tell(l->nms, say, sizeof say));
	diag("a: %s", process_tell(a->node, say, sizeof say));

	cloud_stop(l);
	cloud_start(l);
	world_run(l->world, 10 * MS);
	stale = l->world->sent;
	check(l, t, NULL, "to a restarted NMS");
	diag("%u answers", (unsigned)(l->world->sent - stale));
	diag("nms: %s", process_tell(l->nms, say, sizeof say));
	ok(computer_ping(a, b, 4, SEC), "the two still talk");
	world_run(l->world, 60 * SEC);
	ok(computer_online(a) && computer_online(b) && computer_ping(b, a, 6, SEC),
	   "and are online a minute later");
	free(t);
	lab_free(l);
}

static enum fate everything_twice(void *arg, const struct datagram *d)
{
	if (!d->stream)
		++*(unsigned *)arg;
	return d->stream ? PASS : DOUBLE;
}

/* The second copy comes right behind the first, while its token is still good. */
static void on_the_heels(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 161, .computers = 2 });
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	uint64_t drops, early;
	unsigned sent = 0;

	l->world->spy = everything_twice;
	l->world->spy_arg = &sent;
	ok(lab_start_all(l, 5 * SEC) && computer_ping(a, b, 4, SEC) && computer_ping(b, a, 6, SEC),
	   "two computers meet while every datagram is replayed on the heels of the first");
	world_run(l->world, 20 * SEC);
	drops = process_drops(l->nms) + process_drops(a->node) + process_drops(b->node);
	ok(process_verdict(l->nms, V_DROP_REPLAY) == process_drops(l->nms) &&
	   process_verdict(l->nms, V_ANSWERED) == process_drops(l->nms),
	   "the NMS drops every second copy as a replay (%" PRIu64 ")", process_drops(l->nms));
	/* what comes by a second way when it is settled is dropped, both copies */
	early = process_verdict(a->node, V_DROP_STATE) + process_verdict(b->node, V_DROP_STATE);
	ok(drops >= sent && drops <= sent + early, "and so does everybody (%" PRIu64 " of %u)", drops,
	   sent);
	ok(a->echoes == 1 && a->replies == 1 && b->echoes == 1 && b->replies == 1,
	   "no program sees anything twice");
	lab_free(l);
}

/* An NMS that has just started cannot have seen them, and their tokens are good. */
static void right_after_restart(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 162, .computers = 2 });
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	struct tape *t = calloc(1, sizeof *t);
	struct registration before, after;
	uint64_t stale, states, early;
	unsigned sent;

	if (!t)
		exit(99);
	l->world->spy = record;
	l->world->spy_arg = t;
	lab_start_all(l, 5 * SEC);
	ok(computer_ping(a, b, 4, SEC), "two computers register and meet");
	l->world->spy = NULL;
	world_run(l->world, 100 * MS);		/* what the two have to say of their way is said */
	worker_restart(l->nms, 0);
	registration_get(l->store, &a->node_id, &before);
	states = process_verdict(a->node, V_DROP_STATE) + process_verdict(b->node, V_DROP_STATE);
	/* Hole Punchings that came before their path was known: to these nobody replied yet */
	early = process_verdict(a->node, V_DROP_STRANGER) + process_verdict(b->node, V_DROP_STRANGER);
	sent = l->world->sent;
	play(l, t, NULL);
	stale = process_verdict(l->nms, V_DROP_STALE);
	ok(stale > 0 && stale == process_drops(l->nms) - process_verdict(l->nms, V_DROP_TOKEN) &&
	   process_verdict(l->nms, V_ANSWERED) == 0,
	   "replays to an NMS restarted this moment are stale (%" PRIu64 ")", stale);
	ok(l->world->sent - sent >= stale && l->world->sent - sent <= stale + early,
	   "each is answered with the time, and nothing else is (%u)",
	   l->world->sent - sent);
	world_run(l->world, SEC);
	states = process_verdict(a->node, V_DROP_STATE) + process_verdict(b->node, V_DROP_STATE) -
		 states;
	ok(states >= stale && states <= stale + early, "no computer waits for such an answer: it is dropped");
	registration_get(l->store, &a->node_id, &after);
	ok(!memcmp(&before, &after, sizeof before) && peek_joined(a, b) &&
	   computer_ping(b, a, 6, SEC), "nothing has changed");
	free(t);
	lab_free(l);
}

/* ---- a login is a stream: a parrot says what a computer said ---- */

static const struct addr as_addr = { .family = 4, .ip = { 192, 0, 2, 1 }, .port = 4501 };

struct parrot {
	struct verdicts verdicts;
	bool connected;
	unsigned heard;			/* octets the AS said to it */
	struct tape *tape;
};

static struct parrot polly;

static void *parrot_open(const struct role_env *env, char *err)
{
	return &polly;
}

static void parrot_close(void *self)
{
}

static void parrot_tick(void *self, struct now now, struct outbox *out)
{
	struct parrot *p = self;

	if (!p->connected)
		out_connect(out, 1, FLOW_TCP, &as_addr);
	p->connected = true;
}

static void parrot_flow(void *self, struct now now, const struct flow_event *ev,
			struct outbox *out)
{
	struct parrot *p = self;
	unsigned i;

	p->heard += (unsigned)ev->data.n;
	for (i = 0; ev->what == FLOW_OPENED && i < p->tape->n; i++)
		out_stream(out, 1, p->tape->piece[i].p, p->tape->piece[i].len);
}

static uint64_t parrot_expiry(const void *self)
{
	return NEVER;
}

static const struct verdicts *parrot_verdicts(const void *self)
{
	return &((const struct parrot *)self)->verdicts;
}

static const struct role role_parrot = {
	.name = "parrot", .open = parrot_open, .close = parrot_close, .tick = parrot_tick,
	.flow = parrot_flow, .expiry = parrot_expiry, .verdicts = parrot_verdicts,
};

struct ear {
	struct process *whose;
	struct tape *tape;
};

static enum fate listen_in(void *arg, const struct datagram *d)
{
	struct ear *e = arg;
	struct piece *p = &e->tape->piece[e->tape->n];

	if (!d->stream || d->sender != e->whose || d->len > sizeof p->p)
		return PASS;
	p->len = d->len;
	memcpy(p->p, d->p, d->len);
	e->tape->n++;
	return PASS;
}

static void login_repeated(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 163, .computers = 1 });
	struct computer *a = &l->computer[0];
	struct ear ear = { a->node, calloc(1, sizeof *ear.tape) };
	struct device before, after;
	struct process *parrot;

	if (!ear.tape)
		exit(99);
	l->world->spy = listen_in;
	l->world->spy_arg = &ear;
	ok(lab_start_all(l, 5 * SEC) && ear.tape->n >= 2, "somebody records a whole login");
	polly = (struct parrot){ .tape = ear.tape };
	parrot = process_new(host_new(l->world, "203.0.113.5", NULL), l->world, &role_parrot,
			     &l->conf, NULL, 1);
	device_by_id(l->store, &a->node_id, &before);
	process_start(parrot, (char[256]){ 0 });
	world_run(l->world, 30 * SEC);
	device_by_id(l->store, &a->node_id, &after);
	ok(polly.heard > 0 && !memcmp(&before.common_key, &after.common_key, 16) &&
	   before.last_login == after.last_login, "said again to the AS, it is no login");
	free(ear.tape);
	lab_free(l);
}

int main(void)
{
	login_repeated();
	story(1);
	story(3);
	on_the_heels();
	right_after_restart();
	return done();
}
