/*
 * pages.h - an LMDB file read page by page, without LMDB, which believes whatever the file
 * says: here every page number, offset, length, order and count is doubted.  For store/ alone.
 */
#ifndef PAGES_H
#define PAGES_H

#include "cyphonic.h"
#include <sys/types.h>

/*
 * Looks at all that can be reached from the newest meta page of the file that begins at
 * `base` of fd and has `size` octets: both trees, every node, the list of free pages.  False
 * with a line in err (256) when LMDB could not use it safely, or it is not the newest state.
 * record: NULL, or called with each key and value of the main tree; false ends the walk as
 * damaged, with its own line in err.  Nobody may write meanwhile.
 */
bool pages_check(int fd, off_t base, uint64_t size,
		 bool (*record)(void *arg, struct bytes key, struct bytes value, char *err),
		 void *arg, char *err);

/* The same for what can still be reached of a damaged file; false: some could not. */
bool pages_salvage(int fd, uint64_t size,
		   bool (*record)(void *arg, struct bytes key, struct bytes value, char *err),
		   void *arg);

/* Both meta pages say so: not damage, but another version of LMDB. */
bool pages_other_version(int fd);

#endif
