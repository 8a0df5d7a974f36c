/* Retransmission, remembered answers, and cloud time. */
#include "t/tap.h"
#include "net/proto/cloud.h"
#include "net/proto/exchange.h"
#include <stdlib.h>

static void retransmission(void)
{
	struct exchange x = { 0 };
	struct now now = { .boot = 1000 };
	uint64_t sent[EXCHANGE_TRIES + 1], steps = 0;
	unsigned n = 0;
	enum exchange_step step;

	ok(exchange_step(&x, now) == EXCHANGE_WAIT && exchange_expiry(&x) == NEVER,
	   "without a request there is nothing to do and no deadline");
	exchange_start(&x, now, 7, 6, "hello", 5);
	for (step = EXCHANGE_WAIT; step != EXCHANGE_GAVE_UP && steps < 1000; steps++) {
		step = exchange_step(&x, now);
		if (step == EXCHANGE_SEND)
			sent[n++] = now.boot;
		if (step == EXCHANGE_WAIT)
			now.boot = exchange_expiry(&x);
	}
	ok(n == EXCHANGE_TRIES, "a request without an answer is sent %u times", EXCHANGE_TRIES);
	ok(sent[1] - sent[0] == EXCHANGE_FIRST && sent[2] - sent[1] == 2 * EXCHANGE_FIRST,
	   "the wait doubles");
	ok(sent[5] - sent[4] == EXCHANGE_LONGEST, "but not beyond its bound");
	diag("given up after %.2f s", (double)(now.boot - sent[0]) / SEC);
	ok(!exchange_is(&x, 7), "an exchange given up takes no answer any more");
	exchange_start(&x, now, 8, 6, "hello", 5);
	exchange_step(&x, now);
	exchange_hurry(&x, now);
	ok(exchange_step(&x, now) == EXCHANGE_SEND, "hurried, it is sent again at once");
	ok(exchange_is(&x, 8) && !exchange_is(&x, 7), "it is known by its Transaction ID");
}

static void answers(void)
{
	struct answers *a = calloc(1, sizeof *a);
	struct id peer = { { 1 } }, other = { { 2 } };
	struct now now = { .boot = SEC };
	uint8_t big[ANSWER_BODY + 1] = { 0 };
	const struct answer *found;

	answers_keep(a, now, &peer, 5, 16, "answer", 6);
	found = answers_find(a, now, &peer, 5);
	ok(found && found->len == 6 && memcmp(found->body, "answer", 6) == 0,
	   "an answer is found by peer and Transaction ID");
	ok(!answers_find(a, now, &other, 5) && !answers_find(a, now, &peer, 6),
	   "and by no other of either");
	now.boot += ANSWERS_LIFE;
	ok(!answers_find(a, now, &peer, 5), "after ten seconds it is forgotten");
	answers_keep(a, now, &peer, 9, 16, big, sizeof big);
	ok(!answers_find(a, now, &peer, 9), "one too long to keep is not kept in part");
	free(a);
}

static void cloud(void)
{
	struct now now = { .boot = 5 * SEC, .wall = 1800000000ull * SEC };
	uint8_t boot[16] = { 1 }, next_boot[16] = { 2 };
	struct cloud c;
	struct cloud_saved saved;
	uint64_t before;

	cloud_lead(&c, now, boot, NULL);
	before = cloud_ms(&c, now);
	ok(before == 1800000000000ull, "the leader starts at the wall clock");
	now.wall += 3600 * SEC;
	now.boot += SEC;
	cloud_slew(&c, now);
	ok(cloud_ms(&c, now) - before - 1000 <= 1,
	   "a wall clock stepped by an hour moves cloud time by 500 ppm at most");
	memcpy(saved.boot_id, boot, 16);
	saved.offset = c.offset;
	saved.ms = cloud_ms(&c, now);
	now.wall -= 7200 * SEC;
	cloud_lead(&c, now, boot, &saved);
	ok(cloud_ms(&c, now) == saved.ms, "restarted on the same boot it goes on where it was");
	cloud_lead(&c, now, next_boot, &saved);
	ok(cloud_ms(&c, now) >= saved.ms, "on another boot it does not begin before what was saved");
	cloud_guess(&c, (struct now){ .boot = 1, .wall = 0 }, saved.ms);
	ok(cloud_ms(&c, (struct now){ .boot = 1 }) >= saved.ms,
	   "a follower without a clock starts at the last cloud time it knew");
	now.boot += 40 * MS;
	cloud_follow(&c, now, now.boot - 40 * MS, 2000000000000ull);
	ok(cloud_ms(&c, now) == 2000000000020ull, "a follower adds half the round trip to what it is told");
	cloud_follow(&c, now, now.boot - 90 * MS, 2000000000500ull);
	ok(cloud_ms(&c, now) == 2000000000020ull, "a slower sample does not replace a faster one");
}

int main(void)
{
	retransmission();
	answers();
	cloud();
	return done();
}
