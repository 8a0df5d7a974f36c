/*
 * 650-storm.c - computers behind boxes of all kinds, and for some minutes anything happens to
 * their ways: boxes forget and get other addresses, relays die, drain and come back, directions
 * and families go dead, computers move from home to home.  Then it is quiet, and soon everybody
 * reaches everybody; no packet came out twice.
 */
#include "t/sim/ledger.h"
#include "t/sim/peek.h"
#include "t/tap.h"

#define COMPUTERS 6
#define BOXES 5
#define RELAYS 2

struct storm {
	struct lab *l;
	struct dice dice;
	struct box *box[BOXES];
	struct box *wall[BOXES];	/* of the same site, for IPv6 */
	bool away[COMPUTERS], relay_down[RELAYS];
	/* what these send to nodes by this family is lost */
	bool dead[COMPUTERS][2];
	unsigned moves, addresses;
	uint32_t number;
};

static bool is_service(const struct addr *to)
{
	return to->family == 4 ? memcmp(to->ip, "\xc0\0\2", 3) == 0 :
				 memcmp(to->ip, "\x20\1\x0d\xb8\0\0\0\0", 8) == 0;
}

static enum fate lose(void *arg, const struct datagram *d)
{
	const struct storm *x = arg;
	unsigned i;

	for (i = 0; i < COMPUTERS && !d->stream; i++)
		if (d->sender == x->l->computer[i].node && !is_service(&d->to) &&
		    x->dead[i][d->to.family == 6])
			return LOSE;
	return PASS;
}

/* Into one of the homes, or onto the public network; with IPv6 or without, seldom with it alone. */
static void move(struct storm *x, unsigned i)
{
	unsigned to = (unsigned)dice_below(&x->dice, BOXES + 1), families =
		(unsigned)dice_below(&x->dice, 5);
	char ip4[ADDR_TEXT], ip6[ADDR_TEXT];

	x->moves++;
	if (to < BOXES)
		snprintf(ip4, sizeof ip4, "192.168.1.%u", 2 + i);
	else
		snprintf(ip4, sizeof ip4, "10.77.%u.%u", x->moves >> 8, x->moves & 255);
	snprintf(ip6, sizeof ip6, "2001:db8:%x::%x", 0xa0 + to, x->moves);
	lab_behind(&x->l->computer[i], to < BOXES ? x->box[to] : NULL, families ? ip4 : NULL,
		   families != 1 ? ip6 : NULL);
}

static void toggle_relay(struct storm *x, unsigned i)
{
	char err[256];

	if (!x->relay_down[i])
		process_stop(x->l->relay[i].trs);
	else if (!process_start(x->l->relay[i].trs, err)) {
		printf("Bail out! %s\n", err);
		exit(99);
	}
	x->relay_down[i] = !x->relay_down[i];
}

static void toggle_computer(struct storm *x, unsigned i)
{
	struct computer *c = &x->l->computer[i];

	if (x->away[i])
		computer_start(c);
	else if (dice_below(&x->dice, 2))
		computer_leave(c);
	else
		computer_stop(c);
	x->away[i] = !x->away[i];
}

static void forget(struct storm *x, unsigned i)
{
	char ip[ADDR_TEXT];

	snprintf(ip, sizeof ip, "203.0.113.%u", 100 + x->addresses % 100);
	if (i < BOXES)
		box_forget(x->box[i], dice_below(&x->dice, 2) && ++x->addresses ? ip : NULL);
	else
		box_forget(x->wall[i - BOXES], NULL);
}

static void something(struct storm *x)
{
	unsigned i = (unsigned)dice_below(&x->dice, COMPUTERS);
	unsigned r = (unsigned)dice_below(&x->dice, RELAYS);
	struct process *trs = x->l->relay[r].trs;
	struct box *b = x->box[dice_below(&x->dice, BOXES)];

	switch (dice_below(&x->dice, 12)) {
	case 0:
		toggle_relay(x, r);
		break;
	case 1:
		if (!x->relay_down[r])
			worker_restart(trs, (unsigned)dice_below(&x->dice, trs->workers));
		break;
	case 2:
		process_control(trs, dice_below(&x->dice, 2) ? "{\"cmd\": \"drain\"}\n"
							     : "{\"cmd\": \"resume\"}\n");
		break;
	case 3:
		if (!x->away[i])
			worker_restart(x->l->computer[i].node, (unsigned)dice_below(&x->dice,
				       x->l->computer[i].node->workers));
		break;
	case 4:
		toggle_computer(x, i);
		break;
	case 5:
		move(x, i);
		break;
	case 6: case 7:
		x->dead[i][r] = !x->dead[i][r];
		break;
	case 8: case 9:
		forget(x, (unsigned)dice_below(&x->dice, 2 * BOXES));
		break;
	case 10:
		b->line.loss = (unsigned)dice_below(&x->dice, 300);
		b->line.jitter = dice_below(&x->dice, 200 * MS);
		break;
	case 11:
		worker_restart(x->l->nms, (unsigned)dice_below(&x->dice, x->l->nms->workers));
		break;
	}
}

static void chatter(struct storm *x)
{
	unsigned i = (unsigned)dice_below(&x->dice, COMPUTERS);
	unsigned k = (unsigned)dice_below(&x->dice, COMPUTERS);

	if (i != k && !x->away[i])
		computer_data(&x->l->computer[i], &x->l->computer[k], 4, x->number++, 100);
}

static void calm(struct storm *x)
{
	unsigned i;

	memset(x->dead, 0, sizeof x->dead);
	for (i = 0; i < BOXES; i++)
		x->box[i]->line = x->l->world->line;
	for (i = 0; i < RELAYS; i++) {
		if (x->relay_down[i])
			toggle_relay(x, i);
		process_control(x->l->relay[i].trs, "{\"cmd\": \"resume\"}\n");
	}
	for (i = 0; i < COMPUTERS; i++)
		if (x->away[i])
			toggle_computer(x, i);
	world_run(x->l->world, 300 * SEC);
}

static unsigned pairs_met(struct lab *l)
{
	unsigned i, k, tries, met = 0;

	for (i = 0; i < COMPUTERS; i++)
		for (k = 0; k < COMPUTERS; k++)
			for (tries = 0; i != k && tries < 15; tries++)
				if (computer_ping(&l->computer[i], &l->computer[k], 4, SEC)) {
					met++;
					break;
				} else if (tries == 14)
					diag("n%u does not reach n%u", i, k);
	return met;
}

static void build(struct storm *x, uint64_t seed, unsigned workers)
{
	unsigned i;

	memset(x, 0, sizeof *x);
	dice_seed(&x->dice, seed);
	x->l = lab_new(&(struct lab_wish){ .seed = seed, .computers = COMPUTERS, .relays = RELAYS,
					   .workers = workers, .node_workers = workers,
					   .relay_workers = workers, .line = { .delay = 20 * MS } });
	for (i = 0; i < BOXES; i++) {
		char ip[ADDR_TEXT];

		/* the last stands behind the one before */
		snprintf(ip, sizeof ip, i == BOXES - 1 ? "100.64.0.%u" : "203.0.113.%u", i + 1);
		x->box[i] = box_napt(x->l->world, (enum box_kind)(i % 4), ip,
				     i == BOXES - 1 ? x->box[i - 1]->inside : NULL);
		x->box[i]->hairpin = dice_below(&x->dice, 2);
		x->wall[i] = box_wall(x->l->world, i % 2 ? ROUTER : FIREWALL, 6, x->box[i]->inside, NULL);
	}
	for (i = 0; i < COMPUTERS; i++)
		move(x, i);
	x->l->world->spy = lose;
	x->l->world->spy_arg = x;
}

static bool run(uint64_t seed, unsigned workers, uint64_t *twice)
{
	unsigned i, met, online = 0;
	struct storm x;

	build(&x, seed, workers);
	lab_start_all(x.l, 10 * SEC);
	for (i = 0; i < 400; i++) {
		unsigned n = (unsigned)dice_below(&x.dice, 20);

		if (dice_below(&x.dice, 3) == 0)
			something(&x);
		while (n-- > 0) {
			chatter(&x);
			world_run(x.l->world, dice_below(&x.dice, 100 * MS));
		}
		world_run(x.l->world, dice_below(&x.dice, 2 * SEC));
	}
	calm(&x);
	for (i = 0; i < COMPUTERS; i++)
		online += computer_online(&x.l->computer[i]);
	met = pairs_met(x.l);
	for (i = 0; i < COMPUTERS; i++)
		*twice += x.l->computer[i].data_twice;
	if (met != COMPUTERS * (COMPUTERS - 1) || online != COMPUTERS)
		diag("seed %" PRIu64 ", %u workers: %u online, %u of %u pairs meet", seed, workers,
		     online, met, COMPUTERS * (COMPUTERS - 1));
	lab_free(x.l);
	return met == COMPUTERS * (COMPUTERS - 1) && online == COMPUTERS;
}

int main(int argc, char **argv)
{
	unsigned n = 12 * scale(), good = 0, i;
	uint64_t twice = 0;

	if (argc > 1)
		return !run(strtoull(argv[1], NULL, 0), argc > 2 ? (unsigned)atoi(argv[2]) : 1, &twice);
	ledger_open();
	for (i = 0; i < n; i++)
		good += run(6500 + i, 1 + i % 3, &twice);
	ok(good == n, "after each of %u storms all reach all (%u)", n, good);
	ok(!twice, "no packet came out twice");
	ok(ledger_duplicates() == 0, "no key and nonce served twice in %" PRIu64 " seals",
	   ledger_seals());
	ledger_close();
	return done();
}
