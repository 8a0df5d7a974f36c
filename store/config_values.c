/* config_values.c - a configuration that is in force, for people who shall help. */
#include "store/config_table.h"

static void put_addresses(FILE *out, const struct address_list *list)
{
	char text[ADDR_TEXT];
	unsigned i;

	fputc('[', out);
	for (i = 0; i < list->n; i++)
		fprintf(out, "%s%s", i ? ", " : "", addr_text(text, &list->a[i]));
	fputc(']', out);
}

/* The word of an enum's list. */
static void put_word(FILE *out, const char *names, unsigned index)
{
	while (index-- && strchr(names, '|'))
		names = strchr(names, '|') + 1;
	fprintf(out, "%.*s", (int)strcspn(names, "|"), names);
}

static void put_roles(FILE *out, uint32_t bits)
{
	static const char *const name[] = { "node", "as", "nms", "trs" };
	const char *comma = "[";
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(name); i++)
		if (bits & config_role(name[i])) {
			fprintf(out, "%s%s", comma, name[i]);
			comma = ", ";
		}
	fputs(*comma == '[' ? "[]" : "]", out);
}

/* Such keys name a file today; should one ever hold the thing itself, it is not for others. */
static bool is_secret(const struct key *k)
{
	size_t n = strlen(k->name);
	bool file = n > 5 && strcmp(k->name + n - 5, "-file") == 0;

	return !file && (strstr(k->name, "password") || strstr(k->name, "secret") ||
			 strstr(k->name, "token"));
}

static void put_value(FILE *out, const struct config *c, const struct key *k)
{
	const char *at = (const char *)c + k->offset;
	char text[ADDR_TEXT], time[CONFIG_DURATION], quote[CONFIG_QUOTE];

	switch (k->kind) {
	case KEY_STRING:
		fputs(is_secret(k) ? *at ? "(set)" : "(not set)" : config_quote(quote, at), out);
		break;
	case KEY_NUMBER:
		fprintf(out, "%u", *(const uint32_t *)(const void *)at);
		break;
	case KEY_DURATION:
		fputs(config_duration(time, *(const uint64_t *)(const void *)at), out);
		break;
	case KEY_ADDRESSES:
		put_addresses(out, (const void *)at);
		break;
	case KEY_PREFIX:
		fputs(prefix_text(text, (const void *)at), out);
		break;
	case KEY_ENUM:
		put_word(out, k->names, *(const uint8_t *)at);
		break;
	default:
		put_roles(out, *(const uint32_t *)(const void *)at);
	}
}

void config_print_values(const struct config *c, FILE *out)
{
	const struct key *k;
	const char *indent = "";

	fprintf(out, "# %s, with what is not written there\n", c->file);
	for (k = config_table(); k->kind != KEY_TABLE_END; k++) {
		if (k->kind == KEY_SECTION)
			fprintf(out, "%s:\n", k->name);
		if (k->kind == KEY_SECTION || k->kind == KEY_SECTION_END) {
			indent = k->kind == KEY_SECTION ? "  " : "";
			continue;
		}
		fprintf(out, "%s%s: ", indent, k->name);
		put_value(out, c, k);
		fputc('\n', out);
	}
}
