/* 140-both-ask-at-once.c - two computers want each other at one moment, or nearly: one path. */
#include "t/sim/peek.h"
#include "t/tap.h"

struct result {
	unsigned met, joined, paths;
};

/* Both ping, one `gap` after the other. */
static void meet(struct lab_wish wish, uint64_t gap, struct result *r)
{
	struct lab *l = lab_new(&wish);
	struct computer *a = &l->computer[0], *b = &l->computer[1];

	lab_start_all(l, 5 * SEC);
	computer_ping_send(a, b->ip4, 4, 1);
	world_run(l->world, gap);
	computer_ping_send(b, a->ip6, 6, 2);
	world_run(l->world, 3 * SEC);
	r->met += a->last_reply == 1 && b->last_reply == 2;
	world_run(l->world, 10 * SEC);
	r->joined += peek_joined(a, b);
	r->paths += computer_ping(a, b, 4, SEC) && computer_ping(b, a, 6, SEC);
	lab_free(l);
}

static void try_gaps(unsigned workers, struct line line, const char *how)
{
	struct result r = { 0, 0, 0 };
	unsigned n = 0;
	uint64_t gap;

	for (gap = 0; gap <= 60 * MS; gap += 2 * MS, n++)
		meet((struct lab_wish){ .seed = 140 + n, .computers = 2, .workers = workers,
					.node_workers = workers, .line = line }, gap, &r);
	ok(r.met == n, "%s: both are answered, whatever lies between their asking (%u of %u)", how,
	   r.met, n);
	ok(r.joined == n, "%s: and have one path between them (%u of %u)", how, r.joined, n);
	ok(r.paths == n, "%s: that carries both ways (%u of %u)", how, r.paths, n);
}

/* Many pairs at once, each pair from both ends. */
static void all_at_once(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 149, .computers = 20, .workers = 3 });
	unsigned i, k, joined = 0;

	lab_start_all(l, 5 * SEC);
	for (i = 0; i < 20; i++)
		for (k = 0; k < 20; k++)
			if (i != k)
				computer_ping_send(&l->computer[i], l->computer[k].ip4, 4,
						   (uint16_t)k);
	world_run(l->world, 5 * SEC);
	for (i = 0; i < 20; i++)
		joined += l->computer[i].replies == 19 && peek_tunnels(&l->computer[i]) == 19;
	ok(joined == 20, "twenty computers, each asking for all others at once, get one path a pair "
	   "(%u of 20)", joined);
	lab_free(l);
}

int main(void)
{
	try_gaps(1, (struct line){ .delay = 5 * MS }, "one worker");
	try_gaps(3, (struct line){ .delay = 5 * MS }, "three workers");
	try_gaps(3, (struct line){ .delay = 5 * MS, .jitter = 20 * MS }, "datagrams overtake");
	all_at_once();
	return done();
}
