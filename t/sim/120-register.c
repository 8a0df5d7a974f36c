/* 120-register.c - where a computer is: told, proved, kept fresh, forgotten. */
#include "t/sim/lab.h"
#include "t/sim/peek.h"
#include "t/tap.h"

static struct lab *two(uint64_t seed, void (*tune)(struct config *c))
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = seed, .computers = 2, .tune = tune });

	world_run(l->world, SEC);
	return l;
}

static void each_family(void)
{
	struct lab *l = two(120, NULL);
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	struct registration r;

	host_move(l->world, b->host, "10.0.0.3", NULL);
	computer_start(a);
	computer_start(b);
	ok(computer_wait_online(a, SEC) && computer_wait_online(b, SEC),
	   "a host with both families registers, and one with IPv4 alone");
	registration_get(l->store, &a->node_id, &r);
	ok(addr_same_ip(&r.mapped[0], &a->host->ip4) && addr_same_ip(&r.mapped[1], &a->host->ip6) &&
	   r.mapped[0].port == 4503, "each address is on record as it was seen");
	ok(!r.napt[0] && !r.napt[1], "and none of them is mapped");
	ok(computer_ping(a, b, 6, SEC), "they meet over IPv4, and carry virtual IPv6");
	lab_free(l);

	l = two(121, NULL);
	host_move(l->world, l->computer[0].host, NULL, "2001:db8:1::2");
	ok(lab_start_all(l, SEC) && computer_ping(&l->computer[0], &l->computer[1], 4, SEC),
	   "a host with IPv6 alone is as good");
	lab_free(l);
}

static enum fate no_keep_alives(void *arg, const struct datagram *d)
{
	return !d->stream && d->p[6] == TYPE_KEEP_ALIVE && d->sender == arg ? LOSE : PASS;
}

static void unproved(void)
{
	struct lab *l = two(122, NULL);
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	struct registration r;

	l->world->spy = no_keep_alives;
	l->world->spy_arg = b->node;
	computer_start(a);
	computer_start(b);
	computer_wait_online(a, SEC);
	world_run(l->world, 5 * SEC);
	ok(registration_get(l->store, &b->node_id, &r) == STORE_OK && !r.confirmed[0] &&
	   !r.confirmed[1], "an address whose challenge was not echoed is not confirmed");
	ok(!computer_ping(a, b, 4, 5 * SEC), "and given to nobody");
	ok(a->unreachable > 0, "who asked for it is told by ICMP");
	l->world->spy = NULL;
	ok(computer_wait_online(b, 40 * SEC) && computer_ping(a, b, 4, 5 * SEC),
	   "once the echo gets through, all is well");
	lab_free(l);
}

static void stays_and_goes(void)
{
	struct lab *l = two(123, NULL);
	struct computer *a = &l->computer[0];
	struct registration r;
	uint64_t began;

	computer_start(a);
	computer_wait_online(a, SEC);
	world_run(l->world, 600 * SEC);
	ok(computer_online(a), "Keep Alives keep it online for ten minutes");
	host_move(l->world, a->host, "10.9.9.9", "2001:db8:9::9");
	world_run(l->world, 45 * SEC);
	registration_get(l->store, &a->node_id, &r);
	ok(computer_online(a) && addr_same_ip(&r.mapped[0], &a->host->ip4) &&
	   addr_same_ip(&r.mapped[1], &a->host->ip6), "after a move its new addresses are known");
	computer_stop(a);
	began = l->world->time;
	while (registration_get(l->store, &a->node_id, &r) == STORE_OK &&
	       l->world->time - began < 100 * SEC)
		world_run(l->world, SEC);
	ok(l->world->time - began >= 30 * SEC && l->world->time - began <= 48 * SEC,
	   "unheard for three intervals it is offline (%.0f s)",
	   (double)(l->world->time - began) / SEC);
	computer_start(a);
	ok(computer_wait_online(a, SEC), "and comes back as if nothing had been");
	lab_free(l);
}

static void short_keys(struct config *c)
{
	c->key_lifetime = 60000;
}

static void new_keys(void)
{
	struct lab *l = two(124, short_keys);
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	unsigned i, online = 0, pinged = 0;

	ok(lab_start_all(l, SEC), "with Common Keys of one minute");
	for (i = 0; i < 60; i++) {
		world_run(l->world, 10 * SEC);
		online += computer_online(a) && computer_online(b);
		pinged += computer_ping(a, b, i % 2 ? 4 : 6, SEC);
	}
	ok(online == 60, "ten minutes pass without a moment offline (%u of 60)", online);
	ok(pinged == 60, "and without a lost packet (%u of 60)", pinged);
	ok(peek_joined(a, b) && peek_tunnel(a, b)->up_since + 500 * SEC <
	   host_now(l->world, a->host).boot, "the tunnel from the beginning still stands");
	lab_free(l);
}

static void mapped(void)
{
	struct lab *l = two(124, NULL);
	struct computer *a = &l->computer[0];
	struct box *n = lab_napt(l, PORT_RESTRICTED, "203.0.113.9", NULL);
	struct registration r;

	lab_behind(a, n, "192.168.1.2", NULL);
	computer_start(a);
	world_run(l->world, 2 * SEC);
	ok(registration_get(l->store, &a->node_id, &r) == STORE_OK && r.confirmed[0] && r.napt[0] &&
	   addr_same_ip(&r.mapped[0], &n->ip) && r.mapped[0].port != 4503 && !r.confirmed[1],
	   "behind a NAPT it registers with the mapped address, known as such");
	box_forget(n, "203.0.113.10");
	world_run(l->world, 45 * SEC);
	ok(registration_get(l->store, &a->node_id, &r) == STORE_OK && r.confirmed[0] &&
	   addr_same_ip(&r.mapped[0], &n->ip), "and soon with another, when the NAPT got one");
	lab_free(l);
}

/* A quartz is wrong by some seconds in a week, and so is a clock that nobody could set right. */
static void drifted(int64_t us, const char *what)
{
	struct lab *l = two(125, NULL);
	struct computer *a = &l->computer[0];
	uint64_t began;

	computer_start(a);
	computer_wait_online(a, SEC);
	host_move(l->world, a->host, NULL, NULL);
	world_run(l->world, 600 * SEC);
	a->host->boot_skew += us;
	host_move(l->world, a->host, "10.0.0.2", "2001:db8:1::2");
	began = l->world->time;
	while (!computer_online(a) && l->world->time - began < 300 * SEC)
		world_run(l->world, SEC);
	ok(computer_online(a), "%s: it is online again (%.0f s)", what,
	   (double)(l->world->time - began) / SEC);
	lab_free(l);
}

int main(void)
{
	drifted(0, "a computer comes back after ten minutes without a network");
	drifted(5 * (int64_t)SEC, "its clock is 5 s fast meanwhile");
	drifted(-5 * (int64_t)SEC, "its clock is 5 s slow meanwhile");
	each_family();
	mapped();
	unproved();
	stays_and_goes();
	new_keys();
	return done();
}
