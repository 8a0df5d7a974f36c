/*
 * 190-bit-flips.c - every single bit of a datagram of every kind, turned over on its way: each
 * is refused, nothing changes, and the datagram itself is then taken as if nothing had been.
 */
#include "t/sim/peek.h"
#include "t/tap.h"

struct catch {
	struct lab *l;
	uint8_t type;
	bool control;			/* of capsules: control, not data */
	bool done;
	unsigned bits, refused, changed, said;
	uint32_t len;
};

/* What a receiver knows, as far as it shows. */
struct state {
	uint64_t passed, drops;
	uint64_t seen;
	unsigned sent, tunnels;
	struct registration reg[2];
};

static struct state look(struct lab *l, const struct process *to)
{
	struct state s;
	unsigned i;

	memset(&s, 0, sizeof s);
	s.drops = process_drops(to);
	s.passed = process_verdicts(to) - s.drops - process_verdict(to, V_HANDED);
	s.sent = l->world->sent;
	for (i = 0; i < 2; i++) {
		struct computer *c = &l->computer[i];

		s.seen += c->echoes + c->replies;
		s.tunnels += peek_tunnels(c);
		registration_get(l->store, &c->node_id, &s.reg[i]);
	}
	return s;
}

struct flight {
	struct catch *c;
	struct process *to;
	struct addr from, at;
	uint32_t len;
	uint8_t p[1500];
};

static void flip_all(struct flight *f)
{
	struct catch *c = f->c;
	struct lab *l = c->l;
	unsigned bit;

	for (bit = 0; bit < 8 * f->len; bit++) {
		struct state before = look(l, f->to), after;

		f->p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		world_inject(f->to, &f->from, &f->at, f->p, f->len, 0);
		if (f->to->workers > 1)
			world_run(l->world, 15);	/* it may be handed over */
		f->p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		after = look(l, f->to);
		c->bits++;
		c->refused += after.drops == before.drops + 1 && after.passed == before.passed;
		c->said += after.sent != before.sent;
		before.drops = after.drops;
		c->changed += memcmp(&before, &after, sizeof before) != 0;
		if (after.passed != before.passed)
			diag("%s: bit %u of octet %u was let pass", type_name(f->p[6]), bit % 8,
			     bit / 8);
	}
}

static void flip_call(void *arg)
{
	struct flight *f = arg;

	f->c->l->world->spy = NULL;
	flip_all(f);
	world_inject(f->to, &f->from, &f->at, f->p, f->len, 0);
	f->c->done = true;
}

/* The first two go online, the third stays away. */
static bool two_start(struct lab *l)
{
	world_run(l->world, 100 * MS);
	computer_start(&l->computer[0]);
	computer_start(&l->computer[1]);
	return computer_wait_online(&l->computer[0], 5 * SEC) &&
	       computer_wait_online(&l->computer[1], 5 * SEC);
}

/* The first of its kind never arrives by itself: flip_call() brings it. */
static enum fate seize(void *arg, const struct datagram *d)
{
	static struct flight f;		/* one at a time */
	struct catch *c = arg;

	if (d->stream || d->p[6] != c->type || c->len ||
	    (c->type == TYPE_CAPSULE && c->control != !!(d->p[5] & FLAG_CONTROL)))
		return PASS;
	f = (struct flight){ .c = c, .to = world_listener(c->l->world, &d->to, false),
			     .from = d->from, .at = d->to, .len = d->len };
	memcpy(f.p, d->p, d->len);
	c->len = d->len;
	/* when all else is quiet, and before it is sent again */
	world_call(c->l->world, 100 * MS, flip_call, &f);
	return LOSE;
}

static void flip(uint8_t type, bool control, unsigned workers)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 190, .computers = 3,
						    .workers = workers,
						    .node_workers = workers });
	struct catch c = { .l = l, .type = type, .control = control };
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	const char *name = control ? "control capsule" : type_name(type);
	bool met;

	l->world->spy = seize;
	l->world->spy_arg = &c;
	met = two_start(l);
	if (type == TYPE_REFUSAL)
		computer_ping_send(a, l->computer[2].ip4, 4, 9);
	if (type == TYPE_NODE_INFO_REQUEST)
		computer_query(a, l->computer[2].fqdn, 12);
	met = met && computer_ping(a, b, 4, 3 * SEC) && computer_ping(b, a, 6, 3 * SEC);
	world_run(l->world, 200 * MS);
	ok(c.done && c.refused == c.bits && c.bits == 8 * c.len,
	   "%s: each of %u bits turned over is refused (%u), %u workers", name, c.bits, c.refused,
	   workers);
	ok(!c.changed && !c.said, "%s: nothing changes and nothing is said", name);
	ok(met && peek_joined(a, b), "%s: the true one is then taken", name);
	lab_free(l);
}

int main(void)
{
	static const uint8_t type[] = {
		TYPE_REGISTRATION_REQUEST, TYPE_REGISTRATION_RESPONSE, TYPE_KEEP_ALIVE,
		TYPE_KEEP_ALIVE_ACK, TYPE_DIRECTION_REQUEST, TYPE_NODE_INFO_REQUEST,
		TYPE_NODE_INFO_RESPONSE, TYPE_REFUSAL,
		TYPE_ROUTE_DIRECTION_R, TYPE_ROUTE_DIRECTION_I, TYPE_ROUTE_CONFIRMATION,
		TYPE_TUNNEL_REQUEST, TYPE_TUNNEL_RESPONSE, TYPE_CAPSULE,
	};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(type); i++)
		flip(type[i], false, 1);
	flip(TYPE_CAPSULE, true, 1);
	flip(TYPE_CAPSULE, false, 3);
	flip(TYPE_KEEP_ALIVE, false, 3);
	return done();
}
