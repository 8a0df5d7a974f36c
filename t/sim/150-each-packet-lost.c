/*
 * 150-each-packet-lost.c - two computers log in, register and meet, again and again; each time
 * another single datagram (or piece of a stream) of the story is lost, doubled or overtaken.
 * The end is always the same.
 */
#include "t/sim/peek.h"
#include "t/tap.h"

#define BOUND (12 * SEC)	/* to the end, one loss or not */

struct aim {
	unsigned number;		/* of the one to hit */
	enum fate fate;
	bool hit;
	char what[64];
};

static enum fate spoil(void *arg, const struct datagram *d)
{
	struct aim *a = arg;

	if (d->number != a->number)
		return PASS;
	a->hit = true;
	if (d->stream)
		snprintf(a->what, sizeof a->what, "a piece of %u octets of a login", d->len);
	else
		snprintf(a->what, sizeof a->what, "a %s of %u octets", type_name(d->p[6]), d->len);
	return a->fate;
}

static bool both_replied(void *arg)
{
	struct computer *c = arg;

	return c[0].last_reply == 1 && c[1].last_reply == 2;
}

static bool tuns_up(void *arg)
{
	struct computer *c = arg;

	return c[0].tun_up && c[1].tun_up;
}

/* True when all ended well; *took is the time to there, *count the datagrams sent until then. */
static bool story(struct aim *aim, unsigned workers, uint64_t *took, unsigned *count)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 150, .computers = 2,
						    .workers = workers,
						    .node_workers = workers });
	struct computer *c = l->computer;
	uint64_t began;
	bool good;

	world_run(l->world, SEC);
	l->world->spy = spoil;
	l->world->spy_arg = aim;
	began = l->world->time;
	computer_start(&c[0]);
	computer_start(&c[1]);
	good = world_until(l->world, BOUND, tuns_up, c);
	good = good && computer_wait_online(&c[0], BOUND) && computer_wait_online(&c[1], BOUND);
	while (good && !both_replied(c) && l->world->time - began < BOUND) {
		/* a lost echo is the pinging program's own affair */
		computer_ping_send(&c[0], c[1].ip4, 4, 1);
		if (c[0].last_reply == 1)
			computer_ping_send(&c[1], c[0].ip6, 6, 2);
		world_until(l->world, SEC, both_replied, c);
	}
	*took = l->world->time - began;
	*count = l->world->sent;
	good = good && both_replied(c);
	world_run(l->world, SEC);
	good = good && peek_joined(&c[0], &c[1]);
	lab_free(l);
	return good;
}

static void spoil_each(enum fate fate, unsigned workers, const char *how)
{
	struct aim aim = { .fate = PASS };
	unsigned n, all, good = 0;
	uint64_t took, longest = 0;

	story(&aim, workers, &took, &all);
	for (n = 0; n < all; n++) {
		bool fine;

		aim = (struct aim){ .number = n, .fate = fate };
		fine = story(&aim, workers, &took, &(unsigned){ 0 });
		good += fine && aim.hit;
		longest = MAX(longest, took);
		if (!fine)
			diag("%s: datagram %u, %s: it does not end well in %.1f s", how, n, aim.what,
			     (double)took / SEC);
	}
	ok(good == all, "%s, each of %u in turn, %u workers: all ends well (%u), at most %.1f s later",
	   how, all, workers, good, (double)longest / SEC);
}

/* Four computers ping round; false: somebody did not get through in a hundred tries. */
static bool ring(struct lab *l)
{
	unsigned i, tries;

	if (!lab_start_all(l, 90 * SEC))
		return false;
	for (i = 0; i < 4; i++) {
		for (tries = 0; tries < 100; tries++)
			if (computer_ping(&l->computer[i], &l->computer[(i + 1) % 4], 4, SEC))
				break;
		if (tries == 100)
			return false;
	}
	return true;
}

/* Bad lines for everything at once. */
static void bad_lines(void)
{
	unsigned seed, good = 0;

	for (seed = 0; seed < 20; seed++) {
		struct lab *l = lab_new(&(struct lab_wish){ .seed = 1500 + seed, .computers = 4,
				.workers = 2, .line = { 5 * MS, 30 * MS, 100, 100 } });

		good += ring(l);
		lab_free(l);
	}
	ok(good == 20, "with a fifth of everything lost, a tenth doubled and all out of order, all "
	   "still meet (%u of 20 runs)", good);
}

int main(void)
{
	spoil_each(LOSE, 1, "lost");
	spoil_each(DOUBLE, 1, "doubled");
	spoil_each(DELAY, 1, "overtaken");
	spoil_each(LOSE, 3, "lost");
	bad_lines();
	return done();
}
