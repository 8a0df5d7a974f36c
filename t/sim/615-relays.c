/*
 * 615-relays.c - several relays for computers behind symmetric NAPTs: the nearest is taken; one
 * that drains, or is dead, is not; the NMS knows them still when it was restarted.
 */
#include "t/sim/peek.h"
#include "t/tap.h"

#define COMPUTERS 3
#define RELAYS 3

static struct lab *start(unsigned workers)
{
	static const uint64_t delay[RELAYS] = { 60 * MS, 5 * MS, 30 * MS };
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 615, .computers = COMPUTERS,
			.relays = RELAYS, .workers = workers, .relay_workers = workers,
			.line = { .delay = 10 * MS } });
	char ip[32];
	unsigned i;

	for (i = 0; i < RELAYS; i++)
		l->relay[i].host->line.delay = delay[i];
	for (i = 0; i < COMPUTERS; i++) {
		snprintf(ip, sizeof ip, "203.0.113.%u", i + 1);
		lab_behind(&l->computer[i], lab_napt(l, SYMMETRIC, ip, NULL), "192.168.1.2", NULL);
	}
	if (!lab_start_all(l, 20 * SEC))
		diag("not all are online");
	world_run(l->world, 20 * SEC);	/* all have looked, and reported */
	return l;
}

/* The relay's number, -1: none, -2: they do not talk. */
static int relay_of(struct lab *l, unsigned a, unsigned b, uint64_t patience)
{
	struct computer *from = &l->computer[a], *to = &l->computer[b];
	const struct tunnel *t;
	int i;

	if (!computer_ping(from, to, 4, patience) || !computer_ping(to, from, 4, SEC))
		return -2;
	t = peek_tunnel(from, to);
	for (i = 0; t && i < RELAYS; i++)
		if (id_equal(&t->setup.relay, &l->relay[i].node_id))
			return i;
	return -1;
}

/* Both lose their paths. */
static void again(struct lab *l, unsigned a)
{
	computer_leave(&l->computer[a]);
	world_run(l->world, SEC);
	computer_start(&l->computer[a]);
	computer_wait_online(&l->computer[a], 20 * SEC);
	world_run(l->world, 10 * SEC);
}

static void story(unsigned workers)
{
	struct lab *l = start(workers);

	diag("%u workers", workers);
	ok(relay_of(l, 0, 1, 3 * SEC) == 1, "the nearest of three relays is taken");
	process_control(l->relay[1].trs, "{\"cmd\":\"drain\"}\n");
	world_run(l->world, SEC);
	ok(relay_of(l, 1, 2, 3 * SEC) == 2, "not while it drains: then the next");
	ok(computer_ping(&l->computer[0], &l->computer[1], 4, SEC), "the path it has goes on");
	process_stop(l->relay[2].trs);
	ok(relay_of(l, 2, 0, 3 * SEC) == 0, "a dead one costs a second, and another is taken");
	again(l, 2);
	ok(relay_of(l, 2, 0, 3 * SEC) == 0 && relay_of(l, 2, 1, 3 * SEC) == 0,
	   "after a computer's restart too");
	cloud_stop(l);
	cloud_start(l);
	again(l, 1);
	ok(relay_of(l, 1, 0, 5 * SEC) == 0, "and after the NMS's");
	lab_free(l);
}

int main(void)
{
	story(1);
	story(3);
	return done();
}
