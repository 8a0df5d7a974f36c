/*
 * inspect.h - whether an environment is whole, found out by a child process, which may die of
 * it.  For store/ alone.
 */
#ifndef INSPECT_H
#define INSPECT_H

#include "store/db.h"

enum check_result {
	CHECK_SOUND,
	CHECK_RECORDS,		/* the file is whole, single records are not: they were named */
	CHECK_DAMAGED,		/* nothing in it can be trusted */
	CHECK_FAILED,		/* could not be found out: no memory, no right, a full disk */
};

struct check {
	enum check_result result;
	uint64_t accounts, devices, damaged;
	char why[256];		/* CHECK_DAMAGED and CHECK_FAILED */
};

/* dir/name is accounts, or a copy of it made ready to take its place.  Mends what others tell. */
void check_accounts(struct check *c, const char *dir, const char *name);
/* dir/name is a live environment. */
void check_live(struct check *c, const char *dir, const char *name);

/*
 * Runs work() in a child and gives back what it filled in; a child that died of the file makes
 * it CHECK_DAMAGED.
 */
void check_in_child(struct check *c, void (*work)(struct check *c, const void *arg),
		    const void *arg);

#endif
