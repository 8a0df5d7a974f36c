/* Deadlines and tables by id, against slow and obvious references. */
#include "t/tap.h"
#include "crypto/aead.h"
#include "net/proto/table.h"
#include "net/proto/timers.h"

#define N 500

static uint64_t earliest(const uint64_t *at)
{
	uint64_t min = NEVER;
	int i;

	for (i = 0; i < N; i++)
		min = MIN(min, at[i]);
	return min;
}

static void random_deadlines(void)
{
	static struct timer timer[N];
	static uint64_t at[N];
	struct timers ts = { 0 };
	struct timer *t;
	bool same = true, ordered = true;
	uint64_t last = 0;
	int i, round, left = 0;

	for (i = 0; i < N; i++)
		at[i] = NEVER;
	for (round = 0; round < 20000; round++) {
		i = (int)(random_u32() % N);
		at[i] = random_u32() % 4 ? random_u32() % 1000 : NEVER;
		timer_set(&ts, &timer[i], at[i]);
		same &= timers_next(&ts) == earliest(at);
	}
	ok(same, "the next deadline is the earliest after 20,000 random settings, moves and clearings");
	for (i = 0; i < N; i++)
		left += at[i] != NEVER;
	ok(left == 0 || timers_next(&ts) == 0 || !timers_due(&ts, timers_next(&ts) - 1),
	   "nothing is due before its time");
	while ((t = timers_due(&ts, 1000))) {
		ordered &= t->at >= last;
		last = t->at;
		left--;
	}
	ok(ordered, "due timers come in the order of their deadlines");
	ok(left == 0 && timers_next(&ts) == NEVER, "each comes once, and then there is none");
	timers_free(&ts);
}

static void count(void *arg, struct link *link)
{
	++*(int *)arg;
}

static void remove_it(void *arg, struct link *link)
{
	table_remove(arg, link);
}

static void things_by_id(void)
{
	static struct link thing[N];
	struct table t;
	bool all = true;
	int i, n = 0;

	table_init(&t);
	for (i = 0; i < N; i++) {
		random_bytes(thing[i].id.b, 16);
		table_add(&t, &thing[i]);
	}
	for (i = 0; i < N; i++)
		all &= table_get(&t, &thing[i].id) == &thing[i];
	ok(all, "everything added is found by its id, also after the table grew");
	for (i = 0; i < N; i += 2)
		table_remove(&t, &thing[i]);
	for (i = 0, all = true; i < N; i++)
		all &= (table_get(&t, &thing[i].id) != NULL) == (i % 2 == 1);
	ok(all && t.n == N / 2, "what was removed is gone and the rest is still there");
	table_each(&t, count, &n);
	ok(n == N / 2, "a walk meets each thing once");
	table_each(&t, remove_it, &t);
	ok(t.n == 0, "a walk may remove what it is given");
	table_free(&t);
}

int main(void)
{
	random_deadlines();
	things_by_id();
	return done();
}
