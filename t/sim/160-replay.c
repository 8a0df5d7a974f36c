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

int main(void)
{
	story(1);
	story(3);
	return done();
}
