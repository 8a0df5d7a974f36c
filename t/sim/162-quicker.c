/*
 * 162-quicker.c - somebody on the way sees every datagram, and what he copies arrives before the
 * original, with another's source address: a path is not led astray by it for long.
 */
#include "t/sim/peek.h"
#include "t/tap.h"

struct thief {
	uint8_t type;
	struct addr to;
	bool has;
	uint32_t len;
	uint8_t p[1500];
	struct addr victim;
	unsigned lose, punches;		/* the first Hole Punchings and ACKs are lost */
	unsigned stray;			/* datagrams to the victim */
};

static enum fate steal(void *arg, const struct datagram *d)
{
	struct thief *t = arg;

	if (d->stream || d->len < 32)
		return PASS;
	t->stray += addr_equal(&d->to, &t->victim);
	if (t->has || d->p[6] != t->type)
		return (d->p[6] == 2 || d->p[6] == 21) && t->punches++ < t->lose ? LOSE : PASS;
	t->has = true;
	t->to = d->to;
	t->len = d->len;
	memcpy(t->p, d->p, d->len);
	return DELAY;
}

static bool has_it(void *arg)
{
	return ((struct thief *)arg)->has;
}

static void story(uint8_t type, const char *what, unsigned lose)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 162, .computers = 2 });
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	struct thief t = { .type = type, .lose = lose };
	struct process *p;
	bool good;

	ip_parse(&t.victim, "203.0.113.66", 6666);
	host_move(l->world, a->host, "10.0.0.2", NULL);
	host_move(l->world, b->host, "10.0.0.3", NULL);
	if (!lab_start_all(l, 5 * SEC))
		diag("not all are online");
	l->world->spy = steal;
	l->world->spy_arg = &t;
	computer_ping_send(a, b->ip4, 4, 9000);
	if (world_until(l->world, 5 * SEC, has_it, &t)) {
		p = world_listener(l->world, &t.to, false);
		world_inject(p, &t.victim, &t.to, t.p, t.len, 0);
	}
	world_run(l->world, 3 * SEC);
	good = t.has && computer_ping(a, b, 4, SEC) && computer_ping(b, a, 4, SEC);
	ok(good && t.stray < 16, "%s overtaken by its copy, %u Hole Punchings lost: the two talk "
	   "(%u datagrams astray)", what, lose, t.stray);
	ok(peek_joined(a, b) && peek_tunnel(a, b) && peek_tunnel(b, a) &&
	   !addr_equal(&peek_tunnel(a, b)->remote, &t.victim) &&
	   !addr_equal(&peek_tunnel(b, a)->remote, &t.victim), "and by their own way");
	lab_free(l);
}

int main(void)
{
	unsigned i;

	for (i = 0; i < 9; i += 4)
		story(21, "a Hole Punching", i);
	for (i = 0; i < 9; i += 4)
		story(2, "an ACK", i);
	for (i = 0; i < 9; i += 4)
		story(22, "a Tunnel Request", i);
	for (i = 0; i < 9; i += 4)
		story(23, "a Tunnel Response", i);
	for (i = 0; i < 9; i += 4)
		story(24, "a capsule", i);
	return done();
}
