/* 067-cloud.c - cloud time keeps to times that can be: what is saved or said may be damage. */
#include "net/proto/cloud.h"
#include "t/tap.h"

#define NOW_MS (1800000000ull * 1000)

static const uint8_t boot[16] = { 1 }, other[16] = { 2 };
static const struct now now = { 1000 * SEC, NOW_MS * MS };

static uint64_t led(const uint8_t boot_id[16], int64_t offset, uint64_t ms)
{
	struct cloud_saved saved = { .offset = offset, .ms = ms };
	struct cloud c;

	memcpy(saved.boot_id, boot_id, 16);
	cloud_lead(&c, now, boot, &saved);
	return cloud_ms(&c, now);
}

static uint64_t guessed(uint64_t floor)
{
	struct cloud c;

	cloud_guess(&c, now, floor);
	return cloud_ms(&c, now);
}

static uint64_t followed(uint64_t ms)
{
	struct cloud c;

	cloud_guess(&c, now, 0);
	cloud_follow(&c, now, now.boot, ms);
	return cloud_ms(&c, now);
}

int main(void)
{
	int64_t offset = (int64_t)((NOW_MS + 5000) * MS - now.boot);

	ok(led(boot, offset, 0) == NOW_MS + 5000, "on the same boot the leader's offset holds");
	ok(led(other, offset, NOW_MS + 60000) == NOW_MS + 60000, "on another the time saved is a floor");
	ok(led(other, 0, NOW_MS - 60000) == NOW_MS, "and no more than that");
	ok(led(boot, INT64_MIN, 0) == NOW_MS && led(boot, INT64_MAX, 0) == NOW_MS,
	   "an offset that cannot be is not believed");
	ok(led(other, 0, UINT64_MAX) == NOW_MS && led(other, 0, NOW_MS * 5) == NOW_MS,
	   "nor is a time that cannot be");
	ok(guessed(NOW_MS + 60000) == NOW_MS + 60000, "a follower starts no earlier than it was");
	ok(guessed(UINT64_MAX) == NOW_MS, "unless that cannot be");
	ok(followed(NOW_MS + 60000) == NOW_MS + 60000, "it follows what a service says");
	ok(followed(UINT64_MAX) == NOW_MS && followed(UINT64_MAX / MS) == NOW_MS,
	   "but not to the end of time");
	return done();
}
