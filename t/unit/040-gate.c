/* The front door: the order of its checks, and every octet that may stop a datagram. */
#include "net/proto/gate.h"
#include "t/tap.h"

#define LENGTH 100	/* octets of the datagram every case starts from */

static const uint8_t *good_datagram(uint8_t p[LENGTH], uint8_t type)
{
	struct msg_header h = {
		.transaction = 7, .version = PROTO_VERSION, .type = type, .sequence = 9,
		.length = LENGTH, .token = 0x5a, .id = { { 1, 2, 3, [15] = 16 } },
	};

	memset(p, 0, LENGTH);
	msg_write_header(p, LENGTH, &h);
	return p;
}

enum at { VERSION = 4, FLAGS, COUNT = 7, SIZE = 12, NEXT = 14, TOKEN, CHAIN = HEADER_SIZE };

static const struct {
	const char *title;
	uint8_t type;
	struct { enum at at; uint8_t value; } set[3];
	enum verdict want;
} row[] = {
	{ "a capsule passes", TYPE_CAPSULE, { { 0 } }, V_PASSED },
	{ "signalling passes", TYPE_KEEP_ALIVE, { { 0 } }, V_PASSED },
	{ "the token is not judged here", TYPE_KEEP_ALIVE, { { TOKEN, 0 } }, V_PASSED },
	{ "a length field that disagrees is drop_short",
	  TYPE_CAPSULE, { { SIZE + 1, 99 } }, V_DROP_SHORT },
	{ "another version is drop_version", TYPE_CAPSULE, { { VERSION, 3 } }, V_DROP_VERSION },
	{ "an unknown type is drop_type", 200, { { 0 } }, V_DROP_TYPE },
	{ "a login outside TLS is drop_type", TYPE_LOGIN_REQUEST, { { 0 } }, V_DROP_TYPE },
	{ "a reserved type is drop_reserved", TYPE_MULTICAST_REQUEST, { { 0 } }, V_DROP_RESERVED },
	{ "a capsule may carry direction and generation", TYPE_CAPSULE,
	  { { FLAGS, FLAG_DIRECTION | FLAG_GENERATION } }, V_PASSED },
	{ "a control capsule passes", TYPE_CAPSULE, { { FLAGS, FLAG_CONTROL } }, V_PASSED },
	{ "an unassigned flag of a capsule is drop_flag",
	  TYPE_CAPSULE, { { FLAGS, 0x01 } }, V_DROP_FLAG },
	{ "a flag in signalling is drop_flag",
	  TYPE_KEEP_ALIVE, { { FLAGS, FLAG_DIRECTION } }, V_DROP_FLAG },
	{ "but Hole Punching may say which end it is of",
	  TYPE_HOLE_PUNCHING, { { FLAGS, FLAG_DIRECTION } }, V_PASSED },
	{ "a capsule may bundle packets", TYPE_CAPSULE, { { COUNT, 255 } }, V_PASSED },
	{ "a control capsule does not bundle",
	  TYPE_CAPSULE, { { COUNT, 1 }, { FLAGS, FLAG_CONTROL } },
	  V_DROP_FLAG },
	{ "signalling does not bundle", TYPE_KEEP_ALIVE, { { COUNT, 1 } }, V_DROP_FLAG },
	{ "an extension is walked",
	  TYPE_KEEP_ALIVE, { { NEXT, EXT_PADDING }, { CHAIN + 1, 5 } }, V_PASSED },
	{ "an extension may fill all before the tag",
	  TYPE_CAPSULE, { { NEXT, EXT_PADDING }, { CHAIN + 1, 13 } },
	  V_PASSED },
	{ "but not reach into the tag", TYPE_CAPSULE, { { NEXT, EXT_PADDING }, { CHAIN + 1, 14 } },
	  V_DROP_EXTENSION },
	{ "an unknown extension that must be known is drop_extension", TYPE_CAPSULE,
	  { { NEXT, 0x80 | 99 }, { CHAIN + 1, 1 } }, V_DROP_EXTENSION },
	{ "length is judged before version",
	  TYPE_CAPSULE, { { SIZE, 9 }, { VERSION, 1 } }, V_DROP_SHORT },
	{ "version before type", 200, { { VERSION, 1 } }, V_DROP_VERSION },
	{ "type before flags", TYPE_NOTHING, { { FLAGS, 0xff } }, V_DROP_RESERVED },
	{ "flags before extensions",
	  TYPE_CAPSULE, { { FLAGS, 0xff }, { NEXT, 0x80 | 99 } }, V_DROP_FLAG },
};

static enum verdict check(const uint8_t *p, size_t n, struct msg_header *h, struct exts *x)
{
	uint8_t *copy = malloc(n ? n : 1);
	enum verdict v;

	if (n)
		memcpy(copy, p, n);
	v = gate_check(copy, n, h, x);
	free(copy);
	return v;
}

static void cases(void)
{
	uint8_t p[LENGTH];
	struct msg_header h;
	struct exts x;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		good_datagram(p, row[i].type);
		for (k = 0; k < ARRAY_SIZE(row[i].set); k++)
			if (row[i].set[k].at)
				p[row[i].set[k].at] = row[i].set[k].value;
		ok(check(p, sizeof p, &h, &x) == row[i].want, "%s", row[i].title);
	}
}

static void lengths(void)
{
	uint8_t p[LENGTH];
	struct msg_header h;
	struct exts x;
	bool good = true;
	size_t n;

	good_datagram(p, TYPE_CAPSULE);
	for (n = 0; n < LENGTH; n++)
		good &= check(p, n, &h, &x) == V_DROP_SHORT;
	ok(good, "every truncation is drop_short");
	for (good = true, n = 0; n <= LENGTH; n++) {
		put16(p + SIZE, (uint16_t)n);
		good &= check(p, n, &h, &x) == (n < MESSAGE_MIN ? V_DROP_SHORT : V_PASSED);
	}
	ok(good, "%d octets, header and tag, are the least that passes", MESSAGE_MIN);
}

static void what_is_handed_on(void)
{
	uint8_t p[LENGTH];
	struct msg_header h;
	struct exts x;

	good_datagram(p, TYPE_REGISTRATION_REQUEST);
	p[NEXT] = EXT_PADDING;
	p[CHAIN + 1] = 2;
	ok(gate_check(p, sizeof p, &h, &x) == V_PASSED && h.transaction == 7 && h.sequence == 9 &&
	   h.type == TYPE_REGISTRATION_REQUEST && h.length == LENGTH && h.token == 0x5a,
	   "a datagram that passes hands on its header in host order");
	ok(x.body == 8 && x.padding.p == p + CHAIN + 2, "and where its body starts");
	ok(id_equal(gate_id(p), &h.id) && gate_id(p)->b[0] == 1 && gate_id(p)->b[15] == 16,
	   "the ID can be had without the rest");
}

/* All values of the octets that say what a datagram is. */
static void every_kind(void)
{
	unsigned type, flags;
	uint8_t p[LENGTH];
	struct msg_header h;
	struct exts x;
	bool good = true;

	for (type = 0; type < 256; type++)
		for (flags = 0; flags < 256; flags++) {
			uint8_t t = (uint8_t)type;
			uint8_t zero = t == 24 ? 0x17 : t == 2 || t == 21 ? 0x7f : 0xff;
			enum verdict want = flags & zero ? V_DROP_FLAG : V_PASSED;

			if (!type_known(t) || type_key(t) == KEY_TLS)
				want = V_DROP_TYPE;
			else if (!type_used(t))
				want = V_DROP_RESERVED;
			good_datagram(p, t);
			p[FLAGS] = (uint8_t)flags;
			good &= gate_check(p, sizeof p, &h, &x) == want;
		}
	ok(good, "all 65,536 pairs of type and flags end as the manual says");
}

static void garbage(void)
{
	uint64_t s = 0x2545f4914f6cdd1d;
	unsigned count[V_COUNT + 1] = { 0 }, i;
	uint8_t p[LENGTH];
	struct msg_header h;
	struct exts x;
	bool good = true;

	for (i = 0; i < 200000 * scale(); i++) {
		enum verdict v;
		unsigned k;

		good_datagram(p, TYPE_CAPSULE);
		for (k = 0; k < 1 + i % 6; k++) {
			s = s * 6364136223846793005 + 1442695040888963407;
			p[(s >> 40) % (k % 2 ? LENGTH : CHAIN + 4)] = (uint8_t)(s >> 56);
		}
		v = check(p, sizeof p, &h, &x);
		count[v]++;
		good &= v != V_PASSED || x.body <= LENGTH - MESSAGE_MIN;
	}
	ok(good && count[V_PASSED] && count[V_DROP_EXTENSION] && count[V_DROP_FLAG],
	   "damaged headers end in a verdict (%u of %u pass)", count[V_PASSED], i);
}

int main(void)
{
	cases();
	lengths();
	what_is_handed_on();
	every_kind();
	garbage();
	return done();
}
