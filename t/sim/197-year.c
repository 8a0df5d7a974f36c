/*
 * 197-year.c - a year in the life of four computers: a rekey every two minutes, a new path every
 * day, new Common Keys every three weeks, and each day something restarts.  No key ever
 * meets a nonce twice.
 *
 * A year with SCALE=16, otherwise weeks of it.  Idle time costs nothing: the clock
 * jumps from one event to the next, every rekey in between is sealed.
 */
#include "t/sim/ledger.h"
#include "t/sim/peek.h"
#include "t/tap.h"

#define DAY (86400 * SEC)
#ifdef __SANITIZE_ADDRESS__
#define DAYS 7
#else
#define DAYS 23
#endif

/* Nobody pings for hours, and still the tunnels rekey. */
static void long_idle(struct config *c)
{
	c->node_idle = 86400000;
	c->keepalive = c->node_keepalive = 300000;
}

static void start(struct process *p)
{
	char err[256];

	if (!process_start(p, err)) {
		printf("Bail out! %s\n", err);
		exit(99);
	}
}

/* Something else each day. */
static void restart(struct lab *l, unsigned day)
{
	struct computer *c = &l->computer[day % l->computers];

	switch (day % 5) {
	case 0:
		process_stop(l->nms);
		start(l->nms);
		break;
	case 1:
		process_stop(l->as);
		start(l->as);
		break;
	case 2:
		computer_stop(c);
		computer_start(c);
		break;
	case 3:
		worker_restart(l->nms, day % l->nms->workers);
		break;
	case 4:
		worker_restart(c->node, day % c->node->workers);
		break;
	}
}

/* Both pairs talk every six hours; what is not answered at once is a new path being found. */
static unsigned talk(struct lab *l)
{
	struct computer *c = l->computer;
	unsigned i, k, good = 0;

	for (i = 0; i < 4; i += 2)
		for (k = 0; k < 20; k++)
			if (computer_ping(&c[i], &c[i + 1], 4, SEC) &&
			    computer_ping(&c[i + 1], &c[i], 6, SEC)) {
				good++;
				break;
			}
	return good;
}

/* Rekeys of one pair so far, from looks that are closer together than paths are long. */
struct count {
	struct id path;
	uint64_t at, all;
};

static void count_rekeys(struct count *c, const struct tunnel *t)
{
	if (!t)
		return;
	c->all += t->rekeys - (id_equal(&c->path, &t->setup.path) ? c->at : 0);
	c->path = t->setup.path;
	c->at = t->rekeys;
}

int main(void)
{
	unsigned days = scale() >= 16 ? 365 : DAYS * scale(), day, hour, talks = 0, i;
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 197, .computers = 4, .workers = 2,
						    .node_workers = 2, .tune = long_idle });
	struct count count[2] = { 0 };
	uint64_t rekeys;

	ledger_open();
	ok(lab_start_all(l, 10 * SEC), "four computers are online");
	for (day = 0; day < days; day++) {
		for (hour = 0; hour < 24; hour += 6) {
			talks += talk(l);
			world_run(l->world, DAY / 4 - l->world->time % (DAY / 4));
			for (i = 0; i < 2; i++)
				count_rekeys(&count[i], peek_tunnel(&l->computer[2 * i],
								    &l->computer[2 * i + 1]));
		}
		restart(l, day);
		world_run(l->world, 60 * SEC);
	}
	ok(talks == days * 8, "in %u days they always reached each other (%u of %u)", days, talks,
	   days * 8);
	rekeys = count[0].all + count[1].all;
	ok(rekeys > days * 2 * 600, "two tunnels had %" PRIu64 " rekeys", rekeys);
	ok(ledger_duplicates() == 0, "keys and nonces used twice: %" PRIu64 " of %" PRIu64,
	   ledger_duplicates(), ledger_seals());
	ledger_close();
	lab_free(l);
	return done();
}
