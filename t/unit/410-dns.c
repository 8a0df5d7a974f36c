/* 410-dns.c - the resolver: what the overlay says, what others say, what waits and what ends. */
#include "t/tap.h"
#include "net/proto/dns.h"
#include "net/proto/dnsmsg.h"

#define BASE 5000		/* of its flow handles */

/* ---- a resolver, its owner, and what it sent ---- */

static struct {
	struct dns *dns;
	struct now now;
	struct outbox out;
	unsigned lookups, wanted, wanted_lookups;
	char name[NAME_SIZE];		/* of the last lookup */
	uint8_t family, ip[16];
	bool at_once;			/* the owner answers inside lookup() */
} t;

static struct dns_record record_of(const char *name)
{
	struct dns_record r = { .ip4 = { 198, 18, 0, 5 }, .ip6 = { 0xfd, 1, 2, 3, 4, 5, 0, 0, 9 } };

	snprintf(r.fqdn, sizeof r.fqdn, "%s", name);
	return r;
}

static void say(enum dns_found found, const struct dns_record *r)
{
	dns_answer(t.dns, t.now, t.name, t.family, t.ip, found, r, &t.out);
}

static void say_found(void)
{
	struct dns_record r = record_of(t.family ? "dev.cyphonic.internal" : t.name);

	say(DNS_FOUND, &r);
}

static void lookup(void *arg, struct now now, const char *name, uint8_t family,
		   const uint8_t *ip, bool wanted, struct outbox *out)
{
	t.lookups++;
	t.wanted_lookups += wanted;
	strcpy(t.name, name);
	t.family = family;
	memcpy(t.ip, ip, sizeof t.ip);
	if (t.at_once)
		say_found();
}

static void wanted(void *arg, struct now now, const struct dns_record *r, struct outbox *out)
{
	t.wanted++;
}

static void flush(struct outbox *out)
{
	out->n = 0;
	out->used = 0;
}

static const struct dns_ops ops = { lookup, wanted };
static const uint8_t net4[4] = { 198, 18 }, net6[16] = { 0xfd, 1, 2, 3, 4, 5 };
static struct addr client = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 40000 };
static struct addr local = { .family = 4, .ip = { 127, 0, 0, 2 }, .port = 53 };

static void start(unsigned servers)
{
	struct addr s[3] = { { .family = 4, .ip = { 9, 9, 9, 1 }, .port = 53 },
			     { .family = 4, .ip = { 9, 9, 9, 2 }, .port = 53 },
			     { .family = 4, .ip = { 9, 9, 9, 3 }, .port = 53 } };
	uint8_t *scratch = t.out.scratch;

	dns_free(t.dns);
	memset(&t, 0, sizeof t);
	t.out.scratch = scratch ? scratch : malloc(OUTBOX_SCRATCH);
	t.out.flush = flush;
	t.now.boot = 1000 * SEC;
	t.dns = dns_new(&ops, NULL, BASE);
	dns_domain(t.dns, "cyphonic.internal", net4, 15, net6, 64);
	dns_upstream(t.dns, s, servers);
}

/* Time passes, with every tick that falls due on the way. */
static void pass(uint64_t us)
{
	uint64_t end = t.now.boot + us;

	while (dns_expiry(t.dns) <= end) {
		t.now.boot = MAX(t.now.boot, dns_expiry(t.dns));
		dns_tick(t.dns, t.now, &t.out);
	}
	t.now.boot = end;
}

/* ---- messages ---- */

struct msg {
	uint8_t b[2000];
	size_t n;
};

static size_t put_name(uint8_t *b, const char *text)
{
	size_t n = 0, len;

	for (; *text; text += len + (text[len] == '.')) {
		len = strcspn(text, ".");
		b[n++] = (uint8_t)len;
		memcpy(b + n, text, len);
		n += len;
	}
	b[n++] = 0;
	return n;
}

static struct msg query(unsigned id, const char *name, unsigned type)
{
	struct msg m = { .n = 12 };

	put16(m.b, (uint16_t)id);
	m.b[2] = 1;
	m.b[5] = 1;
	m.n += put_name(m.b + 12, name);
	put16(m.b + m.n, (uint16_t)type);
	put16(m.b + m.n + 2, 1);
	m.n += 4;
	return m;
}

static struct msg edns(struct msg m, unsigned size)
{
	static const uint8_t opt[11] = { 0, 0, 41 };

	m.b[11] = 1;
	memcpy(m.b + m.n, opt, sizeof opt);
	put16(m.b + m.n + 3, (uint16_t)size);
	m.n += sizeof opt;
	return m;
}

static void ask(struct msg m)
{
	uint8_t *copy = malloc(m.n);

	memcpy(copy, m.b, m.n);
	dns_query(t.dns, t.now, &client, &local, copy, m.n, &t.out);
	free(copy);
}

static void ask_for(const char *name, unsigned type)
{
	flush(&t.out);
	ask(query(0x4242, name, type));
}

/* ---- what came out ---- */

static struct out_item *sent(enum out_kind kind, unsigned nth)
{
	unsigned i;

	for (i = 0; i < t.out.n; i++)
		if (t.out.item[i].kind == kind && nth-- == 0)
			return &t.out.item[i];
	return NULL;
}

static unsigned count(enum out_kind kind)
{
	unsigned n = 0;

	while (sent(kind, n))
		n++;
	return n;
}

static const uint8_t *answer(void)
{
	const struct out_item *item = sent(OUT_DATAGRAM, 0);
	static const uint8_t none[12] = { 0, 0, 0, 15 };

	return item ? item->buf : none;
}

static unsigned rcode(void)
{
	return answer()[3] & 15;
}

/* Answer and authority records. */
static bool counts(unsigned an, unsigned ns)
{
	return get16(answer() + 6) == an && get16(answer() + 8) == ns;
}

static bool is_nodata(void)
{
	return rcode() == DNS_NOERROR && counts(0, 1);
}

static bool is_nxdomain(void)
{
	return rcode() == DNS_NXDOMAIN && counts(0, 1);
}

/* The only record of the answer is of this type and ends with these octets. */
static bool is_record(unsigned type, const void *data, size_t n)
{
	const struct out_item *item = sent(OUT_DATAGRAM, 0);
	const uint8_t *end = item ? item->buf + item->len : NULL;

	return item && rcode() == 0 && counts(1, 0) && get16(end - n - 10) == type &&
	       get16(end - n - 2) == n && get32(end - n - 6) == DNS_TTL &&
	       memcmp(end - n, data, n) == 0;
}

/* ---- overlay ---- */

static void overlay_answers(void)
{
	static const uint8_t ip4[4] = { 198, 18, 0, 5 },
		ip6[16] = { 0xfd, 1, 2, 3, 4, 5, 0, 0, 9 }, name[] = "\3dev\10cyphonic\10internal";
	struct dns_record r;

	start(1);
	ask_for("DeV.cyphonic.INTERNAL", DNS_A);
	ok(t.lookups == 1 && t.wanted_lookups == 1 && t.family == 0 && t.out.n == 0 &&
	   !strcmp(t.name, "dev.cyphonic.internal"), "a name of the overlay is looked up in its canonical form");
	say_found();
	ok(is_record(DNS_A, ip4, 4) && get16(answer()) == 0x4242, "the answer has its IPv4 address");
	ok(get16(answer() + 2) == 0x8580, "and says that it is authoritative");
	ok(!memcmp(answer() + 12, "\3DeV\10cyphonic\10INTERNAL", 23), "in the case of the question");
	ok(addr_equal(&sent(OUT_DATAGRAM, 0)->to, &client) && addr_equal(&sent(OUT_DATAGRAM, 0)->from, &local),
	   "from the address that was asked");
	ask_for("dev.cyphonic.internal", DNS_AAAA);
	ok(is_record(DNS_AAAA, ip6, 16) && t.lookups == 1, "AAAA right after it costs no lookup");
	ask_for("dev.cyphonic.internal", DNS_ANY);
	ok(is_record(DNS_HINFO, "\7RFC8482", 9), "ANY gets a HINFO and no more");
	ask_for("dev.cyphonic.internal", 16);
	ok(is_nodata(), "TXT is NODATA with an SOA");
	ask_for("5.0.18.198.in-addr.arpa", DNS_PTR);
	ok(t.lookups == 2 && t.wanted_lookups == 1 && t.family == 4 && !memcmp(t.ip, ip4, 4),
	   "an address is looked up for its PTR, and no path is wanted for that");
	say_found();
	ok(is_record(DNS_PTR, name, sizeof name), "PTR has the name");
	ask_for("0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.0.0.0.0.0.5.0.4.0.3.0.2.0.1.0.d.f.ip6.arpa", DNS_PTR);
	ok(t.lookups == 2 && is_nxdomain() == false, "an IPv6 name of too few digits is not looked up");
	ask_for("0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.0.0.0.0.0.5.0.4.0.3.0.2.0.1.0.d.F.ip6.arpa", DNS_PTR);
	ask_for("0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.0.0.0.0.0.0.0.5.0.4.0.3.0.2.0.1.0.d.F.ip6.arpa", DNS_PTR);
	ok(sent(OUT_DATAGRAM, 0) == NULL || t.lookups == 2, "addresses outside the range are not ours");
	ask_for("0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.0.0.0.0.0.5.0.4.0.3.0.2.0.1.0.d.f.ip6.arpa", DNS_PTR);
	r = record_of("old.cyphonic.internal");
	memset(r.ip6, 0, 16);
	ask_for("old.cyphonic.internal", DNS_AAAA);
	say(DNS_FOUND, &r);
	ok(is_nodata(), "AAAA of a node with IPv4 alone is NODATA");
	ask_for("old.cyphonic.internal", DNS_A);
	ok(is_record(DNS_A, ip4, 4), "its A is answered");
	ask_for("no.cyphonic.internal", DNS_A);
	say(DNS_NO_SUCH_NAME, NULL);
	ok(is_nxdomain() && get16(answer() + 2) == 0x8583, "an unknown name is NXDOMAIN with an SOA");
	ok(count(OUT_CONNECT) == 0 && dns_counters(t.dns)->forwarded == 2, "none of this went upstream");
}

static void reverse6(void)
{
	static const char full[] =
		"0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.0.0.0.0.0.5.0.4.0.3.0.2.0.1.0.d.f.ip6.arpa";

	start(1);
	ask_for(full, DNS_PTR);
	diag("%s", full);
	diag("lookups %u family %u", t.lookups, t.family);
}

int main(void)
{
	overlay_answers();
	reverse6();
	dns_free(t.dns);
	return done();
}
