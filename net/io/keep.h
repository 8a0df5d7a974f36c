/*
 * keep.h (I/O side) - verbs at the store: backup and restore with files of the caller's, the others
 * with the database, all of them as the daemon's user.
 */
#ifndef IO_KEEP_H
#define IO_KEEP_H

#include "store/config.h"

struct store;

/* Each gives the exit status; results go to out, errors to the log. */
int keep_backup(const struct config *conf, const char *file, bool json, FILE *out);
int keep_restore(const struct config *conf, const char *file, bool force, bool json, FILE *out);
/* The process id of the daemon on this state directory, 0: none, or it cannot be known. */
int keep_daemon(const char *state);
/* The database for a verb, as the daemon's user from here on; NULL with a line in err (256). */
struct store *keep_store(const struct config *conf, char *err);

#endif
