/*
 * keys.h - the hierarchy: every key is a type of its own, so the compiler refuses the wrong one.
 *
 *  key                  made by             held by               protects                      until
 *  common_key           AS, at login        node, NMS             signalling node-NMS           expiry in Login Response
 *  tunnel_key           NMS, per path       both nodes            Tunnel Request/Response       the path ends
 *  temporary_key        NMS, per path       both nodes            the End Key in Tunnel Request the key exchange ends
 *  end_key              initiator, per path both nodes            nothing alone: mixed into psk the key exchange ends
 *  data secrets         Noise, per path     both nodes only       capsules, one key a direction and generation: 120 s
 *  relay_key            NMS, per path and TRS  both nodes, the TRS binding addresses at a TRS    the path ends
 *  vantage_key          NMS and TRS         node, TRS             a node's looks at its NAPT    the TRS logs in anew
 *  secret_common_value  AS                  AS, NMS, TRS, nodes   the packet token              renewed by later work
 */
#ifndef KEYS_H
#define KEYS_H

#include "crypto/aead.h"

struct common_key { uint8_t b[16]; };
struct tunnel_key { uint8_t b[16]; };
struct temporary_key { uint8_t b[16]; };
struct relay_key { uint8_t b[16]; };
struct vantage_key { uint8_t b[16]; };
struct end_key { uint8_t b[16]; };
struct secret_common_value { uint8_t b[16]; };
struct traffic_secret { uint8_t b[32]; };	/* T of one direction, one generation */
struct root_secret { uint8_t b[32]; };		/* RK: what the next rekey starts from */

#define WRAPPED_END_KEY (AEAD_NONCE + 16 + AEAD_TAG)

/*
 * Signalling keys (AES-128-GCM-SIV), one a direction:
 *   prk = HKDF-Extract(salt "cyph4 common", Common Key)
 *   key = HKDF-Expand(prk, "node" | Node ID, 16) for messages of the node, "service" | Node ID for answers.
 * service: true on the NMS side.
 */
void keys_common(const struct common_key *key, const struct id *node, bool service,
		 struct aead *tx, struct aead *rx);
/* The same for Tunnel Request/Response: salt "cyph4 tunnel", "initiator" | Path ID and "responder" | Path ID. */
void keys_tunnel(const struct tunnel_key *key, const struct id *path, bool initiator,
		 struct aead *tx, struct aead *rx);
/*
 * What a TRS is given of a path: HKDF-Extract("cyph4 relay", Tunnel Key), Expand("trs" | TRS
 * Node ID, 16).  Neither the Tunnel Key nor another TRS's key follows from it.
 */
void keys_relay(struct relay_key *out, const struct tunnel_key *key, const struct id *trs);
/* Between one end of a path and its TRS: salt "cyph4 relayed", "initiator" | Path ID and "to initiator"
 * | Path ID, or "responder", "to responder".  trs: true on the TRS's side. */
void keys_relayed(const struct relay_key *key, const struct id *path, bool initiator, bool trs,
		  struct aead *tx, struct aead *rx);
/* A node without a path at a TRS: HKDF-Extract("cyph4 vantage", TRS's Common Key), Expand("key" | Node ID, 16). */
void keys_vantage(struct vantage_key *out, const struct common_key *trs, const struct id *node);
/* salt "cyph4 looking", "node" | Node ID and "trs" | Node ID. */
void keys_looking(const struct vantage_key *key, const struct id *node, bool trs,
		  struct aead *tx, struct aead *rx);
/* End Key under the Temporary Key: HKDF-Extract("cyph4 temporary", key), Expand("end key" | Path ID, 16),
 * AES-128-GCM-SIV, random nonce in front, Path ID as associated data. */
void keys_wrap_end(uint8_t out[WRAPPED_END_KEY], const struct temporary_key *key,
		   const struct id *path, const struct end_key *end);
bool keys_unwrap_end(struct end_key *end, const struct temporary_key *key,
		     const struct id *path, const uint8_t in[WRAPPED_END_KEY]);
/* psk = HKDF-Extract("cyph kx2 psk", Tunnel Key | Temporary Key | End Key). */
void keys_psk(uint8_t psk[32], const struct tunnel_key *t, const struct temporary_key *m,
	      const struct end_key *e);
/* data key = HKDF-Expand(T, "cyph2 key" | suite u8 | generation u8, key size), IV likewise "cyph2 iv", 12. */
void keys_data(const struct traffic_secret *t, enum aead_suite suite, uint8_t generation,
	       struct aead *key, uint8_t iv[AEAD_NONCE]);
/*
 * Rekey, a ratchet by X25519 alone:
 *   RK' | T_i2r' | T_r2i' = HKDF(out 96, ikm = shared, salt = RK,
 *                               info = "cyph2 rekey" | generation u8 | SHA-256(request | response))
 */
void keys_rekey(struct root_secret *rk, struct traffic_secret *i2r, struct traffic_secret *r2i,
		const uint8_t shared[32], uint8_t generation, const uint8_t transcript[32]);

#endif
