/* figures.h - verbs that ask the reporter: its figures, the level of the log. */
#ifndef FIGURES_H
#define FIGURES_H

#include "net/io/ask.h"

/* The metrics as text, allocated, *n octets; NULL with errno when there is no (sensible) answer. */
char *figures_get(const char *run, size_t *n);
/*
 * Prints them, or puts them into `file` at once and whole (a new file takes its place), as
 * node_exporter's textfile collector wants it.  Exit status 0 or 1.
 */
int figures_show(const struct ask *a, const char *file);
/* Says the level of the log, or sets it first; level NULL: as it is.  Exit status 0, 1 or 2. */
int figures_log(const struct ask *a, const char *level);

#endif
