/*
 * config_print.c - the table as people read it: the list of keys in cyphonic.yaml(5), and
 * config.example.yaml.  Both are committed; t/doc/050-example-config.t compares them.
 */
#include "store/config_table.h"
#include <ctype.h>

#define BEGIN ".\\\" BEGIN config-manual: written by 'cyphonic print config-manual', do not edit"
#define END_MARK ".\\\" END config-manual"
#define COLUMNS 79
#define TEXT_MAX 640		/* room for a sentence of the table with its limits */

/* Words of text in lines of at most COLUMNS, each line begun with lead. */
static void wrap(FILE *out, const char *lead, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column && column + 1 + n > COLUMNS) {
			fputc('\n', out);
			column = 0;
		}
		fputs(column ? " " : lead, out);
		column += (column ? 1 : strlen(lead)) + n;
		fwrite(text, 1, n, out);
		text += n + (text[n] == ' ');
	}
	fputc('\n', out);
}

/* What may be written behind the key, for the reader. */
static const char *kind_text(const struct key *k)
{
	static const char *const by_check[] = {
		[CHECK_NAME] = "domain name", [CHECK_LABEL] = "name", [CHECK_WORD] = "word",
		[CHECK_PATH] = "path", [CHECK_HEX64] = "64 hexadecimal digits",
	};

	switch (k->kind) {
	case KEY_STRING:
		return by_check[k->check];
	case KEY_NUMBER:
		return "number";
	case KEY_DURATION:
		return "duration";
	case KEY_ADDRESSES:
		return "address or list";
	case KEY_PREFIX:
		return "prefix";
	case KEY_ENUM:
		return k->names;
	default:
		return "role or list";
	}
}

/* The default as one would write it into the file; for a required key, the sample. */
static void print_value(FILE *out, const struct key *k)
{
	char text[CONFIG_DURATION];

	if (k->kind == KEY_NUMBER)
		fprintf(out, "%llu", (unsigned long long)k->number);
	else if (k->kind == KEY_DURATION)
		fputs(config_duration(text, k->number), out);
	else if (k->kind == KEY_ROLES)
		fputs("all", out);
	else if (*k->def)
		fputs(k->def, out);
	else
		fputs(k->kind == KEY_ADDRESSES ? "[]" : "\"\"", out);
}

/* The limits in words, "" when the kind says it all. */
static const char *limits_text(char out[64], const struct key *k)
{
	char low[CONFIG_DURATION], high[CONFIG_DURATION];

	*out = '\0';
	if (k->kind == KEY_NUMBER)
		snprintf(out, 64, "%llu to %llu", (unsigned long long)k->low,
			 (unsigned long long)k->high);
	else if (k->kind == KEY_DURATION)
		snprintf(out, 64, "%s to %s", config_duration(low, k->low),
			 config_duration(high, k->high));
	else if (k->kind == KEY_PREFIX && k->low == k->high)
		snprintf(out, 64, "a /%u", (unsigned)k->low);
	else if (k->kind == KEY_PREFIX)
		snprintf(out, 64, "/%u to /%u", (unsigned)k->low, (unsigned)k->high);
	else if (k->kind == KEY_ADDRESSES)
		snprintf(out, 64, "at most %u", (unsigned)k->room);
	return out;
}

/* A text of the table as a sentence. */
static void mdoc_sentence(FILE *out, const char *text)
{
	char sentence[TEXT_MAX];

	snprintf(sentence, sizeof sentence, "%c%s.", toupper((unsigned char)*text), text + 1);
	wrap(out, "", sentence);
}

static void mdoc_default(FILE *out, const struct key *k)
{
	if (k->role) {
		fprintf(out, "Required for role\n.Cm %s .\n", config_role_name(k->role));
	} else if (k->kind == KEY_ROLES) {
		fputs("Required, here or as an option.\n", out);
	} else if (k->def && !*k->def) {
		fputs("Empty by default.\n", out);
	} else {
		fputs("Default:\n.Ql ", out);
		print_value(out, k);
		fputs(" .\n", out);
	}
}

static void mdoc_key(FILE *out, const struct key *k)
{
	char limits[64];

	fprintf(out, ".It Cm %s : Ar %s\n", k->name, kind_text(k));
	mdoc_sentence(out, k->text);
	fputs(".br\n", out);
	if (*limits_text(limits, k))
		fprintf(out, "Limits: %s.\n", limits);
	if (k->kind == KEY_ADDRESSES)
		fprintf(out, "Port without one: %u.\n", (unsigned)k->number);
	mdoc_default(out, k);
}

static void mdoc_section(FILE *out, const struct key *k)
{
	fprintf(out, ".Ss Section %s\n", k->name);
	mdoc_sentence(out, k->text);
	fputs(".Bl -tag -width Ds\n", out);
}

void config_print_manual(FILE *out)
{
	const struct key *k;

	fputs(BEGIN "\n.Ss Top level\n.Bl -tag -width Ds\n", out);
	for (k = config_table(); k->kind != KEY_TABLE_END; k++) {
		if (k->kind != KEY_SECTION && k->kind != KEY_SECTION_END) {
			mdoc_key(out, k);
			continue;
		}
		if (k->kind == KEY_SECTION_END || k[-1].kind != KEY_SECTION_END)
			fputs(".El\n", out);
		if (k->kind == KEY_SECTION)
			mdoc_section(out, k);
	}
	fputs(END_MARK "\n", out);
}

/* Live lines are those without which no service would start; the others show defaults. */
static bool is_live(const struct key *k)
{
	return k->kind == KEY_ROLES || (k->role & (ROLE_AS | ROLE_NMS));
}

static void example_key(FILE *out, const struct key *k)
{
	const char *indent = config_section(k) ? "  " : "";
	char text[TEXT_MAX], limits[64], lead[8];

	limits_text(limits, k);
	snprintf(text, sizeof text, "%s%s%s%s%s%s%s", k->text, *limits ? " (" : "", limits,
		 *limits ? ")" : "", k->kind == KEY_ENUM ? ": " : "",
		 k->kind == KEY_ENUM ? k->names : "", k->role ? "; required" : "");
	snprintf(lead, sizeof lead, "%s# ", indent);
	wrap(out, lead, text);
	fprintf(out, "%s%s%s: ", indent, is_live(k) ? "" : "#", k->name);
	print_value(out, k);
	fputc('\n', out);
}

void config_print_example(FILE *out)
{
	const struct key *k;

	wrap(out, "# ", "Every key of cyphonic.yaml(5). A line that begins with '#key:' shows the default: "
	     "remove the '#' to change it. As it stands, this is for a lab where one host runs "
	     "every service: put that host's address behind 'nms:'. A node's file has 'role: node' "
	     "and four keys of the section 'node', that of a relay on a host of its own 'role: trs' and "
	     "five keys of the section 'trs'; those have samples here, no defaults.");
	for (k = config_table(); k->kind != KEY_TABLE_END; k++) {
		bool first = k > config_table() && k[-1].kind == KEY_SECTION;

		if (k->kind == KEY_SECTION_END)
			continue;
		if (!first)
			fputc('\n', out);
		if (k->kind == KEY_SECTION)
			fprintf(out, "# %s\n%s:\n", k->text, k->name);
		else
			example_key(out, k);
	}
}
