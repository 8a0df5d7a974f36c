/*
 * token.h - simple packet authentication, the published 8-bit token: a turnstile, never a proof.
 *
 * Cloud time is cut into slots of 250 ms.  Per epoch of 256 slots (64 s) the tokens are a
 * permutation of 0..255 keyed by SecretCommonValue and the epoch (Fisher-Yates driven by
 * SipHash), whose first 8 values are kept clear of the last 8 of the epoch before, so no value
 * recurs for about a minute.  Valid: slots from -1.25 s to +0.25 s of the receiver's cloud time.
 */
#ifndef TOKEN_H
#define TOKEN_H

#include "crypto/keys.h"

#define TOKEN_SLOT_MS 250
#define TOKEN_SLOTS_BACK 5
#define TOKEN_SLOTS_AHEAD 1

/* The permutations of the epochs around now, computed when the epoch turns. */
struct tokens {
	struct secret_common_value scv;
	uint64_t epoch;			/* of perm[1]; perm[0] is the one before, perm[2] the one after */
	uint8_t perm[3][256];
	bool ready;
};

void tokens_init(struct tokens *t, const struct secret_common_value *scv);
/* The token to send at this cloud time. */
uint8_t tokens_at(struct tokens *t, uint64_t cloud_ms);
bool tokens_valid(struct tokens *t, uint64_t cloud_ms, uint8_t token);

#endif
