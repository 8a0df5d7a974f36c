/*
 * store.c - one handle for all a process sees of the store: accounts, and every worker's
 * live environment.
 */
#include "store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum store_result store_says(struct store *s, enum store_result result, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->error, sizeof s->error, fmt, ap);
	va_end(ap);
	return result;
}

const char *store_error(const struct store *s)
{
	return s->error;
}

const char *store_result_text(enum store_result r)
{
	static const char *const text[] = {
		[STORE_OK] = "ok",
		[STORE_MISSING] = "missing",
		[STORE_EXISTS] = "exists already",
		[STORE_DAMAGED] = "damaged",
		[STORE_FULL] = "full",
		[STORE_FAILED] = "failed",
	};

	return r < ARRAY_SIZE(text) ? text[r] : "?";
}

/* A file another user made here would lock the daemon out of its own store later. */
static enum store_result dir_open(struct store *s)
{
	struct stat st;

	if (mkdir(s->dir, 0700) != 0 && errno != EEXIST)
		return store_says(s, STORE_FAILED, "%s: cannot make the directory: %s", s->dir,
				  strerror(errno));
	if (stat(s->dir, &st) != 0)
		return store_says(s, STORE_FAILED, "%s: %s", s->dir, strerror(errno));
	if (st.st_uid != geteuid())
		return store_says(s, STORE_FAILED, "%s: belongs to user id %u, run as that user",
				  s->dir, (unsigned)st.st_uid);
	return STORE_OK;
}

/* Openers take turns: none may see an environment that another is making or emptying. */
static int turn_take(struct store *s)
{
	char path[sizeof s->dir + 8];
	int fd;

	snprintf(path, sizeof path, "%s/lock", s->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) != 0)
		store_says(s, STORE_FAILED, "%s: %s", path, strerror(errno));
	else
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* LMDB syncs what is in its files, not that they are there. */
static void names_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static enum store_result accounts_make(struct store *s, size_t map)
{
	char path[sizeof s->dir + 32];
	enum store_result result;
	struct stat st;

	snprintf(path, sizeof path, "%s/accounts/data.mdb", s->dir);
	if (lstat(path, &st) == 0 && st.st_size > 0)
		return STORE_OK;
	result = db_open(&s->accounts, s, "accounts", 0, map);
	db_close(&s->accounts);
	*strrchr(path, '/') = '\0';
	names_sync(path);
	names_sync(s->dir);
	return result;
}

static enum store_result all_open(struct store *s, size_t accounts_map)
{
	unsigned flags = s->mode == STORE_READ ? MDB_RDONLY : 0;
	enum store_result result;
	int turn = turn_take(s);

	if (turn < 0)
		return STORE_FAILED;
	result = accounts_make(s, accounts_map);
	if (result == STORE_OK)
		result = db_open(&s->accounts, s, "accounts", flags, accounts_map);
	if (result == STORE_OK && s->mode != STORE_WRITE)
		result = live_open(s);
	close(turn);
	return result;
}

static struct store *refuse(struct store *s, char *err)
{
	snprintf(err, sizeof s->error, "%s", s->error);
	store_close(s);
	return NULL;
}

struct store *store_bare(const char *dir, unsigned workers, char *err)
{
	struct store *s = calloc(1, sizeof *s);

	if (s)
		s->live = calloc(workers + 1, sizeof *s->live);
	if (!s || !s->live) {
		snprintf(err, sizeof s->error, "%s: no memory", dir);
		free(s);
		return NULL;
	}
	s->workers = workers;
	s->live_map = LIVE_MAP;
	crc32c_table(s->crc);
	if (snprintf(s->dir, sizeof s->dir, "%s", dir) < (int)sizeof s->dir)
		return s;
	store_says(s, STORE_FAILED, "%.60s...: the path is too long", dir);
	return refuse(s, err);
}

struct store *store_open_sized(const char *dir, enum store_mode mode, unsigned worker,
			       unsigned workers, const uint8_t boot_id[16],
			       size_t accounts_map, size_t live_map, char *err)
{
	struct store *s = store_bare(dir, workers, err);

	if (!s)
		return NULL;
	s->mode = mode;
	s->worker = worker;
	s->live_map = live_map;
	memcpy(s->boot_id, boot_id, sizeof s->boot_id);
	if (workers > WORKERS_LIMIT || (mode != STORE_WRITE && worker >= workers))
		store_says(s, STORE_FAILED, "%.60s: worker %u of %u", dir, worker, workers);
	else if (dir_open(s) == STORE_OK && all_open(s, accounts_map) == STORE_OK)
		return s;
	return refuse(s, err);
}

struct store *store_open(const char *dir, enum store_mode mode, unsigned worker,
			 unsigned workers, const uint8_t boot_id[16], char *err)
{
	return store_open_sized(dir, mode, worker, workers, boot_id, ACCOUNTS_MAP, LIVE_MAP, err);
}

void store_close(struct store *s)
{
	unsigned w;

	if (!s)
		return;
	for (w = 0; w < s->workers; w++)
		db_close(&s->live[w]);
	db_close(&s->accounts);
	free(s->live);
	free(s);
}

enum store_result store_begin(struct store *s)
{
	return db_begin(&s->accounts);
}

enum store_result store_end(struct store *s, bool commit)
{
	return db_end(&s->accounts, commit);
}
