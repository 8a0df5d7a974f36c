/* check.h - what is wrong with a configuration, for programs and for people. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>

/*
 * lines: a message each, none: all is well; they may be cut apart.  As cyphonic.check.v1, or
 * for a person: errors to standard error.
 */
void check_print(const char *file, char *lines, bool json);

#endif
