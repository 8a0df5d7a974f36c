/* sort.h - live environments before the workers open them.  For store/ alone. */
#ifndef SORT_H
#define SORT_H

#include "store/inspect.h"

/* Drops those of this boot that are damaged. */
void live_check(const char *dir, const uint8_t boot_id[16]);
/* Gives every registration of this boot to its owner; nobody else may have them open. */
bool live_sort(const char *dir, const uint8_t boot_id[16], unsigned workers, char *err);

#endif
