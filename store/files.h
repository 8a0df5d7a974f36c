/* files.h - what keeping needs of files.  For store/ alone; errors are in errno. */
#ifndef FILES_H
#define FILES_H

#include "cyphonic.h"

#define FILES_PATH 400

/* "20261120T153000Z"; out holds 24. */
const char *files_stamp(char out[24], uint64_t s);
/* Copies a whole file to a new one, mode 0600, and syncs it. */
bool files_copy(const char *from, const char *to);
/* Makes names in a directory last. */
bool files_sync(const char *dir);
/* Removes a directory with all in it; nothing there is as good. */
bool files_remove(const char *dir);

#endif
