/*
 * capsule.h - data keys and what is sealed under them.
 *
 * A key a direction and generation; nonce = IV xor 64-bit counter, whose low half is the
 * Sequence Number; associated data = the header as sent.  A capsule of one packet costs
 * HEADER_SIZE + TAG_SIZE octets.
 */
#ifndef CAPSULE_H
#define CAPSULE_H

#include "crypto/keys.h"
#include "crypto/replay.h"
#include "net/proto/gate.h"

#define CAPSULE_OVERHEAD (HEADER_SIZE + TAG_SIZE)
#define GENERATION_SHIFT 5	/* of FLAG_GENERATION */

struct generation {
	uint8_t number;			/* modulo 256; on the wire modulo 4 */
	bool live;
	struct aead tx, rx;
	uint8_t tx_iv[AEAD_NONCE], rx_iv[AEAD_NONCE];
	uint64_t sent;			/* packets sealed, and the next counter */
	uint64_t since;			/* boot time of its making */
	struct replay seen;
	uint64_t seen_bits[REPLAY_DATA_WORDS];
};

/* Previous, current and next generation of one path at one end. */
struct keyring {
	struct id path;
	bool initiator;
	enum aead_suite suite;
	uint8_t current;		/* number of the generation sent under */
	uint8_t token;			/* in the header of what is sealed */
	struct generation gen[4];	/* by number modulo 4 */
};

/* Makes generation `number` ready for both directions; what stood in its place is wiped. */
void keyring_install(struct keyring *k, uint8_t number, const struct traffic_secret *i2r,
		     const struct traffic_secret *r2i, uint64_t now);
/* The live generation of this number, or NULL. */
struct generation *keyring_get(struct keyring *k, uint8_t number);
void keyring_drop(struct keyring *k, uint8_t number);
void keyring_wipe(struct keyring *k);

/*
 * Seals n octets in place under the current generation: writes the header into the
 * HEADER_SIZE octets before body and the tag behind it.  Returns the start of the datagram,
 * which is n + CAPSULE_OVERHEAD long.
 */
uint8_t *capsule_seal(struct keyring *k, uint8_t flags, uint8_t count, uint8_t *body, size_t n);
/*
 * Opens in place.  V_PASSED: body is plain and g the generation it came under.
 * V_DROP_FLAG (one's own direction), V_DROP_STRANGER (no such generation), V_DROP_REPLAY, V_DROP_TAG.
 */
enum verdict capsule_open(struct keyring *k, uint8_t *p, size_t n, const struct msg_header *h,
			  const struct exts *x, struct bytes *body, struct generation **g);

#endif
