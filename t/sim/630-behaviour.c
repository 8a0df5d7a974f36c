/*
 * 630-behaviour.c - a node finds out what is in front of it, by NMS and relays in earnest: it
 * says the right thing, the NMS has it, and both follow when the box becomes another.
 */
#include "t/sim/peek.h"
#include "t/tap.h"

#define LOOKED (20 * SEC)		/* a look is over by then, lost datagrams included */
#define LOOKED_AGAIN (360 * SEC)	/* and so is the next */

static struct lab *lab_of(uint64_t seed, unsigned relays, unsigned workers)
{
	return lab_new(&(struct lab_wish){ .seed = seed, .computers = 1, .relays = relays,
					   .node_workers = workers, .workers = workers,
					   .relay_workers = workers, .line = { .delay = 20 * MS } });
}

static struct behaviour found(const struct computer *c, unsigned family)
{
	return ((struct node *)c->node->seat[0].self)->napt[family == 6].found;
}

/* The node says it, and the NMS has it. */
static bool knows(struct lab *l, unsigned family, struct behaviour want)
{
	struct computer *c = &l->computer[0];
	struct behaviour b = found(c, family);
	struct registration r;

	if (registration_get(l->store, &c->node_id, &r) != STORE_OK)
		return false;
	if (behaviour_octet(b) == behaviour_octet(want) &&
	    r.behaviour[family == 6] == behaviour_octet(want))
		return true;
	diag("IPv%u: mapping %s, filtering %s; the NMS has %02x", family, mapping_name(b.mapping),
	     filtering_name(b.filtering), r.behaviour[family == 6]);
	return false;
}

static const struct behaviour open_host = { MAPPING_NONE, FILTERING_ENDPOINT_INDEPENDENT };
static const struct behaviour walled = { MAPPING_NONE, FILTERING_PORT_DEPENDENT };
static const struct behaviour of_kind[] = {
	[FULL_CONE] = { MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ENDPOINT_INDEPENDENT },
	[RESTRICTED] = { MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ADDRESS_DEPENDENT },
	[PORT_RESTRICTED] = { MAPPING_ENDPOINT_INDEPENDENT, FILTERING_PORT_DEPENDENT },
	[SYMMETRIC] = { MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT },
};

static void no_box(void)
{
	struct lab *l = lab_of(630, 2, 0);
	struct computer *c = &l->computer[0];
	uint64_t drops;
	unsigned i;

	ok(lab_start_all(l, 10 * SEC), "a computer on the public network is online");
	world_run(l->world, LOOKED);
	ok(knows(l, 4, open_host) && knows(l, 6, open_host),
	   "nothing is in front of it, by IPv4 and by IPv6");
	drops = process_drops(c->node) + process_drops(l->nms);
	for (i = 0; i < 2; i++)
		drops += process_drops(l->relay[i].trs);
	ok(!drops, "nobody dropped anything for it");
	world_run(l->world, 3600 * SEC);
	ok(knows(l, 4, open_host) && knows(l, 6, open_host), "an hour later the same");
	ok(strstr(computer_status(c, "{\"cmd\": \"status\"}\n"), "\"kind\":\"open\""),
	   "and its status says so");
	lab_free(l);
}

static void every_box(void)
{
	unsigned kind, workers;

	for (kind = FULL_CONE; kind <= SYMMETRIC; kind++)
		for (workers = 1; workers <= 2; workers++) {
			struct lab *l = lab_of(631 + kind, 2, workers);
			struct box *b = lab_napt(l, kind, "203.0.113.1", NULL);

			lab_behind(&l->computer[0], b, "192.168.1.2", NULL);
			ok(lab_start_all(l, 10 * SEC) && (world_run(l->world, LOOKED), true) &&
			   knows(l, 4, of_kind[kind]), "behind a %s NAPT: %s, %s (%u worker%s)",
			   box_kind_name(kind), mapping_name(of_kind[kind].mapping),
			   filtering_name(of_kind[kind].filtering), workers, workers > 1 ? "s" : "");
			world_run(l->world, LOOKED_AGAIN);
			ok(knows(l, 4, of_kind[kind]), "and at the second look");
			lab_free(l);
		}
}

static void cgnats(void)
{
	unsigned outer, inner, good = 0;

	for (outer = FULL_CONE; outer <= SYMMETRIC; outer++)
		for (inner = FULL_CONE; inner <= SYMMETRIC; inner++) {
			struct lab *l = lab_of(640 + 4 * outer + inner, 1, 0);
			struct box *far = lab_napt(l, outer, "203.0.113.1", NULL);
			struct box *home = lab_napt(l, inner, "100.64.0.2", far);
			struct behaviour want = {
				MAX(of_kind[outer].mapping, of_kind[inner].mapping),
				MAX(of_kind[outer].filtering, of_kind[inner].filtering) };

			lab_behind(&l->computer[0], home, "192.168.1.2", NULL);
			if (lab_start_all(l, 10 * SEC)) {
				world_run(l->world, LOOKED);
				good += knows(l, 4, want);
			}
			lab_free(l);
		}
	ok(good == 16, "of a NAPT behind a CGNAT the stricter is found, in 16 pairs (%u)", good);
}

static void walls(void)
{
	struct lab *l = lab_of(660, 2, 0);
	struct box *site = lab_napt(l, PORT_RESTRICTED, "203.0.113.1", NULL);

	lab_wall(l, FIREWALL, site);
	lab_behind(&l->computer[0], site, "192.168.1.2", "2001:db8:a::2");
	lab_start_all(l, 10 * SEC);
	world_run(l->world, LOOKED);
	ok(knows(l, 6, walled) && knows(l, 4, of_kind[PORT_RESTRICTED]),
	   "an IPv6 firewall beside an IPv4 NAPT: each family says its own");
	ok(strstr(computer_status(&l->computer[0], "{\"cmd\": \"status\"}\n"),
		  "\"kind\":\"firewall\""), "status calls it by its name");
	lab_free(l);

	l = lab_of(661, 2, 0);
	lab_behind(&l->computer[0], lab_wall(l, ROUTER, NULL), NULL, "2001:db8:a::2");
	lab_start_all(l, 10 * SEC);
	world_run(l->world, LOOKED);
	ok(knows(l, 6, open_host), "behind a router without a firewall all come in");
	lab_free(l);
}

/* Everything the box knew is lost, as when it is replaced. */
static void become(struct box *b, enum box_kind kind)
{
	b->kind = kind;
	b->is = of_kind[kind];
	box_forget(b, NULL);
}

static void another_box(void)
{
	struct lab *l = lab_of(662, 2, 0);
	struct computer *c = &l->computer[0];
	struct box *b = lab_napt(l, PORT_RESTRICTED, "203.0.113.1", NULL);
	unsigned kind, good = 0;
	struct registration r;

	lab_behind(c, b, "192.168.1.2", NULL);
	lab_start_all(l, 10 * SEC);
	world_run(l->world, LOOKED);
	ok(knows(l, 4, of_kind[PORT_RESTRICTED]), "one box");
	for (kind = FULL_CONE; kind <= SYMMETRIC; kind++) {
		become(b, kind);
		world_run(l->world, 60 * SEC);
		good += knows(l, 4, of_kind[kind]);
	}
	ok(good == 4, "replaced by others, each is found within a minute (%u of 4)", good);
	b->is = of_kind[RESTRICTED];
	b->kind = RESTRICTED;
	world_run(l->world, LOOKED_AGAIN);
	ok(knows(l, 4, of_kind[RESTRICTED]), "one set up anew that forgets nothing, by the next look");
	lab_behind(c, NULL, "10.0.0.2", NULL);
	world_run(l->world, 90 * SEC);
	ok(knows(l, 4, open_host), "taken to a network without one: none");
	registration_get(l->store, &c->node_id, &r);
	ok(r.rtt_n == 2 && r.rtt[0].rtt >= 80 * MS && r.rtt[0].rtt < 90 * MS,
	   "the NMS has how far both relays are (%u us)", r.rtt[0].rtt);
	lab_free(l);
}

static void services_gone(void)
{
	struct lab *l = lab_of(663, 2, 0);
	struct box *b = lab_napt(l, RESTRICTED, "203.0.113.1", NULL);
	unsigned i;

	lab_behind(&l->computer[0], b, "192.168.1.2", NULL);
	lab_start_all(l, 10 * SEC);
	world_run(l->world, LOOKED);
	ok(knows(l, 4, of_kind[RESTRICTED]), "known while there are relays");
	for (i = 0; i < 2; i++)
		process_stop(l->relay[i].trs);
	world_run(l->world, 1000 * SEC);
	ok(knows(l, 4, of_kind[RESTRICTED]), "and still when they are gone");
	cloud_stop(l);
	world_run(l->world, 5 * SEC);
	cloud_start(l);
	ok(computer_wait_online(&l->computer[0], 120 * SEC), "AS and NMS start anew");
	world_run(l->world, LOOKED);
	ok(knows(l, 4, of_kind[RESTRICTED]), "the NMS is told again");
	lab_free(l);

	l = lab_of(664, 0, 0);
	lab_behind(&l->computer[0], lab_napt(l, FULL_CONE, "203.0.113.1", NULL), "192.168.1.2", NULL);
	lab_start_all(l, 10 * SEC);
	world_run(l->world, LOOKED);
	ok(knows(l, 4, (struct behaviour){ MAPPING_UNKNOWN, FILTERING_UNKNOWN }),
	   "without relays nothing is known of a NAPT");
	lab_start_relays(l, SEC);
	lab_free(l);
}

/* A relay in use gets in by every box: that is no news of the box. */
static void while_relayed(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 665, .computers = 2, .relays = 1,
						    .line = { .delay = 20 * MS } });
	struct computer *alice = &l->computer[0], *bob = &l->computer[1];
	unsigned i, good = 0, pings = 0;

	lab_behind(alice, lab_napt(l, RESTRICTED, "203.0.113.1", NULL), "192.168.1.2", NULL);
	lab_behind(bob, lab_napt(l, SYMMETRIC, "203.0.113.2", NULL), "192.168.1.2", NULL);
	lab_start_all(l, 10 * SEC);
	world_run(l->world, LOOKED);
	for (i = 0; i < 200; i++) {
		pings += computer_ping(alice, bob, 4, 5 * SEC);
		world_run(l->world, 10 * SEC);
		good += behaviour_octet(found(alice, 4)) == behaviour_octet(of_kind[RESTRICTED]);
	}
	ok(pings == i && good == i, "half an hour of use of a relay misleads nobody (%u, %u of %u)",
	   pings, good, i);
	lab_free(l);
}

static void lossy(void)
{
	unsigned kind, n, first = 0, late = 0, all = 0, rounds = 4 * scale();

	for (n = 0; n < rounds; n++)
		for (kind = FULL_CONE; kind <= SYMMETRIC; kind++) {
			struct lab *l = lab_of(700 + 4 * n + kind, 2, 0);
			struct box *b = lab_napt(l, kind, "203.0.113.1", NULL);

			lab_behind(&l->computer[0], b, "192.168.1.2", NULL);
			b->line.loss = l->cloud->line.loss = 20;
			l->relay[0].host->line.loss = l->relay[1].host->line.loss = 20;
			all++;
			if (lab_start_all(l, 60 * SEC)) {
				world_run(l->world, LOOKED);
				first += knows(l, 4, of_kind[kind]);
				world_run(l->world, LOOKED_AGAIN);
				late += knows(l, 4, of_kind[kind]);
			}
			lab_free(l);
		}
	ok(first >= all - 1 - all / 50 && late == all,
	   "with 2 %% loss on every line %u of %u are right at once, %u after the second look", first,
	   all, late);
}

int main(void)
{
	no_box();
	every_box();
	cgnats();
	walls();
	another_box();
	services_gone();
	while_relayed();
	lossy();
	return done();
}
