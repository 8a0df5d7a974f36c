/* complete.h - completion of the command line for shells, from the tables that print -h. */
#ifndef COMPLETE_H
#define COMPLETE_H

#include "net/io/args.h"
#include <stdio.h>

struct complete_verb {
	const char *name, *sub;		/* sub NULL: none */
	const char *args, *text;
};

struct complete {
	const struct complete_verb *verb;
	unsigned verbs;
	const struct option_row *option;
	unsigned options;
};

void complete_bash(const struct complete *c, FILE *out);
void complete_zsh(const struct complete *c, FILE *out);
void complete_fish(const struct complete *c, FILE *out);

#endif
