/* 165-nms-on-guard.c - long ways, barred devices, unproved addresses, and nodes gone in between. */
#include "t/sim/lab.h"
#include "t/sim/peek.h"
#include "t/tap.h"

static void long_way(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 165, .computers = 2,
						    .line = { .delay = 150 * MS } });

	ok(lab_start_all(l, 10 * SEC) && computer_ping(&l->computer[0], &l->computer[1], 4, 5 * SEC),
	   "over a satellite, 600 ms there and back, two computers register and meet");
	lab_free(l);
}

static void change(struct lab *l, const struct computer *c, void (*how)(struct device *d))
{
	struct device d;

	if (device_by_fqdn(l->store, c->fqdn, &d) != STORE_OK)
		exit(99);
	how(&d);
	device_put(l->store, &d, false);
}

static void disable(struct device *d)
{
	d->disabled = 1;
}

static void enable(struct device *d)
{
	d->disabled = 0;
}

static void expire(struct device *d)
{
	d->key_expiry = 1;
}

static void short_keepalive(struct config *c)
{
	c->keepalive = 1000;
}

static void barred(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 166, .computers = 2,
						    .tune = short_keepalive });
	struct computer *a = &l->computer[0];
	uint64_t heard;

	lab_start_all(l, 5 * SEC);
	change(l, a, disable);
	world_run(l->world, 7 * SEC);
	heard = process_verdict(l->nms, V_DROP_STRANGER);
	world_run(l->world, 5 * SEC);
	ok(process_verdict(l->nms, V_DROP_STRANGER) > heard && !computer_online(a),
	   "a device disabled while it is online is not heard any more");
	change(l, a, enable);
	ok(computer_wait_online(a, 60 * SEC), "enabled again, it is");
	change(l, a, expire);
	world_run(l->world, 12 * SEC);
	ok(!computer_online(a), "a Common Key that has run out opens nothing");
	lab_free(l);
}

struct watch {
	struct computer *b;
	unsigned large;			/* Route Directions to its unproved address */
};

/* b's Keep Alives by IPv6 get lost: it cannot prove that address. */
static enum fate no_proof_by_6(void *arg, const struct datagram *d)
{
	struct watch *w = arg;

	if (d->stream)
		return PASS;
	w->large += d->to.family == 6 && addr_same_ip(&d->to, &w->b->host->ip6) &&
		    (d->p[6] == TYPE_ROUTE_DIRECTION_R || d->p[6] == TYPE_ROUTE_DIRECTION_I);
	return d->p[6] == TYPE_KEEP_ALIVE && d->from.family == 6 && d->sender == w->b->node ?
	       LOSE : PASS;
}

static void unproved(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 167, .computers = 2 });
	struct watch w = { &l->computer[1], 0 };
	unsigned i, met = 0;

	l->world->spy = no_proof_by_6;
	l->world->spy_arg = &w;
	computer_start(&l->computer[0]);
	computer_start(w.b);
	computer_wait_online(&l->computer[0], SEC);
	for (i = 0; i < 10; i++) {
		world_run(l->world, 3 * SEC + i * 100 * MS);
		met += computer_ping(&l->computer[0], w.b, 4, 2 * SEC);
		computer_stop(&l->computer[0]);
		computer_start(&l->computer[0]);
		computer_wait_online(&l->computer[0], SEC);
	}
	ok(met == i, "a computer that proved its IPv4 address alone is met (%u of %u times)", met, i);
	ok(w.large == 0, "nothing goes unasked to the other one, though it speaks from there");
	lab_free(l);
}

static enum fate late_confirmations(void *arg, const struct datagram *d)
{
	const struct lab *l = arg;

	return !d->stream && d->p[6] == TYPE_ROUTE_CONFIRMATION && l->world->time < 8500 * MS ?
	       LOSE : PASS;
}

/* The asker's device is deleted and it goes away, and then the other end agrees. */
static void gone_in_between(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 168, .computers = 2,
						    .tune = short_keepalive });
	struct computer *a = &l->computer[0], *b = &l->computer[1];

	lab_start_all(l, 2 * SEC);
	world_run(l->world, 3 * SEC - l->world->time);
	l->world->spy = late_confirmations;
	l->world->spy_arg = l;
	computer_ping_send(a, b->ip4, 4, 1);
	world_run(l->world, 500 * MS);
	computer_stop(a);
	device_delete(l->store, a->fqdn);
	world_run(l->world, 20 * SEC);
	ok(computer_online(b) && peek_tunnels(b) <= 1,
	   "an asker deleted while the other end is told of him harms nobody");
	lab_free(l);
}

int main(void)
{
	long_way();
	barred();
	unproved();
	gone_in_between();
	return done();
}
