/*
 * owner.h - whose files these are: the user that workers, helper and verbs work as, the
 * directories made for it, and the way down from root.
 *
 * err arguments have room for 256 octets and get one line.
 */
#ifndef OWNER_H
#define OWNER_H

#include "cyphonic.h"

struct owner {
	uint32_t uid, gid;
	char name[33];
};

/*
 * The user the daemon works as.  Started as root: `user` of the configuration, which must
 * exist; started as anybody else: whoever that is, as there is no way to change.
 */
bool owner_find(struct owner *o, const char *user, char *err);
/* Who owns this directory; false with errno ENOENT when there is none. */
bool owner_of(struct owner *o, const char *dir, char *err);
/*
 * Makes dir with this mode, or checks the one that is there: a directory, o's, and open to
 * no one else where mode is 0700.  An empty one is taken over.
 */
bool owner_dir(const char *dir, const struct owner *o, unsigned mode, char *err);
/* Becomes o for good: groups, ids, no capability unless o is root.  Nothing to do if already o. */
bool owner_become(const struct owner *o, char *err);
/*
 * What every child of the master takes on, after owner_become(): no new privileges, no core
 * and no ptrace by others (it holds keys), killed when the master dies.
 */
bool owner_confine(int master_pid, char *err);

#endif
