/* complete.h - completion of the command line for shells, from the tables that print -h. */
#ifndef COMPLETE_H
#define COMPLETE_H

#include "net/io/usage.h"
#include <stdio.h>

void complete_bash(const struct usage *c, FILE *out);
void complete_zsh(const struct usage *c, FILE *out);
void complete_fish(const struct usage *c, FILE *out);

#endif
