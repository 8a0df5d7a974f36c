/* 100-aead.c - the primitives against published vectors, and every flipped bit refused. */
#include "t/tap.h"
#include "t/unit/hex.h"
#include "crypto/aead.h"
#include <openssl/err.h>

struct vector {
	const char *from;
	enum aead_suite suite;
	const char *key, *nonce, *ad, *in, *out;
};

static const struct vector vectors[] = {
	{ "AES-128-GCM, test case 1 of its paper", AEAD_AES128_GCM,
	  "00000000000000000000000000000000", "000000000000000000000000", "", "",
	  "58e2fccefa7e3061367f1d57a4e7455a" },
	{ "AES-128-GCM, test case 2", AEAD_AES128_GCM,
	  "00000000000000000000000000000000", "000000000000000000000000", "",
	  "00000000000000000000000000000000",
	  "0388dace60b6a392f328c2b971b2fe78 ab6e47d42cec13bdf53a67b21257bddf" },
	{ "AES-128-GCM, test case 4", AEAD_AES128_GCM,
	  "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
	  "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	  "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
	  "5bc94fbc3221a5db94fae95ae7121a47" },
	{ "AES-256-GCM, test case 14", AEAD_AES256_GCM,
	  "0000000000000000000000000000000000000000000000000000000000000000",
	  "000000000000000000000000", "", "00000000000000000000000000000000",
	  "cea7403d4d606b6e074ec5d3baf39d18 d0d1c8a799996bf0265b98b5d48ab919" },
	{ "AES-256-GCM, test case 16", AEAD_AES256_GCM,
	  "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
	{ "ChaCha20-Poly1305, RFC 8439 section 2.8.2", AEAD_CHACHA20_POLY1305,
	  "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	  "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
	  "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
	  "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
	  "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
	  "637265656e20776f756c642062652069742e",
	  "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
	  "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
	  "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
	  "3ff4def08e4b7a9de576d26586cec64b6116"
	  "1ae10b594f09e26a7e902ecbd0600691" },
	{ "AES-128-GCM-SIV, RFC 8452 appendix C.1, no plaintext", AEAD_AES128_GCM_SIV,
	  "01000000000000000000000000000000", "030000000000000000000000", "", "",
	  "dc20e2d83f25705bb49e439eca56de25" },
	{ "AES-128-GCM-SIV, appendix C.1, 8 octets", AEAD_AES128_GCM_SIV,
	  "01000000000000000000000000000000", "030000000000000000000000", "", "0100000000000000",
	  "b5d839330ac7b786 578782fff6013b815b287c22493a364c" },
	{ "AES-128-GCM-SIV, appendix C.1, 8 octets and 1 associated", AEAD_AES128_GCM_SIV,
	  "01000000000000000000000000000000", "030000000000000000000000", "01", "0200000000000000",
	  "1e6daba35669f427 3b0a1a2560969cdf790d99759abd1508" },
};

static void test_vector(const struct vector *v)
{
	uint8_t key[32], nonce[AEAD_NONCE], ad[64], in[256], out[256];
	size_t n = unhex(in, sizeof in, v->in), ad_len = unhex(ad, sizeof ad, v->ad);
	struct aead a;
	bool same;

	ok(unhex(key, sizeof key, v->key) == aead_key_size(v->suite) &&
	   unhex(nonce, sizeof nonce, v->nonce) == sizeof nonce, "%s: key and nonce have its sizes",
	   v->from);
	aead_init(&a, v->suite, key);
	aead_seal(&a, out, nonce, in, n, ad, ad_len);
	ok(is_hex(out, n + AEAD_TAG, v->out), "%s: sealing gives the published octets", v->from);
	memcpy(out, in, n);
	aead_seal(&a, out, nonce, out, n, ad, ad_len);
	same = is_hex(out, n + AEAD_TAG, v->out);
	ok(same && aead_open(&a, out, nonce, out, n + AEAD_TAG, ad, ad_len) &&
	   memcmp(in, out, n) == 0,
	   "%s: in place too, and opening gives the plaintext back", v->from);
	aead_free(&a);
}

static const struct {
	enum aead_suite suite;
	const char *name;
} suites[] = {
	{ AEAD_AES128_GCM, "AES-128-GCM" }, { AEAD_CHACHA20_POLY1305, "ChaCha20-Poly1305" },
	{ AEAD_AES256_GCM, "AES-256-GCM" }, { AEAD_AES128_GCM_SIV, "AES-128-GCM-SIV" },
};

struct message {
	uint8_t nonce[AEAD_NONCE], ad[32], sealed[45 + AEAD_TAG];
};

static bool opens(const struct aead *a, const struct message *m, size_t n, size_t ad_len)
{
	uint8_t out[sizeof m->sealed];

	return aead_open(a, out, m->nonce, m->sealed, n, m->ad, ad_len);
}

/* Flips every bit of the message's struct: nonce, associated data, ciphertext, tag. */
static unsigned flips_that_open(const struct aead *a, struct message *m)
{
	uint8_t *p = (uint8_t *)m;
	unsigned bad = 0, bit;

	for (bit = 0; bit < 8 * sizeof *m; bit++) {
		p[bit / 8] ^= 1 << bit % 8;
		bad += opens(a, m, sizeof m->sealed, sizeof m->ad);
		p[bit / 8] ^= 1 << bit % 8;
	}
	return bad;
}

static void test_refusals(enum aead_suite suite, const char *name)
{
	uint8_t key[32], plain[45];
	struct message m;
	struct aead a, b;
	unsigned n, opened = 0;

	random_bytes(key, sizeof key);
	random_bytes(&m, sizeof m);
	memset(plain, 'x', sizeof plain);
	aead_init(&a, suite, key);
	aead_seal(&a, m.sealed, m.nonce, plain, sizeof plain, m.ad, sizeof m.ad);
	ok(opens(&a, &m, sizeof m.sealed, sizeof m.ad), "%s: a message opens", name);
	_Static_assert(sizeof m == 12 + 32 + 45 + 16, "no padding, every bit is flipped");
	ok(flips_that_open(&a, &m) == 0,
	   "%s: each of its %zu bits flipped (nonce, header, ciphertext, tag) is refused",
	   name, 8 * sizeof m);
	for (n = 0; n < sizeof m.sealed; n++)
		opened += opens(&a, &m, n, sizeof m.ad);
	ok(opened == 0, "%s: so is every length but its own", name);
	ok(!opens(&a, &m, sizeof m.sealed, sizeof m.ad - 1), "%s: and a shorter header", name);
	ok(ERR_peek_error() == 0, "%s: refusals leave no error behind", name);
	key[0] ^= 1;
	aead_init(&b, suite, key);
	ok(!opens(&b, &m, sizeof m.sealed, sizeof m.ad), "%s: another key does not open it", name);
	ok(memcmp(a.key_name, b.key_name, sizeof a.key_name) != 0, "%s: and has another name",
	   name);
	aead_free(&a);
	aead_free(&b);
}

static void test_life(void)
{
	static const uint8_t key[32] = { 1 };
	uint8_t digest[32], in[8 + 16] = "key name";
	struct aead a, zeroed = { 0 }, empty = { 0 };

	aead_init(&a, AEAD_AES128_GCM, key);
	memcpy(in + 8, key, 16);
	sha256(digest, in, sizeof in);
	ok(memcmp(a.key_name, digest, 8) == 0, "a key's name is a hash of the label and the key");
	ok(a.suite == AEAD_AES128_GCM, "a key knows its suite");
	aead_free(&a);
	ok(memcmp(&a, &zeroed, sizeof a) == 0, "a freed key leaves nothing behind");
	aead_free(&a);
	aead_free(&empty);
	ok(true, "freeing twice, or what was never made, does no harm");
	diag("AES hardware: %s", aead_has_aes_hardware() ? "yes" : "no");
}

static void test_hkdf(void)
{
	uint8_t ikm[80], salt[80], info[80], prk[32], okm[82];
	size_t i;

	memset(ikm, 0x0b, 22);
	for (i = 0; i < 80; i++) {
		salt[i] = (uint8_t)(i < 13 ? i : 0);
		info[i] = (uint8_t)(0xf0 + i);
	}
	hkdf_extract(prk, salt, 13, ikm, 22);
	hkdf_expand(okm, 42, prk, info, 10);
	ok(is_hex(prk, 32, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5") &&
	   is_hex(okm, 42, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
			   "34007208d5b887185865"), "HKDF: RFC 5869, test case 1");
	for (i = 0; i < 80; i++) {
		ikm[i] = (uint8_t)i;
		salt[i] = (uint8_t)(0x60 + i);
		info[i] = (uint8_t)(0xb0 + i);
	}
	hkdf_extract(prk, salt, 80, ikm, 80);
	hkdf_expand(okm, 82, prk, info, 80);
	ok(is_hex(okm, 82, "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
			   "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
			   "cc30c58179ec3e87c14c01d5c1f3434f1d87"),
			   "HKDF: test case 2, long inputs");
	memset(ikm, 0x0b, 22);
	hkdf_extract(prk, NULL, 0, ikm, 22);
	hkdf_expand(okm, 42, prk, NULL, 0);
	ok(is_hex(okm, 42, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
			   "9d201395faa4b61a96c8"), "HKDF: test case 3, no salt and no info");
}

static void test_hashes(void)
{
	uint8_t out[32], key[20], in[15];
	size_t i;

	sha256(out, "abc", 3);
	ok(is_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
	   "SHA-256 of abc is as published");
	memset(key, 0x0b, sizeof key);
	hmac256(out, key, sizeof key, "Hi There", 8);
	ok(is_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
	   "HMAC-SHA-256: RFC 4231, test case 1");
	for (i = 0; i < 16; i++)
		key[i] = (uint8_t)i;
	memcpy(in, key, sizeof in);
	ok(siphash(key, in, sizeof in) == 0xa129ca6149be45e5, "SipHash-2-4: the paper's example");
	ok(siphash(key, in, 0) == 0x726fdb47dd0e0e31,
	   "SipHash-2-4: the reference value of no octets");
}

static void test_x25519(void)
{
	uint8_t a[32], b[32], pub_a[32], pub_b[32], one[32], two[32], low[32] = { 0 };

	unhex(a, 32, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
	unhex(b, 32, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
	x25519_public(pub_a, a);
	x25519_public(pub_b, b);
	ok(is_hex(pub_a, 32, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a") &&
	   is_hex(pub_b, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"),
	   "X25519: public keys of RFC 7748, section 6.1");
	ok(x25519_shared(one, a, pub_b) &&
	   is_hex(one, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"),
	   "X25519: and its shared secret");
	x25519_make(pub_a, a);
	x25519_make(pub_b, b);
	ok(x25519_shared(one, a, pub_b) && x25519_shared(two, b, pub_a) &&
	   same_secret(one, two, 32),
	   "X25519: fresh keys agree");
	ok(!x25519_shared(one, a, low), "X25519: the point zero is refused");
	low[0] = 1;
	ok(!x25519_shared(one, a, low), "X25519: so is one");
	unhex(low, 32, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
	ok(!x25519_shared(one, a, low), "X25519: and a point of order 8");
	ok(!same_secret("abc", "abd", 3) && same_secret("abc", "abd", 2),
	   "secrets are compared whole");
}

static void test_random(void)
{
	uint8_t sum[64] = { 0 }, b[64];
	unsigned i, j;
	bool every_bit_moves = true;

	for (i = 0; i < 64; i++) {
		random_bytes(b, sizeof b);
		for (j = 0; j < sizeof b; j++)
			sum[j] |= b[j];
	}
	for (j = 0; j < sizeof b; j++)
		every_bit_moves = every_bit_moves && sum[j] == 0xff;
	ok(every_bit_moves, "64 draws of 64 random octets set every bit at least once");
	ok(random_u64() != random_u64(), "two random numbers differ");
	ok((random_u32() | random_u32() | random_u32() | random_u32() | random_u32()) > UINT16_MAX,
	   "a random 32-bit number uses its upper half");
}

int main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vectors); i++)
		test_vector(&vectors[i]);
	for (i = 0; i < ARRAY_SIZE(suites); i++)
		test_refusals(suites[i].suite, suites[i].name);
	test_life();
	test_hkdf();
	test_hashes();
	test_x25519();
	test_random();
	return done();
}
