/* cloud.c - cloud time, led by the NMS and followed by everybody else. */
#include "net/proto/cloud.h"

#define SLEW_PPM 500
#define SAMPLE_LIFE (600 * SEC)		/* then any newer sample is better than a drifted one */
#define BUILT_MS (1763596800ull * 1000)	/* no clock of ours is right before this release */

/* A damaged file or a service gone mad must not carry us off to a time nobody comes back from. */
#define LATEST_MS (7258118400ull * 1000)	/* the year 2200 */

static bool is_no_time(uint64_t ms)
{
	return ms > LATEST_MS;
}

static void set_ms(struct cloud *c, struct now now, uint64_t ms)
{
	c->offset = (int64_t)(ms * MS) - (int64_t)now.boot;
}

void cloud_lead(struct cloud *c, struct now now, const uint8_t boot_id[16],
		const struct cloud_saved *saved)
{
	uint64_t ms = MAX(now.wall / MS, BUILT_MS);

	memset(c, 0, sizeof *c);
	c->slewed = now.boot;
	if (saved && memcmp(saved->boot_id, boot_id, 16) == 0 &&
	    !is_no_time((now.boot + (uint64_t)saved->offset) / MS)) {
		c->offset = saved->offset;
		return;
	}
	if (saved && !is_no_time(saved->ms))
		ms = MAX(ms, saved->ms);
	set_ms(c, now, ms);
}

void cloud_slew(struct cloud *c, struct now now)
{
	int64_t gap = (int64_t)now.wall - (int64_t)now.boot - c->offset;
	int64_t most = (int64_t)((now.boot - c->slewed) * SLEW_PPM / 1000000);

	c->slewed = now.boot;
	c->offset += gap > most ? most : gap < -most ? -most : gap;
}

void cloud_guess(struct cloud *c, struct now now, uint64_t floor_ms)
{
	memset(c, 0, sizeof *c);
	if (is_no_time(floor_ms))
		floor_ms = 0;
	set_ms(c, now, MAX(MAX(now.wall / MS, BUILT_MS), floor_ms));
}

void cloud_follow(struct cloud *c, struct now now, uint64_t asked, uint64_t ms)
{
	uint64_t rtt = now.boot - asked;

	if (is_no_time(ms) || (c->best_rtt && rtt > c->best_rtt && now.boot - c->best_at < SAMPLE_LIFE))
		return;
	c->best_rtt = MAX(rtt, 1);
	c->best_at = now.boot;
	c->offset = (int64_t)(ms * MS + rtt / 2) - (int64_t)now.boot;
}

void cloud_reset(struct cloud *c, struct now now, uint64_t asked, uint64_t ms)
{
	c->best_rtt = 0;
	cloud_follow(c, now, asked, ms);
	c->best_rtt = 0;
}

uint64_t cloud_ms(const struct cloud *c, struct now now)
{
	return (uint64_t)((int64_t)now.boot + c->offset) / MS;
}
