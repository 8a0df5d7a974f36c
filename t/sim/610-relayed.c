/* 610-relayed.c - two computers behind NAPTs meet by a relay, and directly where that can be. */
#include "t/sim/boxes.h"
#include "t/sim/peek.h"
#include "t/tap.h"

static void tune(struct config *c)
{
}

static void cell(enum box_kind a, enum box_kind b)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 610, .computers = 2, .relays = 1,
						    .line = { .delay = 20 * MS }, .tune = tune });
	struct computer *alice = &l->computer[0], *bob = &l->computer[1];
	uint64_t began;
	char say[512];

	lab_behind(alice, lab_napt(l, a, "203.0.113.1", NULL), "192.168.1.2", NULL);
	lab_behind(bob, lab_napt(l, b, "203.0.113.2", NULL), "192.168.1.2", NULL);
	ok(lab_start_all(l, 10 * SEC), "%s and %s: both are online", box_kind_name(a),
	   box_kind_name(b));
	world_run(l->world, 5 * SEC);
	began = l->world->time;
	ok(computer_ping(alice, bob, 4, 5 * SEC), "alice pings bob");
	diag("first ping %.1f ms", (double)(l->world->time - began) / MS);
	world_run(l->world, 5 * SEC);
	if (peek_tunnel(alice, bob)) {
		const struct tunnel *t = peek_tunnel(alice, bob);
		unsigned i;

		for (i = 0; i < t->routes.n; i++)
			diag("%s %s%s", route_kind_name(t->routes.route[i].kind),
			     route_state_name(t->routes.route[i].state),
			     (int)i == t->routes.used ? " used" : "");
	}
	diag("alice: %s", process_tell(alice->node, say, sizeof say));
	diag("bob: %s", process_tell(bob->node, say, sizeof say));
	diag("nms: %s", process_tell(l->nms, say, sizeof say));
	diag("trs: %s", process_tell(l->relay[0].trs, say, sizeof say));
	lab_free(l);
}

int main(void)
{
	unsigned a, b;

	for (a = 0; a < 4; a++)
		for (b = 0; b < 4; b++)
			cell(a, b);
	return done();
}
