/*
 * 660-abuse.c - somebody hears every line of a relayed path and of a direct one.  She says all of
 * it again, she is quicker with her copy than the original, and she forges what she cannot copy:
 * she gets no data and no address, and those she disturbs are soon well again.
 */
#include "t/sim/mallory.h"
#include "t/sim/peek.h"
#include "t/tap.h"

#define RACE (8 * SEC)			/* so long she is quicker, if not just once */
#define STEP (20 * MS)

static struct lab *start(uint64_t seed, unsigned workers, bool relayed)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = seed, .computers = 2, .relays = 1,
			.workers = workers, .relay_workers = workers, .line = { .delay = 10 * MS } });
	unsigned i;

	for (i = 0; i < 2; i++) {
		char ip[32];

		snprintf(ip, sizeof ip, "203.0.113.%u", i + 1);
		if (relayed)
			lab_behind(&l->computer[i], lab_napt(l, SYMMETRIC, ip, NULL), "192.168.1.2", NULL);
		else
			host_move(l->world, l->computer[i].host, ip, NULL);
	}
	return l;
}

/* ---- again ---- */

struct state {
	uint64_t delivered, relayed, trs_drops, nms_drops, ends;
	uint64_t ends_drops, quota, sent, sent_octets;
	struct registration reg[2];
	struct addr bound[2], way[2];
	struct id path;
};

struct ear {
	uint64_t sent, octets;
};

static enum fate count(void *arg, const struct datagram *d)
{
	struct ear *e = arg;

	e->sent += !d->stream;
	e->octets += d->stream ? 0 : d->len;
	return PASS;
}

static struct state look(struct lab *l, const struct ear *ear)
{
	struct state s;
	unsigned i;

	memset(&s, 0, sizeof s);
	for (i = 0; i < 2; i++) {
		struct computer *c = &l->computer[i];
		const struct tunnel *t = peek_tunnel(c, &l->computer[!i]);

		s.delivered += c->echoes + c->replies + c->data;
		s.ends_drops += process_drops(c->node);
		s.ends += process_verdicts(c->node);
		registration_get(l->store, &c->node_id, &s.reg[i]);
		if (t) {
			s.path = t->setup.path;
			s.way[i] = t->remote;
		}
	}
	relayed_ends(l, 0, &s.path, s.bound);
	s.relayed = process_verdict(l->relay[0].trs, V_RELAYED);
	s.trs_drops = process_drops(l->relay[0].trs);
	s.nms_drops = process_drops(l->nms);
	s.sent = ear->sent;
	s.sent_octets = ear->octets;
	return s;
}

/*
 * All that came to anybody comes again: what its token still lets through the relay ends at the
 * other end, and nothing has moved.
 */
static uint64_t again(struct lab *l, const struct tape *t, const struct ear *ear,
		      const struct addr *from, const char *when)
{
	struct state a = look(l, ear), b;
	uint64_t relayed, ends = 0, answers, octets;
	unsigned i;

	for (i = 0; i < t->n; i++)
		ends += t->piece[i].at == l->computer[0].node || t->piece[i].at == l->computer[1].node;
	tape_play(t, from, 0);
	world_run(l->world, 200 * MS);
	b = look(l, ear);
	relayed = b.relayed - a.relayed;
	answers = b.sent - a.sent - relayed;
	octets = b.sent_octets - a.sent_octets;
	diag("%s: %u datagrams again; the relay let %" PRIu64 " through, it and the NMS dropped %" PRIu64
	     ", the ends %" PRIu64 "; %" PRIu64 " answers; octets said %" PRIu64 " of %" PRIu64 " heard", when,
	     t->n, relayed, b.trs_drops + b.nms_drops - a.trs_drops - a.nms_drops,
	     b.ends_drops - a.ends_drops, answers, octets, t->octets);
	ok(b.delivered == a.delivered && b.ends_drops - a.ends_drops == ends + relayed &&
	   b.ends - a.ends == ends + relayed,
	   "%s: each copy that is relayed or comes to an end is dropped there, no program sees one",
	   when);
	ok(!memcmp(a.reg, b.reg, sizeof a.reg) && !memcmp(a.bound, b.bound, sizeof a.bound) &&
	   !memcmp(a.way, b.way, sizeof a.way) && id_equal(&a.path, &b.path),
	   "%s: no registration, no binding, no way has changed", when);
	ok(!answers && octets <= t->octets, "%s: nobody is answered", when);
	return relayed;
}

/* As much as the relay's token allows to be said again comes last. */
static void talk(struct lab *l, unsigned packets)
{
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	unsigned i;

	for (i = 0; i < packets; i++) {
		computer_data(i & 1 ? a : b, i & 1 ? b : a, i & 2 ? 6 : 4, i / 2 + 1, 200);
		world_run(l->world, 100);
	}
	world_run(l->world, 200 * MS);
}

static void replays(unsigned workers)
{
	struct lab *l = start(660, workers, true);
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	struct tape tape = { 0 };
	struct ear ear = { 0 };
	struct addr elsewhere, bound[2];
	uint64_t said;

	ip_parse(&elsewhere, "203.0.113.66", 6666);
	diag("%u workers", workers);
	tape_record(l->world, &tape);
	l->world->spy = count;
	l->world->spy_arg = &ear;
	ok(lab_start_all(l, 10 * SEC) && computer_ping(a, b, 4, 3 * SEC) && computer_ping(b, a, 6, SEC) &&
	   relayed_ends(l, 0, &peek_tunnel(a, b)->setup.path, bound),
	   "two meet at a relay, and every line is heard");
	world_run(l->world, 40 * SEC);
	talk(l, 4000 * scale());
	tape_record(l->world, NULL);
	said = a->data + b->data;
	ok(said == 4000 * scale() && !a->data_twice && !b->data_twice, "%" PRIu64 " packets are relayed",
	   said);

	ok(again(l, &tape, &ear, NULL, "at once") > 1000, "the token of the last second is good");
	ok(!again(l, &tape, &ear, &elsewhere, "at once from elsewhere"), "but from nowhere else");
	world_run(l->world, 3 * SEC);
	ok(!again(l, &tape, &ear, NULL, "3 s later"), "it is good no longer");
	world_run(l->world, 56 * SEC);
	ok(again(l, &tape, &ear, NULL, "a minute later") < 200 * scale(),
	   "then a few have the token of now by chance");
	again(l, &tape, &ear, &elsewhere, "a minute later from elsewhere");
	ok(computer_ping(a, b, 4, SEC) && computer_ping(b, a, 6, SEC) && a->data + b->data == said,
	   "the two talk on");
	tape_free(&tape);
	lab_free(l);
}

/* ---- quicker ---- */

struct race {
	struct lab *l;
	struct addr x;
	uint64_t types;			/* bitmap of those she copies */
	bool once;			/* one of each only */
	uint64_t first;			/* of these none that is sent again */
	uint32_t transaction;		/* of the newest of them */
	const struct process *only;	/* NULL: whoever sends them */
	const struct process *mute;	/* whose capsules are lost */
	unsigned raced;
	struct toll toll;
};

struct copy {
	struct race *r;
	struct addr to;
	size_t n;
	uint8_t p[];
};

static void overtake(void *arg)
{
	struct copy *c = arg;

	mallory_says(c->r->l, &c->r->x, &c->to, c->p, c->n);
	c->r->raced++;
	free(c);
}

static enum fate race(void *arg, const struct datagram *d)
{
	struct race *r = arg;
	struct copy *c;

	toll_take(&r->toll, d);
	if (!d->stream && d->sender == r->mute && d->p[6] == TYPE_CAPSULE)
		return LOSE;
	if (d->stream || (r->only && d->sender != r->only) ||
	    !(r->types & 1ull << (d->p[6] & 63)) ||
	    addr_same_ip(&d->to, &r->x))
		return PASS;
	if (r->first & 1ull << d->p[6]) {
		if (get32(d->p) == r->transaction)
			return PASS;
		r->transaction = get32(d->p);
	}
	c = malloc(sizeof *c + d->len);
	if (!c)
		abort();
	*c = (struct copy){ r, d->to, d->len };
	memcpy(c->p, d->p, d->len);
	world_call(r->l->world, 10, overtake, c);
	if (r->once)
		r->types &= ~(1ull << d->p[6]);
	return PASS;
}

/* Whether any of them takes her address for somebody's. */
static bool has_place(struct lab *l, const struct addr *x)
{
	struct registration g;
	struct addr end[2];
	unsigned i, k;

	for (i = 0; i < 2; i++) {
		const struct tunnel *t = any_tunnel(&l->computer[i]);
		const struct route *w = t ? route_used(t) : NULL;

		if ((w && addr_same_ip(&w->remote, x)) ||
		    (t && relayed_ends(l, 0, &t->setup.path, end) &&
		     (addr_same_ip(&end[0], x) || addr_same_ip(&end[1], x))))
			return true;
		for (k = 0; registration_get(l->store, &l->computer[i].node_id, &g) == STORE_OK && k < 2; k++)
			if (g.confirmed[k] && addr_same_ip(&g.mapped[k], x))
				return true;
	}
	return false;
}

/* Both ways, however often it has to be tried; how long it took, NEVER: 30 s were not enough. */
static uint64_t well_again(struct lab *l)
{
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	uint64_t began = l->world->time;

	while (l->world->time - began < 30 * SEC)
		if (computer_ping(a, b, 4, 250 * MS) && computer_ping(b, a, 4, 250 * MS))
			return l->world->time - began;
	return NEVER;
}

struct outcome {
	bool placed;			/* she was taken for one of them */
	unsigned raced;
	struct toll toll;
	uint64_t recovery;
};

/* She is quicker from the start: once, or as long as RACE; then she has gone. */
static struct outcome run_race(uint64_t types, uint64_t first, bool relayed, bool once)
{
	struct lab *l = start(661, 1, relayed);
	struct computer *c = l->computer;
	struct race r = { .l = l, .types = types, .once = once, .first = first };
	struct outcome o = { .placed = false };
	uint64_t until;

	ip_parse(&r.x, "203.0.113.66", 4503);
	r.toll.at = r.x;
	world_run(l->world, 100 * MS);
	lab_start_relays(l, 5 * SEC);
	l->world->spy = race;
	l->world->spy_arg = &r;
	computer_start(&c[0]);
	computer_start(&c[1]);
	world_run(l->world, once ? 500 * MS : 0);
	until = l->world->time + (once ? 0 : RACE);
	while (l->world->time < until) {
		computer_ping_send(&c[0], c[1].ip4, 4, 1);
		world_run(l->world, STEP);
		o.placed |= has_place(l, &r.x);
	}
	if (!once)
		r.types = 0;
	o.recovery = well_again(l);
	world_run(l->world, 3 * SEC);
	o.placed |= has_place(l, &r.x);
	o.raced = r.raced;
	o.toll = r.toll;
	lab_free(l);
	return o;
}

#define BIT(t) (1ull << TYPE_##t)

static void races(bool relayed, bool once, uint64_t bound)
{
	static const struct {
		const char *name;
		uint64_t types, first;
	} all[] = {
		{ "Registration Request", BIT(REGISTRATION_REQUEST), 0 },
		{ "Keep Alive", BIT(KEEP_ALIVE), 0 },
		{ "both", BIT(REGISTRATION_REQUEST) | BIT(KEEP_ALIVE), 0 },
		{ "not if sent again", BIT(REGISTRATION_REQUEST) | BIT(KEEP_ALIVE),
		  BIT(REGISTRATION_REQUEST) },
		{ "Direction Request", BIT(DIRECTION_REQUEST), 0 },
		{ "Hole Punching", BIT(HOLE_PUNCHING), 0 },
		{ "ACK", BIT(ACK), 0 },
		{ "Tunnel Request", BIT(TUNNEL_REQUEST), 0 },
		{ "Tunnel Response", BIT(TUNNEL_RESPONSE), 0 },
		{ "capsule", BIT(CAPSULE), 0 },
		{ "all of a path", BIT(HOLE_PUNCHING) | BIT(ACK) | BIT(TUNNEL_REQUEST) |
				   BIT(TUNNEL_RESPONSE) | BIT(CAPSULE), 0 },
		{ "everything", ~0ull, 0 },
	};
	unsigned i, placed = 0, data = 0, raced = 0;
	uint64_t longest = 0;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		struct outcome o = run_race(all[i].types, all[i].first, relayed, once);

		diag("%-20s %4u overtaken; she heard %u datagrams, %u octets, %u of data; well after %.2f s%s",
		     all[i].name, o.raced, o.toll.datagrams, o.toll.octets, o.toll.data,
		     (double)o.recovery / SEC, o.placed ? "; SHE HAD A PLACE" : "");
		placed += o.placed;
		data += o.toll.data;
		raced += o.raced;
		longest = MAX(longest, o.recovery);
	}
	ok(raced > (once ? 15 : 100), "%s, copies of each message are quicker than the originals, %s (%u)",
	   relayed ? "relayed" : "direct", once ? "once" : "for 8 s", raced);
	ok(!placed, "she is nowhere taken for one of them");
	ok(!data, "she gets no octet of data");
	ok(longest <= bound, "all is well %.1f s later at most (%.2f s)", (double)bound / SEC,
	   (double)longest / SEC);
}

/* One end was not heard for a while; of the first it says again the copy comes before it. */
static void after_silence(bool relayed)
{
	struct lab *l = start(663, 1, relayed);
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	struct race r = { .l = l };
	uint64_t began, lost;
	unsigned i, placed = 0;

	ip_parse(&r.x, "203.0.113.66", 4503);
	r.toll.at = r.x;
	lab_start_all(l, 10 * SEC);
	l->world->spy = race;
	l->world->spy_arg = &r;
	computer_ping(a, b, 4, 3 * SEC);
	world_run(l->world, SEC);
	for (i = 0; i < 300; i++) {
		r.mute = i < 150 ? b->node : NULL;
		r.only = b->node;
		r.types = i < 150 ? 0 : BIT(CAPSULE);
		computer_data(a, b, 4, i + 1, 100);
		world_run(l->world, 10 * MS);
		placed += has_place(l, &r.x);
	}
	began = l->world->time;
	lost = 300 - b->data;
	r.types = 0;
	ok(!placed && !r.toll.data, "%s, after a silence of 1.5 s too (%u overtaken, %u datagrams to her, "
	   "%" PRIu64 " of 300 packets lost)", relayed ? "relayed" : "direct", r.raced, r.toll.datagrams, lost);
	ok(well_again(l) <= SEC && l->world->time - began <= SEC, "which is soon over");
	lab_free(l);
}

/* ---- wrong, in every state ---- */

struct forger {
	struct lab *l;
	struct addr x;
	bool busy;
	unsigned states;		/* bitmap of those in which an end was lied to */
	unsigned said, trs_said;
};

struct lie {
	struct forger *f;
	struct id path;
};

/* To both ends and to the relay, every type of a path with every flag it may have. */
static void lie(void *arg)
{
	static const uint8_t types[] = { TYPE_CAPSULE, TYPE_TUNNEL_REQUEST, TYPE_TUNNEL_RESPONSE,
					 TYPE_HOLE_PUNCHING, TYPE_ACK };
	struct lie *lie = arg;
	struct forger *f = lie->f;
	struct lab *l = f->l;
	uint8_t p[DATAGRAM_MAX];
	unsigned i, k, flags;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		for (flags = 0; flags < 256; flags += 8) {
			size_t n = forge(l, types[i], (uint8_t)flags, &lie->path, 64, p);

			for (k = 0; k < 2; k++) {
				struct addr to = l->computer[k].host->ip4;
				const struct tunnel *t = any_tunnel(&l->computer[k]);

				to.port = 4503;
				if (t)
					f->states |= 1u << t->state;
				f->said += t != NULL;
				world_inject(l->computer[k].node, &f->x, &to, p, n, 0);
			}
			if (!l->relays)
				continue;
			world_inject(l->relay[0].trs, &f->x, &(struct addr){ .family = 4, .port = 4502,
				     .ip = { 192, 0, 2, 2 } }, p, n, 0);
			f->trs_said++;
		}
	free(lie);
	f->busy = false;
}

static enum fate forge_all(void *arg, const struct datagram *d)
{
	struct forger *f = arg;
	struct lie *what;

	if (d->stream || type_key(d->p[6]) == KEY_COMMON || f->busy || f->said > 60000)
		return PASS;
	what = malloc(sizeof *what);
	if (!what)
		abort();
	*what = (struct lie){ .f = f };
	memcpy(what->path.b, d->p + 16, 16);
	f->busy = true;
	world_call(f->l->world, 5, lie, what);
	return PASS;
}

/* The time of the first echo, from the first packet on; data and a rekey behind it. */
static uint64_t first_echo(bool relayed, struct forger *f, uint64_t drops[2])
{
	struct lab *l = start(662, 1, relayed);
	uint64_t began, took = NEVER;

	if (!lab_start_all(l, 10 * SEC))
		return NEVER;
	f->l = l;
	ip_parse(&f->x, "203.0.113.66", 4503);
	if (!f->busy)
		l->world->spy = forge_all;
	f->busy = false;
	l->world->spy_arg = f;
	began = l->world->time;
	if (computer_ping(&l->computer[0], &l->computer[1], 4, 3 * SEC))
		took = l->world->time - began;
	world_run(l->world, 2 * SEC);
	if (!computer_ping(&l->computer[1], &l->computer[0], 6, SEC) || has_place(l, &f->x) ||
	    !peek_joined(&l->computer[0], &l->computer[1]))
		took = NEVER;
	drops[0] = process_drops(l->computer[0].node) + process_drops(l->computer[1].node);
	drops[1] = process_drops(l->relay[0].trs);
	lab_free(l);
	return took;
}

static void wrong(bool relayed)
{
	const unsigned met = 1u << TUNNEL_ASKING | 1u << TUNNEL_WAITING | 1u << TUNNEL_ANSWERED |
			     1u << TUNNEL_UP;
	struct forger none = { .busy = true }, f = { .busy = false };
	uint64_t calm[2], drops[2], before = first_echo(relayed, &none, calm);
	uint64_t after = first_echo(relayed, &f, drops);

	ok(before == after && before != NEVER,
	   "%s, the first echo comes as soon (%.1f ms, %.1f ms) while %u forgeries are said to the ends",
	   relayed ? "relayed" : "direct", (double)before / MS, (double)after / MS, f.said);
	ok((f.states & met) == met, "in each state of a tunnel");
	ok(drops[0] - calm[0] >= f.said && drops[1] - calm[1] == f.trs_said,
	   "each is dropped, by the relay too (%u), and no address has moved", f.trs_said);
}

int main(void)
{
	replays(1);
	replays(3);
	races(true, true, 3 * SEC);
	races(true, false, 15 * SEC);
	races(false, true, 3 * SEC);
	races(false, false, 15 * SEC);
	after_silence(true);
	after_silence(false);
	wrong(true);
	wrong(false);
	return done();
}
