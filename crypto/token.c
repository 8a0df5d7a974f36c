/*
 * token.c - the packet token: eight bits that change four times a second.
 * A permutation instead of a hash per slot, so that the tokens valid at one moment are all
 * different: a hash would now and then let one guess stand for several slots.
 */
#include "crypto/token.h"

#define SLOTS 256	/* of an epoch; each value once */
#define EDGE 8		/* slots on either side of an epoch's end that share no value */

/* Fisher and Yates, from the last place down. */
static void shuffle(uint8_t perm[SLOTS], const struct secret_common_value *scv, uint64_t epoch)
{
	uint8_t in[14] = { 't', 'o', 'k', 'e', 'n' };
	unsigned i, j;

	for (i = 0; i < SLOTS; i++)
		perm[i] = (uint8_t)i;
	put64(in + 5, epoch);
	for (i = SLOTS - 1; i > 0; i--) {
		uint8_t held = perm[i];

		in[13] = (uint8_t)i;
		j = (unsigned)(siphash(scv->b, in, sizeof in) % (i + 1));
		perm[i] = perm[j];
		perm[j] = held;
	}
}

/* The end of an epoch is never moved, so only the shuffle of the one before matters here. */
static void permutation(uint8_t perm[SLOTS], const struct secret_common_value *scv, uint64_t epoch)
{
	uint8_t before[SLOTS];
	unsigned i, next = EDGE;

	shuffle(before, scv, epoch - 1);
	shuffle(perm, scv, epoch);
	for (i = 0; i < EDGE; i++) {
		while (memchr(before + SLOTS - EDGE, perm[i], EDGE)) {
			uint8_t held = perm[i];

			perm[i] = perm[next];
			perm[next++] = held;
		}
	}
}

void tokens_init(struct tokens *t, const struct secret_common_value *scv)
{
	memset(t, 0, sizeof *t);
	t->scv = *scv;
}

static uint8_t token_of(struct tokens *t, uint64_t slot)
{
	uint64_t epoch = slot / SLOTS;
	unsigned i;

	if (!t->ready || epoch + 1 - t->epoch > 2) {
		for (i = 0; i < 3; i++)
			permutation(t->perm[i], &t->scv, epoch + i - 1);
		t->epoch = epoch;
		t->ready = true;
	}
	return t->perm[epoch + 1 - t->epoch][slot % SLOTS];
}

uint8_t tokens_at(struct tokens *t, uint64_t cloud_ms)
{
	return token_of(t, cloud_ms / TOKEN_SLOT_MS);
}

bool tokens_valid(struct tokens *t, uint64_t cloud_ms, uint8_t token)
{
	uint64_t now = cloud_ms / TOKEN_SLOT_MS, slot;

	for (slot = now - MIN(now, TOKEN_SLOTS_BACK); slot <= now + TOKEN_SLOTS_AHEAD; slot++)
		if (token_of(t, slot) == token)
			return true;
	return false;
}
