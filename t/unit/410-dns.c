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

static const uint8_t ip4[4] = { 198, 18, 0, 5 }, ip6[16] = { 0xfd, 1, 2, 3, 4, 5, 0, 0, 9 };

static void addresses(void)
{
	start(1);
	ask_for("DeV.cyphonic.INTERNAL", DNS_A);
	ok(t.lookups == 1 && t.wanted_lookups == 1 && t.family == 0 && t.out.n == 0 &&
	   !strcmp(t.name, "dev.cyphonic.internal"),
	   "a name of the overlay is looked up in its canonical form");
	say_found();
	ok(is_record(DNS_A, ip4, 4) && get16(answer()) == 0x4242,
	   "the answer has its IPv4 address");
	ok(get16(answer() + 2) == 0x8580, "and says that it is authoritative");
	ok(!memcmp(answer() + 12, "\3DeV\10cyphonic\10INTERNAL", 23),
	   "in the case of the question");
	ok(addr_equal(&sent(OUT_DATAGRAM, 0)->to, &client) &&
	   addr_equal(&sent(OUT_DATAGRAM, 0)->from, &local) &&
	   sent(OUT_DATAGRAM, 0)->port == PORT_DNS, "from the address that was asked");
	ok(t.wanted == 0, "the lookup has told that a path is wanted");
	ask_for("dev.cyphonic.internal", DNS_AAAA);
	ok(is_record(DNS_AAAA, ip6, 16) && t.lookups == 1, "AAAA right after it costs no lookup");
	ok(t.wanted == 1, "but the owner hears that a path is wanted");
	ask_for("dev.cyphonic.internal", DNS_ANY);
	ok(is_record(DNS_HINFO, "\7RFC8482", 9), "ANY gets a HINFO and no more");
	ask_for("dev.cyphonic.internal", 16);
	ok(is_nodata() && t.wanted == 1, "TXT is NODATA with an SOA, and no wish for a path");
}

static void absent(void)
{
	struct dns_record r = record_of("old.cyphonic.internal");

	start(1);
	memset(r.ip6, 0, 16);
	ask_for("old.cyphonic.internal", DNS_AAAA);
	say(DNS_FOUND, &r);
	ok(is_nodata(), "AAAA of a node with IPv4 alone is NODATA");
	ask_for("old.cyphonic.internal", DNS_A);
	ok(is_record(DNS_A, ip4, 4), "its A is answered");
	ask_for("no.cyphonic.internal", DNS_A);
	say(DNS_NO_SUCH_NAME, NULL);
	ok(is_nxdomain() && get16(answer() + 2) == 0x8583,
	   "an unknown name is NXDOMAIN with an SOA");
	ask_for("no.cyphonic.internal", DNS_ANY);
	ok(is_nxdomain() && t.lookups == 2, "also for ANY");
	ask_for("_ldap._tcp.cyphonic.internal", 33);
	ok(is_nxdomain() && t.lookups == 2, "a name nobody can have is NXDOMAIN without a lookup");
	ask_for("cyphonic.internal", DNS_SOA);
	ok(rcode() == 0 && counts(1, 0), "the zone has an SOA");
	ask_for("cyphonic.internal", DNS_NS);
	ok(is_record(DNS_NS, "\300\14", 2), "and an NS, itself");
	ask_for("cyphonic.internal", DNS_A);
	ok(is_nodata() && t.lookups == 2, "but no address");
	ask_for("localhost", DNS_A);
	ok(count(OUT_CONNECT) == 1, "localhost is a name like any other");
}

static void reverse_name(char *text, const uint8_t *ip, unsigned nibbles)
{
	static const char hex[] = "0123456789abcdef";
	unsigned i;

	for (i = nibbles; i-- > 0; text += 2) {
		text[0] = hex[i % 2 ? ip[i / 2] & 15 : ip[i / 2] >> 4];
		text[1] = '.';
	}
	strcpy(text, "ip6.arpa");
}

static void reverse(void)
{
	static const uint8_t dev[] = "\3dev\10cyphonic\10internal";
	static const uint8_t other[16] = { 0xfd, 1, 2, 3, 4, 6 };
	char name[100];

	start(1);
	ask_for("5.0.18.198.in-addr.arpa", DNS_PTR);
	ok(t.lookups == 1 && t.wanted_lookups == 0 && t.family == 4 && !memcmp(t.ip, ip4, 4),
	   "an address is looked up for its PTR, and no path is wanted for that");
	say_found();
	ok(is_record(DNS_PTR, dev, sizeof dev), "PTR has the name");
	ask_for("5.0.18.198.in-addr.arpa", DNS_A);
	ok(is_nodata() && t.lookups == 1, "A of such a name is NODATA");
	reverse_name(name, ip6, 32);
	ask_for(name, DNS_PTR);
	ok(t.lookups == 2 && t.family == 6 && !memcmp(t.ip, ip6, 16), "IPv6 likewise");
	say(DNS_NO_SUCH_NAME, NULL);
	ok(is_nxdomain(), "an address nobody has is NXDOMAIN");
	reverse_name(name, ip6, 20);
	ask_for(name, DNS_PTR);
	ok(is_nodata(), "half an address exists and has no records");
	reverse_name(name, ip6, 16);
	ask_for(name, DNS_SOA);
	ok(rcode() == 0 && counts(1, 0), "the zone of the range has an SOA");
	ask_for("x.5.0.19.198.in-addr.arpa", DNS_PTR);
	ok(is_nxdomain(), "a label in front of an address is NXDOMAIN");
	ask_for("256.19.198.in-addr.arpa", DNS_PTR);
	ok(is_nxdomain(), "so is a number that is no octet");
	ok(dns_counters(t.dns)->forwarded == 0, "none of these went upstream");
	ask_for("5.0.20.198.in-addr.arpa", DNS_PTR);
	reverse_name(name, other, 32);
	ask_for(name, DNS_PTR);
	ask_for("198.in-addr.arpa", DNS_SOA);
	ok(dns_counters(t.dns)->forwarded == 3 && t.lookups == 2, "names outside the ranges did");
	dns_domain(t.dns, "cyphonic.internal", net4, 15, (const uint8_t [16]){ 0xfd }, 64);
	ask_for("d.f.ip6.arpa", DNS_NS);
	ok(dns_counters(t.dns)->forwarded == 4, "so does a zone larger than the range");
}

static void refusals(void)
{
	struct msg m = query(1, "dev.cyphonic.internal", DNS_A);

	start(1);
	m.b[m.n - 1] = 3;
	ask(m);
	ok(rcode() == DNS_REFUSED, "another class than IN is REFUSED");
	ask_for("example.com", DNS_AXFR);
	ok(rcode() == DNS_REFUSED, "a zone transfer is REFUSED");
	flush(&t.out);
	m = query(1, "dev.cyphonic.internal", DNS_A);
	m.b[2] |= 0x80;
	ask(m);
	m.n = 11;
	ask(m);
	ok(t.out.n == 0, "answers and scraps get no answer");
	m = edns(query(1, "dev.cyphonic.internal", DNS_A), 1232);
	m.b[m.n - 5] = 1;
	ask(m);
	ok(rcode() == 0 && answer()[11] == 1 && sent(OUT_DATAGRAM, 0)->buf[m.n - 6] == 1,
	   "EDNS version 1 is BADVERS");
	flush(&t.out);
	m = query(1, "dev.cyphonic.internal", DNS_A);
	m.b[5] = 2;
	ask(m);
	ok(rcode() == DNS_FORMERR && t.lookups == 0, "a malformed query is FORMERR");
	start(0);
	ask_for("example.com", DNS_A);
	ok(rcode() == DNS_REFUSED, "without upstream other names are REFUSED");
	ask_for("", DNS_NS);
	ok(rcode() == DNS_REFUSED, "so is the root");
	ok(dns_counters(t.dns)->refused == 2 && dns_counters(t.dns)->queries == 2,
	   "and that is counted");
	dns_domain(t.dns, "", net4, 0, net6, 0);
	ask_for("dev.cyphonic.internal", DNS_A);
	ok(rcode() == DNS_REFUSED && t.lookups == 0,
	   "before the domain is known all names are others'");
}

static void one_lookup(void)
{
	unsigned i;

	start(1);
	flush(&t.out);
	for (i = 0; i < 200; i++)
		ask(query(i, "dev.cyphonic.internal", i % 2 ? DNS_A : DNS_AAAA));
	ok(t.lookups == 1 && t.out.n == 0, "a name asked for 200 times at once is looked up once");
	say_found();
	ok(count(OUT_DATAGRAM) == 200, "and answered 200 times");
	say_found();
	ok(count(OUT_DATAGRAM) == 200, "a second answer is not passed on");
	pass((DNS_TTL - 1) * SEC);
	ask_for("dev.cyphonic.internal", DNS_A);
	ok(rcode() == 0 && t.lookups == 1, "it is remembered for its TTL");
	pass(1 * SEC);
	ask_for("dev.cyphonic.internal", DNS_A);
	ok(t.lookups == 2 && t.out.n == 0, "and no longer");
	ask_for("no.cyphonic.internal", DNS_A);
	say(DNS_NO_SUCH_NAME, NULL);
	pass((DNS_NEGATIVE_TTL - 1) * SEC);
	ask_for("no.cyphonic.internal", DNS_AAAA);
	ok(is_nxdomain() && t.lookups == 3, "NXDOMAIN is remembered too");
	pass(1 * SEC);
	ask_for("no.cyphonic.internal", DNS_A);
	ok(t.lookups == 4, "for five seconds");
	t.at_once = true;
	ask_for("me.cyphonic.internal", DNS_A);
	ok(is_record(DNS_A, ip4, 4), "the owner may answer inside lookup()");
}

static void wishes(void)
{
	start(1);
	ask_for("dev.cyphonic.internal", 16);
	ask_for("dev.cyphonic.internal", DNS_A);
	ok(t.lookups == 1 && t.wanted_lookups == 0 && t.wanted == 0,
	   "A while TXT is looked up costs no second lookup");
	say_found();
	ok(t.wanted == 1, "the owner hears of the wish when the name is known");
	ask_for("b.cyphonic.internal", 16);
	ask_for("b.cyphonic.internal", DNS_A);
	say(DNS_NO_SUCH_NAME, NULL);
	ok(t.wanted == 1, "but not for a name that does not exist");
}

static void silence(void)
{
	start(1);
	ask_for("dev.cyphonic.internal", DNS_A);
	pass(DNS_LOOKUP_WAIT * SEC - 1);
	ok(t.out.n == 0, "a lookup is waited for");
	pass(1);
	ok(rcode() == DNS_SERVFAIL && count(OUT_DATAGRAM) == 1, "then it is SERVFAIL");
	ask_for("dev.cyphonic.internal", DNS_AAAA);
	ok(rcode() == DNS_SERVFAIL && t.lookups == 1, "for a second");
	pass(1 * SEC);
	ask_for("dev.cyphonic.internal", DNS_A);
	ok(t.lookups == 2 && t.out.n == 0, "then it is looked up again");
	say(DNS_FAILED, NULL);
	ok(rcode() == DNS_SERVFAIL, "a failed lookup is SERVFAIL");
	say_found();
	ask_for("dev.cyphonic.internal", DNS_A);
	ok(is_record(DNS_A, ip4, 4), "a late answer serves the next query");
	pass((DNS_TTL + 1) * SEC);
	ask_for("dev.cyphonic.internal", DNS_A);
	ok(t.lookups == 3 && t.out.n == 0, "an old answer alone is not good enough");
	pass(DNS_LOOKUP_WAIT * SEC);
	ok(is_record(DNS_A, ip4, 4), "but stands in when the lookup fails");
	ask_for("dev.cyphonic.internal", DNS_A);
	ok(is_record(DNS_A, ip4, 4) && t.lookups == 3 && t.wanted == 2,
	   "at once, for the second after, and the wish is told");
	pass(DNS_STALE * SEC);
	ask_for("dev.cyphonic.internal", DNS_A);
	pass(DNS_LOOKUP_WAIT * SEC);
	ok(rcode() == DNS_SERVFAIL, "after another 30 s it is too old");
	pass(1 * SEC);
	ask_for("dev.cyphonic.internal", 16);
	say_found();
	say(DNS_NO_SUCH_NAME, NULL);
	pass(DNS_NEGATIVE_TTL * SEC);
	ask_for("dev.cyphonic.internal", DNS_A);
	say(DNS_FAILED, NULL);
	ok(rcode() == DNS_SERVFAIL, "a name that is gone does not come back when a lookup fails");
	ok(dns_expiry(t.dns) == NEVER, "and nothing is waited for");
}

static void flood(void)
{
	char name[64];
	unsigned i, servfail = 0;

	start(1);
	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof name, "n%u.cyphonic.internal", i);
		ask_for(name, DNS_A);
		servfail += t.out.n && rcode() == DNS_SERVFAIL;
	}
	ok(t.lookups == DNS_NAMES && servfail == 10000 - DNS_NAMES,
	   "of 10,000 names at once %u are looked up, the rest is SERVFAIL", DNS_NAMES);
	flush(&t.out);
	pass(10 * SEC);
	ask_for("dev.cyphonic.internal", DNS_A);
	ok(t.lookups == DNS_NAMES + 1, "later there is room again");
	start(1);
	for (i = servfail = 0; i < 3000; i++) {
		ask_for("dev.cyphonic.internal", DNS_A);
		servfail += t.out.n && rcode() == DNS_SERVFAIL;
	}
	ok(servfail == 3000 - DNS_PENDING, "%u queries wait at once, the rest is SERVFAIL",
	   DNS_PENDING);
	t.at_once = true;
	say_found();
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "n%u.cyphonic.internal", i);
		ask_for(name, DNS_A);
	}
	ok(is_record(DNS_A, ip4, 4), "a thousand names in turn are no trouble");
}

/* ---- upstream ---- */

static void flow(enum flow_what what, uint32_t handle, const void *p, size_t n)
{
	struct flow_event ev = { .what = what, .handle = handle, .data = { p, n },
				 .port = handle < STREAM_ACCEPTED ? PORT_MAIN : PORT_DNS };

	dns_flow(t.dns, t.now, &ev, &t.out);
}

/* The query that went upstream in the outbox's only stream. */
static struct msg forwarded(void)
{
	const struct out_item *item = sent(OUT_STREAM, 0);
	struct msg m = { .n = item ? item->len : 0 };

	if (item)
		memcpy(m.b, item->buf, item->len);
	return m;
}

/* An answer to it, with one record. */
static struct msg reply(struct msg m, unsigned type, const void *data, size_t n)
{
	static const uint8_t rr[] = { 0xc0, 12, 0, 0, 0, 1, 0, 0, 1, 0, 0 };

	m.b[2] = 0x81;
	m.b[3] = 0x80;
	m.b[7] = 1;
	m.b[11] = 0;
	memcpy(m.b + m.n, rr, sizeof rr);
	m.b[m.n + 3] = (uint8_t)type;
	m.b[m.n + 11] = (uint8_t)n;
	memcpy(m.b + m.n + 12, data, n);
	m.n += 12 + n;
	return m;
}

static uint32_t last_flow(void)
{
	const struct out_item *item = sent(OUT_CONNECT, 0);

	return item ? item->handle : 0;
}

static void forwarding(void)
{
	struct msg q = query(0x4242, "wWw.example.com", DNS_A), m, a;
	uint32_t h;

	start(2);
	ask(q);
	h = last_flow();
	m = forwarded();
	ok(h >= BASE && h < BASE + DNS_PENDING && sent(OUT_CONNECT, 0)->proto == FLOW_UDP &&
	   sent(OUT_CONNECT, 0)->to.ip[3] == 1 && sent(OUT_STREAM, 0)->handle == h,
	   "another name goes upstream by a flow of its own");
	ok(m.n == q.n && !memcmp(m.b + 2, q.b + 2, m.n - 2) && t.lookups == 0,
	   "as it is but for the ID, and the overlay is not asked");
	flush(&t.out);
	a = reply(m, DNS_A, "\300\0\2\1", 4);
	a.b[0] ^= 1;
	flow(FLOW_DATA, h, a.b, a.n);
	a.b[0] ^= 1;
	a.b[14] = 'x';
	flow(FLOW_DATA, h, a.b, a.n);
	flow(FLOW_DATA, h, a.b, 5);
	ok(t.out.n == 0, "an answer with another ID or question is ignored");
	a = reply(m, DNS_A, "\300\0\2\1", 4);
	a.b[13] = 'W';
	flow(FLOW_OPENED, h, NULL, 0);
	flow(FLOW_DATA, h, a.b, a.n);
	ok(count(OUT_DATAGRAM) == 1 && rcode() == 0 && get16(answer()) == 0x4242 &&
	   !memcmp(answer() + 13, "wWw", 3) && !(answer()[2] & 4),
	   "the right one goes back with the client's ID and case");
	ok(count(OUT_CLOSE) == 1 && sent(OUT_CLOSE, 0)->handle == h, "and the flow is closed");
	flow(FLOW_DATA, h, a.b, a.n);
	flow(FLOW_CLOSED, h, NULL, 0);
	ok(count(OUT_DATAGRAM) == 1 && count(OUT_CONNECT) == 0, "a second answer is ignored");
	flush(&t.out);
	ask(q);
	ok(last_flow() != h, "the next query has another flow");
}

static void servers(void)
{
	struct msg m;
	uint32_t h;

	start(3);
	ask_for("example.com", DNS_A);
	h = last_flow();
	m = forwarded();
	flush(&t.out);
	pass(DNS_UPSTREAM_WAIT * SEC);
	ok(sent(OUT_CLOSE, 0)->handle == h && sent(OUT_CONNECT, 0)->to.ip[3] == 2 &&
	   last_flow() != h, "after 2 s the next server is asked");
	h = last_flow();
	flush(&t.out);
	flow(FLOW_CLOSED, h, NULL, 0);
	ok(count(OUT_CLOSE) == 0 && sent(OUT_CONNECT, 0)->to.ip[3] == 3,
	   "at once when that one cannot be reached");
	m = forwarded();
	m.b[2] |= 0x80;
	m.b[3] = DNS_REFUSED;
	flow(FLOW_DATA, last_flow(), m.b, m.n);
	ok(rcode() == DNS_REFUSED, "what the last one says is passed on, even that it refuses");
	ask_for("example.com", DNS_A);
	m = forwarded();
	m.b[2] |= 0x80;
	m.b[3] = DNS_SERVFAIL;
	h = last_flow();
	flush(&t.out);
	flow(FLOW_DATA, h, m.b, m.n);
	ok(sent(OUT_CONNECT, 0)->to.ip[3] == 2, "a server that fails is followed by the next");
	flush(&t.out);
	pass(2 * DNS_UPSTREAM_WAIT * SEC);
	ok(rcode() == DNS_SERVFAIL && dns_expiry(t.dns) == NEVER,
	   "when all are silent it is SERVFAIL");
	start(1);
	ask_for("example.com", DNS_A);
	pass(DNS_UPSTREAM_WAIT * SEC);
	ok(count(OUT_CONNECT) == 2, "a single server is asked twice");
	pass(DNS_UPSTREAM_WAIT * SEC);
	ok(count(OUT_CONNECT) == 2 && rcode() == DNS_SERVFAIL, "and not a third time");
	ask_for("example.com", DNS_A);
	dns_upstream(t.dns, NULL, 0);
	flush(&t.out);
	pass(DNS_UPSTREAM_WAIT * SEC);
	ok(rcode() == DNS_SERVFAIL, "servers may go while they are asked");
}

static void bad_answers(void)
{
	static const struct {
		unsigned type;
		const char *data;
		size_t n;
		const char *text;
	} bad[] = {
		{ DNS_A, "\306\022\0\5", 4, "an address of the overlay" },
		{ DNS_AAAA, "\xfd\1\2\3\4\5\0\0........", 16, "an IPv6 address of the overlay" },
		{ DNS_A, "123", 3, "three octets for an A" },
		{ DNS_CNAME, "\300\14", 2, "a CNAME to itself" },
	};
	struct msg m;
	unsigned i;

	start(2);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ask_for("evil.example", bad[i].type);
		m = reply(forwarded(), bad[i].type, bad[i].data, bad[i].n);
		flow(FLOW_DATA, last_flow(), m.b, m.n);
		ok(rcode() == DNS_SERVFAIL, "an answer with %s is SERVFAIL", bad[i].text);
	}
	ok(dns_counters(t.dns)->servfail == ARRAY_SIZE(bad), "and that is counted");
}

static void truncation(void)
{
	struct msg q = edns(query(7, "big.example", 16), 4096), m;
	static uint8_t text[1300], stream[1500];
	uint32_t h;

	start(1);
	ask(query(7, "big.example", 16));
	m = forwarded();
	h = last_flow();
	m.b[2] |= 0x82;
	flush(&t.out);
	flow(FLOW_DATA, h, m.b, m.n);
	ok(sent(OUT_CLOSE, 0)->handle == h && sent(OUT_CONNECT, 0)->proto == FLOW_TCP,
	   "a truncated answer is asked for by TCP");
	m = forwarded();
	ok(get16(m.b) == m.n - 2, "with the length in front");
	memmove(m.b, m.b + 2, m.n -= 2);
	m = reply(m, 16, text, 100);
	put16(stream, (uint16_t)m.n);
	memcpy(stream + 2, m.b, m.n);
	h = last_flow();
	flow(FLOW_DATA, h, stream, 1);
	flow(FLOW_DATA, h, stream + 1, 50);
	ok(count(OUT_DATAGRAM) == 0, "a part of it is not enough");
	flow(FLOW_DATA, h, stream + 51, m.n - 49);
	ok(count(OUT_DATAGRAM) == 1 && rcode() == 0 && counts(1, 0), "the whole is passed on");
	flush(&t.out);
	ask(q);
	m = reply(forwarded(), 16, text, 0);
	put16(m.b + m.n - 2, sizeof text);
	memcpy(m.b + m.n, text, sizeof text);
	m.n += sizeof text;
	/* the query's OPT record stands between question and answer: take it out */
	memmove(m.b + q.n - 11, m.b + q.n, m.n - q.n);
	m.n -= 11;
	flow(FLOW_DATA, last_flow(), m.b, m.n);
	ok(count(OUT_DATAGRAM) == 1 && answer()[2] & 2 && sent(OUT_DATAGRAM, 0)->len == q.n &&
	   counts(0, 0), "an answer too long for UDP says TC and nothing else");
}

static void upstream_flood(void)
{
	unsigned i, servfail = 0;

	start(1);
	for (i = 0; i < 1500; i++) {
		ask_for("example.com", DNS_A);
		servfail += count(OUT_DATAGRAM);
	}
	ok(servfail == 1500 - DNS_PENDING, "%u queries go upstream at once", DNS_PENDING);
	pass(2 * DNS_UPSTREAM_WAIT * SEC);
	ask_for("example.com", DNS_A);
	ok(count(OUT_CONNECT) == 1 && dns_counters(t.dns)->servfail == 1500, "all of them end");
}

/* ---- clients by TCP ---- */

#define TCP(n) (STREAM_ACCEPTED + (n))

static size_t frame(uint8_t *b, struct msg m)
{
	put16(b, (uint16_t)m.n);
	memcpy(b + 2, m.b, m.n);
	return m.n + 2;
}

static void tcp(void)
{
	uint8_t b[300];
	size_t n = frame(b, query(1, "dev.cyphonic.internal", DNS_A)), i;

	start(1);
	n += frame(b + n, query(2, "dev.cyphonic.internal", DNS_AAAA));
	n += frame(b + n, query(3, "cyphonic.internal", DNS_SOA));
	flow(FLOW_OPENED, TCP(0), NULL, 0);
	flow(FLOW_DATA, TCP(0), b, n);
	ok(t.lookups == 1 && count(OUT_STREAM) == 1 && get16(sent(OUT_STREAM, 0)->buf + 2) == 3,
	   "of three queries on a connection the one that can be answered is");
	say_found();
	ok(count(OUT_STREAM) == 3 && sent(OUT_STREAM, 2)->handle == TCP(0) &&
	   get16(sent(OUT_STREAM, 2)->buf) == sent(OUT_STREAM, 2)->len - 2,
	   "the others when the lookup is done");
	flush(&t.out);
	for (i = 0; i < n; i++)
		flow(FLOW_DATA, TCP(0), b + i, 1);
	ok(count(OUT_STREAM) == 3, "queries may come octet by octet");
	flush(&t.out);
	pass(DNS_TCP_IDLE * SEC - 1);
	ok(t.out.n == 0, "an idle connection is kept");
	pass(1);
	ok(count(OUT_CLOSE) == 1 && sent(OUT_CLOSE, 0)->handle == TCP(0), "for five seconds");
	flow(FLOW_DATA, TCP(0), b, n);
	ok(count(OUT_STREAM) == 0, "what still comes from it is not heard");
	flush(&t.out);
	flow(FLOW_OPENED, TCP(1), NULL, 0);
	for (i = 0; i < 6; i++) {
		flow(FLOW_DATA, TCP(1), b + i, 1);
		pass(1 * SEC);
	}
	ok(count(OUT_CLOSE) == 1, "one octet a second is idle too");
}

static void tcp_limits(void)
{
	static const uint8_t zero[2], eleven[2] = { 0, 11 }, huge[2] = { 0xff, 0xff };
	uint8_t b[100];
	size_t n = frame(b, query(1, "www.example", DNS_A));
	unsigned i;

	start(1);
	flow(FLOW_OPENED, TCP(1), NULL, 0);
	flow(FLOW_DATA, TCP(1), zero, 2);
	flow(FLOW_OPENED, TCP(2), NULL, 0);
	flow(FLOW_DATA, TCP(2), eleven, 2);
	flow(FLOW_OPENED, TCP(3), NULL, 0);
	flow(FLOW_DATA, TCP(3), huge, 2);
	ok(count(OUT_CLOSE) == 3, "lengths no query can have close the connection");
	flush(&t.out);
	for (i = 0; i < 1000; i++)
		flow(FLOW_OPENED, TCP(10 + i), NULL, 0);
	ok(dns_expiry(t.dns) != NEVER && t.out.n + DNS_TCP_MAX <= 1000, "of 1,000 connections");
	flush(&t.out);
	pass(DNS_TCP_IDLE * SEC);
	ok(count(OUT_CLOSE) == DNS_TCP_MAX, "64 were open");
	flush(&t.out);
	flow(FLOW_OPENED, TCP(1), NULL, 0);
	flow(FLOW_DATA, TCP(1), b, n);
	ok(count(OUT_CONNECT) == 1, "a query by TCP goes upstream too");
	flush(&t.out);
	flow(FLOW_CLOSED, TCP(1), NULL, 0);
	ok(count(OUT_CLOSE) == 1 && sent(OUT_CLOSE, 0)->handle < STREAM_ACCEPTED,
	   "and is given up when the client leaves");
	flow(FLOW_OPENED, TCP(2), NULL, 0);
	n = frame(b, query(1, "dev.cyphonic.internal", DNS_A));
	flow(FLOW_DATA, TCP(2), b, n);
	flow(FLOW_CLOSED, TCP(2), NULL, 0);
	flush(&t.out);
	say_found();
	ok(t.out.n == 0, "an answer for a client that left goes nowhere");
	ask_for("dev.cyphonic.internal", DNS_A);
	ok(is_record(DNS_A, ip4, 4) && t.lookups == 1, "but is remembered");
	ok(dns_expiry(t.dns) == NEVER, "and nothing is waited for");
}

static void tcp_waits(void)
{
	uint8_t b[100];
	size_t n = frame(b, query(1, "www.example", DNS_A));

	start(3);
	flow(FLOW_OPENED, TCP(1), NULL, 0);
	flow(FLOW_DATA, TCP(1), b, n);
	flush(&t.out);
	pass(6 * SEC);
	ok(count(OUT_STREAM) == 3 && sent(OUT_STREAM, 2)->handle == TCP(1) &&
	   (sent(OUT_STREAM, 2)->buf[5] & 15) == DNS_SERVFAIL,
	   "a connection is not idle while its query waits");
	flush(&t.out);
	pass(DNS_TCP_IDLE * SEC - 1);
	ok(count(OUT_CLOSE) == 0, "it has its five seconds from the answer on");
	n = frame(b, query(1, "cyphonic.internal", DNS_SOA));
	flow(FLOW_DATA, TCP(1), b, n);
	pass(DNS_TCP_IDLE * SEC - 1);
	ok(count(OUT_CLOSE) == 0, "and again from the next query on");
	pass(1);
	ok(count(OUT_CLOSE) == 1, "and not a moment more");
}

int main(void)
{
	addresses();
	absent();
	reverse();
	refusals();
	one_lookup();
	wishes();
	silence();
	flood();
	forwarding();
	servers();
	bad_answers();
	truncation();
	upstream_flood();
	tcp();
	tcp_limits();
	tcp_waits();
	dns_free(t.dns);
	free(t.out.scratch);
	return done();
}
