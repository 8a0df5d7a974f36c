/*
 * usage.h - the command line's tables as everybody shows them: -h, completion, and whoever
 * mistyped.
 */
#ifndef USAGE_H
#define USAGE_H

#include "net/io/args.h"

struct usage_verb {
	const char *name, *sub;		/* sub NULL: none */
	const char *args, *text;
};

struct usage_role {
	const char *name, *text;
};

struct usage {
	const struct usage_role *role;
	unsigned roles;
	const struct usage_verb *verb;	/* those with the same name side by side */
	unsigned verbs;
	const struct option_row *option;
	unsigned options;
};

/* -h, on standard output. */
void usage_print(const struct usage *u);
/* Says that these words, which are no verb, are none, and which was probably meant. */
void usage_unknown(const struct usage *u, const char *const *word, unsigned words);

#endif
