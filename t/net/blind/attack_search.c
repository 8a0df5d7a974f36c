/*
 * attack_search.c - what lies in a service's memory, or in a message: at every offset, virtual
 * packets in the clear, and 16 or 32 octets that look random as data key, as traffic secret, as the
 * end of the key exchange, or as somebody's private key.  What was captured as ciphertext is
 * none of these and is passed over.
 *
 * A root secret alone leads nowhere: the next keys need an X25519 private key besides.
 */
#include "t/net/blind/attacker.h"
#include <stdlib.h>

/* Of so many random octets fewer differ once in some hundred thousand. */
#define DIFFERENT16 11
#define DIFFERENT32 22
#define BLOCK 8			/* octets of ciphertext that are known again */
#define ALIGNED 8		/* what a worker keeps: private keys, contexts of ciphers */

/* Where a worker has a key and its IV: from the key's first octet on. */
struct layout {
	enum aead_suite suite;
	long iv[3];
	unsigned ivs;
};

#define TRIED ((size_t)1 << 20)	/* places for hashes of secrets that were tried */

/* ---- ciphertext that was captured ---- */

static void remember(struct attack *a, const struct message *m, size_t at)
{
	uint64_t octets = get64(m->p + at) | 1;
	size_t i = (octets * 0x9e3779b97f4a7c15u >> 20) & (a->seen_size - 1);

	while (a->seen[i].octets && a->seen[i].octets != octets)
		i = (i + 1) & (a->seen_size - 1);
	a->seen[i] = (struct seen){ octets, m, at };
}

static void remember_all(struct attack *a)
{
	const struct captures *c = &a->captures;
	size_t i, at;

	for (a->seen_size = 1024; a->seen_size < c->octets / BLOCK * 2;)
		a->seen_size *= 2;
	a->seen = calloc(a->seen_size, sizeof *a->seen);
	a->tried_before = calloc(TRIED, sizeof *a->tried_before);
	if (!a->seen || !a->tried_before)
		abort();
	for (i = 0; i < c->n; i++)
		for (at = HEADER_SIZE; c->m[i].parsed && c->m[i].h.type == TYPE_CAPSULE &&
				       at + BLOCK <= c->m[i].n; at += BLOCK)
			remember(a, &c->m[i], at);
}

/* Octets from here on that were captured in one capsule. */
static size_t captured(const struct attack *a, const uint8_t *p, size_t n)
{
	uint64_t octets = get64(p) | 1;
	size_t i = (octets * 0x9e3779b97f4a7c15u >> 20) & (a->seen_size - 1), k = 0;
	const struct seen *s;

	while (a->seen[i].octets && a->seen[i].octets != octets)
		i = (i + 1) & (a->seen_size - 1);
	s = &a->seen[i];
	while (s->octets && k < n && s->at + k < s->m->n && s->m->p[s->at + k] == p[k])
		k++;
	return k;
}

/* ---- virtual packets ---- */

static bool is_virtual(const struct attack *a, uint8_t family, const uint8_t *ip)
{
	unsigned i;

	for (i = 0; i < a->devices; i++)	/* a relay has none */
		if (a->device[i].kind != DEVICE_TRS &&
		    !(family == 4 ? memcmp(ip, a->device[i].ip4, 4) :
				    memcmp(ip, a->device[i].ip6, 16)))
			return true;
	return false;
}

static void look_for_packet(struct attack *a, const uint8_t *p, size_t n)
{
	struct ip_view v;

	if ((p[0] != 0x45 && p[0] >> 4 != 6) || !ip_look(&v, p, n) ||
	    !is_virtual(a, v.family, v.src) || !is_virtual(a, v.family, v.dst))
		return;
	a->plain += v.len;
	recover(a, p, v.len);
}

/* ---- keys ---- */

/* Where the library has the raw key in its context, if it has it. */
static void learn_layout(struct layout *l, enum aead_suite suite)
{
	static const uint8_t key[32] = "a key that is found again, later";
	struct generation g;
	const uint8_t *at;
	long from_key;

	memset(&g, 0, sizeof g);
	aead_init(&g.rx, suite, key);
	at = memmem(&g.rx, sizeof g.rx, key, aead_key_size(suite));
	l->suite = suite;
	l->ivs = 0;
	l->iv[l->ivs++] = (long)aead_key_size(suite);
	if (at) {
		from_key = (long)(at - (uint8_t *)&g.rx);
		l->iv[l->ivs++] = (long)(offsetof(struct generation, rx_iv) -
					 offsetof(struct generation, rx)) - from_key;
		l->iv[l->ivs++] = (long)(offsetof(struct generation, tx_iv) -
					 offsetof(struct generation, tx)) - from_key;
	}
	aead_free(&g.rx);
}

static void try_layout(struct attack *a, const struct layout *l, const uint8_t *p, size_t at,
		       size_t n)
{
	unsigned i;

	for (i = 0; i < (at % ALIGNED ? 1 : l->ivs); i++) {
		size_t iv = at + (size_t)l->iv[i];

		if (iv < n && n - iv >= AEAD_NONCE)
			try_key(a, l->suite, p + at, p + iv, i ? "a data key and its IV, as a worker "
				"keeps them" : "a data key and its IV behind it");
	}
}

static void try_private(struct attack *a, const uint8_t *p)
{
	uint8_t pub[32];
	unsigned i;

	x25519_public(pub, p);
	a->tried++;
	for (i = 0; i < a->publics; i++) {
		struct public *k = &a->public[i];

		if (k->found || memcmp(k->b, pub, sizeof pub) != 0)
			continue;
		k->found = true;
		a->privates++;
		printf("private key: %s: of %s\n", a->where, k->whose);
	}
}

/* Tables that every process has: once will do.  What was forgotten is tried again. */
static bool is_new(struct attack *a, const uint8_t *p)
{
	static const uint8_t key[16] = "tried";
	uint64_t hash = siphash(key, p, 32), *place = &a->tried_before[hash % TRIED];
	bool new = *place != hash;

	*place = hash;
	return new;
}

static void try_window(struct attack *a, const struct layout l[3], const uint8_t *p, size_t at,
		       size_t n, bool long_one)
{
	try_layout(a, &l[0], p, at, n);
	if (!long_one)
		return;
	try_layout(a, &l[1], p, at, n);
	try_layout(a, &l[2], p, at, n);
	if (at % ALIGNED == 0)
		try_private(a, p + at);
	if (is_new(a, p + at)) {
		try_secret(a, p + at, "a traffic secret");
		try_chain(a, p + at, "the end of a key exchange");
	}
}

/* Different octets in a window that moves on. */
struct window {
	size_t size;
	unsigned different;
	uint16_t count[256];
};

static void window_step(struct window *w, const uint8_t *p, size_t at, size_t n)
{
	if (at && !--w->count[p[at - 1]])
		w->different--;
	if (at + w->size <= n && !w->count[p[at + w->size - 1]]++)
		w->different++;
}

static void window_start(struct window *w, size_t size, const uint8_t *p, size_t n)
{
	size_t i;

	memset(w, 0, sizeof *w);
	w->size = size;
	for (i = 0; i + 1 < size && i < n; i++)
		if (!w->count[p[i]]++)
			w->different++;
}

void search(struct attack *a, const char *name, const uint8_t *p, size_t n)
{
	struct window w16, w32;
	struct layout l[3];
	size_t at, skip = 0;

	if (!a->seen)
		remember_all(a);
	a->where = name;
	learn_layout(&l[0], AEAD_AES128_GCM);
	learn_layout(&l[1], AEAD_CHACHA20_POLY1305);
	learn_layout(&l[2], AEAD_AES256_GCM);
	window_start(&w16, 16, p, n);
	window_start(&w32, 32, p, n);
	for (at = 0; at + 16 <= n; at++) {
		window_step(&w16, p, at, n);
		window_step(&w32, p, at, n);
		look_for_packet(a, p + at, n - at);
		if (at < skip || w16.different < DIFFERENT16)
			continue;
		skip = at + captured(a, p + at, n - at);
		if (skip >= at + 32) {
			skip -= 31;
			continue;
		}
		try_window(a, l, p, at, n, at + 32 <= n && w32.different >= DIFFERENT32);
	}
}
