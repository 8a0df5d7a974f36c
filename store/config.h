/*
 * config.h - the configuration: one YAML file into one struct, made of config.def.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "cyphonic.h"
#include <stdio.h>

struct prefix {
	uint8_t family;		/* 4 or 6 */
	uint8_t bits;
	uint8_t ip[16];
};

struct address_list {
	unsigned n;
	struct addr a[8];
};

/* Bits of roles. */
enum { ROLE_NODE = 1, ROLE_AS = 2, ROLE_NMS = 4 };

struct config {
#define SECTION(name, text)
#define END_SECTION(name)
#define STRING(member, key, size, def, check, text) char member[size];
#define NUMBER(member, key, def, low, high, text) uint32_t member;
#define DURATION(member, key, def, low, high, text) uint64_t member;	/* milliseconds */
#define ADDRESSES(member, key, max, port, text) struct address_list member;
#define PREFIX(member, key, family, def, text) struct prefix member;
#define ENUM(member, key, def, names, text) uint8_t member;		/* index into names */
#define ROLES(member, key, text) uint32_t member;			/* ROLE_* bits */
#include "store/config.def"
#undef SECTION
#undef END_SECTION
#undef STRING
#undef NUMBER
#undef DURATION
#undef ADDRESSES
#undef PREFIX
#undef ENUM
#undef ROLES
	char file[256];		/* where it came from */
};

/* Defaults for everything. */
void config_defaults(struct config *c);
/*
 * Reads the file and reports every error in one go to `errors`, each a line
 * "file:line:col: message".  roles: the --role= bits, or 0 to take the file's.  Returns the
 * number of errors; c is complete only when it is 0.
 */
int config_load(struct config *c, const char *file, uint32_t roles, FILE *errors);
/* Role bits of a word: "node", "as", "nms", "all"; 0 if unknown. */
uint32_t config_role(const char *word);
/* Prints every key with its type, default and sentence as mdoc (the man page's list) or as an example file. */
void config_print_manual(FILE *out);
void config_print_example(FILE *out);
/* Fills virtual6 from the domain's name if it is empty (RFC 4193 form: fd | first 40 bits of SHA-256(domain), subnet 0). */
bool prefix_has(const struct prefix *p, const uint8_t *ip);

#endif
