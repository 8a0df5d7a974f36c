/* args.c - reads the command line by a table. */
#include "net/io/args.h"
#include <stdio.h>
#include <stdlib.h>

#define FAR 3			/* typing errors from which on it is another word */

/* ---- what was probably meant ---- */

void guess_consider(struct guess *g, const char *name)
{
	size_t n = strlen(g->word);
	unsigned d = n < 2 ? FAR : text_distance(g->word, name);
	bool begins = n >= 2 && strncmp(g->word, name, n) == 0;

	if (begins)
		d = MIN(d, FAR - 1);
	/* two letters that are both wrong mean nothing */
	if (d < FAR && (begins || d < n) && (!g->best || d < g->distance)) {
		g->best = name;
		g->distance = d;
	}
}

void guess_say(const struct guess *g, const char *what, const char *dash)
{
	if (g->best)
		cy_log(LOG_ERROR_, "unknown %s '%.60s': did you mean '%s%s'? (cyphonic -h lists all)", what,
		       g->word, dash, g->best);
	else
		cy_log(LOG_ERROR_, "unknown %s '%.60s' (cyphonic -h lists all)", what, g->word);
}

/* ---- options ---- */

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	const char *p;

	for (p = list; n && (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

/* Is the option for what was said so far: "ping", or "node ping"? */
static bool is_for(const struct args *a, const struct option_row *o)
{
	unsigned i;

	for (i = 0; o->verbs && i < MIN(a->words, 2u); i++)
		if (has_word(o->verbs, a->word[i]))
			return true;
	return false;
}

/* A letter may stand for two options: behind the verb that has one of its own, that one. */
static int find(const struct args *a, char letter, const char *name, size_t n)
{
	int found = -1;
	unsigned i;

	for (i = 0; i < a->options; i++) {
		const struct option_row *o = &a->option[i];

		if (letter ? o->letter != letter : strlen(o->name) != n || memcmp(o->name, name, n) != 0)
			continue;
		if (found < 0 || is_for(a, o))
			found = (int)i;
	}
	return found;
}

static bool unknown(const struct args *a, const char *word)
{
	const char *bare = word + strspn(word, "-");
	char name[32];
	struct guess g = { .word = name };
	unsigned i;

	snprintf(name, sizeof name, "%.*s", (int)strcspn(bare, "="), bare);
	for (i = 0; i < a->options; i++)
		guess_consider(&g, a->option[i].name);
	g.word = word;
	guess_say(&g, "option", "--");
	return false;
}

/* Splits "--name=ARG" or "-xARG"; the option's index, -1: unknown. */
static int split(const struct args *a, const char *word, const char **value)
{
	const char *end;

	if (word[1] != '-') {
		*value = word[2] ? word + 2 : NULL;
		return find(a, word[1], NULL, 0);
	}
	end = word + strcspn(word, "=");
	*value = *end ? end + 1 : NULL;
	return find(a, 0, word + 2, (size_t)(end - word) - 2);
}

/* Takes argv[*i], and the next one if the option wants it. */
static bool take(struct args *a, int argc, char **argv, int *i)
{
	const char *value;
	int at = split(a, argv[*i], &value);
	const struct option_row *o = &a->option[MAX(at, 0)];

	if (at < 0 || (!o->arg && value && argv[*i][1] != '-'))
		return unknown(a, argv[*i]);
	if (!o->arg && value) {
		cy_log(LOG_ERROR_, "--%s takes no argument", o->name);
		return false;
	}
	if (o->arg && !value && *i + 1 < argc)
		value = argv[++*i];
	if (o->arg && (!value || !*value)) {
		cy_log(LOG_ERROR_, "--%s wants %s", o->name, o->arg);
		return false;
	}
	if (a->value[at] && value && strcmp(a->value[at], value) != 0) {
		cy_log(LOG_ERROR_, "--%s is given twice: '%.60s' and '%.60s'", o->name, a->value[at],
		       value);
		return false;
	}
	a->value[at] = value ? value : "";
	return true;
}

bool args_read(struct args *a, int argc, char **argv)
{
	bool options = true;
	int i;

	for (i = 1; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && argv[i][0] == '-' && argv[i][1]) {
			if (!take(a, argc, argv, &i))
				return false;
		} else if (!*argv[i]) {
			cy_log(LOG_ERROR_, "an argument must not be empty (cyphonic -h)");
			return false;
		} else if (a->words == ARGS_WORDS) {
			cy_log(LOG_ERROR_, "too many words (cyphonic -h)");
			return false;
		} else {
			a->word[a->words++] = argv[i];
		}
	}
	return true;
}

bool args_fit(const struct args *a, const char *verb)
{
	unsigned i;

	for (i = 0; i < a->options; i++)
		if (a->value[i] && a->option[i].verbs && !has_word(a->option[i].verbs, verb)) {
			cy_log(LOG_ERROR_, "--%s is for %s only", a->option[i].name, a->option[i].verbs);
			return false;
		}
	return true;
}

bool args_seconds(const struct args *a, unsigned option, double *seconds)
{
	const char *text = a->value[option];
	char *end;

	if (!text)
		return true;
	*seconds = strtod(text, &end);
	if (*end || !(*seconds >= 0.1 && *seconds <= 3600)) {
		cy_log(LOG_ERROR_, "--%s=%.40s: seconds, from 0.1 to 3600", a->option[option].name, text);
		return false;
	}
	return true;
}
