/* The laws of the extension chain, as columns of cases and by exhaustion of small chains. */
#include "net/proto/ext.h"
#include "t/tap.h"

#define MUST EXT_REFUSE_UNKNOWN
#define UNKNOWN 99
#define GOOD V_PASSED
#define BAD V_DROP_EXTENSION

static const struct {
	const char *title;
	uint8_t first;
	size_t n;
	uint8_t p[40];
	enum verdict want;
	size_t body;
} row[] = {
	{ "no extension: the body starts at once", 0, 4, { 1, 2, 3, 4 }, GOOD, 0 },
	{ "no extension and no body", 0, 0, { 0 }, GOOD, 0 },
	{ "padding of one unit", EXT_PADDING, 4, { 0, 1 }, GOOD, 4 },
	{ "padding of three units with a body behind it", EXT_PADDING, 16, { 0, 3 }, GOOD, 12 },
	{ "padding may say 'refuse if unknown': it is known",
	  EXT_PADDING | MUST, 4, { 0, 1 }, GOOD, 4 },
	{ "padding is not looked into", EXT_PADDING, 4, { 0, 1, 0xff, 0xff }, GOOD, 4 },
	{ "an unknown kind is skipped", UNKNOWN, 8, { 0, 2 }, GOOD, 8 },
	{ "an unknown kind that says 'refuse if unknown' is refused",
	  UNKNOWN | MUST, 8, { 0, 2 }, BAD, 0 },
	{ "kind zero with 'refuse if unknown' does not end the chain", MUST, 4, { 0, 1 }, BAD, 0 },
	{ "a kind reserved for later is skipped, whatever its length",
	  EXT_SPA, 4, { 0, 1 }, GOOD, 4 },
	{ "a kind reserved for later that must be known is refused",
	  EXT_SPA | MUST, 20, { 0, 5 }, BAD, 0 },
	{ "two kinds in a row", UNKNOWN, 8, { EXT_PADDING, 1, 0, 0, 0, 1 }, GOOD, 8 },
	{ "the bit is heeded in the middle of a chain",
	  EXT_PADDING, 8, { UNKNOWN | MUST, 1, 0, 0, 0, 1 },
	  BAD, 0 },
	{ "a kind twice is refused", EXT_PADDING, 8, { EXT_PADDING, 1, 0, 0, 0, 1 }, BAD, 0 },
	{ "an unknown kind twice is refused", UNKNOWN, 8, { UNKNOWN, 1, 0, 0, 0, 1 }, BAD, 0 },
	{ "the bit does not make it another kind",
	  EXT_PADDING, 8, { EXT_PADDING | MUST, 1, 0, 0, 0, 1 },
	  BAD, 0 },
	{ "a length of zero is refused", EXT_PADDING, 8, { 0, 0 }, BAD, 0 },
	{ "a length beyond the end is refused", EXT_PADDING, 8, { 0, 3 }, BAD, 0 },
	{ "the largest length is no way out", EXT_PADDING, 8, { 0, 255 }, BAD, 0 },
	{ "a chain announced but absent is refused", EXT_PADDING, 0, { 0 }, BAD, 0 },
	{ "half of an extension's head is refused", EXT_PADDING, 1, { 0 }, BAD, 0 },
	{ "a chain that does not end is refused", EXT_PADDING, 4, { UNKNOWN, 1 }, BAD, 0 },
	{ "eight extensions are walked",
	  50, 32, { 51, 1, 0, 0, 52, 1, 0, 0, 53, 1, 0, 0, 54, 1, 0, 0,
	  55, 1, 0, 0, 56, 1, 0, 0, 57, 1, 0, 0, 0, 1 }, GOOD, 32 },
	{ "nine are refused", 50, 36, { 51, 1, 0, 0, 52, 1, 0, 0, 53, 1, 0, 0, 54, 1, 0, 0,
	  55, 1, 0, 0, 56, 1, 0, 0, 57, 1, 0, 0, 58, 1, 0, 0, 0, 1 }, BAD, 0 },
	{ "a chain that comes back to an earlier kind is refused", 50, 12,
	  { 51, 1, 0, 0, 50, 1, 0, 0, 0, 1 }, BAD, 0 },
};

static enum verdict walk(uint8_t first, const uint8_t *p, size_t n, struct exts *x)
{
	uint8_t *copy = malloc(n ? n : 1);
	enum verdict v;

	if (n)
		memcpy(copy, p, n);
	v = ext_walk(first, copy, n, x);
	free(copy);
	return v;
}

static void cases(void)
{
	struct exts x;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		enum verdict v = walk(row[i].first, row[i].p, row[i].n, &x);

		ok(v == row[i].want && (v != GOOD || x.body == row[i].body), "%s", row[i].title);
	}
}

static void contents(void)
{
	static const uint8_t p[16] = { EXT_PADDING, 1, 9, 9, 0, 2, 7, 7, 7, 7, 7, 8 };
	struct exts x;

	ok(ext_walk(EXT_SPA, p, sizeof p, &x) == GOOD && x.padding.p == p + 6 && x.padding.n == 6,
	   "a known extension's octets are pointed at, without next and length");
	ok(x.spa.p == NULL && x.part.p == NULL,
	   "one reserved for later stays absent");
	ok(ext_walk(0, p, sizeof p, &x) == GOOD && x.padding.p == NULL && x.body == 0,
	   "nothing is left over from the walk before");
}

/* Every chain whose octets are 0..4 in the places that matter ends inside its bounds. */
static void small_chains(void)
{
	unsigned passed = 0, refused = 0, c;
	bool good = true;

	for (c = 0; c < 5u * 5 * 5 * 5 * 5 * 5 * 5; c++) {
		uint8_t p[12] = { 0 }, first = c % 5;
		unsigned rest = c / 5, at;
		struct exts x;
		size_t n;

		for (at = 0; at < 12; at += 4) {
			p[at] = rest % 5;
			p[at + 1] = rest / 5 % 5;
			rest /= 25;
		}
		for (n = 0; n <= sizeof p; n++) {
			enum verdict v = walk(first, p, n, &x);

			good &= v == BAD || (v == GOOD && x.body <= n && x.body % 4 == 0 &&
					     (x.body == 0) == (first == 0));
			passed += v == GOOD;
			refused += v == BAD;
		}
	}
	ok(good && passed && refused,
	   "every small chain is walked inside its bounds (%u good, %u bad)", passed, refused);
}

static void padding(void)
{
	static uint8_t out[EXT_SIZE_MAX + 8];
	bool good = true;
	struct exts x;
	size_t n;

	for (n = 0; n <= EXT_SIZE_MAX; n++) {
		size_t whole;

		memset(out, 0xa5, sizeof out);
		whole = ext_write_padding(out, sizeof out, 0, n);
		good &= whole >= n && whole < n + 5 && whole % 4 == 0 && out[whole] == 0xa5 &&
			ext_walk(EXT_PADDING, out, whole, &x) == GOOD && x.body == whole;
		good &= ext_write_padding(out, whole - 1, 0, n) == 0;
	}
	ok(good, "padding of every length is written, and walked again");
	ok(ext_write_padding(out, sizeof out, 0, EXT_SIZE_MAX + 1) == 0,
	   "padding beyond %d octets is not written", EXT_SIZE_MAX);
	n = ext_write_padding(out, sizeof out, UNKNOWN, 8);
	n += ext_write_padding(out + n, sizeof out - n, 0, 4);
	ok(ext_walk(EXT_PADDING, out, n, &x) == GOOD && x.body == 12,
	   "padding links to what follows it");
}

int main(void)
{
	cases();
	contents();
	small_chains();
	padding();
	return done();
}
