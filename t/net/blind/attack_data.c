/*
 * attack_data.c - from keys to data.  Capsules of one path, direction and generation are under one
 * key, so a key is tried on one of them: everything that follows from what is known, by the
 * protocol's derivations, by plainer ones, and by those the protocol would have without its key
 * exchange between the two ends.
 */
#include "t/net/blind/attacker.h"
#include <stdlib.h>

static const enum aead_suite suites[] = { AEAD_AES128_GCM, AEAD_CHACHA20_POLY1305,
					  AEAD_AES256_GCM };

/* ---- streams ---- */

/* Of this path and direction, the newest generation. */
static struct stream *newest(struct attack *a, const struct message *m)
{
	unsigned i;

	for (i = a->streams; i-- > 0;)
		if (id_equal(&a->stream[i].path, &m->h.id) &&
		    a->stream[i].direction == (m->h.flags & FLAG_DIRECTION))
			return &a->stream[i];
	return NULL;
}

static struct stream *numbered(struct attack *a, const struct message *m, uint8_t number)
{
	unsigned i;

	for (i = 0; i < a->streams; i++)
		if (id_equal(&a->stream[i].path, &m->h.id) && a->stream[i].number == number &&
		    a->stream[i].direction == (m->h.flags & FLAG_DIRECTION))
			return &a->stream[i];
	return NULL;
}

/* The wire says the generation modulo 4; in order, but for late capsules of the one before. */
static struct stream *stream_of(struct attack *a, const struct message *m)
{
	uint8_t bits = (m->h.flags & FLAG_GENERATION) >> GENERATION_SHIFT, step;
	struct stream *last = newest(a, m), *s;
	uint8_t number = bits;

	if (last) {
		step = (uint8_t)((bits - last->number) & 3);
		number = (uint8_t)(last->number + (step == 3 ? -1 : step));
	}
	s = numbered(a, m, number);
	if (s)
		return s;
	if (a->streams == STREAMS)
		too_many("generations of keys");
	s = &a->stream[a->streams++];
	s->path = m->h.id;
	s->direction = m->h.flags & FLAG_DIRECTION;
	s->number = number;
	replay_init(&s->seen, s->seen_bits, REPLAY_DATA_WORDS);
	return s;
}

static bool is_capsule(const struct message *m)
{
	return m->parsed && m->h.type == TYPE_CAPSULE;
}

void streams_find(struct attack *a)
{
	struct captures *c = &a->captures;
	struct stream *s;
	size_t i;

	a->stream = calloc(STREAMS, sizeof *a->stream);
	if (!a->stream)
		abort();
	for (i = 0; i < c->n; i++) {
		if (!is_capsule(&c->m[i]))
			continue;
		s = stream_of(a, &c->m[i]);
		s->capsules++;
		s->octets += c->m[i].n;
		if (!s->test || c->m[i].n < s->test->n)
			s->test = &c->m[i];
	}
}

/* ---- does it fit? ---- */

static void make_nonce(uint8_t nonce[AEAD_NONCE], const struct fit *f, const uint8_t *header,
		       uint64_t counter)
{
	memcpy(nonce, f->iv, AEAD_NONCE);
	switch (f->form) {
	case NONCE_COUNTER:
		put64(nonce + 4, get64(nonce + 4) ^ counter);
		break;
	case NONCE_LITTLE:
		memcpy(nonce + 4, &counter, sizeof counter);
		break;
	default:
		memcpy(nonce, header, AEAD_NONCE);
	}
}

/* Into plain, which has room for all of m. */
static bool opens(const struct fit *f, const struct message *m, uint64_t counter, uint8_t *plain)
{
	size_t front = HEADER_SIZE + m->x.body;
	uint8_t nonce[AEAD_NONCE];

	make_nonce(nonce, f, m->p, counter);
	return aead_open(&f->key, plain, nonce, m->p + front, m->n - front, m->p,
			 f->bare ? 0 : front);
}

static bool fits(const struct stream *s, const struct fit *f)
{
	uint8_t plain[65536];

	return opens(f, s->test, s->test->h.sequence, plain);
}

/* The key again, in its final place. */
static void keep(struct attack *a, struct stream *s, const struct fit *f, enum aead_suite suite,
		 const uint8_t *key, const char *how)
{
	s->fit = *f;
	memset(&s->fit.key, 0, sizeof s->fit.key);
	aead_init(&s->fit.key, suite, key);
	s->open = true;
	printf("fits: %s, %s direction, generation %u: %s\n", a->where,
	       s->direction ? "responder's" : "initiator's", s->number, how);
}

void try_key(struct attack *a, enum aead_suite suite, const uint8_t *key, const uint8_t *iv,
	     const char *how)
{
	struct fit f = { .form = NONCE_COUNTER };
	unsigned i;

	memcpy(f.iv, iv, AEAD_NONCE);
	aead_init(&f.key, suite, key);
	a->tried++;
	for (i = 0; i < a->streams; i++)
		if (!a->stream[i].open && fits(&a->stream[i], &f))
			keep(a, &a->stream[i], &f, suite, key, how);
	aead_free(&f.key);
}

/* keys_data() does not give the key away: the stream gets it by the same derivation. */
static void keep_secret(struct attack *a, struct stream *s, const struct traffic_secret *t,
			enum aead_suite suite, const char *how)
{
	s->fit = (struct fit){ .form = NONCE_COUNTER };
	keys_data(t, suite, s->number, &s->fit.key, s->fit.iv);
	s->open = true;
	printf("fits: %s, %s direction, generation %u: %s\n", a->where,
	       s->direction ? "responder's" : "initiator's", s->number, how);
}

void try_secret(struct attack *a, const uint8_t secret[32], const char *how)
{
	struct traffic_secret t;
	unsigned i, k, number;

	memcpy(t.b, secret, sizeof t.b);
	a->tried++;
	for (k = 0; k < ARRAY_SIZE(suites); k++) {
		struct fit f = { .form = NONCE_COUNTER };

		for (i = 0, number = 256; i < a->streams; i++) {
			struct stream *s = &a->stream[i];

			if (s->open)
				continue;
			if (s->number != number) {
				aead_free(&f.key);
				keys_data(&t, suites[k], s->number, &f.key, f.iv);
				number = s->number;
			}
			if (fits(s, &f))
				keep_secret(a, s, &t, suites[k], how);
		}
		aead_free(&f.key);
	}
}

void try_chain(struct attack *a, const uint8_t ck[32], const char *how)
{
	uint8_t prk[32], out[64];

	hkdf_extract(prk, ck, 32, NULL, 0);
	hkdf_expand(out, sizeof out, prk, NULL, 0);
	try_secret(a, out, how);
	try_secret(a, out + 32, how);
}

/* ---- what is known ---- */

/* Directly under this key, as the published protocol has it, and in other plain ways. */
static void try_forms(struct attack *a, enum aead_suite suite, const uint8_t *key, const char *how)
{
	struct fit f = { .form = NONCE_COUNTER };
	unsigned i, iv, bare;

	aead_init(&f.key, suite, key);
	a->tried++;
	for (i = 0; i < a->streams; i++)
		for (f.form = 0; f.form < NONCE_FORMS && !a->stream[i].open; f.form++)
			for (iv = 0; iv < 3; iv++)
				for (bare = 0; bare < 2 && !a->stream[i].open; bare++) {
					memset(f.iv, 0, sizeof f.iv);
					if (iv)
						memcpy(f.iv, a->stream[i].path.b + (iv - 1) * 4,
						       sizeof f.iv);
					f.bare = bare;
					if (fits(&a->stream[i], &f))
						keep(a, &a->stream[i], &f, suite, key, how);
				}
	aead_free(&f.key);
}

static void try_made(struct attack *a, const uint8_t b[32], const char *how)
{
	try_secret(a, b, how);
	try_chain(a, b, how);
	try_forms(a, AEAD_AES256_GCM, b, how);
	try_forms(a, AEAD_CHACHA20_POLY1305, b, how);
	try_forms(a, AEAD_AES128_GCM, b, how);
	try_forms(a, AEAD_AES128_GCM_SIV, b, how);
}

static void try_value(struct attack *a, const struct value *v)
{
	static const char *const salt[] = { "", "cyph4 common", "cyph4 tunnel", "cyph4 temporary",
					    "cyph4 relay", "cyph4 relayed", "cyph4 vantage",
					    "cyph kx2 psk", "cyph2 key", "cyph2 rekey",
					    "Noise_KKpsk0_25519_AESGCM_SHA256" };
	uint8_t b[32];
	size_t i;

	memcpy(b, v->b, v->n);
	memcpy(b + 32 - v->n, v->b, v->n);
	try_made(a, b, v->what);
	sha256(b, v->b, v->n);
	try_made(a, b, v->what);
	for (i = 0; i < ARRAY_SIZE(salt); i++) {
		hkdf_extract(b, salt[i], strlen(salt[i]), v->b, v->n);
		try_made(a, b, v->what);
	}
	for (i = 0; i < a->values; i++) {
		hkdf_extract(b, a->value[i].b, a->value[i].n, v->b, v->n);
		try_made(a, b, v->what);
	}
}

void try_known(struct attack *a)
{
	unsigned i;

	a->where = "what is known";
	for (i = 0; i < a->values; i++)
		try_value(a, &a->value[i]);
}

/* ---- reading ---- */

/* What of it are virtual packets counts; control messages do not. */
static void read_capsule(struct attack *a, struct stream *s, const struct message *m)
{
	uint64_t counter = replay_expand(s->seen.top, m->h.sequence);
	size_t n = m->n - HEADER_SIZE - m->x.body - TAG_SIZE;
	uint8_t plain[65536];

	if (!replay_fresh(&s->seen, counter) || !opens(&s->fit, m, counter, plain))
		return;
	replay_mark(&s->seen, counter);
	if (!(m->h.flags & FLAG_CONTROL))
		recover(a, plain, n);
}

void streams_read(struct attack *a)
{
	struct captures *c = &a->captures;
	unsigned i;
	size_t k;

	for (i = 0; i < a->streams; i++)
		for (k = 0; k < c->n && a->stream[i].open; k++)
			if (is_capsule(&c->m[k]) && c->m[k].h.flags >> 7 == a->stream[i].direction >> 7 &&
			    id_equal(&c->m[k].h.id, &a->stream[i].path) &&
			    (a->stream[i].number & 3) ==
			    (c->m[k].h.flags & FLAG_GENERATION) >> GENERATION_SHIFT)
				read_capsule(a, &a->stream[i], &c->m[k]);
}
