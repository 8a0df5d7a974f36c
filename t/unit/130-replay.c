/* 130-replay.c - the window against a column of cases and against a slow one that cannot err. */
#include "t/tap.h"
#include "t/unit/hex.h"
#include "crypto/replay.h"

/* ---- the column: 2 words, so 64 numbers below the newest ---- */

static const struct {
	uint64_t seq;
	bool fresh;
	const char *why;
} column[] = {
	{ 5, true, "the first number is fresh, whatever it is" },
	{ 5, false, "a number seen twice is not" },
	{ 0, true, "a lower number never seen is fresh" },
	{ 0, false, "but once only" },
	{ 6, true, "the next number is fresh" },
	{ 63, true, "so is the last of the first word" },
	{ 64, true, "and the first of the next word" },
	{ 0, false, "64 below the newest is still remembered" },
	{ 1, true, "63 below the newest, never seen, is fresh" },
	{ 65, true, "one ahead" },
	{ 0, false, "65 below the newest is too old" },
	{ 1, false, "64 below was seen" },
	{ 2, true, "63 below was not" },
	{ 129, true, "a jump of exactly the window" },
	{ 65, false, "keeps the number at its edge" },
	{ 64, false, "and nothing older" },
	{ 66, true, "what lies between was never seen" },
	{ 1000000, true, "a jump over many windows" },
	{ 999999, true, "leaves a clean window behind it" },
	{ 129, false, "and everything before it too old" },
	{ UINT64_MAX - 1, true, "a jump nearly to the end of all numbers" },
	{ UINT64_MAX, true, "the largest number is fresh" },
	{ UINT64_MAX, false, "once" },
	{ UINT64_MAX - 64, true, "64 below it is fresh" },
	{ UINT64_MAX - 65, false, "65 below it is too old" },
	{ 0, false, "and nothing wraps round to zero" },
};

static void test_column(void)
{
	uint64_t bits[2];
	struct replay r;
	size_t i;

	replay_init(&r, bits, 2);
	for (i = 0; i < ARRAY_SIZE(column); i++) {
		ok(replay_fresh(&r, column[i].seq) == column[i].fresh &&
		   replay_fresh(&r, column[i].seq) == column[i].fresh,
		   "%" PRIu64 ": %s", column[i].seq, column[i].why);
		if (column[i].fresh)
			replay_mark(&r, column[i].seq);
	}
}

static void test_old_mark(void)
{
	uint64_t bits[2];
	struct replay r;

	replay_init(&r, bits, 2);
	replay_mark(&r, 1000);
	replay_mark(&r, 1000 - 129);
	ok(r.top == 1000 && replay_fresh(&r, 999) && replay_fresh(&r, 1000 - 64),
	   "marking what is too old disturbs nothing");
	replay_init(&r, bits, 2);
	ok(replay_fresh(&r, 1000), "a window made anew has forgotten");
}

/* ---- the slow one: every number marked, in a list, and the newest ---- */

#define SEEN 4096

struct slow {
	uint64_t seen[SEEN], top;
	unsigned n;
	bool any;
};

static bool slow_fresh(const struct slow *s, uint64_t seq, uint64_t window)
{
	unsigned i;

	if (!s->any)
		return true;
	if (seq < s->top && s->top - seq > window)
		return false;
	for (i = 0; i < s->n; i++)
		if (s->seen[i] == seq)
			return false;
	return true;
}

static void slow_mark(struct slow *s, uint64_t seq)
{
	s->seen[s->n++] = seq;
	s->top = s->any ? MAX(s->top, seq) : seq;
	s->any = true;
}

/* Mostly near the newest, sometimes at the window's edge, now and then a jump. */
static uint64_t pick(uint64_t *state, uint64_t top, uint64_t window)
{
	uint64_t kind = next_number(state) >> 32, x = next_number(state) >> 32;

	switch (kind % 16) {
	case 0:
		return top - window - 2 + x % 5;
	case 1:
		return top + x % (3 * window);
	case 2:
		return top - x % (3 * window);
	case 3:
		return (top | 63) - 1 + x % 3;
	default:
		return top + 8 - x % 40;
	}
}

static bool agrees(uint64_t *state, uint32_t words, uint64_t start)
{
	static struct slow s;
	uint64_t bits[REPLAY_DATA_WORDS], window = (uint64_t)(words - 1) * 64;
	struct replay r;
	unsigned i;

	memset(&s, 0, sizeof s);
	s.top = start;
	replay_init(&r, bits, words);
	for (i = 0; i < 2 * SEEN && s.n < SEEN; i++) {
		uint64_t seq = pick(state, s.top, window);
		bool fresh = slow_fresh(&s, seq, window);

		if (replay_fresh(&r, seq) != fresh) {
			diag("words %u, newest %" PRIu64 ", number %" PRIu64 ": should be %s",
			     words, s.top,
			     seq, fresh ? "fresh" : "old");
			return false;
		}
		if (fresh && next_number(state) >> 40 & 7) {
			replay_mark(&r, seq);
			slow_mark(&s, seq);
		}
	}
	return true;
}

static void test_random(void)
{
	static const uint32_t words[] = { 2, 4, REPLAY_SIGNAL_WORDS, REPLAY_DATA_WORDS };
	static const uint64_t starts[] = { 0, 1000, UINT32_MAX, (uint64_t)1 << 63,
					  UINT64_MAX - 100000000 };
	uint64_t state = 20260501;
	unsigned round, i, j;
	bool good = true;

	for (round = 0; round < 2 * scale(); round++)
		for (i = 0; i < ARRAY_SIZE(words); i++)
			for (j = 0; j < ARRAY_SIZE(starts); j++)
				good = good && agrees(&state, words[i], starts[j]);
	ok(good,
	   "on random numbers with jumps the window agrees with a slow one that keeps a list");
}

/* ---- rebuilding the high half ---- */

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Tries the three candidates that exist and takes the nearest. */
static uint64_t slow_expand_distance(uint64_t near, uint32_t low)
{
	uint64_t high = near >> 32, best = UINT64_MAX, h;

	for (h = high ? high - 1 : 0; h <= MIN(high + 1, (uint64_t)UINT32_MAX); h++)
		best = MIN(best, distance(near, h << 32 | low));
	return best;
}

static void test_expand(void)
{
	static const struct { uint64_t near; uint32_t low; uint64_t want; } cases[] = {
		{ 0, 0, 0 },
		{ 0, 1, 1 },
		{ 0, UINT32_MAX, UINT32_MAX },
		{ 100, 90, 90 },
		{ 0xffffffff, 0, 0x100000000 },
		{ 0x100000000, 0xffffffff, 0xffffffff },
		{ 0x500000000, 0x7fffffff, 0x57fffffff },
		{ 0x500000000, 0x80000001, 0x480000001 },
		{ UINT64_MAX, UINT32_MAX, UINT64_MAX },
		{ UINT64_MAX, 0, 0xffffffff00000000 },
	};
	uint64_t state = 7, near;
	bool good = true;
	uint32_t low;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		ok(replay_expand(cases[i].near, cases[i].low) == cases[i].want,
		   "near %" PRIx64 ", low half %" PRIx32 " means %" PRIx64, cases[i].near,
		   cases[i].low,
		   cases[i].want);
	for (i = 0; good && i < 1000000 * scale(); i++) {
		near = next_number(&state) >> (next_number(&state) >> 58);
		if (i % 16 == 0)
			near = ~near;
		low = (uint32_t)(next_number(&state) >> 32);
		if (i % 4 == 0)
			low = (uint32_t)near + (uint32_t)(low % 5) - 2;
		good = (uint32_t)replay_expand(near, low) == low &&
		       distance(near, replay_expand(near, low)) == slow_expand_distance(near, low);
	}
	ok(good, "for a million random pairs it is the nearest number with that low half");
}

int main(void)
{
	test_column();
	test_old_mark();
	test_random();
	test_expand();
	return done();
}
