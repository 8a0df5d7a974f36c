/*
 * noise.h - Noise_KKpsk0_25519_AESGCM_SHA256 (Noise Protocol Framework revision 34), two messages.
 * Both static keys are known beforehand; AESGCM is AES-256-GCM as the pattern's name says.
 */
#ifndef NOISE_H
#define NOISE_H

#include "crypto/aead.h"

struct noise {
	bool initiator;
	uint8_t h[32], ck[32], k[32];
	uint64_t n;
	uint8_t s_priv[32];		/* own static key */
	uint8_t rs[32];			/* the other's static public key */
	uint8_t psk[32];
	uint8_t e_priv[32], e_pub[32];	/* own ephemeral; set before noise_write() only by tests */
	bool e_fixed;			/* e_priv/e_pub were set by a test */
	uint8_t re[32];
};

#define NOISE_OVERHEAD (32 + AEAD_TAG)	/* ephemeral key and tag around the payload */

/* Copies everything it is given. */
void noise_init(struct noise *x, bool initiator, const void *prologue, size_t prologue_len,
		const uint8_t s_priv[32], const uint8_t s_pub[32], const uint8_t rs_pub[32],
		const uint8_t psk[32]);
/* Message 1 (initiator) or 2 (responder): writes n + NOISE_OVERHEAD octets.  False: the other's key is low order. */
bool noise_write(struct noise *x, uint8_t *out, const uint8_t *payload, size_t n);
/* The other side's message: n octets in, n - NOISE_OVERHEAD out.  False: not authentic; x is then spoilt. */
bool noise_read(struct noise *x, uint8_t *payload, const uint8_t *in, size_t n);
/* After message 2: both directions' secrets and EXP = HKDF-Expand(ck, "cyph kx1 exp" | h, 32). Wipes x. */
void noise_split(struct noise *x, uint8_t i2r[32], uint8_t r2i[32], uint8_t exporter[32]);
void noise_wipe(struct noise *x);

#endif
