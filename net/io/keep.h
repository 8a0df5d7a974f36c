/* keep.h (I/O side) - the verbs backup and restore: files of the caller's, work as the daemon's user. */
#ifndef IO_KEEP_H
#define IO_KEEP_H

#include "store/config.h"

/* Each gives the exit status; results go to out, errors to the log. */
int keep_backup(const struct config *conf, const char *file, bool json, FILE *out);
int keep_restore(const struct config *conf, const char *file, bool force, bool json, FILE *out);
/* The process id of the daemon on this state directory, 0: none, or it cannot be known. */
int keep_daemon(const char *state);

#endif
