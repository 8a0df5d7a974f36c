/*
 * cloud.h - cloud time: the boot clock plus an offset, so that it never steps.
 *
 * The NMS leads: it starts at the wall clock (never below what was saved before) and is slewed
 * towards it at most 500 ppm.  Everybody else follows what the services say.  What is beyond
 * the year 2200 is taken for damage, not for a time.
 */
#ifndef CLOUD_H
#define CLOUD_H

#include "cyphonic.h"

struct cloud {
	int64_t offset;		/* cloud time minus boot clock, microseconds */
	uint64_t slewed;	/* boot clock of the last slewing */
	uint64_t best_rtt;	/* of the sample in use, aged by time; 0: none yet */
	uint64_t best_at;
};

/* What outlives a restart: the offset holds on the same boot, the time itself is a floor on any. */
struct cloud_saved {
	uint8_t boot_id[16];
	int64_t offset;
	uint64_t ms;
};

/* The leader's start; saved may be NULL. */
void cloud_lead(struct cloud *c, struct now now, const uint8_t boot_id[16],
		const struct cloud_saved *saved);
void cloud_slew(struct cloud *c, struct now now);
/* A follower's start: the latest of wall clock, build date and floor (ms since 1970). */
void cloud_guess(struct cloud *c, struct now now, uint64_t floor_ms);
/* A service said it was `ms` while a round trip that started at boot time `asked` ended now. */
void cloud_follow(struct cloud *c, struct now now, uint64_t asked, uint64_t ms);
/* The same when what was believed before is known to be wrong: any later sample is better. */
void cloud_reset(struct cloud *c, struct now now, uint64_t asked, uint64_t ms);
uint64_t cloud_ms(const struct cloud *c, struct now now);

#endif
