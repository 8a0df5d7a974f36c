/* table.c - chained hashing, doubled when full. */
#include "net/proto/table.h"
#include "crypto/aead.h"
#include <stdlib.h>

static struct link **slot(const struct table *t, const struct id *id)
{
	return &t->bucket[siphash(t->key, id->b, sizeof id->b) & t->mask];
}

static struct link **make_buckets(uint32_t n)
{
	struct link **b = calloc(n, sizeof *b);

	if (!b)
		abort();
	return b;
}

void table_init(struct table *t)
{
	memset(t, 0, sizeof *t);
	random_bytes(t->key, sizeof t->key);
	t->mask = 15;
	t->bucket = make_buckets(t->mask + 1);
}

void table_free(struct table *t)
{
	free(t->bucket);
	memset(t, 0, sizeof *t);
}

struct link *table_get(const struct table *t, const struct id *id)
{
	struct link *l;

	for (l = *slot(t, id); l; l = l->next)
		if (id_equal(&l->id, id))
			return l;
	return NULL;
}

static void grow(struct table *t)
{
	struct link **old = t->bucket, *l, *next;
	uint32_t i, n = t->mask + 1;

	t->mask = 2 * n - 1;
	t->bucket = make_buckets(2 * n);
	for (i = 0; i < n; i++)
		for (l = old[i]; l; l = next) {
			struct link **s = slot(t, &l->id);

			next = l->next;
			l->next = *s;
			*s = l;
		}
	free(old);
}

void table_add(struct table *t, struct link *link)
{
	struct link **s;

	if (t->n > t->mask)
		grow(t);
	s = slot(t, &link->id);
	link->next = *s;
	*s = link;
	t->n++;
}

void table_remove(struct table *t, struct link *link)
{
	struct link **s;

	for (s = slot(t, &link->id); *s; s = &(*s)->next)
		if (*s == link) {
			*s = link->next;
			t->n--;
			return;
		}
}

void table_each(const struct table *t, void (*each)(void *arg, struct link *link), void *arg)
{
	struct link *l, *next;
	uint32_t i;

	for (i = 0; i <= t->mask; i++)
		for (l = t->bucket[i]; l; l = next) {
			next = l->next;
			each(arg, l);
		}
}
