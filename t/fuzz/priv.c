/*
 * priv.c - libFuzzer entry: a request of a worker to the master.  Whatever passes the check
 * (netlink is asked for) is an address inside a range that may be routed into the TUN.
 */
#include "net/io/priv.h"
#include "t/fuzz/base/base.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <net/if.h>

static unsigned opened;

unsigned __wrap_if_nametoindex(const char *name);
struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags);

unsigned __wrap_if_nametoindex(const char *name)
{
	return 7;
}

struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags)
{
	opened++;
	errno = EPERM;
	return NULL;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned i;

	for (i = 0; i < bits; i++)
		if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static void check(const struct priv_request *q)
{
	if (q->kind == PRIV_TUN_DOWN)
		return;
	must(q->kind == PRIV_TUN_UP);
	must(q->bits4 >= 8 && q->bits4 <= 30 && q->bits6 >= 32 && q->bits6 <= 120);
	must(bits_equal(q->ip4, q->net4, q->bits4) && bits_equal(q->ip6, q->net6, q->bits6));
	must(memcmp(q->ip4, q->net4, 4) && memcmp(q->ip6, q->net6, 16));
	must(q->ip4[0] != 0 && q->ip4[0] != 127 && q->ip4[0] < 224);
	must(q->ip6[0] != 0xff && !(q->ip6[0] == 0xfe && (q->ip6[1] & 0xc0) == 0x80));
	must(q->mtu >= 1280 && q->mtu <= 1404);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct priv_request q = { 0 };
	struct priv_answer a;
	unsigned before = opened;

	memcpy(&q, p, MIN(n, sizeof q));
	priv_serve("cyphonic0", 1404, &q, &a);
	must(a.failed && memchr(a.text, '\0', sizeof a.text) && a.text[0]);
	if (opened != before)
		check(&q);
	return 0;
}
