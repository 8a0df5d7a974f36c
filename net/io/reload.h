/* reload.h - HUP: the configuration is read again, and what can be applied at once is. */
#ifndef RELOAD_H
#define RELOAD_H

#include "net/io/child.h"
#include "net/io/master.h"

/*
 * A file with errors changes nothing.  Of a good one the keys that apply at once go into
 * h->conf and to every worker; the helper starts afresh; the others are named in the log.
 */
void reload(struct house *h, const struct master_plan *plan);

#endif
