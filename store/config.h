/*
 * config.h - the configuration: one YAML file into one struct, made of config.def.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "cyphonic.h"
#include <stdio.h>

struct prefix {
	uint8_t family;		/* 4 or 6; 0: none */
	uint8_t bits;
	uint8_t ip[16];		/* 4 or 16 octets, those behind bits zero */
};

struct address_list {
	unsigned n;
	struct addr a[8];
};

/* Bits of roles. */
enum { ROLE_NODE = 1, ROLE_AS = 2, ROLE_NMS = 4, ROLE_TRS = 8 };

struct config {
#define SECTION(name, text)
#define END_SECTION(name)
#define STRING(member, key, size, def, check, text) char member[size];
#define REQUIRED_STRING(member, key, size, sample, check, role, text) char member[size];
#define NUMBER(member, key, def, low, high, text) uint32_t member;
#define DURATION(member, key, def, low, high, text) uint64_t member;	/* milliseconds */
#define ADDRESSES(member, key, max, port, check, text) struct address_list member;
#define REQUIRED_ADDRESSES(member, key, max, port, check, role, sample, text) \
	struct address_list member;
#define PREFIX(member, key, family, def, low, high, text) struct prefix member;
#define ENUM(member, key, def, names, text) uint8_t member;		/* index into names */
#define ROLES(member, key, text) uint32_t member;			/* ROLE_* bits */
#include "store/config.def"
#undef SECTION
#undef END_SECTION
#undef STRING
#undef REQUIRED_STRING
#undef NUMBER
#undef DURATION
#undef ADDRESSES
#undef REQUIRED_ADDRESSES
#undef PREFIX
#undef ENUM
#undef ROLES
	char file[256];		/* where it came from, as given to config_load() */
};

/* Defaults for everything; what has none is empty. */
void config_defaults(struct config *c);
/*
 * Reads the file and reports every error in one go to `errors`, each a line
 * "file:line:col: message", or "file: message" where no place in it is meant.  roles: the
 * --role= bits, or 0 to take the file's.  An empty virtual6 is filled from the domain's name
 * (RFC 4193 form: fd | first 40 bits of SHA-256(domain), subnet 0).  Returns the number of
 * errors; c is complete only when it is 0.
 */
int config_load(struct config *c, const char *file, uint32_t roles, FILE *errors);
/* Role bits of a word: "node", "as", "nms", "trs", "all"; 0 if unknown. */
uint32_t config_role(const char *word);
/*
 * The first line of a password file, 1 to 256 octets without its end, into out; its length in
 * *n, no NUL is added.  False with a line in err (256): not a regular file, open to group or
 * others, empty, too long for cap.  The caller wipes out.
 */
bool config_read_password(const char *file, char *out, size_t cap, size_t *n, char *err);
/* Every key with its type, default and sentence: the manual's list, in mdoc. */
void config_print_manual(FILE *out);
/* The same as a file that loads: config.example.yaml. */
void config_print_example(FILE *out);
/* Every key with the value in force; what holds a secret as itself is not said. */
void config_print_values(const struct config *c, FILE *out);
/* True when ip (4 or 16 octets, as p->family says) lies in p; nothing lies in an empty one. */
bool prefix_has(const struct prefix *p, const uint8_t *ip);

#endif
