/*
 * args.h - the command line, read by a table of options: no abbreviations, options anywhere,
 * and whoever mistypes is told what was probably meant.  Errors go to the log.
 */
#ifndef ARGS_H
#define ARGS_H

#include "cyphonic.h"

#define ARGS_WORDS 8
#define ARGS_OPTIONS 32

struct option_row {
	char letter;		/* 0: none */
	const char *name;	/* behind "--" */
	const char *arg;	/* what it wants, NULL: nothing */
	const char *verbs;	/* words it is for, joined by spaces; NULL: all */
	const char *text;
};

struct args {
	const struct option_row *option;	/* set these two, zero the rest */
	unsigned options;
	const char *value[ARGS_OPTIONS];	/* NULL: not given; "" for those without argument */
	const char *word[ARGS_WORDS];		/* all that is no option, in order */
	unsigned words;
};

/* -x, -xARG, -x ARG, --name, --name=ARG, --name ARG; "--" ends options.  False: said why. */
bool args_read(struct args *a, int argc, char **argv);
/* False, and said, when an option was given that is not for this verb. */
bool args_fit(const struct args *a, const char *verb);
/* Seconds from an option, if it was given; false, and said, when it is no such number. */
bool args_seconds(const struct args *a, unsigned option, double *seconds);

/* The candidate so far for what a mistyped word meant; start with { .word = ... }. */
struct guess {
	const char *word, *best;
	unsigned distance;
};

void guess_consider(struct guess *g, const char *name);
/* Says "unknown WHAT 'WORD': did you mean 'BEST'?"; dash: "--" for options. */
void guess_say(const struct guess *g, const char *what, const char *dash);

#endif
