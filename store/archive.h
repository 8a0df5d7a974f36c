/*
 * archive.h - the form of a backup, private to backup.c and restore.c: a POSIX tar file that any
 * tar reads.  First "cyphonic-backup", which says what it is, last "SHA256SUMS" in the form of
 * sha256sum(1), over all others.
 */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include "cyphonic.h"
#include <sys/types.h>

#define TAR_NAME 80
#define TAR_MEMBERS 40
#define TAR_FIRST "cyphonic-backup"
#define TAR_SUMS "SHA256SUMS"
#define TAR_ACCOUNTS "accounts/data.mdb"

struct member {
	char name[TAR_NAME];
	off_t at;			/* of its contents */
	uint64_t n;
	uint8_t sha[32];
};

struct tar {
	int fd;
	off_t at;			/* where the next member goes, or the size of all */
	uint64_t now_s;
	unsigned n;
	struct member member[TAR_MEMBERS];
	char *err;			/* 256 */
};

/* ---- writing: each false with a line in err ---- */

bool tar_add(struct tar *t, const char *name, const void *p, size_t n);
/* Room for a member of unknown size: its contents go to fd from t->at on; then tar_filled(). */
void tar_open(struct tar *t);
bool tar_filled(struct tar *t, const char *name, uint64_t n);
/* The sums of all, and the end. */
bool tar_finish(struct tar *t);

/* ---- reading ---- */

/* Every header, name and sum; false unless all is as it was written. */
bool tar_read(struct tar *t);
const struct member *tar_find(const struct tar *t, const char *name);
/* A small member into p; its octets, -1 with a line in err. */
long tar_take(struct tar *t, const struct member *m, void *p, size_t cap);

#endif
