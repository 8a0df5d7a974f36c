/*
 * psk.c - nodes as they were published: what they seal with follows from Tunnel Key, Temporary Key
 * and End Key alone, the exchange between the two adds nothing.  Linked over the product by --wrap,
 * to show that 630-blind.t would notice.
 */
#include "net/proto/capsule.h"

static uint8_t newest[32];

void __real_keys_psk(uint8_t psk[32], const struct tunnel_key *t, const struct temporary_key *m,
		     const struct end_key *e);
void __wrap_keys_psk(uint8_t psk[32], const struct tunnel_key *t, const struct temporary_key *m,
		     const struct end_key *e);
void __real_keyring_install(struct keyring *k, uint8_t number, const struct traffic_secret *i2r,
			    const struct traffic_secret *r2i, uint64_t now);
void __wrap_keyring_install(struct keyring *k, uint8_t number, const struct traffic_secret *i2r,
			    const struct traffic_secret *r2i, uint64_t now);

void __wrap_keys_psk(uint8_t psk[32], const struct tunnel_key *t, const struct temporary_key *m,
		     const struct end_key *e)
{
	__real_keys_psk(psk, t, m, e);
	memcpy(newest, psk, sizeof newest);
}

/* Noise's own way to two secrets, from a chaining key that everybody has. */
void __wrap_keyring_install(struct keyring *k, uint8_t number, const struct traffic_secret *i2r,
			    const struct traffic_secret *r2i, uint64_t now)
{
	struct traffic_secret both[2];
	uint8_t prk[32];

	hkdf_extract(prk, newest, sizeof newest, NULL, 0);
	hkdf_expand(both[0].b, sizeof both, prk, NULL, 0);
	__real_keyring_install(k, number, &both[0], &both[1], now);
}
