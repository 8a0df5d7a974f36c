/*
 * config.c - one file into one struct: the table of config.def, its defaults, and what only
 * shows when the whole file is known.  config_yaml.c has put the keys into the struct by then.
 */
#include "store/config_table.h"
#include "crypto/aead.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

static const struct key table[] = {
#define ROW(kind_, name_, ...) { .kind = kind_, .name = name_, __VA_ARGS__ },
#define AT(member) .offset = offsetof(struct config, member)
#define SECTION(name, text_) ROW(KEY_SECTION, #name, .text = text_)
#define END_SECTION(name) ROW(KEY_SECTION_END, #name)
#define STRING(member, key, size, def_, check_, text_) \
	ROW(KEY_STRING, key, AT(member), .room = size, .def = def_, \
	    .check = CHECK_##check_, .text = text_)
#define REQUIRED_STRING(member, key, size, sample, check_, role_, text_) \
	ROW(KEY_STRING, key, AT(member), .room = size, .def = sample, \
	    .check = CHECK_##check_, .role = role_, .text = text_)
#define NUMBER(member, key, def_, low_, high_, text_) \
	ROW(KEY_NUMBER, key, AT(member), .number = def_, .low = low_, .high = high_, .text = text_)
#define DURATION(member, key, def_, low_, high_, text_) \
	ROW(KEY_DURATION, key, AT(member), .number = def_, .low = low_, .high = high_, \
	    .text = text_)
#define ADDRESSES(member, key, max, port, check_, text_) \
	ROW(KEY_ADDRESSES, key, AT(member), .room = max, .number = port, .def = "", \
	    .check = CHECK_##check_, .text = text_)
#define REQUIRED_ADDRESSES(member, key, max, port, check_, role_, sample, text_) \
	ROW(KEY_ADDRESSES, key, AT(member), .room = max, .number = port, .def = sample, \
	    .check = CHECK_##check_, .role = role_, .text = text_)
#define PREFIX(member, key, family, def_, low_, high_, text_) \
	ROW(KEY_PREFIX, key, AT(member), .room = family, .def = def_, .low = low_, .high = high_, \
	    .text = text_)
#define ENUM(member, key, def_, names_, text_) \
	ROW(KEY_ENUM, key, AT(member), .def = def_, .names = names_, .text = text_)
#define ROLES(member, key, text_) ROW(KEY_ROLES, key, AT(member), .text = text_)
#include "store/config.def"
	ROW(KEY_TABLE_END, NULL)
};

_Static_assert(ARRAY_SIZE(table) <= CONFIG_ROWS, "CONFIG_ROWS is too small");

const struct key *config_table(void)
{
	return table;
}

const struct key *config_section(const struct key *k)
{
	if (k->kind == KEY_SECTION)
		return NULL;
	while (k > table && k->kind != KEY_SECTION_END)
		if ((--k)->kind == KEY_SECTION)
			return k;
	return NULL;
}

const char *config_name(char out[CONFIG_NAME], const struct key *k)
{
	const struct key *section = config_section(k);

	snprintf(out, CONFIG_NAME, "%s%s%s", section ? section->name : "", section ? "." : "",
		 k->name);
	return out;
}

void config_defaults(struct config *c)
{
	char err[CONFIG_MESSAGE];
	const struct key *k;

	memset(c, 0, sizeof *c);
	for (k = table; k->kind != KEY_TABLE_END; k++) {
		void *to = (char *)c + k->offset;

		if (k->kind == KEY_NUMBER)
			*(uint32_t *)to = (uint32_t)k->number;
		else if (k->kind == KEY_DURATION)
			*(uint64_t *)to = k->number;
		else if (k->def && *k->def && !k->role)
			config_value(c, k, k->def, err);
	}
}

/* ---- reporting ---- */

#define ERRORS_SHOWN 100	/* a file of nonsense must not flood the terminal */

void config_say(struct load *l, const struct place *at, const char *fmt, ...)
{
	const char *p;
	va_list ap;

	if (l->errors++ >= ERRORS_SHOWN)
		return;
	for (p = l->file; *p; p++)
		fputc((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p, l->out);
	if (at)
		fprintf(l->out, ":%zu:%zu", at->line, at->column);
	fputs(": ", l->out);
	va_start(ap, fmt);
	vfprintf(l->out, fmt, ap);
	va_end(ap);
	fputc('\n', l->out);
}

/* ---- what only shows when the whole is known ---- */

#define ROW_OF(member) row_at(offsetof(struct config, member))

static size_t row_at(size_t offset)
{
	size_t i = 0;

	while (table[i].kind == KEY_SECTION || table[i].kind == KEY_SECTION_END ||
	       table[i].offset != offset)
		i++;
	return i;
}

/* Where to look for row: its own line, else its section's, else the file. */
static const struct place *place_of(const struct load *l, size_t row)
{
	const struct key *section = config_section(&table[row]);

	if (l->at[row].line)
		return &l->at[row];
	return section && l->at[section - table].line ? &l->at[section - table] : NULL;
}

static void check_roles(struct load *l, uint32_t option)
{
	size_t row = ROW_OF(roles);

	if (option)
		l->c->roles = option;
	if (!l->c->roles && !l->refused[row])
		config_say(l, place_of(l, row), "no role: set 'role:' or --role=");
	if ((l->c->roles & ROLE_NODE) && l->c->roles != ROLE_NODE)
		config_say(l, place_of(l, row),
			   "a node cannot share a process with services: run two processes, "
			   "the node with --role=node or a file of its own");
}

static bool is_empty(const struct config *c, const struct key *k)
{
	const char *member = (const char *)c + k->offset;

	return k->kind == KEY_STRING ? !*member : ((const struct address_list *)member)->n == 0;
}

/* A relay beside the AS is given what it needs, unless it names an account of its own. */
static bool is_needed(const struct config *c, const struct key *k)
{
	uint32_t without = (c->roles & ROLE_AS) && !*c->trs_account ? ROLE_TRS : 0;

	return k->role & c->roles & ~without;
}

static void check_required(struct load *l)
{
	char name[CONFIG_NAME];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const struct key *k = &table[i];

		if (is_needed(l->c, k) && !l->refused[i] && is_empty(l->c, k))
			config_say(l, place_of(l, i),
				   "role %s needs '%s': add '%s:' under '%s:' (%s)",
				   config_role_name(k->role), config_name(name, k), k->name,
				   config_section(k)->name, k->text);
	}
}

/* Services are reached over the real network: none may sit inside the overlay's own ranges. */
static void check_outside(struct load *l, size_t row, const struct address_list *list)
{
	char name[CONFIG_NAME], ip[ADDR_TEXT], range[ADDR_TEXT];
	const struct config *c = l->c;
	unsigned i;

	for (i = 0; i < list->n; i++) {
		const struct addr *a = &list->a[i];
		const struct prefix *p = a->family == 4 ? &c->virtual4 : &c->virtual6;

		if (prefix_has(p, a->ip))
			config_say(l, place_of(l, row),
				   "'%s' lists %s, which lies in the virtual range %s: move one",
				   config_name(name, &table[row]), ip_text(ip, a),
				   prefix_text(range, p));
	}
}

/* An upstream resolver that is the node itself would get its own queries back. */
static void check_resolvers(struct load *l)
{
	static const struct address_list usual = {
		1, { { .family = 4, .ip = { 127, 0, 0, 45 }, .port = 53 } }
	};
	const struct address_list *up = &l->c->node_upstream;
	const struct address_list *dns = l->c->node_dns.n ? &l->c->node_dns : &usual;
	char text[ADDR_TEXT];
	unsigned i, j;

	for (i = 0; i < up->n; i++)
		for (j = 0; j < dns->n; j++)
			if (addr_equal(&up->a[i], &dns->a[j]))
				config_say(l, place_of(l, ROW_OF(node_upstream)),
					   "'node.upstream' lists %s, where this node's own resolver "
					   "listens: name another", addr_text(text, &up->a[i]));
}

/* The sockets would say "taken by another program", which is not so. */
static void check_ports(struct load *l)
{
	const struct config *c = l->c;

	if (!(c->roles & ROLE_TRS))
		return;
	if (c->trs_stun_port == c->trs_port)
		config_say(l, place_of(l, ROW_OF(trs_stun_port)),
			   "'trs.stun-port' must be another port than 'trs.port'");
	if ((c->roles & ROLE_NMS) && (c->trs_port == c->nms_port || c->trs_stun_port == c->nms_port))
		config_say(l, place_of(l, ROW_OF(nms_port)),
			   "'nms.port' must be another port than 'trs.port' and 'trs.stun-port'");
}

static void fill_virtual6(struct config *c)
{
	uint8_t hash[32];

	if (c->virtual6.family)
		return;
	sha256(hash, c->domain, strlen(c->domain));
	c->virtual6 = (struct prefix){ .family = 6, .bits = 64, .ip = { 0xfd } };
	memcpy(c->virtual6.ip + 1, hash, 5);
}

static void check_whole(struct load *l, uint32_t option)
{
	struct config *c = l->c;

	check_roles(l, option);
	check_required(l);
	fill_virtual6(c);
	if (c->roles & (ROLE_AS | ROLE_NMS)) {
		check_outside(l, ROW_OF(as_listen), &c->as_listen);
		check_outside(l, ROW_OF(as_nms), &c->as_nms);
	}
	if (c->keepalive >= c->path_lifetime)
		config_say(l, place_of(l, ROW_OF(keepalive)),
			   "'nms.keepalive' must be shorter than 'nms.path-lifetime'");
	check_resolvers(l);
	check_ports(l);
}

int config_load(struct config *c, const char *file, uint32_t roles, FILE *errors)
{
	struct load l = { .c = c, .file = file, .out = errors };
	char err[CONFIG_MESSAGE];
	char *text = NULL;
	size_t n;

	config_defaults(c);
	if (strlen(file) >= sizeof c->file)
		config_say(&l, NULL, "this path is longer than %zu octets", sizeof c->file - 1);
	else if (!(text = config_read_file(file, &n, err)))
		config_say(&l, NULL, "%s", err);
	else if (config_yaml(&l, text, n))
		check_whole(&l, roles);
	if (l.errors > ERRORS_SHOWN)
		fprintf(errors, "%s: %d more errors\n", file, l.errors - ERRORS_SHOWN);
	free(text);
	snprintf(c->file, sizeof c->file, "%s", file);
	return l.errors;
}
