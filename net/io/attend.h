/*
 * attend.h - the master's rounds: it asks every child whether it is well, ends who is stuck,
 * and tells the service manager how we are.
 */
#ifndef ATTEND_H
#define ATTEND_H

#include "net/io/child.h"

/* Times its rounds by the key `watchdog` and by what the service manager wants. */
void attend_open(struct house *h, uint64_t now);
/* In every wake-up of the master. */
void attend(struct house *h, uint64_t now);
/* Boot-clock time of the next round. */
uint64_t attend_expiry(const struct house *h);
/* For the service manager: reading the configuration again begins, or is over. */
void attend_reloading(const struct house *h, bool begins);
void attend_stopping(const struct house *h);

#endif
