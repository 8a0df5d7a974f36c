/*
 * inspect.c - every page, then every record, then whether records and indexes agree.
 *
 * An index follows from the device's record and is written anew when it is damaged; a named
 * value is one its user can make anew, and is dropped.  An account or a device that is damaged
 * stays as it is: nobody is served by it, it is named, and the operator decides.
 */
#include "store/inspect.h"
#include "store/pages.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMED_MAX 100		/* damaged records named one by one */
#define MEND_MAX 4096		/* keys remembered to be mended */

/* ---- the child ---- */

static void report_of(struct check *c, const struct check *told, size_t n, int status)
{
	if (n == sizeof *c && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		*c = *told;
		return;
	}
	c->result = CHECK_DAMAGED;
	if (WIFSIGNALED(status))
		snprintf(c->why, sizeof c->why, "reading it killed the checker by signal %d",
			 WTERMSIG(status));
	else
		snprintf(c->why, sizeof c->why, "reading it ended the checker");
	/* these come from outside, not from the file */
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM)) {
		c->result = CHECK_FAILED;
		snprintf(c->why, sizeof c->why, "the checker was killed by signal %d: start again",
			 WTERMSIG(status));
	}
}

void check_in_child(struct check *c, void (*work)(struct check *c, const void *arg),
		    const void *arg)
{
	struct check told;
	int ends[2], status = 0;
	ssize_t n = -1;
	pid_t pid = -1;

	memset(c, 0, sizeof *c);
	if (pipe2(ends, O_CLOEXEC) == 0)
		pid = fork();
	if (pid < 0) {
		c->result = CHECK_FAILED;
		snprintf(c->why, sizeof c->why, "no process to check it: %s", strerror(errno));
		return;
	}
	if (pid == 0) {
		memset(&told, 0, sizeof told);
		work(&told, arg);
		_exit(write(ends[1], &told, sizeof told) != sizeof told);
	}
	close(ends[1]);
	do
		n = read(ends[0], &told, sizeof told);
	while (n < 0 && errno == EINTR);
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	report_of(c, &told, n < 0 ? 0 : (size_t)n, status);
}

/* ---- pages ---- */

static bool pages_whole(struct check *c, const char *dir, const char *name)
{
	char path[320];
	struct stat st;
	bool good;
	int fd;

	snprintf(path, sizeof path, "%s/%s/data.mdb", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0) {
		c->result = CHECK_FAILED;
		snprintf(c->why, sizeof c->why, "%.150s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	good = pages_check(fd, 0, (uint64_t)st.st_size, NULL, NULL, c->why);
	close(fd);
	if (!good)
		c->result = CHECK_DAMAGED;
	return good;
}

/* ---- records ---- */

struct look {
	struct store *s;
	struct check *c;
	struct key mend[MEND_MAX];	/* of devices to index, and values to drop */
	unsigned mends;
};

/* Told under its key, which may be what is damaged. */
static void name_it(struct look *l, const char *what)
{
	if (l->c->damaged++ < NAMED_MAX)
		cy_log(LOG_ERROR_, "store: %s", what);
}

static void mend_later(struct look *l, const struct key *key)
{
	if (l->mends < MEND_MAX)
		l->mend[l->mends++] = *key;
}

static bool is_text(const struct key *key)
{
	size_t i;

	for (i = 1; i < key->n; i++)
		if (key->b[i] <= ' ' || key->b[i] >= 127)
			return false;
	return key->n > 1;
}

static void text_of(const struct key *key, char name[NAME_SIZE])
{
	memcpy(name, key->b + 1, key->n - 1);
	name[key->n - 1] = '\0';
}

static void look_at_account(struct look *l, const char *id)
{
	struct account a;

	if (account_get(l->s, id, &a) == STORE_OK && strcmp(a.id, id) == 0)
		l->c->accounts++;
	else
		name_it(l, store_error(l->s));
	wipe(&a, sizeof a);
}

static bool is_found(struct store *s, const struct device *d, enum store_result r,
		     const struct device *found)
{
	return r == STORE_MISSING ? false : r == STORE_OK && strcmp(found->fqdn, d->fqdn) == 0;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	static const uint8_t none[16];

	return memcmp(p, none, n) == 0;
}

static void look_at_device(struct look *l, const struct key *key, const char *fqdn)
{
	struct device d, e;
	bool good;

	if (device_by_fqdn(l->s, fqdn, &d) != STORE_OK || strcmp(d.fqdn, fqdn) != 0) {
		name_it(l, store_error(l->s));
		return;
	}
	l->c->devices++;
	good = (is_zero(d.node_id.b, 16) || is_found(l->s, &d, device_by_id(l->s, &d.node_id, &e), &e)) &&
	       (is_zero(d.ip4, 4) || is_found(l->s, &d, device_by_ip(l->s, 4, d.ip4, &e), &e)) &&
	       (is_zero(d.ip6, 16) || is_found(l->s, &d, device_by_ip(l->s, 6, d.ip6, &e), &e));
	if (!good)
		mend_later(l, key);
	wipe(&d, sizeof d);
	wipe(&e, sizeof e);
}

static void look_at_index(struct look *l, const struct key *key)
{
	struct device d;
	enum store_result r = STORE_DAMAGED;

	if (key->b[0] == KIND_DEVICE_ID && key->n == 17)
		r = device_by_id(l->s, (const struct id *)(key->b + 1), &d);
	else if (key->b[0] == KIND_DEVICE_IP4 && key->n == 5)
		r = device_by_ip(l->s, 4, key->b + 1, &d);
	else if (key->b[0] == KIND_DEVICE_IP6 && key->n == 17)
		r = device_by_ip(l->s, 6, key->b + 1, &d);
	/* a device that is damaged itself is named in its own turn */
	if (r != STORE_OK && strstr(store_error(l->s), "an index leads to"))
		name_it(l, store_error(l->s));
	wipe(&d, sizeof d);
}

/* A damaged index is written anew with its device, so only the device counts. */
static void look_at_damaged(struct look *l, const struct key *key)
{
	bool index = key->n > 1 && (key->b[0] == KIND_DEVICE_ID || key->b[0] == KIND_DEVICE_IP4 ||
				    key->b[0] == KIND_DEVICE_IP6);

	if (!index)
		name_it(l, store_error(l->s));
	if (key->n > 1 && key->b[0] == KIND_META && is_text(key))
		mend_later(l, key);
}

static void look_at(struct look *l, const MDB_val *k, const MDB_val *v)
{
	struct key key = { .n = MIN(k->mv_size, sizeof key.b) };
	enum store_result r;
	struct record record;
	char name[NAME_SIZE] = "";

	memcpy(key.b, k->mv_data, key.n);
	r = db_take(&l->s->accounts, k, v, &record);
	wipe(&record, sizeof record);
	if (r != STORE_OK) {
		look_at_damaged(l, &key);
		return;
	}
	text_of(&key, name);
	switch (key.b[0]) {
	case KIND_META:
		break;
	case KIND_ACCOUNT:
		look_at_account(l, name);
		break;
	case KIND_DEVICE:
		look_at_device(l, &key, name);
		break;
	case KIND_DEVICE_ID:
	case KIND_DEVICE_IP4:
	case KIND_DEVICE_IP6:
		look_at_index(l, &key);
		break;
	default:
		cy_log(LOG_WARN, "store: a record of a kind this version does not know is kept");
	}
}

static bool look_at_all(struct look *l)
{
	struct db *db = &l->s->accounts;
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc = mdb_cursor_open(db->write, db->dbi, &cursor);

	if (rc)
		return false;
	for (rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST); !rc;
	     rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT))
		look_at(l, &k, &v);
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND;
}

static void mend(struct look *l)
{
	enum store_result r = STORE_OK;
	char name[NAME_SIZE];
	unsigned i;

	for (i = 0; r == STORE_OK && i < l->mends; i++) {
		struct key *key = &l->mend[i];

		text_of(key, name);
		if (key->b[0] == KIND_DEVICE) {
			r = device_reindex(l->s, name);
			cy_log(LOG_WARN, "store: the indexes of device %s were damaged: written anew",
			       name);
		} else {
			r = db_delete(&l->s->accounts, key);
			l->s->accounts.changed = true;
			cy_log(LOG_WARN, "store: value %s was damaged: dropped, to be made anew", name);
		}
	}
	if (r == STORE_OK)
		r = db_end(&l->s->accounts, true);
	else
		db_end(&l->s->accounts, false);
	if (r != STORE_OK)
		cy_log(LOG_ERROR_, "store: not mended: %s", store_error(l->s));
}

/* ---- an environment ---- */

struct place {
	const char *dir, *name;
};

/* A damaged version is damage, but what really is of another version is not. */
static bool is_other_version(const struct place *at)
{
	char path[320];
	bool other;
	int fd;

	snprintf(path, sizeof path, "%s/%s/data.mdb", at->dir, at->name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	other = fd >= 0 && pages_other_version(fd);
	if (fd >= 0)
		close(fd);
	return other;
}

static void refuse(struct check *c, enum store_result r, const char *why)
{
	c->result = r == STORE_DAMAGED ? CHECK_DAMAGED : CHECK_FAILED;
	snprintf(c->why, sizeof c->why, "%s", why);
}

/* Within a write transaction, so that no verb writes meanwhile. */
static void accounts_work(struct check *c, const void *arg)
{
	const struct place *at = arg;
	struct look *l = calloc(1, sizeof *l);
	struct store *s = store_bare(at->dir, 0, c->why);
	enum store_result r;

	c->result = CHECK_FAILED;
	if (!s || !l)
		return;
	l->s = s;
	l->c = c;
	r = db_open(&s->accounts, s, at->name, 0, ACCOUNTS_MAP);
	if (r == STORE_OK)
		r = db_begin(&s->accounts);
	if (r != STORE_OK) {
		/* what LMDB calls a version, a size or want of memory may be a damaged number */
		if (r != STORE_FAILED || is_other_version(at) || pages_whole(c, at->dir, at->name))
			refuse(c, r, store_error(s));
		return;
	}
	c->result = CHECK_SOUND;
	if (!pages_whole(c, at->dir, at->name))
		return;
	if (!look_at_all(l)) {
		refuse(c, STORE_DAMAGED, "its records cannot be listed");
		return;
	}
	if (l->mends)
		mend(l);
	else
		db_end(&s->accounts, false);
	if (c->damaged)
		c->result = CHECK_RECORDS;
	if (c->damaged > NAMED_MAX)
		cy_log(LOG_ERROR_, "store: %llu damaged records more",
		       (unsigned long long)(c->damaged - NAMED_MAX));
	db_close(&s->accounts);
}

void check_accounts(struct check *c, const char *dir, const char *name)
{
	struct place at = { dir, name };

	check_in_child(c, accounts_work, &at);
}

static bool live_one(void *arg, enum store_result result, const struct key *key, struct record *r)
{
	struct look *l = arg;
	struct registration g;

	if (result == STORE_OK)
		result = live_read(l->s, r, &g);
	if (result != STORE_OK || key->n != 17 || memcmp(key->b + 1, g.node_id.b, 16) != 0)
		refuse(l->c, STORE_DAMAGED, "a registration is damaged");
	return l->c->result == CHECK_SOUND;
}

static void live_work(struct check *c, const void *arg)
{
	const struct place *at = arg;
	struct store *s = store_bare(at->dir, 0, c->why);
	struct look l = { .s = s, .c = c };
	enum store_result r;

	c->result = CHECK_FAILED;
	if (!s)
		return;
	r = db_open(&s->accounts, s, at->name, MDB_NOSYNC, LIVE_MAP);
	if (r == STORE_OK)
		r = db_begin(&s->accounts);
	c->result = CHECK_SOUND;
	if (r != STORE_OK)
		refuse(c, r, store_error(s));
	else if (pages_whole(c, at->dir, at->name) &&
		 db_each(&s->accounts, KIND_REGISTRATION, live_one, &l) != STORE_OK)
		refuse(c, STORE_DAMAGED, store_error(s));
	db_close(&s->accounts);
}

void check_live(struct check *c, const char *dir, const char *name)
{
	struct place at = { dir, name };

	check_in_child(c, live_work, &at);
}
