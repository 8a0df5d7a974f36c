/*
 * The wire law, held by tests that are themselves made from wire.def: a field added there is
 * tested here without another line.
 */
#include "net/proto/outbox.h"
#include "net/proto/verdict.h"
#include "net/proto/wire.h"
#include "t/tap.h"

#define ROUNDS (500 * scale())
#define BIG (2 * 65536)

enum how { EMPTY, RANDOM, FULL };

struct rng {
	uint64_t s;
};

static uint32_t rnd(struct rng *r, uint32_t below)
{
	r->s ^= r->s << 13;
	r->s ^= r->s >> 7;
	r->s ^= r->s << 17;
	return (uint32_t)(r->s >> 20) % below;
}

static void rnd_octets(struct rng *r, void *to, size_t n)
{
	uint8_t *p = to;

	while (n--)
		*p++ = (uint8_t)rnd(r, 256);
}

static size_t rnd_size(struct rng *r, enum how how, size_t max)
{
	if (how == RANDOM)
		return rnd(r, 4) ? rnd(r, (uint32_t)max + 1) : 0;
	return how == FULL ? max : 0;
}

static void rnd_name(struct rng *r, char *to, size_t n)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = i % 50 == 49 && i != n - 1 ? '.' : letters[rnd(r, 36)];
	to[n] = '\0';
}

/* What a blob may point to. */
static const uint8_t *pool(struct rng *r)
{
	static uint8_t octets[65536 + 256];

	if (!octets[0])
		for (size_t i = 0; i < sizeof octets; i++)
			octets[i] = (uint8_t)(1 + i * 7 + i / 251);
	return octets + rnd(r, 256);
}

#define STRUCT(name, text) \
	static void fill_##name(struct msg_##name *m, struct rng *r, enum how how) { \
		memset(m, 0, sizeof *m); \
		(void)r; \
		(void)how;
#define U8(name, text) m->name = (uint8_t)rnd(r, 256);
#define U16(name, text) m->name = (uint16_t)rnd(r, 65536);
#define U32(name, text) rnd_octets(r, &m->name, 4);
#define U64(name, text) rnd_octets(r, &m->name, 8);
#define RAW(name, octets, text) rnd_octets(r, m->name, octets);
#define IDF(name, text) rnd_octets(r, &m->name, 16);
#define NAME(name, text) rnd_name(r, m->name, rnd_size(r, how, NAME_MAX_LEN));
#define BLOB(name, max, text) \
	m->name.n = rnd_size(r, how, max); \
	m->name.p = m->name.n ? pool(r) : NULL;
#define LIST(name, part, max, text) \
	m->name##_n = (uint8_t)rnd_size(r, how, max); \
	for (unsigned i = 0; i < m->name##_n; i++) \
		fill_##part(&m->name[i], r, how);
#define END(name) }
#include "net/proto/wire.def"

#define SAME(field) (memcmp(&a->field, &b->field, sizeof a->field) == 0)
#define STRUCT(name, text) \
	static bool same_##name(const struct msg_##name *a, const struct msg_##name *b) { \
		bool good = true;
#define U8(name, text) good &= SAME(name);
#define U16(name, text) good &= SAME(name);
#define U32(name, text) good &= SAME(name);
#define U64(name, text) good &= SAME(name);
#define RAW(name, octets, text) good &= SAME(name);
#define IDF(name, text) good &= SAME(name);
#define NAME(name, text) good &= strcmp(a->name, b->name) == 0;
#define BLOB(name, max, text) \
	good &= a->name.n == b->name.n && (!a->name.n || !memcmp(a->name.p, b->name.p, a->name.n));
#define LIST(name, part, max, text) \
	good &= SAME(name##_n); \
	for (unsigned i = 0; good && i < a->name##_n; i++) \
		good &= same_##part(&a->name[i], &b->name[i]);
#define END(name) return good; }
#include "net/proto/wire.def"

/* An exact copy, so that the sanitizer sees a read beyond its end. */
static uint8_t *exact(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (n)
		memcpy(copy, p, n);
	return copy;
}

#define STRUCT(name, text) \
	static bool read_is_written_##name(const uint8_t *p, size_t n, bool *accepted) \
	{ \
		static uint8_t again[MSG_MAX_##name]; \
		uint8_t *q = exact(p, n); \
		struct msg_##name m; \
		long took = msg_read_##name(&m, q, n); \
		bool good = took <= (long)n; \
\
		if (took >= 0) \
			good &= msg_write_##name(again, sizeof again, &m) == (size_t)took && \
				memcmp(again, q, (size_t)took) == 0; \
		*accepted = took >= 0; \
		free(q); \
		return good; \
	} \
\
	static void round_trip_##name(struct rng *r) \
	{ \
		static struct msg_##name a, b; \
		static uint8_t out[MSG_MAX_##name + 1]; \
		bool good = true; \
\
		for (unsigned i = 0; i < ROUNDS; i++) { \
			size_t n; \
			uint8_t *p; \
\
			fill_##name(&a, r, i % 8 ? RANDOM : i % 16 ? EMPTY : FULL); \
			n = msg_write_##name(out, sizeof out, &a); \
			p = exact(out, n); \
			good &= n > 0 && msg_read_##name(&b, p, n) == (long)n && \
				same_##name(&a, &b); \
			free(p); \
		} \
		ok(good, "%s: every field survives the round trip", #name); \
	} \
\
	static void sizes_##name(struct rng *r) \
	{ \
		static struct msg_##name m; \
		static uint8_t out[MSG_MAX_##name]; \
		bool good = true; \
\
		fill_##name(&m, r, EMPTY); \
		good &= msg_write_##name(out, sizeof out, &m) == MSG_MIN_##name; \
		fill_##name(&m, r, FULL); \
		good &= msg_write_##name(out, sizeof out, &m) == MSG_MAX_##name; \
		ok(good, "%s: takes %d octets when empty and %d when full", #name, \
		   MSG_MIN_##name, MSG_MAX_##name); \
	} \
\
	static void truncations_##name(struct rng *r) \
	{ \
		static struct msg_##name m, got; \
		static uint8_t out[MSG_MAX_##name], small[MSG_MAX_##name + 1]; \
		bool good = true; \
\
		for (enum how how = EMPTY; how <= FULL; how++) { \
			size_t n, cut; \
\
			fill_##name(&m, r, how); \
			n = msg_write_##name(out, sizeof out, &m); \
			for (cut = 0; cut < n; cut++) { \
				uint8_t *p = exact(out, cut); \
\
				small[cut] = 0xa5; \
				good &= msg_read_##name(&got, p, cut) == -1 && \
					msg_write_##name(small, cut, &m) == 0 && \
					small[cut] == 0xa5; \
				free(p); \
			} \
		} \
		ok(good, "%s: every truncation is refused, and no smaller room written to", \
		   #name); \
	} \
\
	static void flips_##name(struct rng *r) \
	{ \
		static struct msg_##name m; \
		static uint8_t out[MSG_MAX_##name]; \
		bool good = true, accepted; \
		size_t n, i; \
\
		fill_##name(&m, r, RANDOM); \
		n = msg_write_##name(out, sizeof out, &m); \
		for (i = 0; i < n; i++) { \
			uint8_t flip = (uint8_t)(1 + rnd(r, 255)); \
\
			out[i] ^= flip; \
			good &= read_is_written_##name(out, n, &accepted); \
			out[i] ^= flip; \
		} \
		ok(good, "%s: no octet is ignored, and no message has two forms", #name); \
	} \
\
	static void garbage_##name(struct rng *r) \
	{ \
		uint8_t p[3000]; \
		unsigned taken = 0; \
		bool good = true, accepted; \
\
		for (unsigned i = 0; i < 10 * ROUNDS; i++) { \
			size_t n = rnd(r, sizeof p + 1); \
\
			rnd_octets(r, p, MIN(n, 128)); \
			memset(p + 128, rnd(r, 3), sizeof p - 128); \
			good &= read_is_written_##name(p, n, &accepted); \
			taken += accepted; \
		} \
		ok(good, "%s: random octets are refused or understood (%u of %u)", #name, taken, \
		   10 * ROUNDS); \
	}
#define END(name)
#include "net/proto/wire.def"

/*
 * One field at a time goes one step over its limit, in the struct and then on the wire, with
 * octets enough behind it; the message is good before and after.  at: where the field lies
 * when everything before it is full.
 */
#define STRUCT(struct_name, text) \
	static void limits_##struct_name(struct rng *r, uint8_t *out) { \
		static struct msg_##struct_name msg, got, *m = &msg; \
		size_t (*write)(uint8_t *, size_t, const struct msg_##struct_name *) = \
			msg_write_##struct_name; \
		long (*read)(struct msg_##struct_name *, const uint8_t *, size_t) = \
			msg_read_##struct_name; \
		const char *in = #struct_name; \
		size_t at = 0; \
\
		memset(out, 'a', BIG); \
		fill_##struct_name(m, r, FULL);
#define U8(name, text) at += 1;
#define U16(name, text) at += 2;
#define U32(name, text) at += 4;
#define U64(name, text) at += 8;
#define RAW(name, octets, text) at += octets;
#define IDF(name, text) at += 16;
#define NAME(name, text) \
		strcpy(m->name, "Upper.example"); \
		ok(!write(out, BIG, m), "%s: %s in upper case is not written", in, #name); \
		memset(m->name, 'a', sizeof m->name); \
		ok(!write(out, BIG, m), "%s: %s without an end is not written", in, #name); \
		rnd_name(r, m->name, NAME_MAX_LEN); \
		write(out, BIG, m); \
		out[at + 2] = 'A'; \
		ok(read(&got, out, BIG) == -1, "%s: %s in upper case is refused", in, #name); \
		at += 2 + NAME_MAX_LEN;
#define BLOB(name, max, text) \
		m->name.n = max + 1; \
		ok(!write(out, BIG, m), "%s: %s beyond %d octets is not written", in, #name, max); \
		m->name.n = 65536; \
		ok(!write(out, BIG, m), "%s: %s of 65536 octets is not written", in, #name); \
		m->name.n = max; \
		write(out, BIG, m); \
		put16(out + at, max + 1); \
		ok(read(&got, out, BIG) == -1, "%s: %s beyond %d octets is refused", in, #name, \
		   max); \
		at += 2 + max;
#define LIST(name, part, max, text) \
		m->name##_n = max + 1; \
		ok(!write(out, BIG, m), "%s: %s beyond %d entries is not written", in, #name, \
		   max); \
		m->name##_n = max; \
		write(out, BIG, m); \
		out[at] = max + 1; \
		ok(read(&got, out, BIG) == -1, "%s: %s beyond %d entries is refused", in, #name, \
		   max); \
		at += 1 + max * MSG_MAX_##part;
#define END(struct_name) \
		at = at == MSG_MAX_##struct_name && write(out, BIG, m) == at ? at : 0; \
		ok(at && read(&got, out, BIG) == (long)at, "%s: at its limits it is good", in); \
	}
#include "net/proto/wire.def"

static void derived(struct rng *r)
{
	uint8_t *out = malloc(BIG);

#define STRUCT(name, text) \
	round_trip_##name(r); \
	sizes_##name(r); \
	truncations_##name(r); \
	flips_##name(r); \
	garbage_##name(r); \
	limits_##name(r, out);
#define END(name)
#include "net/proto/wire.def"
	free(out);
}

/* ---- what must hold of the law itself ---- */

static void header_is_as_published(void)
{
	static const uint8_t want[HEADER_SIZE] = {
		0x01, 0x02, 0x03, 0x04, 4, 0xe8, 24, 7, 0x11, 0x12, 0x13, 0x14, 0x05, 0x06, 9, 10,
		0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
		0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
	};
	struct msg_header h = {
		.transaction = 0x01020304, .version = 4, .flags = 0xe8, .type = TYPE_CAPSULE,
		.count = 7, .sequence = 0x11121314, .length = 0x0506, .next = 9, .token = 10,
	};
	uint8_t got[HEADER_SIZE];

	memcpy(h.id.b, want + 16, 16);
	ok(msg_write_header(got, sizeof got, &h) == HEADER_SIZE && !memcmp(got, want, sizeof want),
	   "the base header has the published order, the token at octet 15, the ID at 16");
}

static void names_on_the_wire(void)
{
	static const struct {
		const char *text;
		size_t n;
		bool good;
		const char *title;
	} row[] = {
		{ "", 0, true, "an empty name is read" },
		{ "a.example", 9, true, "a canonical name is read" },
		{ "A.example", 9, false, "a name in upper case is refused" },
		{ "a.example.", 10, false, "a name with a trailing dot is refused" },
		{ "a..example", 10, false, "a name with an empty label is refused" },
		{ "a\0example", 9, false, "a name with a zero octet is refused" },
		{ "a.example\0", 10, false, "a name with a zero octet at its end is refused" },
		{ "a_b", 3, false, "a name with a forbidden character is refused" },
	};
	uint8_t p[MSG_MIN_node_info_response + 300] = { 0 };
	struct msg_node_info_response m;
	size_t at = MSG_MIN_node_info_response, i;
	long took;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		put16(p + at - 2, (uint16_t)row[i].n);
		memcpy(p + at, row[i].text, row[i].n);
		took = msg_read_node_info_response(&m, p, sizeof p);
		ok(took == (row[i].good ? (long)(at + row[i].n) : -1), "%s", row[i].title);
	}
	memset(p + at, 'a', 254);
	p[at + 60] = p[at + 120] = p[at + 180] = p[at + 240] = '.';
	put16(p + at - 2, 253);
	ok(msg_read_node_info_response(&m, p, sizeof p) > 0, "a name of 253 octets is read");
	put16(p + at - 2, 254);
	ok(msg_read_node_info_response(&m, p, sizeof p) == -1, "a name of 254 octets is refused");
}

static void datagrams_fit(void)
{
#define STRUCT(name, text) \
	if (strncmp(#name, "login_", 6) != 0) \
		ok(MSG_MAX_##name + MESSAGE_MIN <= DATAGRAM_MAX, \
		   "%s: a full one makes a datagram of %d octets, at most %d", #name, \
		   (int)MSG_MAX_##name + MESSAGE_MIN, DATAGRAM_MAX);
#define END(name)
#include "net/proto/wire.def"
	ok(HEADER_SIZE + MSG_MAX_login_response <= UINT16_MAX &&
	   HEADER_SIZE + MSG_MAX_login_request <= UINT16_MAX,
	   "a full login (%d, %d octets) fits the length field", MSG_MAX_login_request,
	   MSG_MAX_login_response);
}

static void answers_are_no_longer(void)
{
	ok(MSG_MAX_registration_response <= (int)MSG_MIN_registration_request,
	   "a Registration Response is no longer than the shortest request");
	ok(MSG_MAX_keep_alive_ack <= (int)MSG_MIN_keep_alive,
	   "a Keep Alive ACK is no longer than the Keep Alive");
	ok(MSG_MAX_node_info_response <= (int)MSG_MIN_direction_request,
	   "a Node Info Response with a name of 253 octets is no longer than any request");
	ok(MSG_MAX_refusal <= (int)MSG_MIN_keep_alive &&
	   MSG_MAX_refusal <= (int)MSG_MIN_route_confirmation,
	   "a Refusal is no longer than the shortest message it may answer");
}

static bool row_good(const char *name, const char *text)
{
	return strcmp(name, "unknown") && strcmp(text, "unknown") && *name && *text;
}

static void numbers_have_names(void)
{
	unsigned known = 0, used = 0, i;
	bool good = true;

	for (i = 0; i < 256; i++) {
		uint8_t t = (uint8_t)i;

		known += type_known(t);
		used += type_used(t);
		good &= type_known(t) == row_good(type_name(t), type_text(t));
		good &= type_known(t) || (!type_used(t) && type_key(t) == KEY_NONE);
	}
	ok(good, "a type has a name if and only if it is known (%u known, %u used)", known, used);
	ok(type_key(TYPE_LOGIN_REQUEST) == KEY_TLS && type_key(TYPE_KEEP_ALIVE) == KEY_COMMON &&
	   type_key(TYPE_TUNNEL_REQUEST) == KEY_TUNNEL && type_key(TYPE_CAPSULE) == KEY_DATA,
	   "a type tells the key that protects it");
	ok(!strcmp(reason_name(0), "ok") && !strcmp(reason_name(REASON_BUSY), "busy") &&
	   row_good(reason_name(REASON_ITSELF), reason_text(REASON_ITSELF)) &&
	   !strcmp(reason_name(65535), "unknown"), "reasons have names, unknown ones too");
	for (good = true, i = 0; i < V_COUNT; i++)
		good &= *verdict_name((enum verdict)i) && *verdict_text((enum verdict)i);
	ok(good && !strcmp(verdict_name(V_PASSED), "passed") &&
	   !strcmp(verdict_name(V_DROP_REPLAY), "drop_replay"), "verdicts have names");
}

int main(void)
{
	const char *seed = getenv("SEED");
	struct rng r = { seed ? strtoull(seed, NULL, 0) | 1 : 0x9e3779b97f4a7c15 };

	diag("seed %#" PRIx64, r.s);
	header_is_as_published();
	names_on_the_wire();
	derived(&r);
	datagrams_fit();
	answers_are_no_longer();
	numbers_have_names();
	return done();
}
