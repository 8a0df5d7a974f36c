/*
 * A process killed at any moment: what it said was written is written, what it had half done
 * is not there, and whoever comes next is not held up.
 */
#include "t/unit/store.h"
#include <signal.h>
#include <sys/wait.h>

/* ---- the writer dies ---- */

/* Commits groups of devices from `next` on and says after each how far it came. */
static void writer(const char *dir, unsigned next, int said)
{
	struct store *s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
	unsigned n, seed = next;
	struct device d;

	for (;;) {
		if (store_begin(s))
			_exit(1);
		for (n = 1 + (unsigned)rand_r(&seed) % 8; n; n--) {
			d = device_number(next++);
			if (device_put(s, &d, true))
				_exit(1);
		}
		if (store_end(s, true) || write(said, &next, sizeof next) != sizeof next)
			_exit(1);
	}
}

/* Lets a writer say a few words and then run on a little; gives back how far it said it came. */
static unsigned kill_a_writer(const char *dir, unsigned next, bool *alone)
{
	struct timespec pause = { 0, random() % 3000000 };
	unsigned said = next, words = (unsigned)random() % 4;
	int ends[2], status;
	pid_t pid;

	if (pipe(ends))
		exit(99);
	pid = fork();
	if (pid == 0)
		writer(dir, next, ends[1]);
	close(ends[1]);
	while (words-- && read(ends[0], &next, sizeof next) == sizeof next)
		said = next;
	nanosleep(&pause, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	*alone = WIFSIGNALED(status);
	while (read(ends[0], &next, sizeof next) == sizeof next)
		said = next;
	close(ends[0]);
	return said;
}

struct tally {
	struct store *store;
	unsigned n, broken;
};

/* A device is there with all of its indexes or not at all, and none is left out. */
static bool tally_device(void *arg, const struct device *d)
{
	struct tally *t = arg;
	struct device want = device_number(t->n), e;

	t->broken += !same_device(d, &want) || device_by_id(t->store, &d->node_id, &e) ||
		     device_by_ip(t->store, 4, d->ip4, &e) || device_by_ip(t->store, 6, d->ip6, &e);
	t->n++;
	return true;
}

static void writers_killed(const char *dir)
{
	unsigned i, rounds = 100 * scale(), said = 0, lost = 0, broken = 0, next = 0;
	bool killed, all = true;

	srandom(20231);
	for (i = 0; i < rounds; i++) {
		struct tally t = { 0 };

		said = kill_a_writer(dir, next, &killed);
		all &= killed;
		t.store = must_open(dir, STORE_READ, 0, 1, boot_one);
		broken += device_each(t.store, tally_device, &t) != STORE_OK;
		store_close(t.store);
		lost += t.n < said;
		broken += t.broken;
		next = t.n;
	}
	diag("%u writers killed, %u devices written", rounds, next);
	ok(all && next > 0, "every writer ran until it was killed");
	ok(lost == 0, "nothing a writer acknowledged is lost");
	ok(broken == 0, "nothing is half there");
}

/* ---- one that dies inside a write is not waited for ---- */

static void dies_inside(const char *dir)
{
	struct account a = account_number(1), b;
	struct store *s;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
		store_begin(s);
		account_put(s, &a, true);
		raise(SIGKILL);
	}
	s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
	waitpid(pid, &status, 0);
	ok(account_get(s, a.id, &b) == STORE_MISSING && !account_put(s, &a, true) &&
	   !account_get(s, a.id, &b),
	   "a writer killed inside a group leaves the next one free to write");
	store_close(s);
}

/* ---- readers die ---- */

static int count_slots(const char *text, void *arg)
{
	while ((text = strchr(text, '\n'))) {
		text++;
		++*(int *)arg;
	}
	return 0;
}

static bool die_reading(void *arg, const struct device *d)
{
	raise(SIGKILL);
	return false;
}

static void readers_killed(const char *dir)
{
	int status, slots = 0, ready[2];
	struct store *s;
	pid_t keeper, pid;
	unsigned i;
	char c;

	if (pipe(ready))
		exit(99);
	/* keeps the table of readers alive: the first opener would begin a new one */
	keeper = fork();
	if (keeper == 0) {
		must_open(dir, STORE_WRITE, 0, 0, boot_one);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	if (read(ready[0], &c, 1) != 1)
		exit(99);
	for (i = 0; i < 20; i++) {
		pid = fork();
		if (pid == 0) {
			s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
			device_each(s, die_reading, NULL);
			_exit(0);
		}
		waitpid(pid, &status, 0);
	}
	s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
	mdb_reader_list(s->accounts.env, count_slots, &slots);
	ok(WIFSIGNALED(status) && slots <= 3, "readers killed while reading are cleared away");
	store_close(s);
	kill(keeper, SIGKILL);
	waitpid(keeper, &status, 0);
}

/* ---- a worker dies ---- */

static void workers_killed(const char *dir)
{
	unsigned i, k, missing = 0, rounds = 20 * scale();
	struct registration g, h;
	struct store *s;
	int status;
	pid_t pid;

	for (i = 0; i < rounds; i++) {
		pid = fork();
		if (pid == 0) {
			s = must_open(dir, STORE_READ, 0, 1, boot_one);
			live_begin(s);
			for (k = 0; k < 64; k++) {
				g = registration_number(i * 64 + k, 5);
				registration_put(s, &g);
			}
			live_end(s);
			live_begin(s);
			g = registration_number(1000000 + i, 5);
			registration_put(s, &g);
			raise(SIGKILL);
		}
		waitpid(pid, &status, 0);
	}
	s = must_open(dir, STORE_READ, 0, 1, boot_one);
	for (i = 0; i < rounds * 64; i++) {
		g = registration_number(i, 5);
		missing += registration_get(s, &g.node_id, &h) || !same_registration(&g, &h);
	}
	ok(missing == 0 && registration_count(s) == rounds * 64,
	   "registrations outlive their worker, but for the batch it died in");
	store_close(s);
}

/* ---- two at once ---- */

static void openers_race(const char *dir)
{
	unsigned i, k, failed = 0;
	char name[100];
	int status;

	for (i = 0; i < 10 * scale(); i++) {
		snprintf(name, sizeof name, "%s/%u", dir, i);
		for (k = 0; k < 8; k++) {
			struct device d = device_number(k), e;
			struct store *s;

			if (fork())
				continue;
			s = must_open(name, k % 2 ? STORE_READ : STORE_WRITE, k, 8, boot_one);
			if (k % 2 == 0)
				_exit(device_put(s, &d, true) || device_by_id(s, &d.node_id, &e));
			_exit(device_by_id(s, &d.node_id, &e) != STORE_MISSING);
		}
		while (wait(&status) > 0)
			failed += status != 0;
	}
	ok(failed == 0, "helper and workers may all be first to open a store");
}

int main(void)
{
	char dir[64], race[64];

	scratch_make(dir);
	scratch_make(race);
	writers_killed(dir);
	dies_inside(dir);
	readers_killed(dir);
	workers_killed(dir);
	openers_race(race);
	scratch_remove(dir);
	scratch_remove(race);
	return done();
}
