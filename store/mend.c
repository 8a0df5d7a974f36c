/*
 * mend.c - before anybody opens the store: is it whole, and if not, what to go on with.
 *
 * Nothing is ever deleted of accounts: what is damaged is set aside under its time.
 */
#include "store/inspect.h"
#include "store/copies.h"
#include "store/files.h"
#include "store/keep.h"
#include "store/pages.h"
#include "store/sort.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FRESH "accounts.new"
#define LOST_NAMED 20

/* ---- what is lost ---- */

struct loss {
	const char *dir;
	struct check *c;
	struct store *fresh;		/* the copy, as accounts.new */
};

/* An account or device that the damaged file still tells: does the copy have it? */
static bool compare(void *arg, struct bytes key, struct bytes value, char *err)
{
	struct loss *l = arg;
	struct db *db = &l->fresh->accounts;
	MDB_val k = { key.n, (void *)key.p }, v = { value.n, (void *)value.p };
	struct record old, now;
	struct key name;

	if ((key.p[0] != KIND_ACCOUNT && key.p[0] != KIND_DEVICE) ||
	    db_take(db, &k, &v, &old) != STORE_OK)
		return true;
	key_octets(&name, (enum kind)key.p[0], key.p + 1, key.n - 1);
	if (db_get(db, &name, &now) == STORE_OK)
		l->c->devices += old.n != now.n || memcmp(old.b, now.b, old.n) != 0;
	else if (l->c->damaged++ < LOST_NAMED)
		cy_log(LOG_ERROR_, "store: lost: %s %.*s",
		       key.p[0] == KIND_ACCOUNT ? "account" : "device", (int)key.n - 1,
		       (const char *)key.p + 1);
	wipe(&old, sizeof old);
	wipe(&now, sizeof now);
	return true;
}

static void loss_work(struct check *c, const void *arg)
{
	struct loss l = *(const struct loss *)arg;
	char path[FILES_PATH];
	struct stat st;
	int fd;

	c->result = CHECK_FAILED;
	snprintf(path, sizeof path, "%s/accounts/data.mdb", l.dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	l.c = c;
	l.fresh = store_bare(l.dir, 0, c->why);
	if (fd < 0 || fstat(fd, &st) != 0 || !l.fresh ||
	    db_open(&l.fresh->accounts, l.fresh, FRESH, MDB_RDONLY | MDB_NOLOCK, ACCOUNTS_MAP))
		return;
	if (pages_salvage(fd, (uint64_t)st.st_size, compare, &l))
		c->result = CHECK_SOUND;
}

static void say_losses(const char *dir)
{
	struct loss l = { .dir = dir };
	struct check c;

	check_in_child(&c, loss_work, &l);
	if (c.damaged > LOST_NAMED)
		cy_log(LOG_ERROR_, "store: lost: %llu more",
		       (unsigned long long)(c.damaged - LOST_NAMED));
	cy_log(LOG_ERROR_, "store: lost: %llu accounts and devices; %llu others are back in an older "
	       "state%s", (unsigned long long)c.damaged, (unsigned long long)c.devices,
	       c.result == CHECK_SOUND ? "" : "; the damaged file tells no more, there may be others");
}

/* ---- going on with a copy ---- */

static void path_of(char path[FILES_PATH], const char *dir, const char *name)
{
	snprintf(path, FILES_PATH, "%s/%s", dir, name);
}

/* The copy as an environment of its own, accounts.new, checked. */
static bool ready_copy(const char *dir, const char *name, char *err)
{
	char from[FILES_PATH], to[FILES_PATH], fresh[FILES_PATH];
	struct check c;

	path_of(fresh, dir, FRESH);
	snprintf(from, sizeof from, "%s/copies/%s", dir, name);
	snprintf(to, sizeof to, "%s/" FRESH "/data.mdb", dir);
	if (!files_remove(fresh) || mkdir(fresh, 0700) != 0 || !files_copy(from, to) ||
	    !files_sync(fresh)) {
		snprintf(err, 256, "the copy %s cannot be taken: %s", name, strerror(errno));
		return false;
	}
	check_accounts(&c, dir, FRESH);
	if (c.result != CHECK_SOUND)
		cy_log(LOG_ERROR_, "store: the copy %s is no good either: %s", name,
		       c.result == CHECK_RECORDS ? "it has damaged records" : c.why);
	return c.result == CHECK_SOUND;
}

static bool any_copy(const char *dir, char name[COPY_NAME], char *err)
{
	struct copies *copies = malloc(sizeof *copies);
	bool good = false;
	unsigned i;

	*err = '\0';
	if (!copies)
		return false;
	copies_list(copies, dir);
	for (i = 0; !good && i < copies->n; i++) {
		good = ready_copy(dir, copies->name[i], err);
		strcpy(name, copies->name[i]);
	}
	free(copies);
	return good;
}

static bool set_aside(const char *dir, char aside[48], char *err)
{
	char from[FILES_PATH], to[FILES_PATH], stamp[24];
	unsigned i;

	path_of(from, dir, "accounts");
	files_stamp(stamp, (uint64_t)time(NULL));
	for (i = 0; i < 1000; i++) {
		snprintf(aside, 48, "accounts.damaged.%s%s%.0u", stamp, i ? "." : "", i);
		path_of(to, dir, aside);
		if (access(to, F_OK) != 0)
			break;
	}
	if (rename(from, to) == 0 || errno == ENOENT)
		return true;
	snprintf(err, 256, "%.150s cannot be set aside: %s", from, strerror(errno));
	return false;
}

static bool put_in_place(const char *dir, char *err)
{
	char from[FILES_PATH], to[FILES_PATH];

	path_of(from, dir, FRESH);
	path_of(to, dir, "accounts");
	if (rename(from, to) == 0 && files_sync(dir))
		return true;
	snprintf(err, 256, "%.150s cannot be put in place: %s", from, strerror(errno));
	return false;
}

static const char *when(char out[32], const char *copy)
{
	snprintf(out, 32, "%s", strchr(copy, '.') + 1);
	return out;
}

/* why: what is wrong with accounts.  there: there is a file to keep. */
static bool take_copy(const char *dir, const char *why, bool there, char *err)
{
	char name[COPY_NAME] = "", aside[48] = "nothing", path[FILES_PATH], text[32], because[256];

	if (!any_copy(dir, name, because)) {
		snprintf(err, 256, "the accounts in %.60s are %s%.80s, and no copy is whole: restore "
			 "a backup with 'cyphonic restore FILE --force'", dir,
			 there ? "damaged: " : "", *because ? because : why);
		path_of(path, dir, FRESH);
		files_remove(path);
		return false;
	}
	if (there)
		say_losses(dir);
	if (!set_aside(dir, aside, err) || !put_in_place(dir, err))
		return false;
	cy_log(LOG_ERROR_, "store: accounts were damaged (%s): kept as %s/%s; going on with the copy of "
	       "%s, and what was changed after it is lost", why, dir, aside, when(text, name));
	return true;
}

/* ---- the parts ---- */

static bool is_there(const char *dir, const char *name)
{
	char path[FILES_PATH];
	struct stat st;

	path_of(path, dir, name);
	return lstat(path, &st) == 0;
}

static bool is_empty(const char *dir)
{
	char path[FILES_PATH];
	struct stat st;

	path_of(path, dir, "accounts/data.mdb");
	return lstat(path, &st) != 0 || (S_ISREG(st.st_mode) && st.st_size == 0);
}

static bool mend_accounts(const char *dir, char *err)
{
	struct check c;

	if (is_empty(dir)) {
		/* a domain that has a CA, or had copies, had accounts */
		if (!is_there(dir, "ca/root.key") && store_copies_newest(dir) == 0)
			return true;
		return take_copy(dir, "missing though there is a CA", false, err);
	}
	check_accounts(&c, dir, "accounts");
	switch (c.result) {
	case CHECK_SOUND:
		return true;
	case CHECK_RECORDS:
		cy_log(LOG_ERROR_, "store: %llu records are damaged and not used; delete what was named, "
		       "or restore a backup", (unsigned long long)c.damaged);
		return true;
	case CHECK_DAMAGED:
		return take_copy(dir, c.why, true, err);
	case CHECK_FAILED:
		break;
	}
	snprintf(err, 256, "the accounts cannot be checked: %.200s", c.why);
	return false;
}

bool store_mend(const char *dir, const uint8_t boot_id[16], unsigned workers, char *err)
{
	char why[256];

	if (is_there(dir, "restore.new")) {
		snprintf(err, 256, "a restore into %.120s was interrupted: do it again with --force", dir);
		return false;
	}
	if (!mend_accounts(dir, err))
		return false;
	live_check(dir, boot_id);
	/* unsorted ones are not lost for good: their nodes register again */
	if (!live_sort(dir, boot_id, workers, why))
		cy_log(LOG_WARN, "store: %s", why);
	return true;
}

bool store_sound(const char *dir, char *err)
{
	struct check c;

	if (is_empty(dir))
		return true;
	check_accounts(&c, dir, "accounts");
	if (c.result != CHECK_DAMAGED)
		return true;
	snprintf(err, 256, "the accounts in %.60s are damaged (%.80s): start the daemon, which goes on "
		 "with a copy, or restore a backup", dir, c.why);
	return false;
}
