/* 110-keys.c - derivations against vectors that another program made (vectors.py). */
#include "t/tap.h"
#include "t/unit/hex.h"
#include "t/unit/vectors.h"
#include "crypto/keys.h"
#include <sys/wait.h>

#define BODY 57
#define PACKET 84

struct signal_fixture {
	uint8_t header[32], body[BODY];
};

static void load(struct signal_fixture *f)
{
	unhex(f->header, sizeof f->header, V_SIGNAL_HEADER);
	unhex(f->body, sizeof f->body, V_SIGNAL_BODY);
}

/* Seals the fixture as the protocol does: nonce = the header's first 12 octets. */
static bool seals_to(const struct aead *a, const char *want)
{
	struct signal_fixture f;
	uint8_t out[BODY + AEAD_TAG];

	load(&f);
	aead_seal(a, out, f.header, f.body, BODY, f.header, sizeof f.header);
	return is_hex(out, sizeof out, want);
}

static bool opens_from(const struct aead *a, const char *sealed)
{
	struct signal_fixture f;
	uint8_t in[BODY + AEAD_TAG];

	load(&f);
	unhex(in, sizeof in, sealed);
	return aead_open(a, in, f.header, in, sizeof in, f.header, sizeof f.header) &&
	       memcmp(in, f.body, BODY) == 0;
}

static void free_both(struct aead *a, struct aead *b)
{
	aead_free(a);
	aead_free(b);
}

static void test_common(void)
{
	struct common_key key;
	struct id node;
	struct aead tx, rx;

	unhex(key.b, 16, V_COMMON);
	unhex(node.b, 16, V_NODE_ID);
	keys_common(&key, &node, false, &tx, &rx);
	ok(seals_to(&tx, V_SIGNAL_NODE), "a node's message is sealed as the vector says");
	ok(opens_from(&rx, V_SIGNAL_SERVICE), "a node opens a service's message");
	ok(!opens_from(&rx, V_SIGNAL_NODE), "a node does not take its own message for an answer");
	free_both(&tx, &rx);
	keys_common(&key, &node, true, &tx, &rx);
	ok(seals_to(&tx, V_SIGNAL_SERVICE), "a service's message is sealed as the vector says");
	ok(opens_from(&rx, V_SIGNAL_NODE), "a service opens a node's message");
	free_both(&tx, &rx);
	node.b[0] ^= 1;
	keys_common(&key, &node, true, &tx, &rx);
	ok(!opens_from(&rx, V_SIGNAL_NODE),
	   "the same Common Key means nothing under another Node ID");
	free_both(&tx, &rx);
}

static void test_tunnel(void)
{
	struct tunnel_key key;
	struct id path;
	struct aead tx, rx;

	unhex(key.b, 16, V_TUNNEL);
	unhex(path.b, 16, V_PATH_ID);
	keys_tunnel(&key, &path, true, &tx, &rx);
	ok(seals_to(&tx, V_SIGNAL_INITIATOR) && opens_from(&rx, V_SIGNAL_RESPONDER),
	   "an initiator seals and opens under the Tunnel Key as the vectors say");
	free_both(&tx, &rx);
	keys_tunnel(&key, &path, false, &tx, &rx);
	ok(seals_to(&tx, V_SIGNAL_RESPONDER) && opens_from(&rx, V_SIGNAL_INITIATOR),
	   "and so does a responder");
	free_both(&tx, &rx);
}

static void test_end_key(void)
{
	uint8_t wrapped[WRAPPED_END_KEY], again[WRAPPED_END_KEY];
	struct temporary_key key;
	struct end_key end, got;
	struct id path;
	unsigned bit, opened = 0;

	unhex(key.b, 16, V_TEMPORARY);
	unhex(end.b, 16, V_END);
	unhex(path.b, 16, V_PATH_ID);
	unhex(wrapped, sizeof wrapped, V_WRAPPED_END);
	ok(keys_unwrap_end(&got, &key, &path, wrapped) && same_secret(got.b, end.b, 16),
	   "the vector's End Key is unwrapped");
	keys_wrap_end(wrapped, &key, &path, &end);
	keys_wrap_end(again, &key, &path, &end);
	ok(keys_unwrap_end(&got, &key, &path, wrapped) && same_secret(got.b, end.b, 16),
	   "a wrapped End Key comes back");
	ok(memcmp(wrapped, again, AEAD_NONCE) != 0, "every wrapping has its own nonce");
	for (bit = 0; bit < 8 * sizeof wrapped; bit++) {
		wrapped[bit / 8] ^= 1 << bit % 8;
		opened += keys_unwrap_end(&got, &key, &path, wrapped);
		wrapped[bit / 8] ^= 1 << bit % 8;
	}
	ok(opened == 0, "no flipped bit of it is taken");
	path.b[15] ^= 1;
	ok(!keys_unwrap_end(&got, &key, &path, wrapped), "nor is it taken for another path");
}

static void test_psk(void)
{
	struct tunnel_key t;
	struct temporary_key m;
	struct end_key e;
	uint8_t psk[32];

	unhex(t.b, 16, V_TUNNEL);
	unhex(m.b, 16, V_TEMPORARY);
	unhex(e.b, 16, V_END);
	keys_psk(psk, &t, &m, &e);
	ok(is_hex(psk, 32, V_PSK),
	   "the psk mixes Tunnel, Temporary and End Key as the vector says");
}

static const struct {
	enum aead_suite suite;
	const char *iv, *sealed, *rekeyed_iv, *rekeyed;
} capsules[] = {
	{ AEAD_AES128_GCM, V_CAPSULE_IV_1, V_CAPSULE_SEALED_1, V_REKEYED_IV_1, V_REKEYED_SEALED_1 },
	{ AEAD_CHACHA20_POLY1305, V_CAPSULE_IV_2, V_CAPSULE_SEALED_2, V_REKEYED_IV_2,
	  V_REKEYED_SEALED_2 },
	{ AEAD_AES256_GCM, V_CAPSULE_IV_3, V_CAPSULE_SEALED_3, V_REKEYED_IV_3, V_REKEYED_SEALED_3 },
};

/* Capsule number 2^32 + 7: the high half of the counter is in the nonce though not on the wire. */
static bool capsule_is(const struct traffic_secret *t, enum aead_suite suite, uint8_t generation,
		       const char *want_iv, const char *want)
{
	uint8_t header[32], packet[PACKET + AEAD_TAG], iv[AEAD_NONCE];
	struct aead a;
	bool good;

	unhex(header, sizeof header, V_CAPSULE_HEADER);
	unhex(packet, PACKET, V_CAPSULE_PACKET);
	keys_data(t, suite, generation, &a, iv);
	good = is_hex(iv, sizeof iv, want_iv);
	put64(iv + 4, get64(iv + 4) ^ 0x100000007);
	aead_seal(&a, packet, iv, packet, PACKET, header, sizeof header);
	aead_free(&a);
	return good && is_hex(packet, sizeof packet, want);
}

static void test_data(void)
{
	struct traffic_secret t;
	size_t i;

	unhex(t.b, 32, V_T_I2R);
	for (i = 0; i < ARRAY_SIZE(capsules); i++)
		ok(capsule_is(&t, capsules[i].suite, 0, capsules[i].iv, capsules[i].sealed),
		   "suite %d: IV and a sealed capsule are the vector's", capsules[i].suite);
	ok(!capsule_is(&t, AEAD_AES128_GCM, 1, V_CAPSULE_IV_1, V_CAPSULE_SEALED_1),
	   "another generation of the same secret has another key");
}

static void test_rekey(void)
{
	static const char *const shared[] = { V_REKEY_1_SHARED, V_REKEY_2_SHARED };
	static const char *const transcript[] = { V_REKEY_1_TRANSCRIPT, V_REKEY_2_TRANSCRIPT };
	static const char *const out[] = { V_REKEY_1_OUT, V_REKEY_2_OUT };
	struct traffic_secret i2r, r2i;
	struct root_secret rk;
	uint8_t s[32], t[32], got[96];
	size_t i;

	unhex(rk.b, 32, V_EXPORTER);
	for (i = 0; i < 2; i++) {
		unhex(s, 32, shared[i]);
		unhex(t, 32, transcript[i]);
		keys_rekey(&rk, &i2r, &r2i, s, (uint8_t)(i + 1), t);
		memcpy(got, rk.b, 32);
		memcpy(got + 32, i2r.b, 32);
		memcpy(got + 64, r2i.b, 32);
		ok(is_hex(got, sizeof got, out[i]),
		   "rekey %zu: root and both secrets are the vector's", i + 1);
	}
	for (i = 0; i < ARRAY_SIZE(capsules); i++)
		ok(capsule_is(&i2r, capsules[i].suite, 2, capsules[i].rekeyed_iv,
			      capsules[i].rekeyed),
		   "suite %d: a capsule of generation 2 is the vector's", capsules[i].suite);
}

static size_t read_all(FILE *f, char *out, size_t cap)
{
	return f ? fread(out, 1, cap, f) : 0;
}

/* The committed vectors are what the script says today. */
static void test_script(void)
{
	static char made[65536], kept[65536];
	FILE *script = popen("/usr/bin/python3 t/unit/vectors.py 2>/dev/null", "r");
	size_t m = read_all(script, made, sizeof made), k;
	int status = script ? pclose(script) : -1;
	FILE *header = fopen("t/unit/vectors.h", "r");

	k = read_all(header, kept, sizeof kept);
	if (header)
		fclose(header);
	if (k == 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127)
		ok(true, "vectors.py makes vectors.h # SKIP needs python3-cryptography");
	else
		ok(status == 0 && m == k && memcmp(made, kept, m) == 0,
		   "vectors.py makes the vectors.h that was compiled in, octet for octet");
}

int main(void)
{
	test_common();
	test_tunnel();
	test_end_key();
	test_psk();
	test_data();
	test_rekey();
	test_script();
	return done();
}
