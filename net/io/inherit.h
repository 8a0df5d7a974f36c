/*
 * inherit.h - descriptors that live through an upgrade of the program: the old one leaves them
 * open over exec() and names them in the environment, the new one takes what it wants.
 */
#ifndef INHERIT_H
#define INHERIT_H

#include "cyphonic.h"

/* Leaves fd open over exec() under this name (no '=' or ';' in it).  False: no memory. */
bool inherit_leave(const char *name, int fd);
/* The descriptor left under this name, close-on-exec again; -1: none, or taken already. */
int inherit_take(const char *name);
/* What was left under a name that begins so: the rest of that name up to its '='; NULL: nothing. */
const char *inherit_find(const char *begin, char *rest, size_t size);
/* Closes what nobody took, and forgets the names. */
void inherit_close(void);

#endif
