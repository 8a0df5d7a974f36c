/*
 * replay.c - a sliding window after RFC 6479: bits in a ring of words that is never shifted.
 * A number's word is its high bits modulo the ring; moving ahead clears the words in between.
 * One word more than the window stands ready, so that a word is cleared whole.
 */
#include "crypto/replay.h"

static uint64_t *word_of(const struct replay *r, uint64_t seq)
{
	return &r->bits[(seq / 64) & (r->words - 1)];
}

static uint64_t bit_of(uint64_t seq)
{
	return (uint64_t)1 << (seq % 64);
}

static bool is_too_old(const struct replay *r, uint64_t seq)
{
	return seq < r->top && r->top - seq > (uint64_t)(r->words - 1) * 64;
}

static void move_ahead(struct replay *r, uint64_t seq)
{
	uint64_t steps = MIN(seq / 64 - r->top / 64, (uint64_t)r->words), i;

	for (i = 1; i <= steps; i++)
		*word_of(r, r->top + i * 64) = 0;
	r->top = seq;
}

void replay_init(struct replay *r, uint64_t *bits, uint32_t words)
{
	memset(r, 0, sizeof *r);
	memset(bits, 0, words * sizeof *bits);
	r->bits = bits;
	r->words = words;
}

bool replay_fresh(const struct replay *r, uint64_t seq)
{
	if (!r->any || seq > r->top)
		return true;
	return !is_too_old(r, seq) && !(*word_of(r, seq) & bit_of(seq));
}

void replay_mark(struct replay *r, uint64_t seq)
{
	if (!r->any)
		r->top = seq;
	r->any = true;
	if (seq > r->top)
		move_ahead(r, seq);
	if (!is_too_old(r, seq))
		*word_of(r, seq) |= bit_of(seq);
}

uint64_t replay_expand(uint64_t near, uint32_t low)
{
	uint32_t ahead = low - (uint32_t)near;

	if (ahead < (uint32_t)1 << 31)
		return near + ahead >= near ? near + ahead : near + ahead - ((uint64_t)1 << 32);
	/* a tie goes to the older one: it is the one a window can refuse */
	ahead = -ahead;
	return near >= ahead ? near - ahead : near - ahead + ((uint64_t)1 << 32);
}
