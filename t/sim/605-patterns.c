/*
 * 605-patterns.c - what the NMS makes of two computers where there is no TRS: one of them behind
 * a NAPT of any kind, both behind one, both behind NAPTs of which nothing is known.
 */
#include "t/sim/peek.h"
#include "t/tap.h"
#include <jansson.h>
#include <stdio.h>

struct scene {
	struct lab *l;
	struct computer *a, *b;
	char status[16384];		/* the NMS's */
};

static void on_status(void *arg, const uint8_t *p, size_t n)
{
	struct scene *s = arg;
	size_t at = strlen(s->status);

	snprintf(s->status + at, sizeof s->status - at, "%.*s", (int)n, p);
}

static void begin(struct scene *s, uint64_t seed)
{
	memset(s, 0, sizeof *s);
	s->l = lab_new(&(struct lab_wish){ .seed = seed, .computers = 2, .workers = 1 });
	s->a = &s->l->computer[0];
	s->b = &s->l->computer[1];
	s->l->nms->on_control = on_status;
	s->l->nms->arg = s;
}

/* Paths of this pattern so far. */
static unsigned patterns(struct scene *s, unsigned pattern)
{
	json_t *o, *n;
	unsigned count;

	s->status[0] = '\0';
	process_control(s->l->nms, "{\"cmd\":\"status\"}\n");
	world_run(s->l->world, 10 * MS);
	o = json_loads(s->status, 0, NULL);
	n = json_array_get(json_object_get(o, "patterns"), pattern - 1);
	count = json_is_integer(n) ? (unsigned)json_integer_value(n) : 999;
	json_decref(o);
	return count;
}

static bool meet(struct scene *s, struct computer *from, struct computer *to)
{
	return lab_start_all(s->l, 10 * SEC) && computer_ping(from, to, 4, 3 * SEC) &&
	       computer_ping(to, from, 4, SEC) && peek_joined(from, to);
}

static void one_behind(void)
{
	static const enum box_kind kinds[] = { FULL_CONE, RESTRICTED, PORT_RESTRICTED, SYMMETRIC };
	unsigned i, asks, good = 0;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		for (asks = 0; asks < 2; asks++) {
			struct scene s;
			bool fine;

			begin(&s, 610 + i * 2 + asks);
			host_move(s.l->world, s.b->host, "203.0.113.50", NULL);
			lab_behind(s.a, lab_napt(s.l, kinds[i], "203.0.113.9", NULL), "192.168.1.2", NULL);
			fine = asks ? meet(&s, s.b, s.a) : meet(&s, s.a, s.b);
			fine = fine && patterns(&s, 2) == 1 && peek_tunnel(s.a, s.b)->setup.initiator;
			if (!fine)
				diag("%s, asked by the %s: %s", box_kind_name(kinds[i]),
				     asks ? "open one" : "one behind it", s.status);
			good += fine;
			lab_free(s.l);
		}
	ok(good == 8, "with one behind a NAPT of any kind, whoever asks, it begins, in pattern 2 (%u of 8)",
	   good);
}

static void both_behind(enum box_kind ka, enum box_kind kb, bool meets)
{
	struct scene s;

	begin(&s, 620);
	lab_behind(s.a, lab_napt(s.l, ka, "203.0.113.9", NULL), "192.168.1.2", NULL);
	lab_behind(s.b, lab_napt(s.l, kb, "203.0.113.10", NULL), "192.168.2.2", NULL);
	ok(meet(&s, s.a, s.b) == meets, "%s and %s, nothing known of either: %s", box_kind_name(ka),
	   box_kind_name(kb), meets ? "a hole is punched" : "none can be");
	lab_free(s.l);
}

static void behind_one(void)
{
	struct scene s;
	struct box *n;

	begin(&s, 630);
	n = lab_napt(s.l, SYMMETRIC, "203.0.113.9", NULL);
	lab_behind(s.a, n, "192.168.1.2", NULL);
	lab_behind(s.b, n, "192.168.1.3", NULL);
	ok(meet(&s, s.a, s.b) && peek_tunnel(s.a, s.b)->routes.n > 0,
	   "both behind one symmetric NAPT meet in their own network");
	lab_free(s.l);
}

static void no_family(void)
{
	struct scene s;

	begin(&s, 640);
	host_move(s.l->world, s.a->host, "203.0.113.50", NULL);
	host_move(s.l->world, s.b->host, NULL, "2001:db8:5::5");
	ok(lab_start_all(s.l, 10 * SEC) && !computer_ping(s.a, s.b, 4, SEC) &&
	   s.a->unreachable == 1 && strstr(computer_status(s.a, "{\"cmd\":\"status\"}\n"), "no_relay"),
	   "IPv4 alone and IPv6 alone: told at once that a relay is missing");
	lab_free(s.l);
}

int main(void)
{
	one_behind();
	both_behind(PORT_RESTRICTED, PORT_RESTRICTED, true);
	both_behind(RESTRICTED, SYMMETRIC, true);
	both_behind(SYMMETRIC, SYMMETRIC, false);
	behind_one();
	no_family();
	return done();
}
