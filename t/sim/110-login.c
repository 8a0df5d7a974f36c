/* 110-login.c - a computer logs in: once the right way, then every wrong one. */
#include "t/sim/lab.h"
#include "t/tap.h"

int main(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 110, .computers = 2 });
	struct computer *a = &l->computer[0];
	struct device d;

	world_run(l->world, SEC);
	computer_start(a);
	world_run(l->world, SEC);
	ok(a->tun_up, "a computer logs in and gets its addresses");
	ok(device_by_id(l->store, &a->node_id, &d) == STORE_OK && d.cert_len && d.key_expiry,
	   "the store has its certificate and Common Key");
	ok(computer_online(a), "and registers");
	lab_free(l);
	return done();
}
