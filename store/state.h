/*
 * state.h - small files a node keeps: written whole, by temporary file, fsync and rename.
 */
#ifndef STATE_H
#define STATE_H

#include "cyphonic.h"

/* Octets read (at most cap), or -1: missing or unreadable (errno tells). */
long state_load(const char *dir, const char *name, void *out, size_t cap);
/* False with errno; the old file is then still whole.  Mode 0600. */
bool state_save(const char *dir, const char *name, const void *data, size_t n);

#endif
