/*
 * copies.c - accounts as they were, one file each, named by the time: what is left to go on
 * with when the file itself is damaged.
 */
#include "store/inspect.h"
#include "store/copies.h"
#include "store/files.h"
#include "store/pages.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "accounts."

/* ---- the list ---- */

/* The time in "accounts.20261120T153000Z"; 0: not the name of a copy. */
static uint64_t time_of(const char *name)
{
	struct tm tm = { 0 };
	const char *end;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return 0;
	end = strptime(name + strlen(PREFIX), "%Y%m%dT%H%M%SZ", &tm);
	return end && !*end ? (uint64_t)timegm(&tm) : 0;
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(b, a);
}

void copies_list(struct copies *c, const char *dir)
{
	char path[FILES_PATH];
	const struct dirent *e;
	DIR *d;

	c->n = 0;
	snprintf(path, sizeof path, "%s/copies", dir);
	d = opendir(path);
	while (d && c->n < COPIES_MAX && (e = readdir(d)))
		if (time_of(e->d_name) && strlen(e->d_name) < COPY_NAME)
			strcpy(c->name[c->n++], e->d_name);
	if (d)
		closedir(d);
	qsort(c->name, c->n, sizeof c->name[0], newest_first);
}

uint64_t store_copies_newest(const char *dir)
{
	struct copies *c = malloc(sizeof *c);
	uint64_t s = 0;

	if (c) {
		copies_list(c, dir);
		s = c->n ? time_of(c->name[0]) : 0;
	}
	free(c);
	return s;
}

static void prune(const char *dir, unsigned keep)
{
	struct copies *c = malloc(sizeof *c);
	char path[FILES_PATH];

	if (!c)
		return;
	copies_list(c, dir);
	while (c->n > keep) {
		snprintf(path, sizeof path, "%s/copies/%s", dir, c->name[--c->n]);
		unlink(path);
	}
	free(c);
}

/* ---- making one ---- */

static bool record_whole(void *arg, struct bytes key, struct bytes value, char *err)
{
	struct db *db = arg;
	MDB_val k = { key.n, (void *)key.p }, v = { value.n, (void *)value.p };
	struct record r;
	bool good = db_take(db, &k, &v, &r) == STORE_OK;

	if (!good)
		snprintf(err, 256, "%.250s", store_error(db->store));
	wipe(&r, sizeof r);
	return good;
}

static bool copy_to(const char *dir, int fd, char *err)
{
	struct store *s = store_bare(dir, 0, err);
	struct stat st;
	bool good;
	int rc;

	if (!s)
		return false;
	if (db_open(&s->accounts, s, "accounts", MDB_RDONLY, ACCOUNTS_MAP) != STORE_OK) {
		snprintf(err, 256, "%.250s", store_error(s));
		store_close(s);
		return false;
	}
	rc = mdb_env_copyfd2(s->accounts.env, fd, MDB_CP_COMPACT);
	if (!rc && (fsync(fd) != 0 || fstat(fd, &st) != 0))
		rc = errno;
	if (rc)
		snprintf(err, 256, "%s%s", rc == MDB_INCOMPATIBLE ? "the accounts file is damaged" :
			 mdb_strerror(rc), rc == ENOSPC || rc == EDQUOT ?
			 ": free space on that file system" : "");
	good = !rc && pages_check(fd, 0, (uint64_t)st.st_size, record_whole, &s->accounts, err);
	store_close(s);
	return good;
}

static int copy_open(const char *dir, const char *fresh, char *err)
{
	char path[FILES_PATH];
	int fd;

	snprintf(path, sizeof path, "%s/copies", dir);
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		snprintf(err, 256, "%.200s: %s", path, strerror(errno));
		return -1;
	}
	unlink(fresh);
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		snprintf(err, 256, "%.200s: %s", fresh, strerror(errno));
	return fd;
}

bool store_copy(const char *dir, unsigned keep, uint64_t now_s, char name[COPY_NAME], char *err)
{
	char fresh[FILES_PATH], path[FILES_PATH], stamp[24];
	bool good;
	int fd;

	snprintf(name, COPY_NAME, PREFIX "%s", files_stamp(stamp, now_s));
	snprintf(fresh, sizeof fresh, "%s/copies/new", dir);
	snprintf(path, sizeof path, "%s/copies/%s", dir, name);
	fd = copy_open(dir, fresh, err);
	if (fd < 0)
		return false;
	good = copy_to(dir, fd, err);
	close(fd);
	if (good && rename(fresh, path) != 0) {
		snprintf(err, 256, "%.200s: %s", path, strerror(errno));
		good = false;
	}
	if (!good) {
		unlink(fresh);
		return false;
	}
	snprintf(path, sizeof path, "%s/copies", dir);
	files_sync(path);
	prune(dir, keep);
	return true;
}
