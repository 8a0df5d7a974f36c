/*
 * checker.h - the master's care for the store: a child checks it before anybody opens it,
 * copies accounts from time to time, and frees what the dead left behind.
 *
 * Each is a process of its own, as the daemon's user, so that the master opens no database and
 * nobody who serves waits.
 */
#ifndef CHECKER_H
#define CHECKER_H

#include "net/io/child.h"

/* Makes the store ready for helper and workers; false with a line in err (256): do not start. */
bool checker_prepare(struct house *h, char *err);
/* A child died of this signal: false, and it is logged, when the store is what it died of. */
bool checker_clears(const struct house *h, int signal);
/* What is due: a sweep a minute and after every death, a copy every `store.copy-every`. */
void checker_tick(struct house *h, uint64_t now);
/* Boot-clock time of the next tick, or NEVER. */
uint64_t checker_expiry(const struct house *h);

#endif
