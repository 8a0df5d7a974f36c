/*
 * 185-chaos.c - for some minutes anything may happen: workers and services die, computers move,
 * leave and come back, lines go bad.  Then it is quiet, and soon everybody reaches everybody.
 */
#include "t/sim/ledger.h"
#include "t/sim/peek.h"
#include "t/tap.h"

#define COMPUTERS 6

struct chaos {
	struct lab *l;
	struct dice dice;
	bool away[COMPUTERS], as_down, nms_down;
	unsigned moves;
};

static void toggle(struct process *p, bool *down)
{
	char err[256];

	if (!*down)
		process_stop(p);
	else if (!process_start(p, err)) {
		printf("Bail out! %s\n", err);
		exit(99);
	}
	*down = !*down;
}

static void move(struct chaos *x, struct computer *c)
{
	char ip4[ADDR_TEXT], ip6[ADDR_TEXT];

	x->moves++;
	snprintf(ip4, sizeof ip4, "10.77.%u.%u", x->moves >> 8, x->moves & 255);
	snprintf(ip6, sizeof ip6, "2001:db8:77::%x", x->moves);
	host_move(x->l->world, c->host, dice_below(&x->dice, 4) ? ip4 : NULL,
		  dice_below(&x->dice, 4) ? ip6 : NULL);
}

static void something(struct chaos *x)
{
	unsigned i = (unsigned)dice_below(&x->dice, COMPUTERS);
	struct computer *c = &x->l->computer[i];

	switch (dice_below(&x->dice, 9)) {
	case 0:
		if (!x->nms_down)
			worker_restart(x->l->nms, (unsigned)dice_below(&x->dice, x->l->nms->workers));
		break;
	case 1:
		if (!x->as_down)
			worker_restart(x->l->as, (unsigned)dice_below(&x->dice, x->l->as->workers));
		break;
	case 2:
		toggle(x->l->nms, &x->nms_down);
		break;
	case 3:
		toggle(x->l->as, &x->as_down);
		break;
	case 4:
		if (!x->away[i])
			worker_restart(c->node, (unsigned)dice_below(&x->dice, c->node->workers));
		break;
	case 5:
		if (x->away[i])
			computer_start(c);
		else if (dice_below(&x->dice, 2))
			computer_leave(c);
		else
			computer_stop(c);
		x->away[i] = !x->away[i];
		break;
	case 6:
		move(x, c);
		break;
	case 7:
		c->host->line.loss = (unsigned)dice_below(&x->dice, 400);
		c->host->line.jitter = dice_below(&x->dice, 200 * MS);
		break;
	case 8:
		c->host->boot_skew += (int64_t)dice_below(&x->dice, 20 * MS);
		break;
	}
}

static void chatter(struct chaos *x)
{
	unsigned i = (unsigned)dice_below(&x->dice, COMPUTERS);
	unsigned k = (unsigned)dice_below(&x->dice, COMPUTERS);

	if (i != k && !x->away[i])
		computer_ping_send(&x->l->computer[i], x->l->computer[k].ip4, 4, (uint16_t)k);
}

static void calm(struct chaos *x)
{
	unsigned i;

	if (x->nms_down)
		toggle(x->l->nms, &x->nms_down);
	if (x->as_down)
		toggle(x->l->as, &x->as_down);
	for (i = 0; i < COMPUTERS; i++) {
		struct computer *c = &x->l->computer[i];
		char ip4[ADDR_TEXT], ip6[ADDR_TEXT];

		c->host->line = x->l->world->line;
		snprintf(ip4, sizeof ip4, "10.88.0.%u", i + 1);
		snprintf(ip6, sizeof ip6, "2001:db8:88::%x", i + 1);
		host_move(x->l->world, c->host, ip4, ip6);
		if (x->away[i])
			computer_start(c);
	}
	world_run(x->l->world, 240 * SEC);
}

static unsigned pairs_met(struct lab *l)
{
	unsigned i, k, tries, met = 0;

	for (i = 0; i < COMPUTERS; i++)
		for (k = 0; k < COMPUTERS; k++)
			for (tries = 0; i != k && tries < 12; tries++)
				if (computer_ping(&l->computer[i], &l->computer[k], 4, SEC)) {
					met++;
					break;
				}
	return met;
}

static bool run(uint64_t seed, unsigned workers)
{
	struct chaos x = { .l = lab_new(&(struct lab_wish){ .seed = seed, .computers = COMPUTERS,
			   .workers = workers, .node_workers = workers }) };
	unsigned i, met, online = 0;

	dice_seed(&x.dice, seed);
	lab_start_all(x.l, 10 * SEC);
	for (i = 0; i < 600; i++) {
		if (dice_below(&x.dice, 4) == 0)
			something(&x);
		chatter(&x);
		world_run(x.l->world, dice_below(&x.dice, 2 * SEC));
	}
	calm(&x);
	for (i = 0; i < COMPUTERS; i++)
		online += computer_online(&x.l->computer[i]);
	met = pairs_met(x.l);
	if (met != COMPUTERS * (COMPUTERS - 1) || online != COMPUTERS)
		diag("seed %" PRIu64 ", %u workers: %u online, %u of %u pairs meet", seed, workers,
		     online, met, COMPUTERS * (COMPUTERS - 1));
	lab_free(x.l);
	return met == COMPUTERS * (COMPUTERS - 1) && online == COMPUTERS;
}

int main(int argc, char **argv)
{
	unsigned n = 30 * scale(), good = 0, i;

	if (argc > 1)
		return !run(strtoull(argv[1], NULL, 0), argc > 2 ? (unsigned)atoi(argv[2]) : 1);
	ledger_open();
	for (i = 0; i < n; i++)
		good += run(1850 + i, 1 + i % 3);
	ok(good == n, "after each of %u times ten minutes of chaos all reach all (%u)", n, good);
	ok(ledger_duplicates() == 0, "no key and nonce served twice in %" PRIu64 " seals",
	   ledger_seals());
	ledger_close();
	return done();
}
