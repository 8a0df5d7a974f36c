/* capsule.c - sealing and opening under the data keys of one path. */
#include "net/proto/capsule.h"

struct generation *keyring_get(struct keyring *k, uint8_t number)
{
	struct generation *g = &k->gen[number & 3];

	return g->live && g->number == number ? g : NULL;
}

static void generation_wipe(struct generation *g)
{
	aead_free(&g->tx);
	aead_free(&g->rx);
	wipe(g, sizeof *g);
}

void keyring_install(struct keyring *k, uint8_t number, const struct traffic_secret *i2r,
		     const struct traffic_secret *r2i, uint64_t now)
{
	struct generation *g = &k->gen[number & 3];

	generation_wipe(g);
	g->number = number;
	g->live = true;
	g->since = now;
	keys_data(k->initiator ? i2r : r2i, k->suite, number, &g->tx, g->tx_iv);
	keys_data(k->initiator ? r2i : i2r, k->suite, number, &g->rx, g->rx_iv);
	replay_init(&g->seen, g->seen_bits, REPLAY_DATA_WORDS);
}

void keyring_drop(struct keyring *k, uint8_t number)
{
	struct generation *g = keyring_get(k, number);

	if (g)
		generation_wipe(g);
}

void keyring_wipe(struct keyring *k)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(k->gen); i++)
		generation_wipe(&k->gen[i]);
}

static void make_nonce(uint8_t nonce[AEAD_NONCE], const uint8_t iv[AEAD_NONCE], uint64_t counter)
{
	memcpy(nonce, iv, 4);
	put64(nonce + 4, get64(iv + 4) ^ counter);
}

uint8_t *capsule_seal(struct keyring *k, uint8_t flags, uint8_t count, uint8_t *body, size_t n)
{
	struct generation *g = keyring_get(k, k->current);
	uint8_t *p = body - HEADER_SIZE, nonce[AEAD_NONCE];
	struct msg_header h = {
		.version = PROTO_VERSION, .type = TYPE_CAPSULE, .count = count, .id = k->path,
		.token = k->token,
		.flags = (uint8_t)(flags | (k->initiator ? 0 : FLAG_DIRECTION) |
				   (g->number & 3) << GENERATION_SHIFT),
		.sequence = (uint32_t)g->sent,
		.length = (uint16_t)(n + CAPSULE_OVERHEAD),
	};

	make_nonce(nonce, g->tx_iv, g->sent++);
	msg_write_header(p, HEADER_SIZE, &h);
	aead_seal(&g->tx, body, nonce, body, n, p, HEADER_SIZE);
	return p;
}

enum verdict capsule_open(struct keyring *k, uint8_t *p, size_t n, const struct msg_header *h,
			  const struct exts *x, struct bytes *body, struct generation **gp)
{
	struct generation *g = &k->gen[(h->flags & FLAG_GENERATION) >> GENERATION_SHIFT];
	size_t front = HEADER_SIZE + x->body;
	uint8_t nonce[AEAD_NONCE];
	uint64_t counter;

	if (!(h->flags & FLAG_DIRECTION) == k->initiator)
		return V_DROP_FLAG;
	if (!g->live)
		return V_DROP_STRANGER;
	counter = replay_expand(g->seen.top, h->sequence);
	if (!replay_fresh(&g->seen, counter))
		return V_DROP_REPLAY;
	make_nonce(nonce, g->rx_iv, counter);
	if (!aead_open(&g->rx, p + front, nonce, p + front, n - front, p, front))
		return V_DROP_TAG;
	replay_mark(&g->seen, counter);
	body->p = p + front;
	body->n = n - front - TAG_SIZE;
	*gp = g;
	return V_PASSED;
}
