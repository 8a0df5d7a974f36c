/*
 * A store whose file was hurt in any way is started with: nothing wrong is served, nobody dies
 * of it, and the file that was hurt is kept.
 */
#include "store/keep.h"
#include "t/unit/store.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DEVICES 60
#define FILE_MAX ((size_t)1 << 20)

struct file {
	uint8_t *p;
	size_t n;
};

static struct file load(const char *path)
{
	struct file f = { malloc(FILE_MAX), 0 };
	FILE *in = fopen(path, "r");

	if (!f.p || !in)
		exit(99);
	f.n = fread(f.p, 1, FILE_MAX, in);
	fclose(in);
	return f;
}

static void save(const char *path, const uint8_t *p, size_t n)
{
	FILE *out = fopen(path, "w");

	if (!out || fwrite(p, 1, n, out) != n || fclose(out) != 0)
		exit(99);
}

static bool same_file(const char *path, const uint8_t *p, size_t n)
{
	struct file f = load(path);
	bool same = f.n == n && memcmp(f.p, p, n) == 0;

	free(f.p);
	return same;
}

/* ---- a store with some history ---- */

static void fill(const char *dir, unsigned devices)
{
	struct store *s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
	struct account a;
	struct device d;
	unsigned i;

	meta_put(s, "secret-common-value", "0123456789abcdef", 16);
	for (i = 0; i < devices / 10; i++) {
		a = account_number(i);
		account_put(s, &a, true);
	}
	/* many commits, some deletions: free pages and both metas are in use */
	for (i = 0; i < devices + 5; i++) {
		d = device_number(i);
		device_put(s, &d, true);
	}
	for (i = devices; i < devices + 5; i++) {
		d = device_number(i);
		device_delete(s, d.fqdn);
	}
	store_close(s);
}

/* ---- a file that is whole is never called damaged ---- */

static bool mend_quietly(const char *dir, unsigned workers, char *err)
{
	*err = '\0';
	return store_mend(dir, boot_one, workers, err);
}

static unsigned kept_files(const char *dir, char path[300])
{
	char command[300];
	unsigned n = 0;
	FILE *p;

	snprintf(command, sizeof command, "ls -d %s/accounts.damaged.* 2>/dev/null", dir);
	p = popen(command, "r");
	while (p && fgets(path, 300, p)) {
		path[strcspn(path, "\n")] = '\0';
		n++;
	}
	if (p)
		pclose(p);
	return n;
}

static void at_random(struct store *s, unsigned *seed)
{
	struct account a = account_number((unsigned)rand_r(seed) % 500);
	struct device d = device_number((unsigned)rand_r(seed) % 500);

	switch (rand_r(seed) % 5) {
	case 0:
		account_put(s, &a, true);
		break;
	case 1:
		account_delete(s, a.id);
		break;
	case 2:
		device_delete(s, d.fqdn);
		break;
	case 3:
		d.cert_len = (uint16_t)(rand_r(seed) % 700);
		device_put(s, &d, false);
		break;
	default:
		device_put(s, &d, true);
	}
}

static void whole_files(const char *dir)
{
	unsigned i, k, refused = 0, seed = 42;
	char err[256] = "", path[300], said[256] = "";
	struct store *s;

	for (i = 0; i < 60 * scale(); i++) {
		s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
		for (k = (unsigned)rand_r(&seed) % 8; k; k--) {
			unsigned n = 1 + (unsigned)rand_r(&seed) % 60;

			store_begin(s);
			while (n--)
				at_random(s, &seed);
			store_end(s, rand_r(&seed) % 4 != 0);
		}
		store_close(s);
		if (!mend_quietly(dir, 1, err) && !*said)
			strcpy(said, err);
		refused += *err != '\0';
	}
	if (*said)
		diag("said: %s", said);
	ok(refused == 0 && kept_files(dir, path) == 0,
	   "%u stores after random changes are all found whole", i);
}

/* ---- hurting it ---- */

static size_t pages(const struct file *f)
{
	return f->n / 4096;
}

/* Gives the new length. */
static size_t hurt(const struct file *f, uint8_t *p, unsigned *seed)
{
	size_t page = (size_t)rand_r(seed) % pages(f), other = (size_t)rand_r(seed) % pages(f), n = f->n;
	unsigned k;

	memcpy(p, f->p, f->n);
	switch (rand_r(seed) % 10) {
	case 0:			/* anywhere */
	case 1:
		for (k = 0; k < 4; k++)
			p[(size_t)rand_r(seed) % n] ^= (uint8_t)(1 + rand_r(seed) % 255);
		break;
	case 2:			/* heads and offsets of pages */
	case 3:
		p[page * 4096 + (size_t)rand_r(seed) % 64] ^= (uint8_t)(1 << rand_r(seed) % 8);
		break;
	case 4:			/* the metas */
		p[(size_t)(rand_r(seed) % 2) * 4096 + (size_t)rand_r(seed) % 168] ^=
			(uint8_t)(1 << rand_r(seed) % 8);
		break;
	case 5:			/* cut off */
		n = (size_t)rand_r(seed) % n;
		break;
	case 6:			/* a page lost */
		memset(p + page * 4096, 0, 4096);
		break;
	case 7:			/* a page in another's place */
		memcpy(p + page * 4096, f->p + other * 4096, 4096);
		break;
	case 8:			/* one bit, anywhere */
		p[(size_t)rand_r(seed) % n] ^= (uint8_t)(1 << rand_r(seed) % 8);
		break;
	default:		/* a run of anything */
		for (k = 0; k < 100; k++)
			p[((size_t)page * 4096 + k + (size_t)(rand_r(seed) % 8)) % n] = (uint8_t)rand_r(seed);
	}
	return n;
}

/* ---- the daemon's side: everything read, then written, then read again ---- */

static bool right_device(const struct device *d)
{
	struct device want = device_number((unsigned)atoi(d->fqdn + 1));

	want.last_login = d->last_login;	/* what a "login" changes */
	return same_device(d, &want);
}

static bool count_right(void *arg, const struct device *d)
{
	*(unsigned *)arg += 1;
	if (!right_device(d) || atoi(d->fqdn + 1) >= DEVICES)
		*(unsigned *)arg += 100000;
	return true;
}

struct seen {
	unsigned wrong, missing, damaged;
};

static void read_one(struct store *s, unsigned i, struct seen *seen)
{
	struct device d = device_number(i), e;
	enum store_result r[4] = {
		device_by_fqdn(s, d.fqdn, &e), device_by_id(s, &d.node_id, &e),
		device_by_ip(s, 4, d.ip4, &e), device_by_ip(s, 6, d.ip6, &e),
	};
	unsigned k;

	for (k = 0; k < 4; k++) {
		seen->missing += r[k] == STORE_MISSING;
		seen->damaged += r[k] == STORE_DAMAGED || r[k] == STORE_FAILED;
	}
	if (r[0] == STORE_OK)
		seen->wrong += device_by_fqdn(s, d.fqdn, &e) || !right_device(&e);
	if (r[3] == STORE_OK)
		seen->wrong += device_by_ip(s, 6, d.ip6, &e) || !right_device(&e);
}

static void read_all(struct store *s, struct seen *seen)
{
	unsigned i, listed = 0;
	struct account a, b;

	for (i = 0; i < DEVICES; i++)
		read_one(s, i, seen);
	for (i = 0; i < DEVICES / 10; i++) {
		a = account_number(i);
		if (account_get(s, a.id, &b) == STORE_OK)
			seen->wrong += !same_account(&a, &b);
	}
	device_each(s, count_right, &listed);
	seen->wrong += listed > DEVICES;
	/* deleted before */
	for (i = DEVICES; i < DEVICES + 5; i++) {
		struct device d = device_number(i), e;

		seen->wrong += device_by_fqdn(s, d.fqdn, &e) == STORE_OK;
	}
}

static void write_some(struct store *s)
{
	struct device d;
	unsigned i;

	store_begin(s);
	for (i = 0; i < 20; i++)
		if (device_by_fqdn(s, (d = device_number(i * 3)).fqdn, &d) == STORE_OK) {
			d.last_login++;
			device_put(s, &d, false);
		}
	store_end(s, true);
	for (i = 0; i < 3; i++) {
		d = device_number(DEVICES + i);
		device_put(s, &d, true);
		device_delete(s, d.fqdn);
	}
}

/* Helper, then worker.  Exit status 42: something wrong was served. */
static int live_with(const char *dir)
{
	char err[256];
	struct store *s = store_open(dir, STORE_WRITE, 0, 1, boot_one, err);
	struct seen seen = { 0 };

	if (!s)
		return 1;
	read_all(s, &seen);
	write_some(s);
	read_all(s, &seen);
	store_close(s);
	s = store_open(dir, STORE_READ, 0, 1, boot_one, err);
	if (!s)
		return 1;
	read_all(s, &seen);
	store_close(s);
	return seen.wrong ? 42 : seen.damaged || seen.missing ? 3 : 0;
}

static int run_daemon(const char *dir)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(freopen("/dev/null", "w", stderr) ? live_with(dir) : 1);
	waitpid(pid, &status, 0);
	return status;
}

struct tally {
	unsigned trials, whole, records, copied, refused, died, wrong, unkept, unopened;
};

static void empty_it(const char *dir, const char *copy)
{
	char path[300];

	scratch_remove(dir);
	mkdir(dir, 0700);
	snprintf(path, sizeof path, "%s/accounts", dir);
	mkdir(path, 0700);
	if (!copy)
		return;
	snprintf(path, sizeof path, "%s/copies", dir);
	mkdir(path, 0700);
}

static void one_trial(const char *dir, const struct file *f, const struct file *copy, uint8_t *p,
		      unsigned *seed, struct tally *t)
{
	char data[300], path[300], kept[300] = "", err[256];
	size_t n = hurt(f, p, seed);
	int status;

	empty_it(dir, copy ? "" : NULL);
	snprintf(data, sizeof data, "%s/accounts/data.mdb", dir);
	save(data, p, n);
	if (copy) {
		snprintf(path, sizeof path, "%s/copies/accounts.20250101T000000Z", dir);
		save(path, copy->p, copy->n);
	}
	t->trials++;
	if (!mend_quietly(dir, 1, err)) {
		/* refused: the file stays where it was, untouched */
		t->refused++;
		t->unkept += !same_file(data, p, n);
		if (copy)
			diag("refused: %s", err);
		return;
	}
	if (kept_files(dir, kept)) {
		t->copied++;
		strcat(kept, "/data.mdb");
		t->unkept += !same_file(kept, p, n);
	}
	status = run_daemon(dir);
	if (WIFSIGNALED(status))
		diag("died of signal %d, seed %u", WTERMSIG(status), *seed);
	t->died += WIFSIGNALED(status);
	t->wrong += WIFEXITED(status) && WEXITSTATUS(status) == 42;
	t->unopened += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	t->records += WIFEXITED(status) && WEXITSTATUS(status) == 3;
	t->whole += status == 0;
}

/* The checker may die: it shall not fill the log of the test. */
static int quiet(void)
{
	int keep = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
	return keep;
}

static void mutants(const char *dir, bool with_copy)
{
	struct tally t = { 0 };
	char path[300], err[256], name[COPY_NAME];
	unsigned i, seed = with_copy ? 7 : 8, trials = (with_copy ? 200 : 100) * scale();
	struct file f, copy;
	uint8_t *p = malloc(FILE_MAX);
	double start = seconds();
	int keep;

	empty_it(dir, NULL);
	fill(dir, DEVICES);
	ok(store_copy(dir, 3, 1700000000, name, err), "a copy of it is made");
	snprintf(path, sizeof path, "%s/accounts/data.mdb", dir);
	f = load(path);
	snprintf(path, sizeof path, "%s/copies/%s", dir, name);
	copy = load(path);
	keep = quiet();
	for (i = 0; i < trials; i++)
		one_trial(dir, &f, with_copy ? &copy : NULL, p, &seed, &t);
	dup2(keep, STDERR_FILENO);
	close(keep);
	diag("%u mutated files of %zu pages %s a copy in %.1f s: %u harmless, %u went on without some "
	     "records, %u taken from the copy, %u refused", t.trials, pages(&f),
	     with_copy ? "with" : "without", seconds() - start, t.whole - t.copied, t.records, t.copied,
	     t.refused);
	ok(t.died == 0 && t.unopened == 0, "no reader or writer dies of one%s",
	   with_copy ? "" : ", without a copy");
	ok(t.wrong == 0, "nothing wrong is served");
	ok(t.unkept == 0, "the damaged file is kept as it was");
	ok(with_copy ? t.refused == 0 && t.copied > 0 : t.refused > 0 && t.copied == 0,
	   with_copy ? "with a good copy the start is never refused"
		     : "without a copy a damaged file is refused");
	free(f.p);
	free(copy.p);
	free(p);
}

/* ---- what is said ---- */

static void words(const char *dir)
{
	char path[300], err[256];

	empty_it(dir, NULL);
	fill(dir, DEVICES);
	snprintf(path, sizeof path, "%s/accounts/data.mdb", dir);
	if (truncate(path, 3 * 4096 + 5) != 0)
		exit(99);
	ok(!mend_quietly(dir, 1, err) && strstr(err, "cyphonic restore FILE"),
	   "without a copy the refusal names the remedy");
	diag("%s", err);
	remove(path);
	ok(mend_quietly(dir, 1, err), "no file at all is a new store");
	snprintf(path, sizeof path, "%s/ca", dir);
	mkdir(path, 0700);
	strcat(path, "/root.key");
	save(path, (const uint8_t *)"key", 3);
	ok(!mend_quietly(dir, 1, err) && strstr(err, "missing"),
	   "unless there is a CA: then it is missing, and that is said");
	diag("%s", err);
}

/* ---- other numbers of workers ---- */

static unsigned in_place(const char *dir, unsigned workers, unsigned n)
{
	unsigned w, i, good = 0;
	struct registration g, h;
	struct store *s;

	for (w = 0; w < workers; w++) {
		s = must_open(dir, STORE_READ, w, workers, boot_one);
		good += (unsigned)registration_count(s) * 0;
		for (i = 0; i < n; i++) {
			g = registration_number(i, 5);
			if (id_owner(&g.node_id, workers) != w)
				continue;
			good += !registration_get(s, &g.node_id, &h) && same_registration(&g, &h);
		}
		store_close(s);
	}
	return good;
}

static unsigned counted(const char *dir, unsigned workers)
{
	unsigned w, n = 0;
	struct store *s;

	for (w = 0; w < workers; w++) {
		s = must_open(dir, STORE_READ, w, workers, boot_one);
		n += (unsigned)registration_count(s);
		store_close(s);
	}
	return n;
}

static void workers_change(const char *dir)
{
	static const unsigned count[] = { 3, 2, 5, 1, 4 };
	unsigned i, n = 3000;
	struct registration g;
	struct store *s;
	char err[256], path[300];

	empty_it(dir, NULL);
	s = must_open(dir, STORE_READ, 0, 1, boot_one);
	live_begin(s);
	for (i = 0; i < n; i++) {
		g = registration_number(i, 5);
		registration_put(s, &g);
	}
	live_end(s);
	store_close(s);
	for (i = 0; i < ARRAY_SIZE(count); i++)
		ok(mend_quietly(dir, count[i], err) && in_place(dir, count[i], n) == n &&
		   counted(dir, count[i]) == n,
		   "with %u workers each of %u registrations is with its owner, and once", count[i], n);
	mend_quietly(dir, 2, err);
	snprintf(path, sizeof path, "%s/live.3", dir);
	ok(access(path, F_OK) != 0, "nothing is left of workers that are no more");
	s = must_open(dir, STORE_READ, 0, 2, boot_one);
	g = registration_number(0, 9);
	put32(g.node_id.b + 12, 4);
	registration_put(s, &g);
	store_close(s);
	snprintf(path, sizeof path, "%s/live.0/data.mdb", dir);
	save(path, (const uint8_t *)"not a database", 14);
	ok(mend_quietly(dir, 2, err) && counted(dir, 2) > 0 && counted(dir, 2) < n,
	   "a damaged live file is dropped, the other's registrations stay");
	ok(store_mend(dir, boot_two, 2, err) && in_place(dir, 2, n) == 0,
	   "after another boot none counts");
}

/* ---- copies ---- */

static void copies(const char *dir)
{
	char name[COPY_NAME], err[256], path[300];
	unsigned i, good = 0;

	empty_it(dir, NULL);
	fill(dir, DEVICES);
	for (i = 0; i < 5; i++)
		good += store_copy(dir, 3, 1700000000 + 3600 * i, name, err);
	snprintf(path, sizeof path, "%s/copies/accounts.20231114T221320Z", dir);
	ok(good == 5 && access(path, F_OK) != 0 &&
	   store_copies_newest(dir) == 1700000000 + 3600 * 4, "the oldest copies beyond the limit go");
	ok(store_readers(dir, 1) == 0, "nobody left a reader slot behind");
}

int main(void)
{
	char dir[64];

	/* in memory where there is room: a disk's flushes would be most of the time */
	strcpy(dir, "/dev/shm/cyphonic-store-XXXXXX");
	if (!mkdtemp(dir))
		scratch_make(dir);
	whole_files(dir);
	copies(dir);
	mutants(dir, true);
	mutants(dir, false);
	words(dir);
	workers_change(dir);
	scratch_remove(dir);
	return done();
}
