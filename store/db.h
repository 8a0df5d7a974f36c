/*
 * db.h - beneath store.h, for store/ alone: environments of one table each, transactions, and
 * records that know when they are damaged.
 */
#ifndef DB_H
#define DB_H

#include "store/record.h"
#include "store/store.h"
#include <lmdb.h>

/* ---- an environment ---- */

struct db {
	struct store *store;
	char name[16];			/* "accounts", "live.0" */
	bool writable;
	int dead;			/* reader slots of dead processes freed at open */
	bool lost;			/* a sync failed: who knows what is on disk */
	MDB_env *env;			/* NULL: not open */
	MDB_dbi dbi;
	MDB_txn *read;			/* reset between calls, so that it pins no pages */
	unsigned holds;			/* calls under way inside `read` */
	MDB_txn *write;			/* NULL outside db_enter() .. db_leave() */
	bool group;			/* db_begin() .. db_end() */
	enum store_result spoiled;	/* a call in the group failed half way: no commit */
	unsigned depth;			/* db_enter() without db_leave() */
	bool changed;			/* something was written since db_enter() */
};

/*
 * Opens dir/name; flags are LMDB's.  Without MDB_RDONLY directory and file are made.
 * Frees the reader slots of dead processes.
 */
enum store_result db_open(struct db *db, struct store *s, const char *name, unsigned flags,
			  size_t map);
void db_close(struct db *db);

/* One snapshot for all reads until db_release(); nests. */
enum store_result db_hold(struct db *db);
void db_release(struct db *db);
/* Inside a write transaction sees its changes. */
enum store_result db_get(struct db *db, const struct key *key, struct record *r);
/*
 * Every record of a kind in order of keys, until each() returns false.  result is STORE_OK or,
 * with nothing in r, STORE_DAMAGED.  each() may read; it must not write inside a group.
 */
enum store_result db_each(struct db *db, enum kind kind,
			  bool (*each)(void *arg, enum store_result result,
				       const struct key *key, struct record *r), void *arg);
uint64_t db_count(struct db *db);
/* What db_get() and db_each() do with what they find: checks it and makes it ready to read. */
enum store_result db_take(struct db *db, const MDB_val *k, const MDB_val *v, struct record *r);

/*
 * Around the reads and writes of one call; nests.  Joins the group, or is a transaction of its
 * own, committed if result is STORE_OK.
 */
enum store_result db_enter(struct db *db);
enum store_result db_leave(struct db *db, enum store_result result);
enum store_result db_put(struct db *db, const struct key *key, struct record *r);
enum store_result db_delete(struct db *db, const struct key *key);
enum store_result db_begin(struct db *db);
/* A spoiled group is never committed: its first failure comes back. */
enum store_result db_end(struct db *db, bool commit);

/* ---- the store ---- */

/* Address space, not disk: reserved once, so that nobody ever has to grow a map others read. */
#if UINTPTR_MAX > UINT32_MAX
#define ACCOUNTS_MAP ((size_t)16 << 30)
#define LIVE_MAP ((size_t)4 << 30)
#else
#define ACCOUNTS_MAP ((size_t)256 << 20)
#define LIVE_MAP ((size_t)64 << 20)
#endif

#define WORKERS_LIMIT 1024

struct store {
	char dir[256];
	enum store_mode mode;
	unsigned worker, workers;
	uint8_t boot_id[16];
	size_t live_map;
	struct db accounts;
	struct db *live;		/* one for each worker, opened when first needed */
	uint32_t crc[256];		/* CRC32C of one octet */
	char error[256];
};

/* Remembers the line for store_error() and gives the result back. */
enum store_result store_says(struct store *s, enum store_result result, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A handle with no environment open yet; NULL with a line in err. */
struct store *store_bare(const char *dir, unsigned workers, char *err);

/* store_open() with other map sizes than ours, in octets. */
struct store *store_open_sized(const char *dir, enum store_mode mode, unsigned worker,
			       unsigned workers, const uint8_t boot_id[16],
			       size_t accounts_map, size_t live_map, char *err);

/* Opens this worker's own environment, empty if it is of another boot. */
enum store_result live_open(struct store *s);
/* Whether live.<worker> was written on this boot; else its files count for nothing. */
bool live_is_of_this_boot(const struct store *s, unsigned worker);
/* Removes that environment's files and directory. */
void live_remove(const struct store *s, unsigned worker);
enum store_result live_read(struct store *s, struct record *r, struct registration *g);

/* Writes the indexes of a device anew; an entry that is another's stays. */
enum store_result device_reindex(struct store *s, const char *fqdn);

#endif
