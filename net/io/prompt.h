/* prompt.h - a new password from a file, from standard input, or twice from the terminal. */
#ifndef PROMPT_H
#define PROMPT_H

#include "cyphonic.h"

#define PROMPT_MAX 256		/* octets of a password */

/*
 * file: a path (see config_read_password()), "-" for the first line of standard input, NULL
 * to ask on the terminal, or read standard input where that is none.  whose: for the prompt.
 * The length, 0 with a line in err (256).  The caller wipes out.
 */
size_t prompt_password(const char *file, const char *whose, char out[PROMPT_MAX], char *err);

#endif
