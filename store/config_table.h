/*
 * config_table.h - what the files of the configuration share, private to them: config.def as
 * rows, and one reading of one file.
 *
 *   config.c        the table, and what only shows when the whole file is known
 *   config_file.c   opens the file
 *   config_yaml.c   finds its keys
 *   config_value.c  reads one value
 *   config_print.c  writes the table as manual and as example
 *   config_values.c writes the values in force
 */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include "store/config.h"

enum key_kind {
	KEY_SECTION, KEY_SECTION_END, KEY_STRING, KEY_NUMBER, KEY_DURATION, KEY_ADDRESSES,
	KEY_PREFIX, KEY_ENUM, KEY_ROLES, KEY_TABLE_END
};

enum key_check {
	CHECK_NONE, CHECK_NAME, CHECK_LABEL, CHECK_WORD, CHECK_PATH, CHECK_HEX64, CHECK_HOST,
	CHECK_LISTEN, CHECK_LOOPBACK
};

struct key {
	enum key_kind kind;
	enum key_check check;
	const char *name;	/* as written in the file */
	size_t offset;		/* of the member in struct config */
	uint32_t room;		/* octets of a string, entries of a list, family of a prefix */
	uint32_t role;		/* ROLE_* that cannot do without it */
	uint64_t number;	/* default of a number or duration; default port of addresses */
	uint64_t low, high;	/* range of number, duration, or a prefix's bits */
	const char *def;	/* default as text; with role set: the sample */
	const char *names;	/* of an enum: "a|b|c" */
	const char *text;
};

/* The rows in the order of config.def, the last of kind KEY_TABLE_END. */
const struct key *config_table(void);

#define CONFIG_ROWS 96		/* at least as many as there are rows */

#define CONFIG_MESSAGE 640	/* room for one error message */
#define CONFIG_NAME 48		/* room for config_name() */
#define CONFIG_QUOTE 264	/* room for config_quote() */
#define CONFIG_DURATION 24	/* room for config_duration() */

/* The section row that k stands in, or NULL at the top level. */
const struct key *config_section(const struct key *k);
/* The key as messages name it: "node.as". */
const char *config_name(char out[CONFIG_NAME], const struct key *k);

/* Where something stands in the file, both from 1; line 0: nowhere. */
struct place {
	size_t line, column;
};

/* One reading of one file. */
struct load {
	struct config *c;
	const char *file;
	FILE *out;
	int errors;
	struct place at[CONFIG_ROWS];	/* by row: where its key stands */
	bool refused[CONFIG_ROWS];	/* by row: its value was wrong, and that was said */
};

/* Says and counts one error.  at: NULL where the file as a whole is meant. */
void config_say(struct load *l, const struct place *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- config_value.c ---- */

/*
 * Puts text into k's member of c; a list or set of roles grows by one.  False with a message
 * in err (CONFIG_MESSAGE) that names the key and the remedy; c is then unchanged.
 */
bool config_value(struct config *c, const struct key *k, const char *text, char *err);
/* Untrusted text for a message: printable ASCII, the rest as \xNN, cut after 64 octets. */
const char *config_quote(char out[CONFIG_QUOTE], const char *text);
/* "15s": the largest unit that divides it. */
const char *config_duration(char out[CONFIG_DURATION], uint64_t ms);
/* The word for config_role()'s bits. */
const char *config_role_name(uint32_t bits);
/* "198.18.0.0/15" */
const char *prefix_text(char out[ADDR_TEXT], const struct prefix *p);

/* ---- config_yaml.c ---- */

/*
 * Reads every key of text into l->c, saying what is wrong on the way.  False when the text is
 * no YAML document, so that nothing can be said about the whole.
 */
bool config_yaml(struct load *l, const char *text, size_t n);

/* ---- config_file.c ---- */

#define CONFIG_FILE_MAX (1024 * 1024)

/*
 * The whole of a configuration file, NUL-terminated, its octets in *n; the caller frees it.
 * NULL with a message in err (CONFIG_MESSAGE).
 */
char *config_read_file(const char *file, size_t *n, char *err);

#endif
