/*
 * 195-crowd.c - ten thousand computers register and a thousand random pairs meet (with SCALE=16;
 * a tenth of both in `make test`).  The wall clock's time is printed.
 */
#include "t/sim/peek.h"
#include "t/tap.h"
#include <sys/resource.h>
#include <time.h>

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned online(const struct lab *l)
{
	unsigned i, n = 0;

	for (i = 0; i < l->computers; i++)
		n += computer_online(&l->computer[i]);
	return n;
}

/* They are switched on over time, 200 a second, as many as one AS takes in its stride. */
static void switch_on(struct lab *l)
{
	unsigned i;

	for (i = 0; i < l->computers; i++) {
		computer_start(&l->computer[i]);
		world_run(l->world, 5 * MS);
	}
	world_run(l->world, 20 * SEC);
}

/* Random pairs meet; the number that did. */
static unsigned pairs(struct lab *l, unsigned n, uint64_t *worst)
{
	struct dice dice;
	unsigned i, met = 0;

	dice_seed(&dice, 195);
	for (i = 0; i < n; i++) {
		struct computer *a = &l->computer[dice_below(&dice, l->computers)];
		struct computer *b = &l->computer[dice_below(&dice, l->computers)];
		uint64_t began = l->world->time;

		met += a == b || computer_ping(a, b, i % 2 ? 4 : 6, 5 * SEC);
		*worst = MAX(*worst, l->world->time - began);
	}
	return met;
}

int main(void)
{
	unsigned n = scale() >= 16 ? 10000 : 1000, met;
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 195, .computers = n, .workers = 2 });
	double began = seconds(), made;
	uint64_t worst = 0;
	struct rusage use;

	switch_on(l);
	made = seconds();
	ok(online(l) == n, "%u computers log in and register (%u)", n, online(l));
	diag("%.1f s of wall clock, %.0f logins a second", made - began, n / (made - began));
	met = pairs(l, n / 10, &worst);
	ok(met == n / 10, "%u random pairs meet (%u), the slowest in %.0f ms", n / 10, met,
	   (double)worst / MS);
	diag("%.1f s of wall clock for the pairs", seconds() - made);
	made = seconds();
	world_run(l->world, 60 * SEC);
	ok(online(l) == n, "a minute later all are still online");
	diag("%.2f s of wall clock for that minute", seconds() - made);
	getrusage(RUSAGE_SELF, &use);
	diag("in all %.1f s of wall clock, %.1f s of virtual time, %ld MiB", seconds() - began,
	     (double)l->world->time / SEC, use.ru_maxrss / 1024);
	lab_free(l);
	return done();
}
