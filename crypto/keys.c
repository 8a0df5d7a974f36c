/*
 * keys.c - from the keys that are handed out to the keys that are used.
 * No handed-out key encrypts anything itself: every use has its own derivation, named by a
 * salt (which key) and an info string (which use, which direction, whose), so no two uses
 * ever share a key and a nonce.
 */
#include "crypto/keys.h"

/* ---- signalling ---- */

static void derive(uint8_t out[16], const char *salt, const uint8_t key[16], const char *use,
		   const struct id *id)
{
	uint8_t prk[32], info[16 + sizeof id->b];
	size_t n = strlen(use);

	memcpy(info, use, n);
	memcpy(info + n, id->b, sizeof id->b);
	hkdf_extract(prk, salt, strlen(salt), key, 16);
	hkdf_expand(out, 16, prk, info, n + sizeof id->b);
	wipe(prk, sizeof prk);
}

static void signalling_key(struct aead *a, const char *salt, const uint8_t key[16],
			   const char *use, const struct id *id)
{
	uint8_t k[16];

	derive(k, salt, key, use, id);
	aead_init(a, AEAD_AES128_GCM_SIV, k);
	wipe(k, sizeof k);
}

void keys_common(const struct common_key *key, const struct id *node, bool service,
		 struct aead *tx, struct aead *rx)
{
	signalling_key(service ? rx : tx, "cyph4 common", key->b, "node", node);
	signalling_key(service ? tx : rx, "cyph4 common", key->b, "service", node);
}

void keys_tunnel(const struct tunnel_key *key, const struct id *path, bool initiator,
		 struct aead *tx, struct aead *rx)
{
	signalling_key(initiator ? tx : rx, "cyph4 tunnel", key->b, "initiator", path);
	signalling_key(initiator ? rx : tx, "cyph4 tunnel", key->b, "responder", path);
}

void keys_relay(struct relay_key *out, const struct tunnel_key *key, const struct id *trs)
{
	derive(out->b, "cyph4 relay", key->b, "trs", trs);
}

void keys_relayed(const struct relay_key *key, const struct id *path, bool initiator, bool trs,
		  struct aead *tx, struct aead *rx)
{
	signalling_key(trs ? rx : tx, "cyph4 relayed", key->b,
		       initiator ? "initiator" : "responder", path);
	signalling_key(trs ? tx : rx, "cyph4 relayed", key->b,
		       initiator ? "to initiator" : "to responder", path);
}

void keys_vantage(struct vantage_key *out, const struct common_key *trs, const struct id *node)
{
	derive(out->b, "cyph4 vantage", trs->b, "key", node);
}

void keys_looking(const struct vantage_key *key, const struct id *node, bool trs,
		  struct aead *tx, struct aead *rx)
{
	signalling_key(trs ? rx : tx, "cyph4 looking", key->b, "node", node);
	signalling_key(trs ? tx : rx, "cyph4 looking", key->b, "trs", node);
}

/* ---- the End Key on its way ---- */

void keys_wrap_end(uint8_t out[WRAPPED_END_KEY], const struct temporary_key *key,
		   const struct id *path, const struct end_key *end)
{
	struct aead a;

	signalling_key(&a, "cyph4 temporary", key->b, "end key", path);
	random_bytes(out, AEAD_NONCE);
	aead_seal(&a, out + AEAD_NONCE, out, end->b, sizeof end->b, path->b, sizeof path->b);
	aead_free(&a);
}

bool keys_unwrap_end(struct end_key *end, const struct temporary_key *key,
		     const struct id *path, const uint8_t in[WRAPPED_END_KEY])
{
	struct aead a;
	bool good;

	signalling_key(&a, "cyph4 temporary", key->b, "end key", path);
	good = aead_open(&a, end->b, in, in + AEAD_NONCE, sizeof end->b + AEAD_TAG, path->b,
			 sizeof path->b);
	aead_free(&a);
	return good;
}

/* ---- data ---- */

void keys_psk(uint8_t psk[32], const struct tunnel_key *t, const struct temporary_key *m,
	      const struct end_key *e)
{
	static const char salt[] = "cyph kx2 psk";
	uint8_t ikm[48];

	memcpy(ikm, t->b, 16);
	memcpy(ikm + 16, m->b, 16);
	memcpy(ikm + 32, e->b, 16);
	hkdf_extract(psk, salt, sizeof salt - 1, ikm, sizeof ikm);
	wipe(ikm, sizeof ikm);
}

static void expand_data(uint8_t *out, size_t n, const struct traffic_secret *t,
			const char *label, enum aead_suite suite, uint8_t generation)
{
	uint8_t info[16];
	size_t len = strlen(label);

	memcpy(info, label, len);
	info[len++] = (uint8_t)suite;
	info[len++] = generation;
	hkdf_expand(out, n, t->b, info, len);
}

void keys_data(const struct traffic_secret *t, enum aead_suite suite, uint8_t generation,
	       struct aead *key, uint8_t iv[AEAD_NONCE])
{
	uint8_t k[32];

	expand_data(k, aead_key_size(suite), t, "cyph2 key", suite, generation);
	expand_data(iv, AEAD_NONCE, t, "cyph2 iv", suite, generation);
	aead_init(key, suite, k);
	wipe(k, sizeof k);
}

void keys_rekey(struct root_secret *rk, struct traffic_secret *i2r, struct traffic_secret *r2i,
		const uint8_t shared[32], uint8_t generation, const uint8_t transcript[32])
{
	static const char label[] = "cyph2 rekey";
	uint8_t prk[32], out[96], info[sizeof label - 1 + 1 + 32];

	memcpy(info, label, sizeof label - 1);
	info[sizeof label - 1] = generation;
	memcpy(info + sizeof label, transcript, 32);
	hkdf_extract(prk, rk->b, sizeof rk->b, shared, 32);
	hkdf_expand(out, sizeof out, prk, info, sizeof info);
	memcpy(rk->b, out, 32);
	memcpy(i2r->b, out + 32, 32);
	memcpy(r2i->b, out + 64, 32);
	wipe(prk, sizeof prk);
	wipe(out, sizeof out);
}
