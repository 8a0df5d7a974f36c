/* Figures, printed for the log; asserted is only that the work was done. */
#include "store/keep.h"
#include "t/unit/store.h"
#include <sys/wait.h>

#define MANY 10000

static bool count(void *arg, const struct device *d)
{
	++*(unsigned *)arg;
	return true;
}

static void devices(const char *dir)
{
	struct store *s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
	double start = seconds(), took;
	unsigned i, n = 0, good = 0;
	struct device d, e;

	for (i = 0; i < MANY; i++) {
		if (i % 100 == 0)
			store_begin(s);
		d = device_number(i);
		good += device_put(s, &d, true) == STORE_OK;
		if (i % 100 == 99)
			store_end(s, true);
	}
	took = seconds() - start;
	diag("%u devices made in %.0f ms, 100 a commit: %.0f/s", MANY, took * 1e3, MANY / took);
	start = seconds();
	device_each(s, count, &n);
	diag("%u devices listed in %.1f ms", n, (seconds() - start) * 1e3);
	ok(good == MANY && n == MANY, "10,000 devices are made and listed");
	start = seconds();
	for (i = good = 0; i < MANY; i++) {
		d = device_number(i);
		good += device_by_ip(s, 4, d.ip4, &e) == STORE_OK;
	}
	took = seconds() - start;
	diag("devices by address: %.0f/s", MANY / took);
	ok(good == MANY, "and each found by its address");
	start = seconds();
	for (i = 0; i < 100; i++) {
		d = device_number(i);
		d.last_login++;
		device_put(s, &d, false);
	}
	diag("logins, one a commit: %.0f/s", 100 / (seconds() - start));
	store_close(s);
}

static void registrations(const char *dir)
{
	struct store *s = must_open(dir, STORE_READ, 0, 1, boot_one);
	unsigned i, n = 200000, found = 0;
	struct registration g, h;
	double start = seconds();

	for (i = 0; i < n; i++) {
		g = registration_number(i % MANY, i);
		if (i % 64 == 0)
			live_begin(s);
		registration_put(s, &g);
		if (i % 64 == 63)
			live_end(s);
	}
	if (n % 64)
		live_end(s);
	diag("registration puts in batches of 64: %.0f/s", n / (seconds() - start));
	start = seconds();
	for (i = 0; i < n; i++) {
		g = registration_number(i % MANY, i);
		found += registration_get(s, &g.node_id, &h) == STORE_OK;
	}
	diag("registration gets, %u known, one worker: %.0f/s", MANY, n / (seconds() - start));
	ok(found == n && registration_count(s) == MANY, "10,000 nodes register again and again");
	store_close(s);
}

/* Four workers with a quarter of the nodes each, then one looks in all four. */
static void four_workers(const char *dir)
{
	struct registration g, h;
	unsigned i, w, n = 100000, found = 0;
	struct store *s;
	double start;

	for (w = 0; w < 4; w++) {
		if (fork())
			continue;
		s = must_open(dir, STORE_READ, w, 4, boot_one);
		live_begin(s);
		for (i = w; i < MANY; i += 4) {
			g = registration_number(i, 1);
			registration_put(s, &g);
		}
		_exit(live_end(s) != STORE_OK);
	}
	while (wait(NULL) > 0)
		;
	s = must_open(dir, STORE_READ, 0, 4, boot_one);
	start = seconds();
	for (i = 0; i < n; i++) {
		g = registration_number(i % MANY, i);
		found += registration_get(s, &g.node_id, &h) == STORE_OK;
	}
	diag("registration gets, four workers: %.0f/s", n / (seconds() - start));
	ok(found == n, "a worker finds the nodes of all four");
	store_close(s);
}

static void check_and_copy(const char *dir)
{
	char err[256], name[COPY_NAME];
	double start = seconds();

	ok(store_mend(dir, boot_one, 1, err), "a store of 10,000 devices is found whole");
	diag("checked in %.0f ms", (seconds() - start) * 1e3);
	start = seconds();
	ok(store_copy(dir, 2, 1700000000, name, err), "and copied");
	diag("copied and the copy checked in %.0f ms", (seconds() - start) * 1e3);
}

int main(void)
{
	char dir[64], live[64], four[64];

	scratch_make(dir);
	scratch_make(live);
	scratch_make(four);
	devices(dir);
	check_and_copy(dir);
	registrations(live);
	four_workers(four);
	scratch_remove(dir);
	scratch_remove(live);
	scratch_remove(four);
	return done();
}
