/* usage.c - the tables for people. */
#include "net/io/usage.h"
#include <stdio.h>

void usage_print(const struct usage *u)
{
	char left[64];
	unsigned i;

	printf("usage: cyphonic [-c FILE] [--role=ROLES]           run, in the foreground\n"
	       "       cyphonic node [-c FILE]                     the same with --role=node\n"
	       "       cyphonic [-c FILE] VERB [ARGUMENT...]\n\nRoles:\n");
	for (i = 0; i < u->roles; i++)
		printf("  %-28s %s\n", u->role[i].name, u->role[i].text);
	printf("\nVerbs:\n");
	for (i = 0; i < u->verbs; i++) {
		const struct usage_verb *v = &u->verb[i];

		snprintf(left, sizeof left, "%s%s%s %s", v->name, v->sub ? " " : "", v->sub ? v->sub : "",
			 v->args);
		printf("  %-28s %s\n", left, v->text);
	}
	printf("\nOptions:\n");
	for (i = 0; i < u->options; i++) {
		const struct option_row *o = &u->option[i];

		snprintf(left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ',
			 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
			 o->arg ? "=" : "", o->arg ? o->arg : "");
		printf("  %-28s %s%s%s%s\n", left, o->text, o->verbs ? " (" : "",
		       o->verbs ? o->verbs : "", o->verbs ? ")" : "");
	}
}

void usage_unknown(const struct usage *u, const char *const *word, unsigned words)
{
	struct guess g = { .word = word[0] };
	bool first_known = false;
	char what[32] = "verb";
	unsigned i;

	for (i = 0; i < u->verbs; i++)
		first_known |= strcmp(u->verb[i].name, word[0]) == 0;
	if (first_known && words < 2) {
		cy_log(LOG_ERROR_, "'%s' alone says too little (cyphonic -h lists what may follow)", word[0]);
		return;
	}
	g.word = word[first_known];
	for (i = 0; i < u->verbs; i++)
		if (!first_known)
			guess_consider(&g, u->verb[i].name);
		else if (u->verb[i].sub && strcmp(u->verb[i].name, word[0]) == 0)
			guess_consider(&g, u->verb[i].sub);
	for (i = 0; !first_known && i < u->roles; i++)
		guess_consider(&g, u->role[i].name);
	if (first_known)
		snprintf(what, sizeof what, "%s verb", word[0]);
	guess_say(&g, what, "");
}
