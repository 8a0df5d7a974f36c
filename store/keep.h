/*
 * keep.h - keeping what is kept: the check before anybody opens the store, copies of accounts,
 * backups of the whole state directory.
 *
 * All work as the owner of dir, the state directory, and fork: nothing here may run in a
 * process that has the store open, but for store_copies_*().  err has room for 256 octets and
 * gets one line.
 */
#ifndef KEEP_H
#define KEEP_H

#include "cyphonic.h"

/* ---- before the start ---- */

/*
 * A damaged accounts file is set aside as accounts.damaged.TIME, and the newest copy that is
 * whole takes its place; damaged records are named and stay unserved; a damaged live
 * environment is dropped; registrations go to their owners among `workers`.  All is logged.
 * False when there is no going on: err then has the remedy.
 */
bool store_mend(const char *dir, const uint8_t boot_id[16], unsigned workers, char *err);
/* Whether the accounts file as a whole can be used; of it nothing but indexes is mended. */
bool store_sound(const char *dir, char *err);
/* Frees the reader slots of dead processes, in all environments; how many. */
unsigned store_readers(const char *dir, unsigned workers);

/* ---- copies: <dir>/copies/accounts.<UTC time> ---- */

#define COPY_NAME 32

/*
 * Copies accounts as they are now, checks the copy, and removes the oldest beyond `keep`.
 * Writers are not held up.  To be called in a process of its own.
 */
bool store_copy(const char *dir, unsigned keep, uint64_t now_s, char name[COPY_NAME], char *err);
/* When the newest was made, s since 1970; 0: there is none. */
uint64_t store_copies_newest(const char *dir);

/* ---- backups: a tar file of accounts, CA, and the small files of the state directory ---- */

struct backup {
	uint64_t made;			/* s since 1970 */
	uint64_t octets;
	unsigned files;
	uint64_t accounts, devices;
};

/* Writes to fd, an empty file open for both, and reads it back. */
bool store_backup(const char *dir, int fd, uint64_t now_s, struct backup *b, char *err);
/*
 * The backup in fd becomes the contents of dir; nothing is touched before all of it is known
 * to be whole.  What was there goes to dir/kept (a name in dir, "" if there was nothing), which
 * is refused without force.  Nobody may use dir meanwhile.
 */
bool store_restore(const char *dir, int fd, bool force, uint64_t now_s, struct backup *b,
		   char kept[COPY_NAME], char *err);

#endif
