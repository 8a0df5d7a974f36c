/* copies.h - the list of copies.  For store/ alone. */
#ifndef COPIES_H
#define COPIES_H

#include "store/keep.h"

#define COPIES_MAX 2000

struct copies {
	unsigned n;
	char name[COPIES_MAX][COPY_NAME];	/* the newest first */
};

void copies_list(struct copies *c, const char *dir);

#endif
