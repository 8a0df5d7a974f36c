/* Signalling associations: numbers, directions, replays, and that a forgery changes nothing. */
#include "t/tap.h"
#include "net/proto/outbox.h"
#include "net/proto/session.h"

#define CLOUD 1800000000000ull		/* ms: some day in 2027 */

struct pair {
	struct session node, nms;
};

static void pair_new(struct pair *p)
{
	struct common_key key;
	struct id id = { { 1, 2, 3 } };

	memset(p, 0, sizeof *p);
	random_bytes(key.b, sizeof key.b);
	session_common(&p->node, &key, &id, false);
	session_common(&p->nms, &key, &id, true);
}

static void pair_free(struct pair *p)
{
	session_free(&p->node);
	session_free(&p->nms);
}

/* Opens a copy: the datagram can be tried again. */
static enum verdict try(struct session *s, uint64_t cloud, const uint8_t *p, size_t n,
			uint64_t *stamp)
{
	uint8_t copy[DATAGRAM_MAX];
	struct msg_header h;
	struct bytes body;
	struct exts x;
	enum verdict v;

	memcpy(copy, p, n);
	v = gate_check(copy, n, &h, &x);
	return v == V_PASSED ? session_open(s, cloud, copy, n, &h, &x, &body, stamp) : v;
}

static size_t hello(struct session *s, uint64_t cloud, uint32_t transaction, uint8_t *p)
{
	return session_seal(s, cloud, transaction, TYPE_KEEP_ALIVE, 7, "hello, there", 12, p);
}

static void both_ways(void)
{
	uint8_t p[DATAGRAM_MAX], big[DATAGRAM_MAX] = { 0 };
	struct pair a;
	uint64_t stamp;
	size_t n;

	pair_new(&a);
	n = hello(&a.node, CLOUD, 9, p);
	ok(n == MESSAGE_MIN + 12, "a message costs header and tag");
	ok(try(&a.node, CLOUD, p, n, &stamp) == V_DROP_TAG, "one's own message sent back is refused");
	ok(try(&a.nms, CLOUD + 40, p, n, &stamp) == V_PASSED && stamp == CLOUD,
	   "the other end opens it, and knows when it was made");
	n = hello(&a.nms, CLOUD + 40, 9, p);
	ok(try(&a.node, CLOUD, p, n, &stamp) == V_PASSED, "and answers under the same Transaction ID");
	ok(session_seal(&a.node, CLOUD, 1, TYPE_KEEP_ALIVE, 0, big, DATAGRAM_MAX - MESSAGE_MIN, p) ==
	   DATAGRAM_MAX, "the largest body makes the largest datagram");
	ok(session_seal(&a.node, CLOUD, 1, TYPE_KEEP_ALIVE, 0, big, DATAGRAM_MAX - MESSAGE_MIN + 1,
			p) == 0, "and one octet more makes none");
	pair_free(&a);
}

/* Clocks that stand still, step back and jump: a number never comes twice. */
static void numbers(void)
{
	static const int64_t step[] = { 0, 0, 1, -5000, 0, 3, 86400000, -86400000, 0 };
	uint8_t p[DATAGRAM_MAX];
	uint64_t cloud = CLOUD, last = 0, stamp;
	unsigned i, good = 0, rounds = 9000;
	struct pair a;

	pair_new(&a);
	for (i = 0; i < rounds; i++) {
		size_t n = hello(&a.node, cloud, 5, p);

		good += try(&a.nms, CLOUD, p, n, &stamp) == V_PASSED && stamp > last;
		last = stamp;
		cloud += (uint64_t)step[i % ARRAY_SIZE(step)];
	}
	ok(good == rounds, "numbers only grow, whatever the clock does");
	pair_free(&a);

	pair_new(&a);
	for (i = good = 0; i < 200; i++) {
		size_t n = hello(&a.node, 0x1ffffff9cull + i, 5, p);

		good += try(&a.nms, 0x200000000ull, p, n, &stamp) == V_PASSED &&
			stamp == 0x1ffffff9cull + i;
	}
	ok(good == 200, "the low half turning over (every 49 days) is no event");
	pair_free(&a);
}

static void replays(void)
{
	static uint8_t p[1200][DATAGRAM_MAX];
	unsigned i, good = 0;
	struct pair a;
	uint64_t stamp;
	size_t n = 0;

	pair_new(&a);
	for (i = 0; i < 1200; i++)
		n = hello(&a.node, CLOUD, 5, p[i]);
	for (i = 1000; i > 50; i--)
		good += try(&a.nms, CLOUD, p[i], n, &stamp) == V_PASSED;
	ok(good == 950, "messages that overtake each other within a second are all heard");
	for (i = 1000, good = 0; i > 50; i--)
		good += try(&a.nms, CLOUD, p[i], n, &stamp) == V_DROP_REPLAY;
	ok(good == 950, "none of them is heard twice");
	ok(try(&a.nms, CLOUD, p[39], n, &stamp) == V_DROP_REPLAY, "nor one too old to tell");
	ok(try(&a.nms, CLOUD, p[1100], n, &stamp) == V_PASSED &&
	   try(&a.nms, CLOUD, p[1000], n, &stamp) == V_DROP_REPLAY,
	   "and when the window moves on, what it covers stays closed");
	pair_free(&a);
}

static void forgeries(void)
{
	uint8_t p[DATAGRAM_MAX], bad[DATAGRAM_MAX];
	struct pair a, b;
	unsigned refused = 0;
	uint64_t stamp;
	size_t n, i;

	pair_new(&a);
	pair_new(&b);
	n = hello(&a.node, CLOUD, 5, p);
	for (i = 0; i < 8 * n; i++) {
		memcpy(bad, p, n);
		bad[i / 8] ^= (uint8_t)(1 << i % 8);
		refused += try(&a.nms, CLOUD, bad, n, &stamp) != V_PASSED;
	}
	ok(refused == 8 * n, "a message with any one bit changed is refused");
	ok(try(&b.nms, CLOUD, p, n, &stamp) == V_DROP_TAG, "and so is one under another key");
	memcpy(bad, p, n);
	put32(bad + 8, (uint32_t)(CLOUD + 5000));
	ok(try(&a.nms, CLOUD, bad, n, &stamp) == V_DROP_TAG &&
	   try(&a.nms, CLOUD, p, n, &stamp) == V_PASSED,
	   "a forgery from the future does not move the window: the true one is still heard");
	pair_free(&a);
	pair_free(&b);
}

int main(void)
{
	both_ways();
	numbers();
	replays();
	forgeries();
	return done();
}
