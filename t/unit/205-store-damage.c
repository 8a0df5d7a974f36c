/*
 * A record that is not what was written is never returned, a store that is full keeps what it
 * has, and a file that is not ours is refused with a clear word.
 */
#include "t/unit/store.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DEVICES 30
#define VICTIM 7

struct file {
	char path[128];
	uint8_t *p;
	size_t n;
};

static struct device victim(void)
{
	struct device d = device_number(VICTIM);
	uint32_t x = 12345;
	unsigned k;

	for (k = 0; k < d.cert_len; k++)
		d.cert[k] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
	return d;
}

static void fill(const char *dir)
{
	struct store *s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
	struct account a = account_number(0);
	struct device d;
	unsigned i;

	store_begin(s);
	account_put(s, &a, true);
	for (i = 0; i < DEVICES; i++) {
		d = i == VICTIM ? victim() : device_number(i);
		device_put(s, &d, true);
	}
	store_end(s, true);
	store_close(s);
}

static struct file load(const char *dir)
{
	struct file f;
	FILE *in;

	snprintf(f.path, sizeof f.path, "%s/accounts/data.mdb", dir);
	f.p = malloc(1 << 20);
	in = fopen(f.path, "r");
	if (!in || !f.p)
		exit(99);
	f.n = fread(f.p, 1, 1 << 20, in);
	fclose(in);
	return f;
}

/* Flips bits of the octet at `at` of every copy of text in the file; again: puts them back. */
static unsigned flip(const struct file *f, const void *text, size_t n, size_t at, uint8_t bits)
{
	const uint8_t *p = f->p, *end = f->p + f->n;
	int fd = open(f->path, O_WRONLY);
	unsigned copies = 0;
	uint8_t b;

	while ((p = memmem(p, (size_t)(end - p), text, n))) {
		b = p[at] ^ bits;
		if (pwrite(fd, &b, 1, p + at - f->p) == 1)
			copies++;
		p++;
	}
	close(fd);
	return copies;
}

static bool count(void *arg, const struct device *d)
{
	++*(unsigned *)arg;
	return true;
}

/* ---- every octet of one record ---- */

static void every_octet(const char *dir)
{
	struct device d = victim(), e;
	struct file f = load(dir);
	unsigned wrong = 0, undamaged = 0, unlisted = 0, copies = 1, n, at;
	size_t name = strlen(d.fqdn), len;
	uint8_t head[2 * NAME_SIZE + 4];
	struct store *s;

	/* key and start of the value as they lie in the page */
	len = (size_t)snprintf((char *)head, sizeof head, "d%s%c%c%s", d.fqdn, RECORD_LAYOUT,
			       (int)name, d.fqdn);
	n = (unsigned)(len + 1 + strlen(d.owner) + 16 + 2 + 4 + 16 + 16 + 2 + d.cert_len +
		       16 + 8 + 4);
	for (at = 0; at < n && copies; at++) {
		unsigned listed = 0;
		bool key = at < 1 + name;

		copies = flip(&f, head, len, at, (uint8_t)(1 << at % 8));
		s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
		wrong += device_by_fqdn(s, d.fqdn, &e) == STORE_OK;
		undamaged += !key && device_by_fqdn(s, d.fqdn, &e) != STORE_DAMAGED;
		undamaged += device_by_id(s, &d.node_id, &e) != STORE_DAMAGED;
		undamaged += device_by_ip(s, 6, d.ip6, &e) != STORE_DAMAGED;
		undamaged += device_each(s, count, &listed) != STORE_DAMAGED;
		unlisted += listed != DEVICES - 1;
		store_close(s);
		flip(&f, head, len, at, 0);
	}
	ok(copies && wrong == 0, "no flipped octet of a record's %u is taken for the record", n);
	ok(undamaged == 0, "each is reported as damage, by every way to the device");
	ok(unlisted == 0, "and the other devices are still listed");
	free(f.p);
}

/* ---- anywhere in the file ---- */

static bool is_right(const struct device *d)
{
	unsigned i = (unsigned)atoi(d->fqdn + 1);
	struct device want = i == VICTIM ? victim() : device_number(i);

	return same_device(d, &want);
}

static bool all_right(void *arg, const struct device *d)
{
	*(bool *)arg &= is_right(d);
	return true;
}

static bool believe(const char *dir)
{
	char err[256];
	struct store *s = store_open(dir, STORE_WRITE, 0, 0, boot_one, err);
	struct device d, e;
	unsigned i;
	bool good = true;

	for (i = 0; s && i < DEVICES; i++) {
		d = i == VICTIM ? victim() : device_number(i);
		if (device_by_id(s, &d.node_id, &e) == STORE_OK)
			good &= same_device(&d, &e);
	}
	if (s)
		device_each(s, all_right, &good);
	store_close(s);
	return good;
}

static void write_whole(const struct file *f, const uint8_t *p)
{
	int fd = open(f->path, O_WRONLY | O_TRUNC);

	if (write(fd, p, f->n) != (ssize_t)f->n)
		exit(99);
	close(fd);
}

/* Hits that LMDB itself does not survive must not end the test. */
static void anywhere(const char *dir)
{
	struct file f = load(dir);
	uint8_t *p = malloc(f.n);
	unsigned i, k, died = 0, wrong = 0, trials = 200 * scale();
	int status;
	pid_t pid;

	srandom(4711);
	for (i = 0; p && i < trials; i++) {
		memcpy(p, f.p, f.n);
		for (k = 0; k < 4; k++)
			p[(size_t)random() % f.n] ^= (uint8_t)(1 + random() % 255);
		write_whole(&f, p);
		pid = fork();
		if (pid == 0)
			_exit(freopen("/dev/null", "w", stderr) && believe(dir) ? 0 : 42);
		waitpid(pid, &status, 0);
		wrong += WIFEXITED(status) && WEXITSTATUS(status) == 42;
		died += !WIFEXITED(status) || WEXITSTATUS(status) == 1;
	}
	diag("%u files with four random octets: %u readers died inside LMDB", trials, died);
	ok(wrong == 0, "octets flipped anywhere in the file never make a wrong value");
	write_whole(&f, f.p);
	free(f.p);
	free(p);
}

/* ---- what to do about it ---- */

static void cure(const char *dir)
{
	struct device d = victim(), e;
	struct account a = account_number(0), b;
	struct file f = load(dir);
	unsigned listed = 0;
	struct store *s;

	flip(&f, d.cert, d.cert_len, 5, 1);
	s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
	ok(device_by_fqdn(s, d.fqdn, &e) == STORE_DAMAGED && strstr(store_error(s), d.fqdn),
	   "the damaged device is named");
	ok(device_put(s, &d, true) == STORE_DAMAGED, "it is not made anew over its remains");
	ok(account_delete(s, a.id) == STORE_DAMAGED && !account_get(s, a.id, &b) &&
	   device_each(s, count, &listed) == STORE_DAMAGED && listed == DEVICES - 1,
	   "an account is not deleted while a device may be its own or not");
	put32(d.ip4, 0x0a000001);
	ok(!device_put(s, &d, false) && !device_by_ip(s, 4, d.ip4, &e) && same_device(&d, &e) &&
	   !device_by_id(s, &d.node_id, &e), "an update heals it");
	e = victim();
	ok(device_by_ip(s, 4, e.ip4, &e) == STORE_MISSING, "and leaves no old index behind");
	store_close(s);
	free(f.p);
	f = load(dir);
	flip(&f, d.cert, d.cert_len, 9, 4);
	s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
	ok(!device_delete(s, d.fqdn) && device_by_id(s, &d.node_id, &e) == STORE_MISSING &&
	   device_by_ip(s, 4, d.ip4, &e) == STORE_MISSING && !device_put(s, &d, true),
	   "a damaged device can be deleted, and its name used again");
	store_close(s);
	free(f.p);
}

static void other_layout(const char *dir)
{
	struct store *s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
	struct record r;
	struct key key;
	uint8_t v[16];
	size_t n = sizeof v;

	key_name(&key, KIND_META, "future");
	record_new(&r);
	r.b[0] = RECORD_LAYOUT + 1;
	db_enter(&s->accounts);
	db_leave(&s->accounts, db_put(&s->accounts, &key, &r));
	ok(meta_get(s, "future", v, &n) == STORE_DAMAGED && strstr(store_error(s), "version"),
	   "a record of another layout is not guessed at");
	ok(crc32c(s->crc, 0, "123456789", 9) == 0xe3069283 &&
	   crc32c(s->crc, crc32c(s->crc, 0, "1234", 4), "56789", 5) == 0xe3069283,
	   "the checksum is CRC32C");
	store_close(s);
}

/* ---- full ---- */

static struct store *small(const char *dir, size_t accounts_map)
{
	char err[256];
	struct store *s = store_open_sized(dir, STORE_ALL, 0, 1, boot_one, accounts_map,
					   256 << 10, err);

	if (!s)
		exit(99);
	return s;
}

static bool all_there(struct store *s, unsigned n)
{
	struct device d, e;
	unsigned i, listed = 0;
	bool good = true;

	for (i = 0; i < n; i++) {
		d = device_number(i);
		good = good && !device_by_id(s, &d.node_id, &e) && same_device(&d, &e);
	}
	return good && !device_each(s, count, &listed) && listed == n;
}

static void map_full(const char *dir)
{
	struct store *s = small(dir, 256 << 10);
	enum store_result result;
	struct registration g, first = registration_number(0, 1);
	struct device d;
	unsigned n = 0, k;

	do {
		d = device_number(n++);
		result = device_put(s, &d, true);
	} while (result == STORE_OK && n < 10000);
	n--;
	ok(result == STORE_FULL && n > 50 && all_there(s, n),
	   "a full map says so, and everything before is there");
	d = device_number(0);
	ok(!store_begin(s) && !device_put(s, &d, false),
	   "a group may still have room for its first write");
	for (k = n, result = STORE_OK; result == STORE_OK; k++) {
		d = device_number(k);
		result = device_put(s, &d, true);
	}
	ok(result == STORE_FULL && device_delete(s, d.fqdn) == STORE_FULL &&
	   store_end(s, true) == STORE_FULL && all_there(s, n),
	   "a group that does not fit is not there at all");
	for (k = 0, result = STORE_OK; result == STORE_OK && k < 10000; k++) {
		g = registration_number(k, 1);
		result = registration_put(s, &g);
	}
	ok(result == STORE_FULL && !registration_get(s, &first.node_id, &g),
	   "so does a full live map");
	store_close(s);
	s = small(dir, 4 << 20);
	d = device_number(n);
	ok(!device_put(s, &d, true) && all_there(s, n + 1), "with more room it goes on");
	store_close(s);
}

/* In a file system of 1 MiB of its own; 77 where that is not allowed. */
static void disk_full(const char *dir)
{
	enum store_result result;
	struct store *s;
	struct device d;
	unsigned n = 0;

	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=700") != 0)
		_exit(77);
	s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
	do {
		d = device_number(n++);
		result = device_put(s, &d, true);
	} while (result == STORE_OK && n < 10000);
	n--;
	_exit(result == STORE_FULL && n > 50 && all_there(s, n) ? 0 : 1);
}

static void disk(const char *dir)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		disk_full(dir);
	waitpid(pid, &status, 0);
	ok(status == 0 || status == 77 << 8,
	   "a full disk says so, and everything before is there%s",
	   status ? " # SKIP no mount namespace" : "");
}

/* ---- not ours ---- */

static bool refused(const char *dir, const char *word)
{
	char err[256] = "";
	struct store *s = store_open(dir, STORE_READ, 0, 1, boot_one, err);

	store_close(s);
	if (s || !strstr(err, word))
		diag("said: %s", err);
	return !s && strstr(err, word);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f)
		exit(99);
	fputs(text, f);
	fclose(f);
}

static void odd_files(const char *dir)
{
	char file[100], data[128], err[256], path[300];
	struct store *s;

	snprintf(file, sizeof file, "%s/accounts", dir);
	snprintf(data, sizeof data, "%s/data.mdb", file);
	write_file(file, "a file");
	ok(refused(dir, "accounts"), "a file in the directory's place is refused by name");
	ok(refused(file, file), "so is a file given as the store");
	remove(file);
	mkdir(file, 0700);
	write_file(data, "This is not an LMDB file.");
	ok(refused(dir, "backup"), "a file that is not LMDB is refused with the remedy");
	remove(data);
	if (mkfifo(data, 0600) != 0)
		exit(99);
	ok(refused(dir, "data.mdb"), "a named pipe is refused, not waited for");
	remove(data);
	write_file(data, "");
	s = store_open(dir, STORE_READ, 0, 1, boot_one, err);
	ok(s != NULL, "an empty file becomes an empty store");
	store_close(s);
	snprintf(data, sizeof data, "%s/lock.mdb", file);
	write_file(data, "This is not a lock.");
	s = store_open(dir, STORE_READ, 0, 1, boot_one, err);
	ok(s != NULL, "a lock file nobody uses may hold anything");
	store_close(s);
	ok(refused("/nowhere/at/all", "/nowhere/at/all"), "a path that cannot be made is named");
	memset(path, 'x', sizeof path);
	path[299] = '\0';
	ok(refused(path, "too long"), "a path that is too long is refused");
	ok(!store_open(dir, STORE_READ, 3, 3, boot_one, err) && strstr(err, "worker 3"),
	   "a worker beyond the last is refused");
	if (geteuid() == 0 && chown(dir, 12345, 12345) == 0)
		ok(refused(dir, "12345"), "another user's store is refused");
}

int main(void)
{
	char dir[64], full[64], tiny[64], odd[64];

	scratch_make(dir);
	scratch_make(full);
	scratch_make(tiny);
	scratch_make(odd);
	fill(dir);
	every_octet(dir);
	cure(dir);
	other_layout(dir);
	scratch_remove(dir);
	mkdir(dir, 0700);
	fill(dir);
	anywhere(dir);
	map_full(full);
	disk(tiny);
	odd_files(odd);
	scratch_remove(dir);
	scratch_remove(full);
	scratch_remove(tiny);
	scratch_remove(odd);
	return done();
}
