/*
 * backup.c - the whole state in one file, and back.
 *
 * Restoring makes everything ready beside what is there, then changes places by renaming.  An
 * end in between leaves restore.new behind, with which no daemon starts.
 */
#include "store/inspect.h"
#include "store/files.h"
#include "store/keep.h"
#include "store/pages.h"
#include "store/archive.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_MAX 65536		/* octets of every file but accounts */
#define FORMAT 1
#define READY "restore.new"

/* ---- what is kept ---- */

/* Locks and what is soft, temporary or a copy already is not part of a backup. */
static bool is_kept(const char *name)
{
	static const char *const not[] = { "lock", "master.lock", "probe" };
	size_t n = strlen(name), i;

	for (i = 0; i < ARRAY_SIZE(not); i++)
		if (strcmp(name, not[i]) == 0)
			return false;
	return *name != '.' && !(n > 4 && strcmp(name + n - 4, ".new") == 0);
}

static bool fail(struct tar *t, const char *path)
{
	snprintf(t->err, 256, "%.200s: %s", path, strerror(errno));
	return false;
}

static bool add_file(struct tar *t, const char *path, const char *name)
{
	uint8_t *p = malloc(SMALL_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd >= 0 && p ? read(fd, p, SMALL_MAX) : -1;
	bool good = n >= 0 ? true : fail(t, path);

	if (n == SMALL_MAX) {
		snprintf(t->err, 256, "%.200s: too large for a file of ours; move it away", path);
		good = false;
	}
	good = good && tar_add(t, name, p, (size_t)n);
	if (fd >= 0)
		close(fd);
	if (p)
		wipe(p, SMALL_MAX);
	free(p);
	return good;
}

/* The plain files of dir, or of dir/below. */
static bool add_files(struct tar *t, const char *dir, const char *below)
{
	char from[FILES_PATH], path[FILES_PATH + 256], name[TAR_NAME + 256];
	const struct dirent *e;
	bool good = true;
	struct stat st;
	DIR *d;

	snprintf(from, sizeof from, "%s%s%s", dir, *below ? "/" : "", below);
	d = opendir(from);
	if (!d)
		return errno == ENOENT || fail(t, from);
	while (good && (e = readdir(d))) {
		snprintf(path, sizeof path, "%s/%s", from, e->d_name);
		if (!is_kept(e->d_name) || lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		snprintf(name, sizeof name, "%s%s%s", below, *below ? "/" : "", e->d_name);
		good = add_file(t, path, name);
	}
	closedir(d);
	return good;
}

static bool has_accounts(const char *dir)
{
	char path[FILES_PATH];

	snprintf(path, sizeof path, "%s/" TAR_ACCOUNTS, dir);
	return access(path, F_OK) == 0;
}

static bool add_accounts(struct tar *t, const char *dir)
{
	struct store *s = store_bare(dir, 0, t->err);
	off_t end;
	int rc;

	if (!s)
		return false;
	if (db_open(&s->accounts, s, "accounts", MDB_RDONLY, ACCOUNTS_MAP) != STORE_OK) {
		snprintf(t->err, 256, "%.250s", store_error(s));
		store_close(s);
		return false;
	}
	tar_open(t);
	rc = lseek(t->fd, t->at, SEEK_SET) < 0 ? errno :
	     mdb_env_copyfd2(s->accounts.env, t->fd, MDB_CP_COMPACT);
	end = lseek(t->fd, 0, SEEK_CUR);
	store_close(s);
	if (rc || end < t->at) {
		snprintf(t->err, 256, "the accounts cannot be copied: %s",
			 rc == MDB_INCOMPATIBLE ? "they are damaged" : mdb_strerror(rc));
		return false;
	}
	return tar_filled(t, TAR_ACCOUNTS, (uint64_t)(end - t->at));
}

/* ---- reading one ---- */

struct counting {
	struct db db;
	struct backup *b;
};

static bool count_record(void *arg, struct bytes key, struct bytes value, char *err)
{
	struct counting *c = arg;
	MDB_val k = { key.n, (void *)key.p }, v = { value.n, (void *)value.p };
	struct record r;
	bool good = db_take(&c->db, &k, &v, &r) == STORE_OK;

	wipe(&r, sizeof r);
	if (!good)
		snprintf(err, 256, "%.250s", store_error(c->db.store));
	c->b->accounts += key.p[0] == KIND_ACCOUNT;
	c->b->devices += key.p[0] == KIND_DEVICE;
	return good;
}

static bool accounts_whole(struct tar *t, struct backup *b)
{
	const struct member *m = tar_find(t, TAR_ACCOUNTS);
	struct counting c = { .b = b };
	char why[256] = "";
	bool good;

	if (!m)
		return true;
	c.db.store = store_bare("", 0, t->err);
	if (!c.db.store)
		return false;
	strcpy(c.db.name, "accounts");
	good = pages_check(t->fd, m->at, m->n, count_record, &c, why);
	if (!good)
		snprintf(t->err, 256, "the accounts in the backup are damaged: %.200s", why);
	store_close(c.db.store);
	return good;
}

static bool read_whole(struct tar *t, struct backup *b)
{
	unsigned long long made = 0;
	char text[256] = "";
	unsigned format = 0;

	memset(b, 0, sizeof *b);
	if (!tar_read(t) || tar_take(t, &t->member[0], text, sizeof text - 1) < 0)
		return false;
	if (sscanf(text, "format %u\nmade %llu\n", &format, &made) != 2 || format != FORMAT) {
		snprintf(t->err, 256, "the backup has a form that this version (%s) does not know",
			 CYPHONIC_VERSION);
		return false;
	}
	b->made = made;
	b->octets = (uint64_t)t->at;
	b->files = t->n - 2;
	return accounts_whole(t, b);
}

bool store_backup(const char *dir, int fd, uint64_t now_s, struct backup *b, char *err)
{
	struct tar *t = calloc(1, sizeof *t);
	char text[128];
	bool good;
	int n;

	if (!t) {
		strcpy(err, "no memory");
		return false;
	}
	*t = (struct tar){ .fd = fd, .now_s = now_s, .err = err };
	n = snprintf(text, sizeof text, "format %u\nmade %llu\nversion %s\n", FORMAT,
		     (unsigned long long)now_s, CYPHONIC_VERSION);
	good = tar_add(t, TAR_FIRST, text, (size_t)n) &&
	       (!has_accounts(dir) || add_accounts(t, dir)) && add_files(t, dir, "ca") &&
	       add_files(t, dir, "") && tar_finish(t) && read_whole(t, b);
	if (good && b->files == 0) {
		snprintf(err, 256, "there is nothing to keep in %.200s", dir);
		good = false;
	}
	free(t);
	return good;
}

/* ---- restoring ---- */

static bool stays(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "master.lock") == 0 ||
	       strcmp(name, "lock") == 0 || strcmp(name, "copies") == 0 || strcmp(name, READY) == 0 ||
	       strncmp(name, "before.", 7) == 0 || strncmp(name, "accounts.damaged.", 17) == 0;
}

/* Renames what does not stay from one directory to another; how many, -1 with err. */
static int move_all(struct tar *t, const char *from, const char *to, bool only_count)
{
	char a[FILES_PATH + 256], b[FILES_PATH + 256];
	const struct dirent *e;
	DIR *d = opendir(from);
	int n = 0;

	if (!d) {
		fail(t, from);
		return -1;
	}
	while (n >= 0 && (e = readdir(d))) {
		if (stays(e->d_name))
			continue;
		n++;
		if (only_count)
			continue;
		snprintf(a, sizeof a, "%s/%s", from, e->d_name);
		snprintf(b, sizeof b, "%s/%s", to, e->d_name);
		if (rename(a, b) != 0) {
			fail(t, a);
			n = -1;
		}
	}
	closedir(d);
	return n;
}

static bool extract_one(struct tar *t, const struct member *m, const char *to)
{
	char path[FILES_PATH + TAR_NAME];
	uint8_t p[65536];
	uint64_t at;
	bool good = true;
	size_t n;
	int fd;

	snprintf(path, sizeof path, "%s/%s", to, m->name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(t, path);
	for (at = 0; good && at < m->n; at += n) {
		n = MIN(sizeof p, m->n - at);
		good = pread(t->fd, p, n, m->at + (off_t)at) == (ssize_t)n &&
		       write(fd, p, n) == (ssize_t)n;
	}
	good = (good && fsync(fd) == 0) || fail(t, path);
	wipe(p, sizeof p);
	close(fd);
	return good;
}

static bool extract(struct tar *t, const char *to)
{
	char below[FILES_PATH + 16];
	unsigned i;

	if (!files_remove(to) || mkdir(to, 0700) != 0)
		return fail(t, to);
	snprintf(below, sizeof below, "%s/accounts", to);
	if (tar_find(t, TAR_ACCOUNTS) && mkdir(below, 0700) != 0)
		return fail(t, below);
	snprintf(below, sizeof below, "%s/ca", to);
	if (mkdir(below, 0700) != 0)
		return fail(t, below);
	/* neither the first nor the last is of the state */
	for (i = 1; i + 1 < t->n; i++)
		if (!extract_one(t, &t->member[i], to))
			return false;
	files_sync(below);
	return files_sync(to) || fail(t, to);
}

static bool is_usable(struct tar *t, const char *to)
{
	struct check c;

	if (!tar_find(t, TAR_ACCOUNTS))
		return true;
	check_accounts(&c, to, "accounts");
	if (c.result == CHECK_SOUND)
		return true;
	snprintf(t->err, 256, "the accounts in the backup cannot be used: %.200s", c.why);
	return false;
}

static bool make_room(struct tar *t, const char *dir, char kept[COPY_NAME])
{
	char path[FILES_PATH], stamp[24];
	unsigned i;

	files_stamp(stamp, t->now_s);
	for (i = 0; i < 100; i++) {
		snprintf(kept, COPY_NAME, "before.%.16s%s%.0u", stamp, i ? "." : "",
			 i % 1000);
		snprintf(path, sizeof path, "%s/%s", dir, kept);
		if (mkdir(path, 0700) == 0)
			return move_all(t, dir, path, false) >= 0;
		if (errno != EEXIST)
			break;
	}
	return fail(t, path);
}

static bool take_over(struct tar *t, const char *dir, bool force, char kept[COPY_NAME])
{
	char ready[FILES_PATH];
	int there = move_all(t, dir, dir, true);

	*kept = '\0';
	if (there < 0)
		return false;
	if (there && !force) {
		snprintf(t->err, 256, "%.120s is not empty: with --force, what is there is kept in a "
			 "directory before.TIME in it", dir);
		return false;
	}
	snprintf(ready, sizeof ready, "%s/" READY, dir);
	if (!extract(t, ready) || !is_usable(t, ready)) {
		files_remove(ready);
		return false;
	}
	if (there && !make_room(t, dir, kept))
		return false;
	if (move_all(t, ready, dir, false) < 0 || rmdir(ready) != 0)
		return false;
	return files_sync(dir) || fail(t, dir);
}

bool store_restore(const char *dir, int fd, bool force, uint64_t now_s, struct backup *b,
		   char kept[COPY_NAME], char *err)
{
	struct tar *t = calloc(1, sizeof *t);
	bool good;

	if (!t) {
		strcpy(err, "no memory");
		return false;
	}
	*t = (struct tar){ .fd = fd, .now_s = now_s, .err = err };
	good = read_whole(t, b) && take_over(t, dir, force, kept);
	free(t);
	return good;
}
