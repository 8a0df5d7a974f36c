/*
 * pages.c - the layout of an LMDB 0.9 file on a 64-bit machine, as far as it must be known to
 * tell a whole one from a damaged one.
 *
 *   page    number (64) | pad (16) | flags (16) | lower (16) | upper (16) | offsets (16) ...
 *           lower: end of the offsets; nodes fill the page from upper to its end, closely
 *   node    low (16) | high (16) | flags (16) | key length (16) | key | value
 *           leaf: high, low = length of the value; branch: flags, high, low = page below
 *   meta    magic | version | address | map size | free tree | main tree | last page | txnid
 *   tree    pad (32) | flags (16) | depth (16) | branch, leaf, overflow pages | entries | root
 *
 * All in host order.  Pages 0 and 1 are metas, written in turn; the one with the higher txnid
 * counts.  The free tree maps the txnid that freed pages to their numbers.
 */
#include "store/pages.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAD 16			/* of a page */
#define NODE 8			/* of a node */
#define DEPTH_MAX 32
#define PAGE_MAX 65536u
#define NONE UINT64_MAX		/* the root of an empty tree */

enum { P_BRANCH = 1, P_LEAF = 2, P_OVERFLOW = 4, P_META = 8 };
enum { F_BIGDATA = 1 };
enum { INTEGERKEY = 8, NOSUBDIR = 0x4000 };

struct tree {
	uint16_t flags, depth;
	uint64_t branch, leaf, overflow, entries, root;
};

struct meta {
	uint32_t page;			/* octets of one */
	uint64_t last, txnid;
	struct tree free, main;
};

struct walk {
	int fd;
	off_t base;
	uint64_t size, page, last;
	bool (*record)(void *arg, struct bytes key, struct bytes value, char *err);
	void *arg;
	char *err;
	uint8_t *seen;			/* a bit for each page */
	uint8_t *level[DEPTH_MAX + 1];	/* a page buffer for each depth, made when needed */
	uint8_t *used;			/* an octet for each of a page: a node lies there */
	bool free;			/* in the free tree */
	bool salvage;			/* what is damaged is passed over */
	bool passed;			/* something was */
	struct tree count;		/* what was found in it */
};

__attribute__((format(printf, 2, 3)))
static bool bad(struct walk *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->err, 256, fmt, ap);
	va_end(ap);
	return false;
}

#define LL(n) ((unsigned long long)(n))

static uint16_t host16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint32_t host32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint64_t host64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* ---- pages ---- */

static bool read_at(struct walk *w, uint64_t at, uint8_t *p, size_t n)
{
	size_t got = 0;
	ssize_t k = 1;

	if (at > w->size || n > w->size - at)
		return bad(w, "the file ends too early");
	while (got < n && k) {
		k = pread(w->fd, p + got, n - got, w->base + (off_t)(at + got));
		if (k < 0 && errno != EINTR)
			return bad(w, "it cannot be read: %s", strerror(errno));
		got += k > 0 ? (size_t)k : 0;
	}
	return got == n || bad(w, "the file ends too early");
}

/* Each page belongs to one place only. */
static bool claim(struct walk *w, uint64_t pgno)
{
	if (pgno < 2 || pgno > w->last)
		return bad(w, "there is no page %llu", LL(pgno));
	if (w->seen[pgno / 8] & 1 << pgno % 8)
		return bad(w, "page %llu is used twice", LL(pgno));
	w->seen[pgno / 8] |= (uint8_t)(1 << pgno % 8);
	return true;
}

static bool load(struct walk *w, uint64_t pgno, uint8_t *p)
{
	if (!read_at(w, pgno * w->page, p, w->page))
		return false;
	return host64(p) == pgno || bad(w, "page %llu calls itself %llu", LL(pgno),
					LL(host64(p)));
}

static bool level_ready(struct walk *w, unsigned depth)
{
	if (!w->level[depth])
		w->level[depth] = malloc(w->page);
	return w->level[depth] || bad(w, "no memory to check it");
}

static unsigned nodes(const uint8_t *p)
{
	return (host16(p + 12) - HEAD) / 2u;
}

static const uint8_t *node(const uint8_t *p, unsigned i)
{
	return p + host16(p + HEAD + 2 * i);
}

static struct bytes node_key(const uint8_t *n)
{
	return (struct bytes){ n + NODE, host16(n + 6) };
}

static uint64_t node_below(const uint8_t *n)
{
	return host32(n) | (uint64_t)host16(n + 4) << 32;
}

static size_t node_size(const uint8_t *n, bool leaf)
{
	size_t size = NODE + host16(n + 6);

	if (leaf)
		size += host16(n + 4) & F_BIGDATA ? 8 : (size_t)host32(n);
	return (size + 1) & ~(size_t)1;
}

/* Its nodes fill what is between upper and the end, without gap or overlap. */
static bool nodes_fit(struct walk *w, uint64_t pgno, const uint8_t *p, bool leaf)
{
	size_t upper = host16(p + 14), sum = 0, at, size, k;
	unsigned i;

	memset(w->used, 0, w->page);
	for (i = 0; i < nodes(p); i++) {
		at = host16(p + HEAD + 2 * i);
		if (at < upper || at % 2 || at + NODE > w->page)
			return bad(w, "page %llu: node %u lies outside", LL(pgno), i);
		size = node_size(p + at, leaf);
		if (size > w->page - at)
			return bad(w, "page %llu: node %u is too long", LL(pgno), i);
		for (k = at; k < at + size; k++)
			if (w->used[k]++)
				return bad(w, "page %llu: node %u overlaps another", LL(pgno), i);
		sum += size;
	}
	return sum == w->page - upper || bad(w, "page %llu: its nodes do not fill it", LL(pgno));
}

static bool page_fits(struct walk *w, uint64_t pgno, const uint8_t *p, bool leaf)
{
	unsigned lower = host16(p + 12), upper = host16(p + 14);

	if (host16(p + 10) != (leaf ? P_LEAF : P_BRANCH))
		return bad(w, "page %llu is of the wrong kind", LL(pgno));
	if (lower < HEAD || lower % 2 || lower > upper || upper > w->page)
		return bad(w, "page %llu has impossible bounds", LL(pgno));
	if (nodes(p) < (leaf || w->free ? 1u : 2u))
		return bad(w, "page %llu is empty", LL(pgno));
	return nodes_fit(w, pgno, p, leaf);
}

/* ---- a tree ---- */

static int compare(const struct walk *w, struct bytes a, struct bytes b)
{
	int order;

	if (w->free) {
		uint64_t x = host64(a.p), y = host64(b.p);

		return x < y ? -1 : x > y;
	}
	order = memcmp(a.p, b.p, MIN(a.n, b.n));
	return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

/* The keys rise, from low (NULL: anything) to below high. */
static bool keys_rise(struct walk *w, uint64_t pgno, const uint8_t *p, bool leaf,
		      const struct bytes *low, const struct bytes *high)
{
	struct bytes key, before = { NULL, 0 };
	unsigned i;

	for (i = 0; i < nodes(p); i++, before = key) {
		key = node_key(node(p, i));
		/* the first of a branch stands for everything below the second */
		if (!leaf && i == 0) {
			key.p = NULL;
			continue;
		}
		if (w->free ? key.n != 8 : key.n == 0)
			return bad(w, "page %llu: key %u has a wrong length", LL(pgno), i);
		if ((before.p && compare(w, before, key) >= 0) ||
		    (low && compare(w, *low, key) > 0) || (high && compare(w, key, *high) >= 0))
			return bad(w, "page %llu: key %u is out of order", LL(pgno), i);
	}
	return true;
}

/* The numbers of free pages: how many, then each, falling. */
static bool free_pages(struct walk *w, const uint8_t *p, size_t n)
{
	uint64_t many = n >= 8 ? host64(p) : NONE, i, before = NONE;

	if (many > n / 8 - 1)
		return bad(w, "a list of free pages is too short");
	for (i = 1; i <= many; i++) {
		uint64_t pgno = host64(p + 8 * i);

		if (pgno >= before)
			return bad(w, "a list of free pages is out of order");
		if (!claim(w, pgno))
			return false;
		before = pgno;
	}
	return true;
}

static bool overflow(struct walk *w, const uint8_t *value, size_t n)
{
	uint64_t pgno = host64(value), pages, i;
	uint8_t head[HEAD], *p;
	bool good;

	if (!claim(w, pgno) || !read_at(w, pgno * w->page, head, HEAD))
		return false;
	pages = host32(head + 12);
	if (host64(head) != pgno || host16(head + 10) != P_OVERFLOW ||
	    pages < (HEAD - 1 + n) / w->page + 1 || pages > w->last)
		return bad(w, "page %llu does not hold a long value", LL(pgno));
	for (i = 1; i < pages; i++)
		if (!claim(w, pgno + i))
			return false;
	w->count.overflow += pages;
	if (!w->free)
		return bad(w, "page %llu: a value of ours is never so long", LL(pgno));
	p = malloc(n);
	good = p ? read_at(w, pgno * w->page + HEAD, p, n) && free_pages(w, p, n)
		 : bad(w, "no memory to check it");
	free(p);
	return good;
}

static bool leaf_node(struct walk *w, uint64_t pgno, const uint8_t *n)
{
	struct bytes key = node_key(n), value = { key.p + key.n, host32(n) };

	w->count.entries++;
	if (host16(n + 4) & ~F_BIGDATA)
		return bad(w, "page %llu holds a node of a kind we never write", LL(pgno));
	if (host16(n + 4) & F_BIGDATA)
		return overflow(w, value.p, value.n);
	if (w->free)
		return free_pages(w, value.p, value.n);
	return !w->record || w->record(w->arg, key, value, w->err);
}

static bool pass(struct walk *w)
{
	w->passed = true;
	return w->salvage;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree, DEPTH_MAX at most */
static bool descend(struct walk *w, uint64_t pgno, unsigned depth, const struct bytes *low,
		    const struct bytes *high)
{
	bool leaf = depth == 1;
	struct bytes from, to;
	const uint8_t *p;
	unsigned i, n;

	if (!level_ready(w, depth) || !claim(w, pgno) || !load(w, pgno, w->level[depth]))
		return false;
	p = w->level[depth];
	if (!page_fits(w, pgno, p, leaf) || !keys_rise(w, pgno, p, leaf, low, high))
		return false;
	*(leaf ? &w->count.leaf : &w->count.branch) += 1;
	for (i = 0, n = nodes(p); i < n; i++) {
		if (leaf) {
			if (!leaf_node(w, pgno, node(p, i)) && !pass(w))
				return false;
			continue;
		}
		if (i)
			from = node_key(node(p, i));
		if (i + 1 < n)
			to = node_key(node(p, i + 1));
		if (!descend(w, node_below(node(p, i)), depth - 1, i ? &from : low,
			     i + 1 < n ? &to : high) && !pass(w))
			return false;
	}
	return true;
}

static bool tree_check(struct walk *w, const struct tree *t, bool is_free)
{
	const struct tree *c = &w->count;

	memset(&w->count, 0, sizeof w->count);
	w->free = is_free;
	if (t->depth > DEPTH_MAX || (t->root == NONE) != (t->depth == 0))
		return bad(w, "a tree has an impossible depth");
	if (t->root != NONE && !descend(w, t->root, t->depth, NULL, NULL))
		return false;
	if (c->branch != t->branch || c->leaf != t->leaf || c->overflow != t->overflow ||
	    c->entries != t->entries)
		return bad(w, "a tree has %llu entries, not %llu, or other pages than it says",
			   LL(c->entries), LL(t->entries));
	return true;
}

/* The highest key of a free tree: the newest transaction that freed pages; 0: none. */
static bool newest_freed(struct walk *w, const struct tree *t, uint64_t *txnid)
{
	uint64_t pgno = t->root;
	unsigned depth;
	uint8_t *p;

	*txnid = 0;
	w->free = true;
	if (t->depth > DEPTH_MAX || (t->root == NONE) != (t->depth == 0))
		return bad(w, "a tree has an impossible depth");
	if (!level_ready(w, 0))
		return false;
	p = w->level[0];
	for (depth = t->depth; depth; depth--) {
		if (pgno < 2 || pgno > w->size / w->page)
			return bad(w, "there is no page %llu", LL(pgno));
		if (!load(w, pgno, p) || !page_fits(w, pgno, p, depth == 1) ||
		    !keys_rise(w, pgno, p, depth == 1, NULL, NULL))
			return false;
		pgno = node_below(node(p, nodes(p) - 1));
	}
	if (t->depth)
		*txnid = host64(node_key(node(p, nodes(p) - 1)).p);
	return true;
}

/* ---- the metas ---- */

static void tree_read(struct tree *t, const uint8_t *p)
{
	t->flags = host16(p + 4);
	t->depth = host16(p + 6);
	t->branch = host64(p + 8);
	t->leaf = host64(p + 16);
	t->overflow = host64(p + 24);
	t->entries = host64(p + 32);
	t->root = host64(p + 40);
}

static bool meta_read(struct walk *w, unsigned i, uint64_t at, struct meta *m)
{
	uint8_t p[HEAD + 136];

	if (!read_at(w, at, p, sizeof p))
		return false;
	if (host64(p) != i || host16(p + 10) != P_META || host32(p + 16) != 0xbeefc0de)
		return bad(w, "meta page %u is not one of LMDB", i);
	if (host32(p + 20) != 1)
		return bad(w, "meta page %u is of another version of LMDB", i);
	m->page = host32(p + 40);
	tree_read(&m->free, p + 40);
	tree_read(&m->main, p + 88);
	m->last = host64(p + 136);
	m->txnid = host64(p + 144);
	if (m->page < 512 || m->page > PAGE_MAX || (m->page & (m->page - 1)) ||
	    (m->free.flags & ~NOSUBDIR) != INTEGERKEY || m->main.flags || m->last < 1)
		return bad(w, "meta page %u makes no sense", i);
	return true;
}

/*
 * LMDB takes whichever has the higher txnid.  Were that number damaged, it would take an older
 * state for the newest: the free trees, where each transaction leaves its number, tell.
 */
static bool metas_agree(struct walk *w, const struct meta *now, const struct meta *old)
{
	uint64_t freed, freed_old;

	if (now->page != old->page || now->txnid - old->txnid > 1)
		return bad(w, "the meta pages do not belong together");
	if (now->txnid == old->txnid && (now->main.root != NONE || old->main.root != NONE))
		return bad(w, "the meta pages are of one age");
	if (!newest_freed(w, &now->free, &freed) || !newest_freed(w, &old->free, &freed_old))
		return false;
	if (freed > now->txnid || freed_old > old->txnid || freed < freed_old ||
	    (now->txnid > 1 && freed + 1 < now->txnid))
		return bad(w, "the newest meta page is not the newest");
	return true;
}

static bool walk_ready(struct walk *w, const struct meta *now)
{
	w->page = now->page;
	w->last = now->last;
	/* pages at the end may be free, and then need not be there */
	if (w->last > w->size / w->page * 2 + 65536)
		return bad(w, "page %llu cannot be the last", LL(w->last));
	w->used = malloc(w->page);
	w->seen = calloc(1, w->last / 8 + 1);
	return (w->used && w->seen) || bad(w, "no memory to check it");
}

static bool file_check(struct walk *w)
{
	struct meta m[2], *now;

	if (!meta_read(w, 0, 0, &m[0]) || !meta_read(w, 1, m[0].page, &m[1]))
		return false;
	if (m[0].txnid % 2 || (m[1].txnid % 2 == 0 && m[1].txnid))
		return bad(w, "a meta page has the other's number");
	now = &m[m[0].txnid < m[1].txnid];
	return walk_ready(w, now) && metas_agree(w, now, &m[now == &m[0]]) &&
	       tree_check(w, &now->main, false) && tree_check(w, &now->free, true);
}

/* The main tree of the newest meta that reads. */
static bool file_salvage(struct walk *w)
{
	struct meta m[2], *now;
	bool first = meta_read(w, 0, 0, &m[0]);
	bool second = meta_read(w, 1, first ? m[0].page : 4096, &m[1]);

	if (!first && !second)
		return false;
	now = &m[!first || (second && m[0].txnid < m[1].txnid)];
	w->salvage = true;
	return walk_ready(w, now) && tree_check(w, &now->main, false) && !w->passed;
}

static void walk_free(struct walk *w)
{
	unsigned i;

	for (i = 0; i <= DEPTH_MAX; i++)
		free(w->level[i]);
	free(w->used);
	free(w->seen);
}

bool pages_check(int fd, off_t base, uint64_t size,
		 bool (*record)(void *arg, struct bytes key, struct bytes value, char *err),
		 void *arg, char *err)
{
	struct walk w = { .fd = fd, .base = base, .size = size, .record = record, .arg = arg,
			  .err = err };
	bool good;

	/* another layout; LMDB's own walk has to do */
	if (sizeof(size_t) != 8)
		return true;
	good = file_check(&w);
	walk_free(&w);
	return good;
}

bool pages_salvage(int fd, uint64_t size,
		   bool (*record)(void *arg, struct bytes key, struct bytes value, char *err),
		   void *arg)
{
	char err[256];
	struct walk w = { .fd = fd, .size = size, .record = record, .arg = arg, .err = err };
	bool whole = sizeof(size_t) == 8 && file_salvage(&w);

	walk_free(&w);
	return whole;
}

bool pages_other_version(int fd)
{
	uint8_t p[HEAD + 32], q[HEAD + 8];

	return pread(fd, p, sizeof p, 0) == sizeof p &&
	       pread(fd, q, sizeof q, host32(p + 40)) == sizeof q &&
	       host32(p + 16) == 0xbeefc0de && host32(q + 16) == 0xbeefc0de &&
	       host32(p + 20) != 1 && host32(p + 20) == host32(q + 20);
}
