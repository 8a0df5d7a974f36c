/*
 * token.h - simple packet authentication, the published 8-bit token: a turnstile, never a proof.
 *
 * Cloud time is cut into slots of 250 ms, slots into epochs of 256 (64 s).  The tokens of an
 * epoch are a permutation of 0..255 keyed by SecretCommonValue: start with p[i] = i; for i
 * from 255 down to 1 swap p[i] and p[j], j = SipHash-2-4(SecretCommonValue, "token" |
 * epoch u64 | i u8) mod (i + 1).  Then, for i from 0 to 7, as long as p[i] is among the last 8
 * of the epoch before, swap it with p[n], n counting up from 8 (the last 8 never move).  So
 * any 9 slots in a row have different tokens; a value recurs once an epoch.
 * Valid: slots from -1.25 s to +0.25 s of the receiver's cloud time.
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
