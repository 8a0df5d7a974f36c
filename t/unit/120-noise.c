/* 120-noise.c - the key exchange against a public transcript, our own, and meddlers. */
#include "t/tap.h"
#include "t/unit/hex.h"
#include "t/unit/vectors.h"
#include "crypto/noise.h"

/* ---- the public vector: Noise_KKpsk0_25519_AESGCM_SHA256 in cacophony.txt ---- */

#define PUB_PROLOGUE "4a6f686e2047616c74"
#define PUB_PSK "54686973206973206d7920417573747269616e20706572737065637469766521"
#define PUB_S_I "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1"
#define PUB_E_I "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a"
#define PUB_S_R "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893"
#define PUB_E_R "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b"
#define PUB_S_I_PUBLIC "6bc3822a2aa7f4e6981d6538692b3cdf3e6df9eea6ed269eb41d93c22757b75a"
#define PUB_S_R_PUBLIC "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62"
#define PUB_HASH "574508da75f9e5a1c25707190adc49e63c754ec27a4183d9e6acc312e076613a"

static const char *const public_messages[][2] = {
	{ "4c756477696720766f6e204d69736573",
	  "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
	  "1f33bde990995eea7167375d6b68e2a7fa07887dd4f0f21023317d7b04fb0a67" },
	{ "4d757272617920526f746862617264",
	  "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
	  "e3502578269a63176a4e59632b20df3393996180e261048266e49c0c0d9240" },
	{ "462e20412e20486179656b", "a08f4d4f142f605e9b30daa66784552576b30265889139b97f15cf" },
	{ "4361726c204d656e676572", "5871e43af881754e8ba7def42a69c23bfc9f7d47c3c1009f8ed986" },
	{ "4a65616e2d426170746973746520536179",
	  "9e20a696864cb0e321197abcd721538c2155073c14313c3fa243a65fef13eb0e79" },
	{ "457567656e2042f6686d20766f6e2042617765726b",
	  "c4fa90a3f3e7524bdf5dce131ad0b67a0fa1eedd30f717a42596bef8f53d369b5dc94ce508" },
};

struct parties {
	uint8_t s_i[32], s_r[32], pub_i[32], pub_r[32], psk[32], prologue[256];
	size_t prologue_len;
	struct noise i, r;
};

static void parties_start(struct parties *p)
{
	noise_init(&p->i, true, p->prologue, p->prologue_len, p->s_i, p->pub_i, p->pub_r, p->psk);
	noise_init(&p->r, false, p->prologue, p->prologue_len, p->s_r, p->pub_r, p->pub_i, p->psk);
}

static void parties_load(struct parties *p, const char *s_i, const char *s_r, const char *psk,
			 const char *prologue)
{
	memset(p, 0, sizeof *p);
	unhex(p->s_i, 32, s_i);
	unhex(p->s_r, 32, s_r);
	unhex(p->psk, 32, psk);
	p->prologue_len = unhex(p->prologue, sizeof p->prologue, prologue);
	x25519_public(p->pub_i, p->s_i);
	x25519_public(p->pub_r, p->s_r);
	parties_start(p);
}

static void fix_ephemeral(struct noise *x, const char *e)
{
	unhex(x->e_priv, 32, e);
	x25519_public(x->e_pub, x->e_priv);
	x->e_fixed = true;
}

/* One message from a to b: what was sent is `want`, what came out is `payload`. */
static bool message_is(struct noise *a, struct noise *b, const char *payload, const char *want)
{
	uint8_t in[64], wire[64 + NOISE_OVERHEAD], out[64];
	size_t n = unhex(in, sizeof in, payload);

	return noise_write(a, wire, in, n) && is_hex(wire, n + NOISE_OVERHEAD, want) &&
	       noise_read(b, out, wire, n + NOISE_OVERHEAD) && memcmp(in, out, n) == 0;
}

static bool transport_is(const uint8_t key[32], uint64_t number, const char *payload,
			 const char *want)
{
	uint8_t nonce[AEAD_NONCE] = { 0 }, buf[64];
	size_t n = unhex(buf, sizeof buf, payload);
	struct aead a;

	put64(nonce + 4, number);
	aead_init(&a, AEAD_AES256_GCM, key);
	aead_seal(&a, buf, nonce, buf, n, NULL, 0);
	aead_free(&a);
	return is_hex(buf, n + AEAD_TAG, want);
}

static void test_public_vector(void)
{
	struct parties p;
	uint8_t keys[2][32], other[2][32], exp[2][32];
	int i;

	parties_load(&p, PUB_S_I, PUB_S_R, PUB_PSK, PUB_PROLOGUE);
	ok(is_hex(p.pub_i, 32, PUB_S_I_PUBLIC) && is_hex(p.pub_r, 32, PUB_S_R_PUBLIC),
	   "public vector: the static public keys");
	fix_ephemeral(&p.i, PUB_E_I);
	fix_ephemeral(&p.r, PUB_E_R);
	ok(message_is(&p.i, &p.r, public_messages[0][0], public_messages[0][1]),
	   "public vector: message 1 as published, and it is understood");
	ok(message_is(&p.r, &p.i, public_messages[1][0], public_messages[1][1]),
	   "public vector: message 2 as published, and it is understood");
	ok(is_hex(p.i.h, 32, PUB_HASH) && is_hex(p.r.h, 32, PUB_HASH),
	   "public vector: both sides hold the published handshake hash");
	noise_split(&p.i, keys[0], keys[1], exp[0]);
	noise_split(&p.r, other[0], other[1], exp[1]);
	ok(memcmp(keys, other, sizeof keys) == 0 && memcmp(exp[0], exp[1], 32) == 0,
	   "public vector: both sides hold the same secrets");
	for (i = 0; i < 4; i++)
		ok(transport_is(keys[i % 2], (uint64_t)i / 2, public_messages[2 + i][0],
				public_messages[2 + i][1]), "public vector: transport message %d",
				i + 1);
}

/* ---- our own transcript, with the prologue of the protocol ---- */

static void test_own_vector(void)
{
	static const struct noise zero;
	struct parties p;
	uint8_t i2r[32], r2i[32], exp[32];

	parties_load(&p, V_S_I, V_S_R, V_PSK, V_PROLOGUE);
	fix_ephemeral(&p.i, V_E_I);
	fix_ephemeral(&p.r, V_E_R);
	ok(message_is(&p.i, &p.r, V_PAYLOAD_1, V_MESSAGE_1), "our prologue and psk: message 1");
	ok(message_is(&p.r, &p.i, V_PAYLOAD_2, V_MESSAGE_2), "our prologue and psk: message 2");
	ok(is_hex(p.i.h, 32, V_HANDSHAKE_HASH), "our prologue and psk: handshake hash");
	noise_split(&p.i, i2r, r2i, exp);
	ok(is_hex(i2r, 32, V_T_I2R) && is_hex(r2i, 32, V_T_R2I),
	   "our prologue and psk: data secrets");
	ok(is_hex(exp, 32, V_EXPORTER), "our prologue and psk: exporter");
	ok(memcmp(&p.i, &zero, sizeof zero) == 0,
	   "after the split nothing of the exchange is left");
}

/* ---- fresh keys, and what must not work ---- */

static void parties_random(struct parties *p)
{
	memset(p, 0, sizeof *p);
	x25519_make(p->pub_i, p->s_i);
	x25519_make(p->pub_r, p->s_r);
	random_bytes(p->psk, 32);
	p->prologue_len = 20;
	parties_start(p);
}

static void test_fresh(void)
{
	uint8_t wire[NOISE_OVERHEAD + 16], again[sizeof wire], payload[16] = "hello", out[16];
	struct parties p;

	parties_random(&p);
	ok(noise_write(&p.i, wire, payload, 16) && noise_read(&p.r, out, wire, sizeof wire) &&
	   memcmp(payload, out, 16) == 0, "message 1 under fresh keys arrives");
	ok(noise_write(&p.r, wire, NULL, 0) && noise_read(&p.i, out, wire, NOISE_OVERHEAD),
	   "message 2 may be empty");
	ok(memcmp(p.i.h, p.r.h, 32) == 0 && memcmp(p.i.ck, p.r.ck, 32) == 0, "both ends agree");
	parties_start(&p);
	noise_write(&p.i, wire, payload, 16);
	parties_start(&p);
	noise_write(&p.i, again, payload, 16);
	ok(memcmp(wire, again, 32) != 0, "every exchange has its own ephemeral key");
	memcpy(out, wire + 32, 16);
	ok(noise_read(&p.r, again + 32, again, sizeof again) &&
	   memcmp(again + 32, payload, 16) == 0,
	   "a message is opened in place");
}

/* Message 1 with one bit flipped, and message 2 likewise; returns how many were taken. */
static unsigned flips_taken(struct parties *p, bool second)
{
	uint8_t wire[NOISE_OVERHEAD + 4], payload[4] = "abc", out[4];
	struct noise i, r;
	unsigned bit, taken = 0;

	parties_start(p);
	noise_write(&p->i, wire, payload, 4);
	if (second) {
		noise_read(&p->r, out, wire, sizeof wire);
		noise_write(&p->r, wire, payload, 4);
	}
	for (bit = 0; bit < 8 * sizeof wire; bit++) {
		i = p->i;
		r = p->r;
		wire[bit / 8] ^= 1 << bit % 8;
		taken += noise_read(second ? &i : &r, out, wire, sizeof wire);
		wire[bit / 8] ^= 1 << bit % 8;
	}
	return taken;
}

static bool first_message_is_taken(struct parties *sender, struct parties *receiver)
{
	uint8_t wire[NOISE_OVERHEAD], out[1];

	return noise_write(&sender->i, wire, NULL, 0) &&
	       noise_read(&receiver->r, out, wire, sizeof wire);
}

static void test_meddling(void)
{
	struct parties a, b;

	parties_random(&a);
	ok(flips_taken(&a, false) == 0, "message 1 with any one bit flipped is refused");
	ok(flips_taken(&a, true) == 0, "message 2 with any one bit flipped is refused");
	parties_start(&a);
	b = a;
	ok(first_message_is_taken(&a, &b), "two copies of the same party understand each other");
	parties_start(&a);
	b = a;
	b.psk[31] ^= 1;
	parties_start(&b);
	ok(!first_message_is_taken(&a, &b), "another psk is refused");
	parties_start(&a);
	b = a;
	b.prologue[0] ^= 1;
	parties_start(&b);
	ok(!first_message_is_taken(&a, &b), "another prologue is refused");
	parties_start(&a);
	b = a;
	x25519_make(b.pub_i, b.s_i);
	parties_start(&b);
	ok(!first_message_is_taken(&a, &b),
	   "a sender whose certificate has another key is refused");
	parties_start(&a);
	memcpy(b.pub_i, a.pub_i, 32);
	parties_start(&b);
	ok(!first_message_is_taken(&b, &a),
	   "the cloud, which knows the psk and both certificates but no private key, is refused");
}

static void test_bad_points(void)
{
	uint8_t wire[NOISE_OVERHEAD] = { 0 }, out[1];
	struct parties p;
	unsigned n, taken = 0;

	parties_random(&p);
	ok(!noise_read(&p.r, out, wire, sizeof wire), "an ephemeral key of low order is refused");
	memset(p.pub_r, 0, 32);
	parties_start(&p);
	ok(!noise_write(&p.i, wire, NULL, 0), "nothing is written to a static key of low order");
	parties_random(&p);
	ok(!noise_write(&p.r, wire, NULL, 0), "a responder cannot speak first");
	parties_start(&p);
	noise_write(&p.i, wire, NULL, 0);
	for (n = 0; n < sizeof wire; n++)
		taken += noise_read(&p.r, out, wire, n);
	ok(taken == 0, "a message cut short is refused");
	ok(noise_read(&p.r, out, wire, sizeof wire), "and does not spoil the exchange");
}

int main(void)
{
	test_public_vector();
	test_own_vector();
	test_fresh();
	test_meddling();
	test_bad_points();
	return done();
}
