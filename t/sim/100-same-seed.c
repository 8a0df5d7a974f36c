/* 100-same-seed.c - the simulator keeps its own promise: same seed, same run, octet for octet. */
#include "t/sim/lab.h"
#include "t/tap.h"

/* Computers meet over bad lines, with restarts: a bit of everything that can be random. */
static uint64_t run(uint64_t seed, unsigned workers)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = seed, .computers = 4,
						    .workers = workers });
	uint64_t hash;
	unsigned i;

	for (i = 0; i < l->computers; i++)
		l->computer[i].host->line = (struct line){ 5 * MS, 3 * MS, 50, 50 };
	lab_behind(&l->computer[3], lab_napt(l, SYMMETRIC, "203.0.113.1", NULL), "192.168.1.2", NULL);
	lab_start_all(l, 60 * SEC);
	for (i = 0; i < 20; i++) {
		computer_ping(&l->computer[i % 4], &l->computer[(i + 1) % 4], i % 2 ? 4 : 6, SEC);
		if (i % 5 == 0)
			worker_restart(l->nms, 0);
	}
	hash = l->world->hash;
	lab_free(l);
	return hash;
}

int main(void)
{
	uint64_t one = run(1, 1), two = run(1, 2);

	ok(run(1, 1) == one, "the same seed gives the same run (%016" PRIx64 ")", one);
	ok(run(1, 2) == two, "with two workers too (%016" PRIx64 ")", two);
	ok(run(2, 1) != one, "another seed gives another run");
	return done();
}
