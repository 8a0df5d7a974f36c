/*
 * dns.c - libFuzzer entry: the input is a query by UDP, a stream of queries by TCP, and, its
 * first two octets being the length of a question, an upstream's answer to that.
 */
#include "net/proto/dns.h"
#include "net/proto/dnsmsg.h"
#include "t/fuzz/base/base.h"
#include "t/sim/random.h"

/* Answers at once: found, not found or failed as the name's first octet has it. */
static void lookup(void *arg, struct now now, const char *name, uint8_t family,
		   const uint8_t *ip, bool wanted, struct outbox *out)
{
	struct dns_record r = { .fqdn = "dev.cyphonic.internal", .ip4 = { 198, 18, 0, 5 } };

	dns_answer(*(struct dns **)arg, now, name, family, ip, (family ? ip[3] : name[0]) % 3,
		   &r, out);
}

static void wanted(void *arg, struct now now, const struct dns_record *r, struct outbox *out)
{
}

static void upstream(const uint8_t *p, size_t n, const struct dns_ranges *ranges)
{
	struct dns_question q;
	size_t ask = n >= 2 ? get16(p) : n;
	uint8_t *msg;

	if (ask + 2 > n || dnsmsg_query(&q, p + 2, ask) != DNS_NOERROR)
		return;
	p += 2 + ask;
	n -= 2 + ask;
	msg = malloc(n ? n : 1);
	memcpy(msg, p, n);
	if (n >= 2 && dnsmsg_answers(&q, get16(msg), msg, n) &&
	    dnsmsg_adopt(msg, n, &q, ranges) > n)
		abort();
	free(msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct dns_ops ops = { lookup, wanted };
	static const struct dns_ranges r = { { 198, 18 }, { 0xfd }, 15, 64 };
	struct outbox *out = &fuzz_outbox()->out;
	static struct dns *dns;
	static struct now now;
	struct addr a = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 53 };
	struct flow_event ev = { .handle = STREAM_ACCEPTED, .port = PORT_DNS };

	random_seed(4);
	if (!dns) {
		dns = dns_new(&ops, &dns, 0);
		dns_domain(dns, "cyphonic.internal", r.net4, r.bits4, r.net6, r.bits6);
		dns_upstream(dns, &a, 1);
	}
	dns_query(dns, now, &a, &a, p, n, out);
	dns_flow(dns, now, &ev, out);
	ev.what = FLOW_DATA;
	ev.data = (struct bytes){ p, n };
	dns_flow(dns, now, &ev, out);
	/* until nothing waits and nothing remembered is good any more: each input starts alike */
	for (now.boot += 100 * SEC; dns_expiry(dns) <= now.boot; now.boot += 100 * SEC)
		dns_tick(dns, now, out);
	upstream(p, n, &r);
	return 0;
}
