/*
 * 130-two-nodes-meet.c - two computers of different owners meet: by name and by address, over
 * both virtual families, whoever of the workers owns what.
 */
#include "t/sim/lab.h"
#include "t/tap.h"

static void meet(unsigned workers, unsigned node_workers)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 130 + workers, .computers = 102,
						    .workers = workers,
						    .node_workers = node_workers });
	struct computer *alice = &l->computer[0], *bob = &l->computer[101];
	uint8_t ip4[4], ip6[16];
	char say[512];
	uint64_t began;

	diag("%u workers in the cloud, %u in a node", workers, node_workers);
	world_run(l->world, SEC);
	computer_start(alice);
	computer_start(bob);
	ok(computer_wait_online(alice, SEC) && computer_wait_online(bob, SEC),
	   "two owners' computers log in and register");

	ok(computer_resolve(alice, bob->fqdn, 1, ip4, SEC) == 0 && !memcmp(ip4, bob->ip4, 4),
	   "the resolver says bob's virtual IPv4 address");
	ok(computer_resolve(alice, bob->fqdn, 28, ip6, SEC) == 0 && !memcmp(ip6, bob->ip6, 16),
	   "and the IPv6 address");
	ok(computer_resolve(alice, "nobody.cyphonic.internal", 1, ip4, SEC) == 3,
	   "a name that nobody has does not exist");

	began = l->world->time;
	ok(computer_ping(alice, bob, 4, SEC), "alice pings bob over virtual IPv4");
	diag("first ping %.1f ms", (double)(l->world->time - began) / MS);
	ok(computer_ping(alice, bob, 6, SEC), "and over IPv6");
	began = l->world->time;
	ok(computer_ping(bob, alice, 4, SEC) && computer_ping(bob, alice, 6, SEC),
	   "bob pings alice over the same path");
	ok(l->world->time - began < 50 * MS, "which stands already (%.1f ms for both)",
	   (double)(l->world->time - began) / MS);
	ok(process_drops(alice->node) == 0 && process_drops(bob->node) == 0 &&
	   process_drops(l->nms) == 0, "not one packet was dropped on the way");
	diag("alice: %s", process_tell(alice->node, say, sizeof say));
	diag("bob: %s", process_tell(bob->node, say, sizeof say));
	diag("nms: %s", process_tell(l->nms, say, sizeof say));
	lab_free(l);
}

int main(void)
{
	meet(1, 1);
	meet(2, 1);
	meet(3, 1);
	meet(1, 2);
	meet(3, 3);
	return done();
}
