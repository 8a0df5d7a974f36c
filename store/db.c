/*
 * db.c - LMDB for people who do not trust disks: every value carries a checksum over key and
 * fields, every transaction ends inside the call that began it (groups excepted), and a reader
 * keeps its slot but no snapshot between calls.
 */
#include "store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define READERS 512	/* slots: a process takes one in each environment it reads */
#define LOCK_ROOM (READERS * 64 + 4096)
#define PROBE 524288	/* octets: more than LMDB writes in one go */

/* ---- damage ---- */

static const char *kind_text(uint8_t kind)
{
	switch (kind) {
	case KIND_META:
		return "value";
	case KIND_ACCOUNT:
		return "account";
	case KIND_DEVICE:
		return "device";
	case KIND_DEVICE_ID:
	case KIND_DEVICE_IP4:
	case KIND_DEVICE_IP6:
		return "device index";
	case KIND_REGISTRATION:
		return "registration";
	}
	return "record";
}

static enum store_result damaged(struct db *db, const uint8_t *key, size_t n, const char *why)
{
	char hex[2 * 32 + 1], name[sizeof ((struct key *)0)->b];
	bool text = n > 0 && (key[0] == KIND_META || key[0] == KIND_ACCOUNT ||
			      key[0] == KIND_DEVICE);
	size_t i;

	if (n == 0 || n > sizeof name)
		return store_says(db->store, STORE_DAMAGED, "%s: a key is damaged", db->name);
	for (i = 1; text && i < n; i++)
		text = key[i] > ' ' && key[i] < 127;
	memcpy(name, key + 1, n - 1);
	name[n - 1] = '\0';
	return store_says(db->store, STORE_DAMAGED, "%s: %s %s %s; delete or restore it", db->name,
			  kind_text(key[0]),
			  text ? name : hex_text(hex, key + 1, MIN(n - 1, (size_t)32)), why);
}

static uint32_t record_sum(struct db *db, const MDB_val *k, const void *p, size_t n)
{
	const uint32_t *table = db->store->crc;

	return crc32c(table, crc32c(table, 0, k->mv_data, k->mv_size), p, n);
}

/* The size first: a damaged one may point anywhere. */
enum store_result db_take(struct db *db, const MDB_val *k, const MDB_val *v, struct record *r)
{
	const uint8_t *p = v->mv_data;
	size_t n;

	if (k->mv_size > sizeof ((struct key *)0)->b || v->mv_size < 1 + RECORD_CRC ||
	    v->mv_size > sizeof r->b)
		return damaged(db, k->mv_data, k->mv_size, "has an impossible size");
	n = v->mv_size - RECORD_CRC;
	if (get32(p + n) != record_sum(db, k, p, n))
		return damaged(db, k->mv_data, k->mv_size, "fails its checksum");
	if (p[0] != RECORD_LAYOUT)
		return damaged(db, k->mv_data, k->mv_size, "is of another version of this program");
	memcpy(r->b, p, n);
	r->writing = r->bad = false;
	r->at = 1;
	r->n = n;
	return STORE_OK;
}

/* ---- the environment ---- */

static enum store_result result_of(int rc)
{
	switch (rc) {
	case 0:
		return STORE_OK;
	case MDB_NOTFOUND:
		return STORE_MISSING;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case ENOSPC:
	case EDQUOT:
		return STORE_FULL;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
		return STORE_DAMAGED;
	default:
		return STORE_FAILED;
	}
}

static const char *remedy(int rc)
{
	switch (rc) {
	case MDB_INVALID:
	case MDB_CORRUPTED:
		return ": damaged or not LMDB; move it away and restore a backup";
	case MDB_VERSION_MISMATCH:
		return ": written by another version of LMDB";
	case ENOSPC:
	case EDQUOT:
		return ": nothing was changed; free space on that file system, and try again";
	case MDB_MAP_FULL:
		return ": nothing was changed; the database has reached its largest size";
	case EROFS:
		return ": mount that file system for writing";
	case EACCES:
	case EPERM:
		return ": must belong to the user the daemon runs as";
	}
	return "";
}

static enum store_result failed(struct db *db, const char *what, int rc)
{
	return store_says(db->store, result_of(rc), "%s/%s: %s: %s%s", db->store->dir, db->name,
			  what, mdb_strerror(rc), remedy(rc));
}

/* A named pipe would block the opener, a link lead out of the directory. */
static bool is_file_or_missing(const struct db *db)
{
	char path[sizeof db->store->dir + sizeof db->name + 16];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s/data.mdb", db->store->dir, db->name);
	return lstat(path, &st) != 0 || S_ISREG(st.st_mode);
}

/*
 * The table of readers is written through a mapping, where a full disk is no error but a
 * signal: its room is taken beforehand.
 */
static int lock_room(const char *env)
{
	char path[sizeof ((struct store *)0)->dir + sizeof ((struct db *)0)->name + 16];
	int fd, rc = 0;

	snprintf(path, sizeof path, "%s/lock.mdb", env);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LOCK_ROOM) != 0 && errno != EOPNOTSUPP)
		rc = errno;
	close(fd);
	return rc;
}

static int env_open(struct db *db, unsigned flags, size_t map)
{
	char path[sizeof db->store->dir + sizeof db->name + 1];
	int rc;

	snprintf(path, sizeof path, "%s/%s", db->store->dir, db->name);
	if (!(flags & MDB_RDONLY) && mkdir(path, 0700) != 0 && errno != EEXIST)
		return errno;
	rc = flags & MDB_NOLOCK ? 0 : lock_room(path);
	if (!rc)
		rc = mdb_env_create(&db->env);
	if (!rc)
		rc = mdb_env_set_mapsize(db->env, map);
	if (!rc)
		rc = mdb_env_set_maxreaders(db->env, READERS);
	/* MDB_NOTLS: the slot belongs to our parked transaction, not to a thread. */
	if (!rc)
		rc = mdb_env_open(db->env, path, flags | MDB_NOTLS, 0600);
	if (!rc)
		rc = mdb_reader_check(db->env, &db->dead);
	return rc;
}

/* The handle of the one table outlives only a transaction that was committed. */
static int table_open(struct db *db)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &db->dbi);
	if (!rc)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

enum store_result db_open(struct db *db, struct store *s, const char *name, unsigned flags,
			  size_t map)
{
	enum store_result result;
	int rc;

	memset(db, 0, sizeof *db);
	db->store = s;
	db->writable = !(flags & MDB_RDONLY);
	snprintf(db->name, sizeof db->name, "%s", name);
	if (!is_file_or_missing(db))
		return store_says(s, STORE_FAILED, "%s/%s/data.mdb: not a plain file", s->dir,
				  name);
	rc = env_open(db, flags, map);
	if (!rc)
		rc = table_open(db);
	if (!rc)
		return STORE_OK;
	result = store_says(s, result_of(rc), "%s/%s: %s%s", s->dir, name, mdb_strerror(rc),
			    remedy(rc));
	db_close(db);
	return result;
}

void db_close(struct db *db)
{
	if (!db->env)
		return;
	mdb_txn_abort(db->write);
	mdb_txn_abort(db->read);
	mdb_env_close(db->env);
	db->env = NULL;
	db->read = db->write = NULL;
}

/* ---- reading ---- */

static int read_begin(struct db *db)
{
	int dead, rc;

	if (db->read)
		return mdb_txn_renew(db->read);
	rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->read);
	if (rc == MDB_READERS_FULL && mdb_reader_check(db->env, &dead) == 0)
		rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->read);
	return rc;
}

enum store_result db_hold(struct db *db)
{
	int rc = db->holds ? 0 : read_begin(db);

	if (rc) {
		mdb_txn_abort(db->read);
		db->read = NULL;
		return failed(db, "read", rc);
	}
	db->holds++;
	return STORE_OK;
}

void db_release(struct db *db)
{
	if (--db->holds == 0)
		mdb_txn_reset(db->read);
}

static MDB_txn *snapshot(struct db *db)
{
	return db->write ? db->write : db->read;
}

enum store_result db_get(struct db *db, const struct key *key, struct record *r)
{
	MDB_val k = { key->n, (void *)key->b }, v;
	enum store_result result = db_hold(db);
	int rc;

	if (result)
		return result;
	rc = mdb_get(snapshot(db), db->dbi, &k, &v);
	if (rc == 0)
		result = db_take(db, &k, &v, r);
	else
		result = rc == MDB_NOTFOUND ? STORE_MISSING : failed(db, "read", rc);
	db_release(db);
	return result;
}

/*
 * A whole record of another kind ends the walk; a damaged one may be one of ours whose kind
 * was hit.
 */
static int walk(struct db *db, MDB_cursor *cursor, enum kind kind,
		bool (*each)(void *arg, enum store_result result, const struct key *key,
			     struct record *r), void *arg)
{
	uint8_t first = (uint8_t)kind;
	MDB_val k = { 1, &first }, v;
	enum store_result result;
	struct record r;
	struct key key;
	int rc;

	for (rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE); !rc;
	     rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
		result = db_take(db, &k, &v, &r);
		if (result == STORE_OK && *(uint8_t *)k.mv_data != first)
			break;
		key.n = MIN(k.mv_size, sizeof key.b);
		memcpy(key.b, k.mv_data, key.n);
		if (!each(arg, result, &key, &r))
			break;
	}
	wipe(&r, sizeof r);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

enum store_result db_each(struct db *db, enum kind kind,
			  bool (*each)(void *arg, enum store_result result,
				       const struct key *key, struct record *r), void *arg)
{
	enum store_result result = db_hold(db);
	MDB_cursor *cursor;
	int rc;

	if (result)
		return result;
	rc = mdb_cursor_open(snapshot(db), db->dbi, &cursor);
	if (!rc) {
		rc = walk(db, cursor, kind, each, arg);
		mdb_cursor_close(cursor);
	}
	db_release(db);
	return rc ? failed(db, "list", rc) : STORE_OK;
}

uint64_t db_count(struct db *db)
{
	MDB_stat st = { 0 };

	if (db_hold(db) != STORE_OK)
		return 0;
	mdb_stat(snapshot(db), db->dbi, &st);
	db_release(db);
	return st.ms_entries;
}

/* ---- writing ---- */

static enum store_result write_begin(struct db *db)
{
	int rc;

	if (!db->writable)
		return store_says(db->store, STORE_FAILED, "%s: opened for reading only", db->name);
	if (db->lost)
		return store_says(db->store, STORE_FAILED, "%s/%s: the disk failed, restart",
				  db->store->dir, db->name);
	rc = mdb_txn_begin(db->env, NULL, 0, &db->write);
	return rc ? failed(db, "write", rc) : STORE_OK;
}

/*
 * LMDB calls a write that stopped half way EIO, though it was only the end of the disk, or of a
 * quota.  The error of one as large, or 0 if that goes well.
 */
static int disk_full(const struct db *db)
{
	static const uint8_t page[4096];
	char path[sizeof db->store->dir + sizeof db->name + 16];
	size_t n = 0;
	int fd, rc = 0;

	snprintf(path, sizeof path, "%s/%s/probe", db->store->dir, db->name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno == ENOSPC || errno == EDQUOT ? errno : 0;
	for (; !rc && n < PROBE; n += sizeof page)
		if (write(fd, page, sizeof page) < 0)
			rc = errno;
	close(fd);
	unlink(path);
	return rc == ENOSPC || rc == EDQUOT ? rc : 0;
}

static enum store_result write_end(struct db *db, enum store_result result)
{
	MDB_txn *txn = db->write;
	int rc;

	db->write = NULL;
	db->group = false;
	if (result != STORE_OK) {
		mdb_txn_abort(txn);
		return result;
	}
	rc = mdb_txn_commit(txn);
	if (rc == EIO && disk_full(db))
		rc = ENOSPC;
	/* After a failed sync the kernel forgets the pages, and a second one would lie. */
	if (rc == EIO)
		db->lost = true;
	return rc ? failed(db, "commit", rc) : STORE_OK;
}

enum store_result db_enter(struct db *db)
{
	enum store_result result = STORE_OK;

	if (db->depth == 0) {
		result = db->group ? db->spoiled : write_begin(db);
		db->changed = false;
	}
	if (result == STORE_OK)
		db->depth++;
	return result;
}

/* Half a change must not ride along with the group's whole ones. */
enum store_result db_leave(struct db *db, enum store_result result)
{
	if (--db->depth)
		return result;
	if (!db->group)
		return write_end(db, result);
	if (result != STORE_OK && db->changed)
		db->spoiled = result;
	return result;
}

enum store_result db_begin(struct db *db)
{
	enum store_result result;

	if (db->group)
		return store_says(db->store, STORE_FAILED, "%s: begun twice", db->name);
	result = write_begin(db);
	db->group = result == STORE_OK;
	db->spoiled = STORE_OK;
	return result;
}

enum store_result db_end(struct db *db, bool commit)
{
	if (!db->group)
		return store_says(db->store, STORE_FAILED, "%s: ended without a begin", db->name);
	if (commit)
		return write_end(db, db->spoiled);
	write_end(db, STORE_FAILED);
	return STORE_OK;
}

enum store_result db_put(struct db *db, const struct key *key, struct record *r)
{
	MDB_val k = { key->n, (void *)key->b }, v = { r->at + RECORD_CRC, r->b };
	int rc;

	if (r->bad)
		return store_says(db->store, STORE_FAILED, "%s: a %s has a field that is too long",
				  db->name, kind_text(key->b[0]));
	put32(r->b + r->at, record_sum(db, &k, r->b, r->at));
	db->changed = true;
	rc = mdb_put(db->write, db->dbi, &k, &v, 0);
	return rc ? failed(db, "write", rc) : STORE_OK;
}

enum store_result db_delete(struct db *db, const struct key *key)
{
	MDB_val k = { key->n, (void *)key->b };
	int rc = mdb_del(db->write, db->dbi, &k, NULL);

	if (rc == MDB_NOTFOUND)
		return STORE_MISSING;
	db->changed = true;
	return rc ? failed(db, "delete", rc) : STORE_OK;
}
