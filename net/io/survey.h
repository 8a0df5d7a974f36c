/* survey.h - `cyphonic netcheck`: what this network allows, found out without login or daemon. */
#ifndef SURVEY_H
#define SURVEY_H

#include "net/netcheck.h"
#include "store/config.h"
#include <stdio.h>

struct survey {
	const struct config *conf;
	const char *const *word;	/* STUN servers; none: those of the configuration */
	unsigned words;
	bool json;
	FILE *out;
};

/* What is said besides the half's report. */
struct survey_facts {
	char range[2][ADDR_TEXT];	/* the overlay's, "": none is known */
	char trouble[256];		/* who sits on them, and the remedy; "": nobody */
	uint64_t took;			/* us */
};

/*
 * Asks, at most three seconds, and prints.  Exit status: 0 UDP works by a family, 1 it does not
 * or a name was not found, 2 a word is no server or none is known.
 */
int survey_run(const struct netcheck_half *half, const struct survey *s);

/* Prints, in survey_say.c. */
void survey_say(FILE *out, bool json, const struct netcheck_report *r, const struct survey_facts *f);

#endif
