/* ext.c - the laws of the extension chain, all in one walk. */
#include "net/proto/ext.h"

struct ext_law {
	bool used;
	uint16_t octets;	/* whole extension; 0: any */
	uint16_t member;	/* where in struct exts its octets go */
};

static const struct ext_law *ext_law(uint8_t kind)
{
	enum { LATER, USED };
	static const struct ext_law law[128] = {
#define EXT(number, NAME_, name, state, octets, text) \
		[number] = { state, octets, offsetof(struct exts, name) },
#include "net/proto/wire.def"
	};

	return &law[kind];
}

/* One extension whose bounds are already known to be good. */
static bool ext_take(uint8_t next, const uint8_t *p, size_t n, struct exts *out)
{
	const struct ext_law *law = ext_law(next & ~EXT_REFUSE_UNKNOWN);
	struct bytes data = { p + 2, n - 2 };

	if (!law->used)
		return !(next & EXT_REFUSE_UNKNOWN);
	if (law->octets && law->octets != n)
		return false;
	memcpy((uint8_t *)out + law->member, &data, sizeof data);
	return true;
}

enum verdict ext_walk(uint8_t first, const uint8_t *p, size_t n, struct exts *out)
{
	uint64_t seen[2] = { 0 };
	uint8_t next = first;
	unsigned links = 0;
	size_t at = 0;

	memset(out, 0, sizeof *out);
	while (next) {
		unsigned kind = next & ~EXT_REFUSE_UNKNOWN;
		size_t len;

		if (++links > EXT_CHAIN_MAX || seen[kind / 64] >> kind % 64 & 1 || n - at < 2)
			return V_DROP_EXTENSION;
		seen[kind / 64] |= (uint64_t)1 << kind % 64;
		len = (size_t)p[at + 1] * 4;
		if (len == 0 || len > n - at || !ext_take(next, p + at, len, out))
			return V_DROP_EXTENSION;
		next = p[at];
		at += len;
	}
	out->body = at;
	return V_PASSED;
}

size_t ext_write_padding(uint8_t *out, size_t cap, uint8_t next, size_t octets)
{
	size_t whole = MAX((octets + 3) & ~(size_t)3, 4);

	if (octets > EXT_SIZE_MAX || whole > cap)
		return 0;
	memset(out, 0, whole);
	out[0] = next;
	out[1] = (uint8_t)(whole / 4);
	return whole;
}
