/*
 * config_yaml.c - the keys of a YAML text, found in the table and handed to config_value().
 *
 * libyaml's document nodes know their place, so one pass names every mistake with line and
 * column; its event and struct-filling relatives stop at the first or point at the wrong line.
 */
#include "store/config_table.h"
#include <stdarg.h>
#include <yaml.h>

/* A reading and the document it reads. */
struct reader {
	struct load *l;
	yaml_document_t doc;
};

static struct place mark_place(const yaml_mark_t *mark)
{
	return (struct place){ mark->line + 1, mark->column + 1 };
}

__attribute__((format(printf, 3, 4)))
static void say(struct load *l, const yaml_node_t *node, const char *fmt, ...)
{
	struct place at = mark_place(&node->start_mark);
	char message[CONFIG_MESSAGE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	config_say(l, &at, "%s", message);
}

/* ---- "did you mean" ---- */

#define HINT_MAX 24		/* longer words resemble no key */

/* The key that was probably meant by word in this section: alike, or at home elsewhere. */
static const struct key *nearest(const struct key *section, const char *word)
{
	const struct key *k, *best = NULL;
	unsigned best_distance = 3;

	if (strlen(word) > HINT_MAX)
		return NULL;
	for (k = config_table(); k->kind != KEY_TABLE_END; k++) {
		const struct key *home = config_section(k);
		unsigned d;

		if (k->kind == KEY_SECTION_END)
			continue;
		d = text_distance(word, k->name);
		if (d < best_distance && d < strlen(k->name) && (home == section || d == 0)) {
			best = k;
			best_distance = d;
		}
	}
	return best;
}

static void say_unknown(struct load *l, const struct key *section, const yaml_node_t *node,
			const char *word)
{
	const struct key *best = nearest(section, word);
	const struct key *home = best ? config_section(best) : NULL;
	char quoted[CONFIG_QUOTE], hint[128] = "see cyphonic.yaml(5)";

	if (best && home == section)
		snprintf(hint, sizeof hint, "did you mean '%s'?", best->name);
	else if (best)
		snprintf(hint, sizeof hint, "did you mean '%s' %s%s%s?", best->name,
			 home ? "in section '" : "at the top level", home ? home->name : "",
			 home ? "'" : "");
	say(l, node, "unknown key '%s'%s%s%s (%s)", config_quote(quoted, word),
	    section ? " in section '" : "", section ? section->name : "", section ? "'" : "", hint);
}

/* ---- the document ---- */

/* The text of a scalar, or NULL after saying what is wrong with it. */
static const char *scalar(struct load *l, const yaml_node_t *node, const char *name)
{
	const char *text = (const char *)node->data.scalar.value;
	size_t i;

	if (node->type != YAML_SCALAR_NODE) {
		say(l, node, "%s must be a single word or value, not a %s", name,
		    node->type == YAML_MAPPING_NODE ? "section" : "list");
		return NULL;
	}
	for (i = 0; i < node->data.scalar.length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f) {
			say(l, node, "%s has a control character or line end in it: remove it",
			    name);
			return NULL;
		}
	}
	return text;
}

/* `key:` with nothing behind it, which is not the same as `key: ""`. */
static bool is_nothing(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	return node->type == YAML_SCALAR_NODE &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static bool read_scalar(struct load *l, const struct key *k, const yaml_node_t *node)
{
	char name[CONFIG_NAME], quoted[CONFIG_NAME + 2], err[CONFIG_MESSAGE];
	const char *text;

	snprintf(quoted, sizeof quoted, "'%s'", config_name(name, k));
	if (is_nothing(node)) {
		say(l, node, "%s has no value: give it one or delete the line", quoted);
		return false;
	}
	text = scalar(l, node, quoted);
	if (!text)
		return false;
	if (config_value(l->c, k, text, err))
		return true;
	say(l, node, "%s", err);
	return false;
}

/* A key's value: a scalar, or a list of them where the kind allows one. */
static bool read_value(struct reader *r, const struct key *k, const yaml_node_t *node)
{
	bool good = true;
	yaml_node_item_t *i;

	if (node->type != YAML_SEQUENCE_NODE || (k->kind != KEY_ADDRESSES && k->kind != KEY_ROLES))
		return read_scalar(r->l, k, node);
	for (i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++)
		good = read_scalar(r->l, k, yaml_document_get_node(&r->doc, *i)) && good;
	return good;
}

static const struct key *find(const struct key *section, const char *word)
{
	const struct key *k;

	for (k = config_table(); k->kind != KEY_TABLE_END; k++)
		if (k->kind != KEY_SECTION_END && config_section(k) == section &&
		    strcmp(k->name, word) == 0)
			return k;
	return NULL;
}

static void read_mapping(struct reader *r, const struct key *section, const yaml_node_t *node);

static void read_pair(struct reader *r, const struct key *section, const yaml_node_t *key,
		      const yaml_node_t *value)
{
	const char *word = scalar(r->l, key, "a key");
	const struct key *k = word ? find(section, word) : NULL;
	char name[CONFIG_NAME];
	size_t row;

	if (!k) {
		if (word)
			say_unknown(r->l, section, key, word);
		return;
	}
	row = (size_t)(k - config_table());
	if (r->l->at[row].line) {
		say(r->l, key, "'%s' stands here and in line %zu: delete one", config_name(name, k),
		    r->l->at[row].line);
		return;
	}
	r->l->at[row] = mark_place(&key->start_mark);
	if (k->kind != KEY_SECTION)
		r->l->refused[row] = !read_value(r, k, value);
	else if (value->type == YAML_MAPPING_NODE)
		read_mapping(r, k, value);
	else if (!is_nothing(value))
		say(r->l, value, "'%s' is a section: its keys stand below it, indented", k->name);
}

static void read_mapping(struct reader *r, const struct key *section, const yaml_node_t *node)
{
	yaml_node_pair_t *p;

	for (p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++)
		read_pair(r, section, yaml_document_get_node(&r->doc, p->key),
			  yaml_document_get_node(&r->doc, p->value));
}

/* ---- the text that should be a document ---- */

static struct place offset_place(const char *text, size_t offset)
{
	struct place at = { 1, 1 };
	size_t i;

	for (i = 0; i < offset; i++) {
		at.column = text[i] == '\n' ? 1 : at.column + ((text[i] & 0xc0) != 0x80);
		at.line += text[i] == '\n';
	}
	return at;
}

/* What people most often get wrong on a line that is no YAML. */
static const char *syntax_hint(const char *text, size_t index)
{
	const char *from = text, *nl;
	size_t n;

	while ((nl = strchr(from, '\n')) && index-- > 0)
		from = nl + 1;
	n = strcspn(from, "\r\n");
	if (memchr(from, '\t', n))
		return "indent with spaces, not tabs";
	if (memmem(from, n, "]:", 2))
		return "put quotes round \"[IPV6]:PORT\"";
	return "look for a missing ':', space, quote or bracket";
}

static void say_syntax(struct load *l, const yaml_parser_t *p, const char *text)
{
	struct place at = mark_place(&p->problem_mark);
	char opened[48] = "";

	if (p->error == YAML_MEMORY_ERROR) {
		config_say(l, NULL, "out of memory");
		return;
	}
	if (p->error == YAML_READER_ERROR) {
		at = offset_place(text, p->problem_offset);
		config_say(l, &at, "%s: write the file in UTF-8, without control characters",
			   p->problem);
		return;
	}
	if (p->context && p->context_mark.line != p->problem_mark.line)
		snprintf(opened, sizeof opened, " begun in line %zu", p->context_mark.line + 1);
	config_say(l, &at, "%s%s%s%s (%s)", p->problem, p->context ? " " : "",
		   p->context ? p->context : "", opened, syntax_hint(text, p->problem_mark.line));
}

static bool open_parser(struct load *l, yaml_parser_t *p, const char *text, size_t n)
{
	if (!yaml_parser_initialize(p)) {
		config_say(l, NULL, "out of memory");
		return false;
	}
	yaml_parser_set_encoding(p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(p, (const unsigned char *)text, n);
	return true;
}

#define DEPTH_LIMIT 16

/*
 * libyaml's loader takes time in the square of the brackets left open, half a minute for
 * half a megabyte: its events show them before it does.
 */
static bool depth_is_sane(struct load *l, const char *text, size_t n)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	struct place at = { 0 };
	yaml_event_t event;
	yaml_parser_t p;
	int depth = 0;

	if (!open_parser(l, &p, text, n))
		return false;
	while (depth <= DEPTH_LIMIT && type != YAML_STREAM_END_EVENT &&
	       yaml_parser_parse(&p, &event)) {
		type = event.type;
		depth += type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT;
		depth -= type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT;
		at = mark_place(&event.start_mark);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&p);
	if (depth > DEPTH_LIMIT)
		config_say(l, &at, "lists or sections %d deep: close the brackets", depth);
	return depth <= DEPTH_LIMIT;
}

static void read_root(struct reader *r)
{
	const yaml_node_t *root = yaml_document_get_root_node(&r->doc);

	if (root && root->type == YAML_MAPPING_NODE)
		read_mapping(r, NULL, root);
	else if (root && !is_nothing(root))
		say(r->l, root, "the file must consist of lines 'key: value'");
}

/* The one document, and that it is the only one. */
static bool read_documents(struct reader *r, yaml_parser_t *p)
{
	unsigned documents;
	bool more = true;

	for (documents = 0; more; documents++) {
		if (!yaml_parser_load(p, &r->doc))
			return false;
		more = yaml_document_get_root_node(&r->doc) != NULL;
		if (documents == 0)
			read_root(r);
		else if (more)
			say(r->l, yaml_document_get_root_node(&r->doc),
			    "a second document: delete the '---' line before it");
		yaml_document_delete(&r->doc);
	}
	return true;
}

bool config_yaml(struct load *l, const char *text, size_t n)
{
	struct reader r = { .l = l };
	struct place at;
	yaml_parser_t p;
	bool good;

	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		n -= 3;
	}
	if (strlen(text) != n) {
		at = offset_place(text, strlen(text));
		config_say(l, &at, "a NUL byte: this is no text file");
		return false;
	}
	if (!depth_is_sane(l, text, n) || !open_parser(l, &p, text, n))
		return false;
	good = read_documents(&r, &p);
	if (!good)
		say_syntax(l, &p, text);
	yaml_parser_delete(&p);
	return good;
}
