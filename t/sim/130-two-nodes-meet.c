/*
 * 130-two-nodes-meet.c - two computers of different owners meet: by name and by address, over
 * both virtual families, whoever of the workers owns what.
 */
#include "t/sim/peek.h"
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
	ok(process_drops(alice->node) == 0 && process_drops(l->nms) == 0 &&
	   process_drops(bob->node) == process_verdict(bob->node, V_DROP_STATE) &&
	   process_drops(bob->node) <= 2,
	   "nothing was dropped but what came to bob by a second way when it was settled");
	diag("alice: %s", process_tell(alice->node, say, sizeof say));
	diag("bob: %s", process_tell(bob->node, say, sizeof say));
	diag("nms: %s", process_tell(l->nms, say, sizeof say));
	ok(peek_joined(alice, bob), "one path serves both families and both directions");
	lab_free(l);
}

/* ---- a batch of two IDs, as GSO and GRO may make it, is steered by its first alone ---- */

struct theft {
	struct process *from[2];	/* whose datagram of this type is taken, one each */
	uint8_t type;
	const struct addr *to;		/* by the family of this */
	unsigned n;
	struct addr source[2];
	uint8_t p[2][DATAGRAM_MAX];
	uint32_t len[2];
};

static enum fate steal(void *arg, const struct datagram *d)
{
	struct theft *t = arg;
	unsigned i = t->from[1] == d->sender;

	if (d->stream || d->sender != t->from[i] || d->p[6] != t->type || t->len[i] ||
	    d->to.family != t->to->family)
		return PASS;
	memcpy(t->p[i], d->p, d->len);
	t->len[i] = d->len;
	t->source[i] = d->from;
	t->n++;
	return LOSE;
}

static bool stolen(void *arg)
{
	return ((struct theft *)arg)->n == 2;
}

static bool hand_in(struct world *w, struct theft *t, struct process *to, const struct addr *at)
{
	uint8_t both[2 * DATAGRAM_MAX];

	w->spy = steal;
	w->spy_arg = t;
	if (!world_until(w, 20 * SEC, stolen, t) || t->len[0] != t->len[1])
		return false;
	w->spy = NULL;
	memcpy(both, t->p[0], t->len[0]);
	memcpy(both + t->len[0], t->p[1], t->len[1]);
	world_inject(to, &t->source[0], at, both, t->len[0] + t->len[1], t->len[0]);
	return true;
}

static void mixed_for_nms(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 139, .computers = 10, .workers = 3 });
	struct computer *a = &l->computer[0], *b = a + 1;
	struct addr at = l->cloud->ip4;
	struct theft t = { .to = &at, .type = TYPE_REGISTRATION_REQUEST };
	uint64_t answered;

	while (id_owner(&b->node_id, 3) == id_owner(&a->node_id, 3))
		b++;
	t.from[0] = a->node;
	t.from[1] = b->node;
	at.port = l->nms->udp;
	world_run(l->world, SEC);
	computer_start(a);
	computer_start(b);
	ok(hand_in(l->world, &t, l->nms, &at),
	   "registrations of two workers' computers come as one batch");
	answered = process_verdict(l->nms, V_ANSWERED);
	ok(process_verdict(l->nms, V_HANDED) == 1, "the wrong worker hands on what is not its own");
	world_run(l->world, MS);
	ok(process_verdict(l->nms, V_ANSWERED) == answered + 1 && process_drops(l->nms) == 0,
	   "and the right one answers it");
	ok(computer_wait_online(a, 5 * SEC) && computer_wait_online(b, 5 * SEC),
	   "both get online");
	lab_free(l);
}

/* Seeds are tried until the two paths of alice belong to different workers. */
static bool two_owners(struct lab *l)
{
	struct computer *c = l->computer;

	return lab_start_all(l, 5 * SEC) && computer_ping(&c[1], &c[0], 4, SEC) &&
	       computer_ping(&c[2], &c[0], 4, SEC) &&
	       id_owner(&peek_tunnel(&c[0], &c[1])->setup.path, 3) !=
	       id_owner(&peek_tunnel(&c[0], &c[2])->setup.path, 3);
}

static void mixed_for_node(void)
{
	struct lab_wish wish = { .seed = 1390, .computers = 3, .node_workers = 3 };
	struct lab *l = lab_new(&wish);
	struct computer *c = l->computer;
	struct theft t = { .type = TYPE_CAPSULE };
	struct addr at;
	uint64_t echoes, handed;

	while (!two_owners(l)) {
		lab_free(l);
		wish.seed++;
		l = lab_new(&wish);
		c = l->computer;
	}
	t.from[0] = c[1].node;
	t.from[1] = c[2].node;
	at = c[0].host->ip6;
	at.port = c[0].node->udp;
	t.to = &at;
	computer_ping_send(&c[1], c[0].ip4, 4, 1001);
	computer_ping_send(&c[2], c[0].ip4, 4, 1002);
	echoes = c[0].echoes;
	handed = process_verdict(c[0].node, V_HANDED);
	ok(hand_in(l->world, &t, c[0].node, &at), "capsules of two paths come as one batch");
	world_run(l->world, SEC);
	ok(c[0].echoes == echoes + 2 && process_verdict(c[0].node, V_HANDED) > handed,
	   "both are opened, each by the worker that owns its path");
	ok(c[1].last_reply == 1001 && c[2].last_reply == 1002, "and both are answered");
	lab_free(l);
}

int main(void)
{
	meet(1, 1);
	meet(2, 1);
	meet(3, 1);
	meet(1, 2);
	meet(3, 3);
	mixed_for_nms();
	mixed_for_node();
	return done();
}
