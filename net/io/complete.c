/*
 * complete.c - writes a shell's completion: which verbs, which second words, which options behind
 * which verb, and where a file or one of a few words is wanted.  Roles may stand in front.
 */
#include "net/io/complete.h"

static bool is_first(const struct usage *c, unsigned i)
{
	return i == 0 || strcmp(c->verb[i - 1].name, c->verb[i].name) != 0;
}

/* "[error|warn]" as "error warn"; "" when it is no choice. */
static const char *choice(char out[128], const char *arg)
{
	size_t n = 0;

	*out = '\0';
	if (!arg || !strchr(arg, '|'))
		return out;
	for (; *arg && n < 127; arg++)
		if (*arg != '[' && *arg != ']')
			out[n++] = *arg == '|' ? ' ' : *arg;
	out[n] = '\0';
	return out;
}

static bool wants_file(const char *arg)
{
	return arg && strstr(arg, "FILE");
}

/* In double quotes, as bash, zsh and fish read them. */
static void quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (strchr("\"\\$`", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/* "--name:text", as zsh describes a word. */
static void described(FILE *out, const char *dash, const char *name, const char *text)
{
	char both[256];

	snprintf(both, sizeof both, "%s%s:%s", dash, name, text);
	quoted(out, both);
}

/* A pattern of options that take their argument as the next word: "-c|--config|--role". */
static void option_pattern(const struct usage *c, FILE *out)
{
	const char *bar = "";
	unsigned i;

	for (i = 0; i < c->options; i++) {
		if (!c->option[i].arg)
			continue;
		if (c->option[i].letter && !c->option[i].verbs)
			fprintf(out, "%s-%c", bar, c->option[i].letter), bar = "|";
		fprintf(out, "%s--%s", bar, c->option[i].name);
		bar = "|";
	}
}

/* ---- bash and zsh: the words so far give verb and sub ---- */

static void sub_pattern(const struct usage *c, FILE *out)
{
	const char *bar = "";
	unsigned i;

	for (i = 0; i < c->verbs; i++)
		if (c->verb[i].sub && is_first(c, i)) {
			fprintf(out, "%s%s", bar, c->verb[i].name);
			bar = "|";
		}
}

/* Lines `option) list=(...) ;;` for what is wanted behind an option; fmt has the list's words. */
static void option_values(const struct usage *c, FILE *out, const char *files, const char *words,
			  const char *nothing)
{
	char text[128];
	unsigned i;

	for (i = 0; i < c->options; i++) {
		const struct option_row *o = &c->option[i];

		if (!o->arg)
			continue;
		fputs("\t", out);
		if (o->letter && !o->verbs)
			fprintf(out, "-%c|", o->letter);
		fprintf(out, "--%s) ", o->name);
		if (wants_file(o->arg))
			fputs(files, out);
		else if (strcmp(o->arg, "ROLES") == 0)
			fprintf(out, words, "as nms trs node all");
		else if (*choice(text, o->arg))
			fprintf(out, words, text);
		else
			fputs(nothing, out);
		fputs("; return ;;\n", out);
	}
}

static void word_values(const struct usage *c, FILE *out, const char *files, const char *words)
{
	char text[128];
	unsigned i;

	for (i = 0; i < c->verbs; i++) {
		const struct usage_verb *v = &c->verb[i];

		if (!wants_file(v->args) && !*choice(text, v->args))
			continue;
		fprintf(out, "\t\"%s %s\") ", v->name, v->sub ? v->sub : "");
		if (wants_file(v->args))
			fputs(files, out);
		else
			fprintf(out, words, text);
		fputs(" ;;\n", out);
	}
}

static bool is_for(const struct option_row *o, const char *verb)
{
	const char *p = o->verbs;
	size_t n = strlen(verb);

	for (; p && (p = strstr(p, verb)); p += n)
		if ((p == o->verbs || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	return false;
}

void complete_bash(const struct usage *c, FILE *out)
{
	unsigned i, k;

	fputs("# bash completion of cyphonic, made by 'cyphonic completion bash'\n"
	      "_cyphonic_files() {\n\tcompopt -o filenames 2>/dev/null\n"
	      "\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n}\n"
	      "_cyphonic() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	      "\tlocal verb= sub= list= i\n\tCOMPREPLY=()\n"
	      "\tif [ \"$cur\" = = ]; then cur=; elif [ \"$prev\" = = ]; then "
	      "prev=${COMP_WORDS[COMP_CWORD - 2]}; fi\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tcase ${COMP_WORDS[i]} in\n\t\t", out);
	option_pattern(c, out);
	fputs(") [ \"${COMP_WORDS[i + 1]-}\" != = ] || i=$((i + 1)); i=$((i + 1)) ;;\n"
	      "\t\t-*) ;;\n\t\tas|nms|node|all) [ -z \"$verb\" ] || sub=${COMP_WORDS[i]} ;;\n"
	      "\t\t*) if [ -z \"$verb\" ]; then verb=${COMP_WORDS[i]}; else case $verb in\n\t\t\t", out);
	sub_pattern(c, out);
	fputs(") sub=${sub:-${COMP_WORDS[i]}} ;; esac; fi ;;\n\t\tesac\n\tdone\n\tcase $prev in\n", out);
	option_values(c, out, "_cyphonic_files",
		      "COMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))", ":");
	fputs("\tesac\n\tif [[ $cur == -* ]]; then\n\t\tlist=\"", out);
	for (i = 0; i < c->options; i++)
		if (!c->option[i].verbs)
			fprintf(out, " --%s", c->option[i].name);
	fputs("\"\n\t\tcase $verb in\n", out);
	for (i = 0; i < c->verbs; i++) {
		if (!is_first(c, i))
			continue;
		fprintf(out, "\t\t%s) list+=\"", c->verb[i].name);
		for (k = 0; k < c->options; k++)
			if (is_for(&c->option[k], c->verb[i].name))
				fprintf(out, " --%s", c->option[k].name);
		fputs("\" ;;\n", out);
	}
	fputs("\t\tesac\n\telif [ -z \"$verb\" ]; then\n\t\tlist=\"node", out);
	for (i = 0; i < c->verbs; i++)
		if (is_first(c, i))
			fprintf(out, " %s", c->verb[i].name);
	fputs("\"\n\telse case \"$verb $sub\" in\n", out);
	word_values(c, out, "_cyphonic_files", "list=\"%s\"");
	for (i = 0; i < c->verbs; i++)
		if (c->verb[i].sub && is_first(c, i)) {
			fprintf(out, "\t\"%s \") list=\"", c->verb[i].name);
			for (k = i; k < c->verbs && strcmp(c->verb[k].name, c->verb[i].name) == 0; k++)
				fprintf(out, "%s%s", k > i ? " " : "", c->verb[k].sub);
			fputs("\" ;;\n", out);
		}
	fputs("\tesac; fi\n\t[ -z \"$list\" ] || COMPREPLY=($(compgen -W \"$list\" -- \"$cur\"))\n}\n"
	      "complete -F _cyphonic cyphonic\n", out);
}

void complete_zsh(const struct usage *c, FILE *out)
{
	unsigned i, k;

	fputs("#compdef cyphonic\n# zsh completion, made by 'cyphonic completion zsh'\n"
	      "_cyphonic() {\n\tlocal verb= sub= prev=${words[CURRENT-1]} i\n\tlocal -a list\n"
	      "\tfor ((i = 2; i < CURRENT; i++)); do\n\t\tcase ${words[i]} in\n\t\t(", out);
	option_pattern(c, out);
	fputs(") i=$((i + 1)) ;;\n\t\t(-*) ;;\n"
	      "\t\t(as|nms|node|all) [[ -z $verb ]] || sub=${words[i]} ;;\n"
	      "\t\t(*) if [[ -z $verb ]]; then verb=${words[i]}; else sub=${sub:-${words[i]}}; fi ;;\n"
	      "\t\tesac\n\tdone\n\tcase $prev in\n", out);
	option_values(c, out, "_files", "compadd -- %s", ":");
	fputs("\tesac\n\tif [[ ${words[CURRENT]} == -* ]]; then\n\t\tlist=(\n", out);
	for (i = 0; i < c->options; i++)
		if (!c->option[i].verbs) {
			fputs("\t\t", out);
			described(out, "--", c->option[i].name, c->option[i].text);
			fputc('\n', out);
		}
	fputs("\t\t)\n\t\tcase $verb in\n", out);
	for (i = 0; i < c->verbs; i++) {
		if (!is_first(c, i))
			continue;
		fprintf(out, "\t\t(%s) list+=(", c->verb[i].name);
		for (k = 0; k < c->options; k++)
			if (is_for(&c->option[k], c->verb[i].name)) {
				fputc(' ', out);
				described(out, "--", c->option[k].name, c->option[k].text);
			}
		fputs(" ) ;;\n", out);
	}
	fputs("\t\tesac\n\t\t_describe -o option list\n\telif [[ -z $verb ]]; then\n\t\tlist=(node", out);
	for (i = 0; i < c->verbs; i++)
		if (is_first(c, i))
			fprintf(out, " %s", c->verb[i].name);
	fputs(")\n\t\t_describe verb list\n\telse case \"$verb $sub\" in\n", out);
	word_values(c, out, "_files", "compadd -- %s");
	for (i = 0; i < c->verbs; i++)
		if (c->verb[i].sub && is_first(c, i)) {
			fprintf(out, "\t\"%s \") list=(\n", c->verb[i].name);
			for (k = i; k < c->verbs && strcmp(c->verb[k].name, c->verb[i].name) == 0; k++) {
				fputs("\t\t", out);
				described(out, "", c->verb[k].sub, c->verb[k].text);
				fputc('\n', out);
			}
			fputs("\t\t)\n\t\t_describe verb list ;;\n", out);
		}
	fputs("\tesac; fi\n}\n_cyphonic \"$@\"\n", out);
}

/* ---- fish: a line for each word and when it may come ---- */

static void fish_option(const struct option_row *o, FILE *out)
{
	char text[128];

	fprintf(out, "complete -c cyphonic -l %s", o->name);
	if (o->letter && !o->verbs)
		fprintf(out, " -s %c", o->letter);
	if (o->verbs)
		fprintf(out, " -n '__fish_seen_subcommand_from %s'", o->verbs);
	if (wants_file(o->arg))
		fputs(" -r -F", out);
	else if (o->arg && *choice(text, strcmp(o->arg, "ROLES") == 0 ? "as|nms|trs|node|all" : o->arg))
		fprintf(out, " -x -a '%s'", text);
	else if (o->arg)
		fputs(" -x", out);
	fputs(" -d ", out);
	quoted(out, o->text);
	fputc('\n', out);
}

static void fish_verb(const struct usage *c, unsigned i, FILE *out)
{
	const struct usage_verb *v = &c->verb[i];
	char text[128];
	unsigned k;

	if (is_first(c, i)) {
		fprintf(out, "complete -c cyphonic -n __fish_use_subcommand -a %s -d ", v->name);
		quoted(out, v->sub ? "" : v->text);
		fputc('\n', out);
	}
	if (v->sub) {
		fprintf(out, "complete -c cyphonic -n '__fish_seen_subcommand_from %s; and not "
			"__fish_seen_subcommand_from", v->name);
		for (k = 0; k < c->verbs; k++)
			if (strcmp(c->verb[k].name, v->name) == 0)
				fprintf(out, " %s", c->verb[k].sub);
		fprintf(out, "' -a %s -d ", v->sub);
		quoted(out, v->text);
		fputc('\n', out);
	}
	if (wants_file(v->args) || *choice(text, v->args)) {
		fprintf(out, "complete -c cyphonic -n '__fish_seen_subcommand_from %s'", v->sub ? v->sub :
			v->name);
		if (wants_file(v->args))
			fputs(" -F\n", out);
		else
			fprintf(out, " -a '%s'\n", text);
	}
}

void complete_fish(const struct usage *c, FILE *out)
{
	unsigned i;

	fputs("# fish completion of cyphonic, made by 'cyphonic completion fish'\n"
	      "complete -c cyphonic -f\ncomplete -c cyphonic -n __fish_use_subcommand -a node\n", out);
	for (i = 0; i < c->verbs; i++)
		fish_verb(c, i, out);
	for (i = 0; i < c->options; i++)
		fish_option(&c->option[i], out);
}
