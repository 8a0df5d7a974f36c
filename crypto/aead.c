/*
 * aead.c - the primitives, each one call into BoringSSL.
 * What is checked here is the library: a failure that no input can cause ends the process,
 * because a packet sealed with a half-made key, or octets that are not random, cannot be
 * taken back.
 */
#include "crypto/aead.h"
#include <openssl/cpu.h>
#include <openssl/curve25519.h>
#include <openssl/err.h>
#include <openssl/hkdf.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/siphash.h>
#include <stdlib.h>

static void must(bool good, const char *what)
{
	if (good)
		return;
	cy_log(LOG_ERROR_, "the crypto library failed in %s: stopping", what);
	abort();
}

/* ---- seal and open ---- */

static const EVP_AEAD *suite_aead(enum aead_suite suite)
{
	switch (suite) {
	case AEAD_AES128_GCM:
		return EVP_aead_aes_128_gcm();
	case AEAD_CHACHA20_POLY1305:
		return EVP_aead_chacha20_poly1305();
	case AEAD_AES256_GCM:
		return EVP_aead_aes_256_gcm();
	case AEAD_AES128_GCM_SIV:
		return EVP_aead_aes_128_gcm_siv();
	}
	must(false, "choosing a cipher suite");
	return NULL;
}

size_t aead_key_size(enum aead_suite suite)
{
	return EVP_AEAD_key_length(suite_aead(suite));
}

static void name_key(uint8_t name[8], const uint8_t *key, size_t n)
{
	static const char label[] = "key name";
	uint8_t in[sizeof label - 1 + 32], digest[32];

	memcpy(in, label, sizeof label - 1);
	memcpy(in + sizeof label - 1, key, n);
	sha256(digest, in, sizeof label - 1 + n);
	memcpy(name, digest, 8);
	wipe(in, sizeof in);
	wipe(digest, sizeof digest);
}

void aead_init(struct aead *a, enum aead_suite suite, const uint8_t *key)
{
	size_t n = aead_key_size(suite);

	must(EVP_AEAD_CTX_init(&a->ctx, suite_aead(suite), key, n, AEAD_TAG, NULL), "aead_init");
	a->suite = suite;
	name_key(a->key_name, key, n);
}

void aead_free(struct aead *a)
{
	if (a->suite)
		EVP_AEAD_CTX_cleanup(&a->ctx);
	wipe(a, sizeof *a);
}

void aead_seal(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
	       const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len)
{
	size_t len;

	must(EVP_AEAD_CTX_seal(&a->ctx, out, &len, n + AEAD_TAG, nonce, AEAD_NONCE, in, n, ad,
			       ad_len) && len == n + AEAD_TAG, "aead_seal");
}

bool aead_open(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
	       const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len)
{
	size_t len;

	if (n < AEAD_TAG)
		return false;
	if (EVP_AEAD_CTX_open(&a->ctx, out, &len, n - AEAD_TAG, nonce, AEAD_NONCE, in, n, ad,
			      ad_len))
		return true;
	/* a forged packet must not show up later as the reason of a TLS failure */
	ERR_clear_error();
	return false;
}

bool aead_has_aes_hardware(void)
{
	return EVP_has_aes_hardware() != 0;
}

/* ---- random octets ---- */

void random_bytes(void *out, size_t n)
{
	must(RAND_bytes(out, n) == 1, "random_bytes");
}

uint32_t random_u32(void)
{
	uint8_t b[4];

	random_bytes(b, sizeof b);
	return get32(b);
}

uint64_t random_u64(void)
{
	uint8_t b[8];

	random_bytes(b, sizeof b);
	return get64(b);
}

/* ---- hashes and what is made of them ---- */

void sha256(uint8_t out[32], const void *in, size_t n)
{
	SHA256(in, n, out);
}

void hmac256(uint8_t out[32], const void *key, size_t key_len, const void *in, size_t n)
{
	must(HMAC(EVP_sha256(), key, key_len, in, n, out, NULL) != NULL, "hmac256");
}

void hkdf_extract(uint8_t prk[32], const void *salt, size_t salt_len, const void *ikm,
		  size_t ikm_len)
{
	size_t n;

	must(HKDF_extract(prk, &n, EVP_sha256(), ikm, ikm_len, salt, salt_len), "hkdf_extract");
}

void hkdf_expand(uint8_t *out, size_t n, const uint8_t prk[32], const void *info,
		 size_t info_len)
{
	must(HKDF_expand(out, n, EVP_sha256(), prk, 32, info, info_len), "hkdf_expand");
}

static uint64_t get64_le(const uint8_t *p)
{
	uint64_t v = 0;
	int i;

	for (i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

uint64_t siphash(const uint8_t key[16], const void *in, size_t n)
{
	uint64_t k[2] = { get64_le(key), get64_le(key + 8) };

	return SIPHASH_24(k, in, n);
}

bool same_secret(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

/* ---- X25519 ---- */

void x25519_make(uint8_t pub[32], uint8_t priv[32])
{
	X25519_keypair(pub, priv);
}

void x25519_public(uint8_t pub[32], const uint8_t priv[32])
{
	X25519_public_from_private(pub, priv);
}

bool x25519_shared(uint8_t out[32], const uint8_t priv[32], const uint8_t pub[32])
{
	return X25519(out, priv, pub) == 1;
}

/* ---- names ---- */

void node_id_of(struct id *id, const char *fqdn)
{
	/* 6ba7b810-9dad-11d1-80b4-00c04fd430c8: the DNS namespace of RFC 4122, appendix C */
	static const uint8_t dns[16] = {
		0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
		0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8,
	};
	static const uint8_t application[16];
	uint8_t digest[SHA_DIGEST_LENGTH];
	SHA_CTX ctx;

	SHA1_Init(&ctx);
	SHA1_Update(&ctx, dns, sizeof dns);
	SHA1_Update(&ctx, fqdn, strlen(fqdn));
	SHA1_Update(&ctx, application, sizeof application);
	SHA1_Final(digest, &ctx);
	memcpy(id->b, digest, sizeof id->b);
	id->b[6] = (id->b[6] & 0x0f) | 0x50;	/* version 5 */
	id->b[8] = (id->b[8] & 0x3f) | 0x80;	/* the variant of RFC 4122 */
}
