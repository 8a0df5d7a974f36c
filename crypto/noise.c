/*
 * noise.c - the exchange the cloud cannot read: Noise, pattern KK with psk0.
 *
 *	-> psk, e, es, ss
 *	<- e, ee, se
 *
 * h gathers all that both sides saw, ck all the secrets both sides share, k encrypts the
 * next payload.  The names are those of the framework's section 5, to be laid beside it.
 */
#include "crypto/noise.h"
#include <openssl/sha.h>

static void mix_hash(struct noise *x, const void *data, size_t n)
{
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, x->h, sizeof x->h);
	SHA256_Update(&ctx, data, n);
	SHA256_Final(x->h, &ctx);
}

/* HKDF(ck, ikm) with as many outputs of 32 octets as out holds. */
static void hkdf(const struct noise *x, uint8_t *out, size_t n, const uint8_t *ikm, size_t ikm_len)
{
	uint8_t prk[32];

	hkdf_extract(prk, x->ck, sizeof x->ck, ikm, ikm_len);
	hkdf_expand(out, n, prk, NULL, 0);
	wipe(prk, sizeof prk);
}

static void mix_key(struct noise *x, const uint8_t ikm[32])
{
	uint8_t out[64];

	hkdf(x, out, sizeof out, ikm, 32);
	memcpy(x->ck, out, 32);
	memcpy(x->k, out + 32, 32);
	x->n = 0;
	wipe(out, sizeof out);
}

static void mix_psk(struct noise *x)
{
	uint8_t out[96];

	hkdf(x, out, sizeof out, x->psk, sizeof x->psk);
	memcpy(x->ck, out, 32);
	mix_hash(x, out + 32, 32);
	memcpy(x->k, out + 64, 32);
	x->n = 0;
	wipe(out, sizeof out);
}

static bool mix_dh(struct noise *x, const uint8_t priv[32], const uint8_t pub[32])
{
	uint8_t shared[32];
	bool good = x25519_shared(shared, priv, pub);

	if (good)
		mix_key(x, shared);
	wipe(shared, sizeof shared);
	return good;
}

/* With a psk the ephemeral key goes into ck too, or two runs could share a key (section 9.2). */
static void mix_e(struct noise *x, const uint8_t e[32])
{
	mix_hash(x, e, 32);
	mix_key(x, e);
}

static void cipher(const struct noise *x, struct aead *a, uint8_t nonce[AEAD_NONCE])
{
	aead_init(a, AEAD_AES256_GCM, x->k);
	memset(nonce, 0, 4);
	put64(nonce + 4, x->n);
}

static void encrypt_and_hash(struct noise *x, uint8_t *out, const uint8_t *in, size_t n)
{
	uint8_t nonce[AEAD_NONCE];
	struct aead a;

	cipher(x, &a, nonce);
	aead_seal(&a, out, nonce, in, n, x->h, sizeof x->h);
	aead_free(&a);
	x->n++;
	mix_hash(x, out, n + AEAD_TAG);
}

static bool decrypt_and_hash(struct noise *x, uint8_t *out, const uint8_t *in, size_t n)
{
	uint8_t nonce[AEAD_NONCE], ad[32];
	struct aead a;
	bool good;

	/* the ciphertext is hashed first because out may be in */
	memcpy(ad, x->h, sizeof ad);
	mix_hash(x, in, n);
	cipher(x, &a, nonce);
	good = aead_open(&a, out, nonce, in, n, ad, sizeof ad);
	aead_free(&a);
	x->n++;
	return good;
}

void noise_init(struct noise *x, bool initiator, const void *prologue, size_t prologue_len,
		const uint8_t s_priv[32], const uint8_t s_pub[32], const uint8_t rs_pub[32],
		const uint8_t psk[32])
{
	static const char name[] = "Noise_KKpsk0_25519_AESGCM_SHA256";

	_Static_assert(sizeof name - 1 == 32, "a name of 32 octets is h itself");
	memset(x, 0, sizeof *x);
	x->initiator = initiator;
	memcpy(x->s_priv, s_priv, 32);
	memcpy(x->rs, rs_pub, 32);
	memcpy(x->psk, psk, 32);
	memcpy(x->h, name, 32);
	memcpy(x->ck, name, 32);
	mix_hash(x, prologue, prologue_len);
	mix_hash(x, initiator ? s_pub : rs_pub, 32);
	mix_hash(x, initiator ? rs_pub : s_pub, 32);
}

bool noise_write(struct noise *x, uint8_t *out, const uint8_t *payload, size_t n)
{
	if (!x->e_fixed)
		x25519_make(x->e_pub, x->e_priv);
	if (x->initiator)
		mix_psk(x);
	mix_e(x, x->e_pub);
	/* es, ss or ee, se */
	if (!mix_dh(x, x->e_priv, x->initiator ? x->rs : x->re) ||
	    !mix_dh(x, x->initiator ? x->s_priv : x->e_priv, x->rs))
		return false;
	encrypt_and_hash(x, out + 32, payload, n);
	memcpy(out, x->e_pub, 32);
	return true;
}

bool noise_read(struct noise *x, uint8_t *payload, const uint8_t *in, size_t n)
{
	if (n < NOISE_OVERHEAD)
		return false;
	if (!x->initiator)
		mix_psk(x);
	memcpy(x->re, in, 32);
	mix_e(x, x->re);
	/* ee, se or es, ss */
	return mix_dh(x, x->initiator ? x->e_priv : x->s_priv, x->re) &&
	       mix_dh(x, x->s_priv, x->initiator ? x->re : x->rs) &&
	       decrypt_and_hash(x, payload, in + 32, n - 32);
}

void noise_split(struct noise *x, uint8_t i2r[32], uint8_t r2i[32], uint8_t exporter[32])
{
	static const char label[] = "cyph kx1 exp";
	uint8_t out[64], info[sizeof label - 1 + 32];

	hkdf(x, out, sizeof out, NULL, 0);
	memcpy(i2r, out, 32);
	memcpy(r2i, out + 32, 32);
	memcpy(info, label, sizeof label - 1);
	memcpy(info + sizeof label - 1, x->h, 32);
	hkdf_expand(exporter, 32, x->ck, info, sizeof info);
	wipe(out, sizeof out);
	noise_wipe(x);
}

void noise_wipe(struct noise *x)
{
	wipe(x, sizeof *x);
}
