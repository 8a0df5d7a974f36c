/*
 * 655-gaps.c - two computers that have a relay all the time, and direct ways that come and go:
 * directions and families die for a while, boxes at home forget.  However it comes, what each
 * sends arrives again within some seconds.
 */
#include "t/sim/peek.h"
#include "t/tap.h"

#define LOOKED (5 * SEC)
#define EVERY (50 * MS)			/* a data packet, each way */
#define GAP (4 * SEC)			/* without one that arrives */
/* Two faults within a Keep Alive's time may cut a node off from NMS and relay until the next one. */
#define WORST (25 * SEC)

struct story {
	struct lab *l;
	struct dice dice;
	struct box *box[2], *wall[2];
	bool dead[2][2];		/* what computer i sends directly, by IPv4 and IPv6 */
	uint64_t seen[2], since[2], longest;
	uint32_t number;
	char newest[100];		/* event */
};

static bool is_service(const struct addr *to)
{
	return to->family == 4 ? memcmp(to->ip, "\xc0\0\2", 3) == 0 :
				 memcmp(to->ip, "\x20\1\x0d\xb8\0\0\0\0", 8) == 0;
}

static enum fate lose(void *arg, const struct datagram *d)
{
	const struct story *s = arg;
	unsigned i = d->sender == s->l->computer[1].node;

	if (!d->stream && d->sender == s->l->computer[i].node && !is_service(&d->to) &&
	    s->dead[i][d->to.family == 6])
		return LOSE;
	return PASS;
}

static void something(struct story *s)
{
	unsigned i = (unsigned)dice_below(&s->dice, 2), f = (unsigned)dice_below(&s->dice, 2);
	char ip[ADDR_TEXT];

	snprintf(ip, sizeof ip, "203.0.113.%u", 10 + 100 * i + (unsigned)dice_below(&s->dice, 100));
	switch (dice_below(&s->dice, 5)) {
	case 0:
		box_forget(s->box[i], NULL);
		snprintf(s->newest, sizeof s->newest, "NAPT of %u forgets", i);
		break;
	case 1:
		box_forget(s->box[i], ip);
		snprintf(s->newest, sizeof s->newest, "NAPT of %u has a new address", i);
		break;
	case 2:
		box_forget(s->wall[i], NULL);
		snprintf(s->newest, sizeof s->newest, "firewall of %u forgets", i);
		break;
	default:
		s->dead[i][f] = !s->dead[i][f];
		snprintf(s->newest, sizeof s->newest, "IPv%u of %u is %s", f ? 6 : 4, i,
			 s->dead[i][f] ? "dead" : "alive");
	}
}

/* How long has nothing come out at either of the two? */
static void watch(struct story *s)
{
	uint64_t now = s->l->world->time;
	unsigned i;

	for (i = 0; i < 2; i++) {
		const struct computer *c = &s->l->computer[i];

		if (c->data != s->seen[i])
			s->since[i] = now;
		s->seen[i] = c->data;
		s->longest = MAX(s->longest, now - s->since[i]);
	}
}

static void talk(struct story *s, uint64_t us)
{
	struct computer *c = s->l->computer;
	uint64_t end = s->l->world->time + us;

	while (s->l->world->time < end) {
		computer_data(&c[0], &c[1], 4, s->number, 100);
		computer_data(&c[1], &c[0], 4, s->number++, 100);
		world_run(s->l->world, EVERY);
		watch(s);
	}
}

static void build(struct story *s, uint64_t seed, bool six)
{
	unsigned i;

	memset(s, 0, sizeof *s);
	dice_seed(&s->dice, seed);
	s->l = lab_new(&(struct lab_wish){ .seed = seed, .computers = 2, .relays = 1,
					   .line = { .delay = 20 * MS } });
	for (i = 0; i < 2; i++) {
		/* no full cone: with one the path would have no relay */
		enum box_kind kind = RESTRICTED + dice_below(&s->dice, 3);

		s->box[i] = box_napt(s->l->world, kind, i ? "203.0.113.2" : "203.0.113.1", NULL);
		s->wall[i] = box_wall(s->l->world, FIREWALL, 6, s->box[i]->inside, NULL);
		lab_behind(&s->l->computer[i], s->box[i], "192.168.1.2",
			   !six ? NULL : i ? "2001:db8:b::2" : "2001:db8:a::2");
	}
	s->l->world->spy = lose;
	s->l->world->spy_arg = s;
}

/* The longest gap in us. */
static uint64_t run(uint64_t seed)
{
	struct story s;
	unsigned i, told = 0;

	build(&s, seed, seed % 2);
	lab_start_all(s.l, 10 * SEC);
	world_run(s.l->world, LOOKED);
	computer_ping(&s.l->computer[0], &s.l->computer[1], 4, 2 * SEC);
	s.since[0] = s.since[1] = s.l->world->time;
	for (i = 0; i < 30; i++) {
		uint64_t before = s.longest;

		talk(&s, dice_below(&s.dice, 30 * SEC));
		if (s.longest > MAX(before, GAP) && !told++)
			diag("seed %" PRIu64 ", %s and %s: %.1f s after: %s", seed,
			     box_kind_name(s.box[0]->kind), box_kind_name(s.box[1]->kind),
			     (double)s.longest / SEC, s.newest);
		something(&s);
	}
	if (s.l->computer[0].data_twice || s.l->computer[1].data_twice)
		s.longest = NEVER;
	lab_free(s.l);
	return s.longest;
}

int main(int argc, char **argv)
{
	unsigned n = 20 * scale(), i, good = 0;
	uint64_t longest = 0;

	if (argc > 1)
		return run(strtoull(argv[1], NULL, 0)) > GAP;
	for (i = 0; i < n; i++) {
		uint64_t gap = run(6550 + i);

		good += gap <= GAP;
		longest = MAX(longest, gap);
	}
	ok(good * 100 >= n * 97, "in %u of %u stories the longest silence is below %u s", good, n,
	   (unsigned)(GAP / SEC));
	ok(longest <= WORST, "the longest of all is %.1f s", (double)longest / SEC);
	return done();
}
