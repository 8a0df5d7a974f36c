/* replay.h - which numbers were seen: a sliding window after RFC 6479. */
#ifndef REPLAY_H
#define REPLAY_H

#include "cyphonic.h"

/*
 * bits: words * 64 positions in a ring the caller owns, words a power of two, all zero at the
 * start.  (words - 1) * 64 numbers below the newest can still be told apart.
 */
struct replay {
	uint64_t top;		/* newest number marked */
	uint64_t *bits;
	uint32_t words;
	bool any;		/* something was marked */
};

#define REPLAY_DATA_WORDS 128	/* capsules: 8,192 bits */
#define REPLAY_SIGNAL_WORDS 16	/* signalling numbers are milliseconds: about a second of reordering */

void replay_init(struct replay *r, uint64_t *bits, uint32_t words);
/* True when seq was neither seen nor is too old.  Changes nothing. */
bool replay_fresh(const struct replay *r, uint64_t seq);
/* Marks seq, after its packet proved authentic. */
void replay_mark(struct replay *r, uint64_t seq);
/* The 64-bit number nearest to `near` whose low half is low. */
uint64_t replay_expand(uint64_t near, uint32_t low);

#endif
