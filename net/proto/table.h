/*
 * table.h - things found by a 128-bit id: a hash table whose links live inside the things.
 */
#ifndef TABLE_H
#define TABLE_H

#include "cyphonic.h"

struct link {
	struct id id;
	struct link *next;
};

struct table {
	struct link **bucket;
	uint32_t mask, n;
	uint8_t key[16];	/* random: nobody outside chooses the buckets */
};

void table_init(struct table *t);
/* Frees the table, not the things. */
void table_free(struct table *t);
struct link *table_get(const struct table *t, const struct id *id);
/* link->id is set by the caller, and not in the table yet. */
void table_add(struct table *t, struct link *link);
void table_remove(struct table *t, struct link *link);
/* Walks everything; each may remove (and free) the link it is given. */
void table_each(const struct table *t, void (*each)(void *arg, struct link *link), void *arg);

#define LINK_OWNER(l, type, member) \
	((l) ? (type *)(void *)((char *)(l) - offsetof(type, member)) : NULL)

#endif
