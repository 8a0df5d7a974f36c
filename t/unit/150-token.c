/* 150-token.c - the packet token: the vector's permutations, and who is let through when. */
#include "t/tap.h"
#include "t/unit/hex.h"
#include "t/unit/vectors.h"
#include "crypto/token.h"

#define EPOCH_MS (256 * TOKEN_SLOT_MS)

static void load(struct tokens *t)
{
	struct secret_common_value scv;

	unhex(scv.b, sizeof scv.b, V_SCV);
	tokens_init(t, &scv);
}

static bool epoch_is(struct tokens *t, uint64_t epoch, const char *want)
{
	uint8_t got[256];
	unsigned i;

	for (i = 0; i < 256; i++)
		got[i] = tokens_at(t, epoch * EPOCH_MS + i * TOKEN_SLOT_MS);
	return is_hex(got, sizeof got, want);
}

static void test_vectors(void)
{
	struct tokens t, forth, back;

	load(&t);
	ok(epoch_is(&t, V_TOKENS_A_EPOCH, V_TOKENS_A), "an epoch's tokens are the vector's");
	ok(epoch_is(&t, V_TOKENS_A_EPOCH + 1, V_TOKENS_B), "so are the next epoch's");
	ok(epoch_is(&t, 0, V_TOKENS_0) && epoch_is(&t, 1, V_TOKENS_1),
	   "and the first two of all, after the clock went far back");
	load(&forth);
	load(&back);
	ok(epoch_is(&forth, V_TOKENS_A_EPOCH, V_TOKENS_A) &&
	   epoch_is(&forth, V_TOKENS_A_EPOCH + 1, V_TOKENS_B) &&
	   epoch_is(&back, V_TOKENS_A_EPOCH + 1, V_TOKENS_B) &&
	   epoch_is(&back, V_TOKENS_A_EPOCH, V_TOKENS_A),
	   "in whatever order they are asked for");
}

static void test_slots(void)
{
	struct tokens t;
	uint64_t start = (uint64_t)V_TOKENS_A_EPOCH * EPOCH_MS;

	load(&t);
	ok(tokens_at(&t, start) == tokens_at(&t, start + TOKEN_SLOT_MS - 1),
	   "a token lasts to the last millisecond of its slot");
	ok(tokens_at(&t, start) != tokens_at(&t, start + TOKEN_SLOT_MS), "and then changes");
}

/* Offsets of sender against receiver, in slots, around every slot of an epoch and its edges. */
static bool valid_everywhere(struct tokens *t, int slots, bool want)
{
	uint64_t first = (uint64_t)V_TOKENS_A_EPOCH * 256 - 20, slot;

	for (slot = first; slot < first + 300; slot++) {
		uint8_t token = tokens_at(t, (slot + (uint64_t)slots) * TOKEN_SLOT_MS + 17);

		if (tokens_valid(t, slot * TOKEN_SLOT_MS + 201, token) != want)
			return false;
	}
	return true;
}

static void test_valid(void)
{
	static const struct { int slots; bool valid; const char *who; } cases[] = {
		{ 0, true, "sent this moment" }, { -1, true, "of the slot before" },
		{ -5, true, "1.25 s old" }, { -6, false, "1.5 s old" }, { -7, false, "1.75 s old" },
		{ 1, true, "of a clock 0.25 s ahead" }, { 2, false, "of a clock 0.5 s ahead" },
	};
	struct tokens t;
	size_t i;

	load(&t);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		ok(valid_everywhere(&t, cases[i].slots, cases[i].valid),
		   "a token %s is %s, at epochs' ends too",
		   cases[i].who, cases[i].valid ? "let through" : "stopped");
}

static void test_odds(void)
{
	uint64_t start = (uint64_t)V_TOKENS_A_EPOCH * EPOCH_MS, i;
	unsigned v, valid, least = 256, most = 0;
	struct tokens t;

	load(&t);
	for (i = 0; i < 2 * 256; i++) {
		for (valid = v = 0; v < 256; v++)
			valid += tokens_valid(&t, start + i * TOKEN_SLOT_MS, (uint8_t)v);
		least = MIN(least, valid);
		most = MAX(most, valid);
	}
	ok(least == 7 && most == 7, "exactly 7 of 256 values are let through at any moment");
	for (valid = v = 0; v < 256; v++)
		valid += tokens_valid(&t, 0, (uint8_t)v);
	ok(valid == 2, "at cloud time zero, which has no past, 2 are");
}

static void test_edges(void)
{
	struct secret_common_value scv;
	struct tokens t;
	unsigned rounds = 200 * scale(), shared = 0;
	uint64_t epoch, i, j;
	uint8_t run[16];

	random_bytes(scv.b, sizeof scv.b);
	tokens_init(&t, &scv);
	for (epoch = 1; epoch <= rounds; epoch++) {
		for (i = 0; i < 16; i++)
			run[i] = tokens_at(&t, epoch * EPOCH_MS + (i - 8) * TOKEN_SLOT_MS);
		for (i = 0; i < 8; i++)
			for (j = 8; j < 16; j++)
				shared += run[i] == run[j];
	}
	ok(shared == 0,
	   "over %u ends of epochs the last 8 and the next 8 tokens have none in common",
	   rounds);
}

static void test_other_secret(void)
{
	struct secret_common_value scv;
	struct tokens a, b;
	unsigned i, same = 0;

	load(&a);
	unhex(scv.b, sizeof scv.b, V_SCV);
	scv.b[15] ^= 1;
	tokens_init(&b, &scv);
	for (i = 0; i < 256; i++)
		same += tokens_at(&a, i * TOKEN_SLOT_MS) == tokens_at(&b, i * TOKEN_SLOT_MS);
	ok(same < 16, "another SecretCommonValue has other tokens (%u of 256 alike by chance)",
	   same);
}

int main(void)
{
	test_vectors();
	test_slots();
	test_valid();
	test_odds();
	test_edges();
	test_other_secret();
	return done();
}
