/*
 * aead.h - seal and open, random octets, HKDF: the few primitives everything else is made of.
 * Over BoringSSL.  Functions that cannot fail for our inputs abort on a library failure
 * (out of memory, no entropy): going on would be worse.
 */
#ifndef AEAD_H
#define AEAD_H

#include "cyphonic.h"
#include <openssl/aead.h>

#define AEAD_TAG 16
#define AEAD_NONCE 12

enum aead_suite {
	AEAD_AES128_GCM = 1,		/* capsules, default where the CPU has AES */
	AEAD_CHACHA20_POLY1305 = 2,	/* capsules elsewhere */
	AEAD_AES256_GCM = 3,		/* capsules on request; Noise always */
	AEAD_AES128_GCM_SIV = 4,	/* signalling: RFC 8452 */
};

/* One key ready for use.  Must not be moved or copied after aead_init(). */
struct aead {
	EVP_AEAD_CTX ctx;
	enum aead_suite suite;		/* 0: empty */
	uint8_t key_name[8];		/* first octets of SHA-256("key name" | key): tells keys apart without showing them */
};

/* Octets of key the suite takes: 16 or 32. */
size_t aead_key_size(enum aead_suite suite);
void aead_init(struct aead *a, enum aead_suite suite, const uint8_t *key);
/* Wipes.  Harmless on a zeroed or already freed one. */
void aead_free(struct aead *a);
/* Seals n octets in place or elsewhere (out == in allowed): writes n + AEAD_TAG octets. */
void aead_seal(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
	       const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len);
/* Opens n octets (tag included), in place allowed: writes n - AEAD_TAG.  False: not authentic,
 * out is not to be used; leaves BoringSSL's error queue empty. */
bool aead_open(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
	       const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len);
/* True when the CPU does AES in hardware (then AEAD_AES128_GCM is preferred). */
bool aead_has_aes_hardware(void);

void random_bytes(void *out, size_t n);
uint32_t random_u32(void);
uint64_t random_u64(void);

void sha256(uint8_t out[32], const void *in, size_t n);
/* HMAC-SHA-256. */
void hmac256(uint8_t out[32], const void *key, size_t key_len, const void *in, size_t n);
/* RFC 5869 with SHA-256. */
void hkdf_extract(uint8_t prk[32], const void *salt, size_t salt_len, const void *ikm, size_t ikm_len);
void hkdf_expand(uint8_t *out, size_t n, const uint8_t prk[32], const void *info, size_t info_len);

/* X25519.  x25519_shared() is false when the result is all zero (low-order point). */
void x25519_make(uint8_t pub[32], uint8_t priv[32]);
void x25519_public(uint8_t pub[32], const uint8_t priv[32]);
bool x25519_shared(uint8_t out[32], const uint8_t priv[32], const uint8_t pub[32]);

/* Constant-time comparison. */
bool same_secret(const void *a, const void *b, size_t n);

/* SipHash-2-4 with a 16-octet key. */
uint64_t siphash(const uint8_t key[16], const void *in, size_t n);

/* Node ID: UUID version 5, DNS namespace, name = FQDN | 16 zero octets (the application ID). */
void node_id_of(struct id *id, const char *fqdn);

#endif
