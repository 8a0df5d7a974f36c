/* 400-dnsmsg.c - DNS messages as bytes: what is refused, what survives. */
#include "t/tap.h"
#include "net/proto/dnsmsg.h"

struct msg {
	uint8_t b[4096];
	size_t n;
};

static void add(struct msg *m, const void *p, size_t n)
{
	if (n)
		memcpy(m->b + m->n, p, n);
	m->n += n;
}

static void add16(struct msg *m, unsigned v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	add(m, b, 2);
}

/* "a.b" as labels; no check at all, so that wrong ones can be made too. */
static void add_name(struct msg *m, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ".");

		m->b[m->n++] = (uint8_t)n;
		add(m, text, n);
		text += n + (text[n] == '.');
	}
	m->b[m->n++] = 0;
}

static void header(struct msg *m, unsigned flags, unsigned qd, unsigned an, unsigned ns,
		   unsigned ar)
{
	m->n = 0;
	add16(m, 0x1234);
	add16(m, flags);
	add16(m, qd);
	add16(m, an);
	add16(m, ns);
	add16(m, ar);
}

static void question(struct msg *m, const char *name, unsigned type)
{
	add_name(m, name);
	add16(m, type);
	add16(m, 1);
}

static void query(struct msg *m, const char *name, unsigned type, unsigned additional)
{
	header(m, 0x0100, 1, 0, 0, additional);
	question(m, name, type);
}

static void opt(struct msg *m, unsigned size, unsigned version, const void *data, size_t n)
{
	add_name(m, "");
	add16(m, DNS_OPT);
	add16(m, size);
	add16(m, version);
	add16(m, 0x8000);
	add16(m, (unsigned)n);
	add(m, data, n);
}

/* A record named by a pointer to the question. */
static void record(struct msg *m, unsigned type, uint32_t ttl, const void *data, unsigned n)
{
	add16(m, 0xc00c);
	add16(m, type);
	add16(m, 1);
	add16(m, ttl >> 16);
	add16(m, ttl & 0xffff);
	add16(m, n);
	add(m, data, n);
}

/* Reads a copy of exactly n octets, so that a sanitizer sees the first one too many. */
static int parse(struct dns_question *q, const uint8_t *b, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	int rcode;

	memcpy(copy, b, n);
	rcode = dnsmsg_query(q, copy, n);
	free(copy);
	return rcode;
}

static void good_queries(void)
{
	static const uint8_t cookie[12] = { 0, 10, 0, 8 }, unknown[7] = { 0xfd, 0xe9, 0, 3 };
	static const struct { unsigned asked, got; } size[] = {
		{ 0, 512 }, { 511, 512 }, { 512, 512 }, { 1000, 1000 }, { 1232, 1232 },
		{ 1233, 1232 }, { 65535, 1232 },
	};
	struct dns_question q;
	struct msg m;
	unsigned i;

	query(&m, "Dev.Example", DNS_AAAA, 0);
	ok(parse(&q, m.b, m.n) == DNS_NOERROR && q.id == 0x1234 && q.flags == 0x0100 &&
	   q.type == DNS_AAAA && q.class == 1 && q.name_len == 13 &&
	   !memcmp(q.name, "\3Dev\7Example", 13),
	   "a plain query is read, its name in the asked case");
	ok(!q.edns && q.size == 512, "a client without EDNS takes 512 octets");
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		query(&m, "a", DNS_A, 1);
		opt(&m, size[i].asked, 0, NULL, 0);
		ok(parse(&q, m.b, m.n) == 0 && q.edns && q.dnssec_ok && q.size == size[i].got,
		   "EDNS size %u counts as %u", size[i].asked, size[i].got);
	}
	query(&m, "a", DNS_A, 1);
	opt(&m, 1232, 0, cookie, sizeof cookie);
	ok(parse(&q, m.b, m.n) == 0, "a cookie of eight octets is fine");
	query(&m, "a", DNS_A, 1);
	opt(&m, 1232, 0, unknown, sizeof unknown);
	ok(parse(&q, m.b, m.n) == 0, "an unknown EDNS option is ignored");
	query(&m, "", DNS_NS, 0);
	ok(parse(&q, m.b, m.n) == 0 && q.name_len == 1, "the root may be asked for");
	query(&m, "a", DNS_A, 1);
	opt(&m, 1232, 1, NULL, 0);
	ok(parse(&q, m.b, m.n) == DNS_BADVERS, "EDNS version 1 is BADVERS");
}

static void bad_headers(void)
{
	struct dns_question q;
	struct msg m;
	size_t n;
	bool silent = true;

	query(&m, "a", DNS_A, 0);
	for (n = 0; n < DNS_HEADER; n++)
		silent &= parse(&q, m.b, n) == -1;
	ok(silent, "less than a header gets no answer");
	m.b[2] |= 0x80;
	ok(parse(&q, m.b, m.n) == -1, "an answer gets no answer");
	header(&m, 0x0100, 0, 0, 0, 0);
	ok(parse(&q, m.b, m.n) == DNS_FORMERR, "no question is FORMERR");
	header(&m, 0x0100, 2, 0, 0, 0);
	question(&m, "a", 1);
	question(&m, "a", 28);
	ok(parse(&q, m.b, m.n) == DNS_FORMERR, "two questions are FORMERR");
	header(&m, 0x2800, 1, 0, 0, 0);
	question(&m, "a", 6);
	ok(parse(&q, m.b, m.n) == DNS_NOTIMP, "an UPDATE is NOTIMP");
	query(&m, "a", DNS_A, 0);
	add16(&m, 0);
	ok(parse(&q, m.b, m.n) == DNS_FORMERR, "octets behind the message are FORMERR");
	header(&m, 0x0100, 1, 1, 0, 0);
	question(&m, "a", 1);
	record(&m, DNS_A, 1, "1234", 4);
	ok(parse(&q, m.b, m.n) == DNS_FORMERR, "a query that brings answers is FORMERR");
	query(&m, "a", DNS_A, 1);
	opt(&m, 1232, 0, NULL, 0);
	for (n = DNS_HEADER, silent = true; n < m.n; n++)
		silent &= parse(&q, m.b, n) == DNS_FORMERR;
	ok(silent, "a query cut short anywhere is FORMERR");
}

static void bad_names(void)
{
	char name[600];
	struct dns_question q;
	struct msg m;
	unsigned i;
	static const struct { uint8_t b[4]; unsigned n; const char *text; } first[] = {
		{ { 0x40 }, 1, "a label of 64" }, { { 0x80, 1 }, 2, "a label of type 0x80" },
		{ { 0xc0, 12 }, 2, "a pointer to itself" },
		{ { 0xc0, 0 }, 2, "a pointer into the header" },
		{ { 0xc0, 0x40 }, 2, "a pointer forward" },
		{ { 1, 'a', 0xc0, 12 }, 4, "a pointer behind a label" },
		{ { 0xc0 }, 1, "half a pointer" },
	};

	for (i = 0; i < ARRAY_SIZE(first); i++) {
		header(&m, 0x0100, 1, 0, 0, 0);
		add(&m, first[i].b, first[i].n);
		add16(&m, 1);
		add16(&m, 1);
		ok(parse(&q, m.b, m.n) == DNS_FORMERR, "%s in the question is FORMERR",
		   first[i].text);
	}
	for (i = 0; i < 508; i++)
		name[i] = i % 4 == 3 ? '.' : 'x';
	name[251] = '\0';
	query(&m, name, DNS_A, 0);
	ok(parse(&q, m.b, m.n) == 0 && q.name_len == 253, "a name of 253 octets is read");
	memcpy(name + 251, ".y", 3);
	query(&m, name, DNS_A, 0);
	ok(parse(&q, m.b, m.n) == 0 && q.name_len == 255, "so is one of 255");
	memcpy(name + 251, ".yz", 4);
	query(&m, name, DNS_A, 0);
	ok(parse(&q, m.b, m.n) == DNS_FORMERR, "one of 256 is FORMERR");
	for (i = 0; i < 256; i++)
		name[i] = i % 2 ? '.' : 'x';
	name[253] = '\0';
	query(&m, name, DNS_A, 0);
	ok(parse(&q, m.b, m.n) == 0, "127 labels are read");
	name[253] = '.';
	name[255] = '\0';
	query(&m, name, DNS_A, 0);
	ok(parse(&q, m.b, m.n) == DNS_FORMERR, "128 labels are FORMERR");
}

static void bad_edns(void)
{
	static const uint8_t odd[11] = { 0, 10, 0, 7 }, over[5] = { 0, 3, 0, 2, 0 },
		half[3] = { 0, 3, 0 };
	struct dns_question q;
	struct msg m;

	query(&m, "a", DNS_A, 2);
	opt(&m, 1232, 0, NULL, 0);
	opt(&m, 1232, 0, NULL, 0);
	ok(parse(&q, m.b, m.n) == DNS_FORMERR, "two OPT records are FORMERR");
	query(&m, "a", DNS_A, 1);
	record(&m, DNS_OPT, 0, NULL, 0);
	ok(parse(&q, m.b, m.n) == DNS_FORMERR, "an OPT record with a name is FORMERR");
	query(&m, "a", DNS_A, 1);
	opt(&m, 1232, 0, odd, sizeof odd);
	ok(parse(&q, m.b, m.n) == DNS_FORMERR, "a cookie of seven octets is FORMERR");
	query(&m, "a", DNS_A, 1);
	opt(&m, 1232, 0, over, sizeof over);
	ok(parse(&q, m.b, m.n) == DNS_FORMERR, "an option longer than the record is FORMERR");
	query(&m, "a", DNS_A, 1);
	opt(&m, 1232, 0, half, sizeof half);
	ok(parse(&q, m.b, m.n) == DNS_FORMERR, "half an option is FORMERR");
}

static void names(void)
{
	static const char dotted[] = "\3a.b\1c", zeroed[] = "\3a\0b\1c", under[] = "\2_x\1c";
	uint8_t wire[DNS_WIRE_NAME], zone[DNS_WIRE_NAME];
	char text[NAME_SIZE];
	size_t n, z;

	n = dnsname_wire(wire, "a.example");
	ok(n == 11 && !memcmp(wire, "\1a\7example", 11), "a text becomes a name");
	ok(!dnsname_wire(wire, "") && !dnsname_wire(wire, "a..b"), "what is no name does not");
	ok(dnsname_text(text, (const uint8_t *)"\3DeV\2eX") && !strcmp(text, "dev.ex"),
	   "a name becomes a text in lower case");
	ok(!dnsname_text(text, (const uint8_t *)dotted) &&
	   !dnsname_text(text, (const uint8_t *)zeroed) &&
	   !dnsname_text(text, (const uint8_t *)under) && !dnsname_text(text, (const uint8_t *)""),
	   "a dot, a zero or an underscore inside a label, and the root, have no canonical text");
	z = dnsname_wire(zone, "example");
	ok(dnsname_below((const uint8_t *)"\1a\7eXaMple", 11, zone, z) == 2,
	   "a name below the zone is found, whatever its case");
	ok(dnsname_below(zone, z, zone, z) == 0, "the zone itself too");
	ok(dnsname_below((const uint8_t *)"\10xexample", 10, zone, z) == -1,
	   "a name that only ends alike is not");
	ok(dnsname_below(zone, z, zone, 0) == -1, "and nothing is below no zone");
}

static void reverse_names(void)
{
	static const struct { const char *name; unsigned family, bits; bool extra; } t[] = {
		{ "4.3.18.198.in-addr.arpa", 4, 32, false },
		{ "18.198.IN-ADDR.arpa", 4, 16, false },
		{ "5.4.3.18.198.in-addr.arpa", 4, 32, true },
		{ "256.18.198.in-addr.arpa", 4, 16, true },
		{ "01.18.198.in-addr.arpa", 4, 16, true },
		{ "0-63.18.198.in-addr.arpa", 4, 16, true },
		{ "1000.in-addr.arpa", 4, 0, true }, { "in-addr.arpa", 4, 0, false },
		{ "d.f.ip6.arpa", 6, 8, false }, { "D.F.ip6.arpa", 6, 8, false },
		{ "g.f.ip6.arpa", 6, 4, true }, { "00.f.ip6.arpa", 6, 4, true },
		{ "arpa", 0, 0, false },
	};
	struct dns_reverse r;
	struct msg m;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		m.n = 0;
		add_name(&m, t[i].name);
		ok(dnsname_reverse(&r, m.b) == (t[i].family != 0) && r.family == t[i].family &&
		   r.bits == t[i].bits && r.extra == t[i].extra, "%s fixes %u bits%s", t[i].name,
		   t[i].bits, t[i].extra ? " and says more" : "");
	}
	m.n = 0;
	add_name(&m, "4.3.18.198.in-addr.arpa");
	ok(dnsname_reverse(&r, m.b) && !memcmp(r.ip, "\306\022\003\004", 4),
	   "IPv4 comes out in network order");
	ok(dnsname_reverse_zone(m.b, 4, 15) == 4, "the zone of a /15 is that of its /16");
	m.n = 0;
	add_name(&m, "d.f.ip6.arpa");
	ok(dnsname_reverse(&r, m.b) && r.ip[0] == 0xfd, "IPv6 too");
}

/* An answer to "www.example", its records to be added. */
static void answer(struct msg *m, struct dns_question *q, unsigned type, unsigned records)
{
	query(m, "www.example", type, 0);
	parse(q, m->b, m->n);
	header(m, 0x8180, 1, records, 0, 0);
	question(m, "WWW.example", type);
	put16(m->b, 0x9999);
}

static const struct dns_ranges ranges = {
	.net4 = { 198, 18 }, .bits4 = 15, .net6 = { 0xfd, 1, 2, 3, 4, 5 }, .bits6 = 64,
};

/* What is left of it, in place. */
static size_t adopt(struct msg *m, const struct dns_question *q)
{
	uint8_t *copy = malloc(m->n);
	size_t n;

	memcpy(copy, m->b, m->n);
	n = dnsmsg_adopt(copy, m->n, q, &ranges);
	memcpy(m->b, copy, m->n);
	free(copy);
	return n;
}

static void whose_answer(void)
{
	struct dns_question q;
	struct msg m;
	size_t n;
	bool none = true;

	answer(&m, &q, DNS_A, 0);
	ok(dnsmsg_answers(&q, 0x9999, m.b, m.n), "the answer with the ID and the question is it");
	ok(!dnsmsg_answers(&q, 0x9998, m.b, m.n), "with another ID it is not");
	for (n = 0; n < m.n; n++)
		none &= !dnsmsg_answers(&q, 0x9999, m.b, n);
	ok(none, "nor when it is cut short");
	m.b[2] &= 0x7f;
	ok(!dnsmsg_answers(&q, 0x9999, m.b, m.n), "nor when it is a query");
	m.b[2] |= 0x80;
	m.b[m.n - 3] = 28;
	ok(!dnsmsg_answers(&q, 0x9999, m.b, m.n), "nor with another type");
	m.b[m.n - 3] = 1;
	m.b[14] = 'x';
	ok(!dnsmsg_answers(&q, 0x9999, m.b, m.n), "nor with another name");
}

static void adoption(void)
{
	static const struct { uint32_t ttl, kept; } ttl[] = {
		{ 0, 0 }, { 300, 300 }, { 86400, 86400 }, { 86401, 86400 }, { 0x7fffffff, 86400 },
		{ 0x80000000, 0 }, { 0xffffffff, 0 },
	};
	struct dns_question q;
	struct msg m;
	unsigned i;
	size_t n;
	bool none = true;

	answer(&m, &q, DNS_A, 1);
	record(&m, DNS_A, 300, "\300\0\2\1", 4);
	ok(adopt(&m, &q) == m.n && get16(m.b) == 0x1234 && !memcmp(m.b + 13, "www", 3),
	   "an adopted answer has the client's ID and case");
	add16(&m, 7);
	ok(adopt(&m, &q) == m.n - 2, "what stands behind the last record is cut off");
	m.n -= 2;
	for (i = 0; i < ARRAY_SIZE(ttl); i++) {
		put32(m.b + m.n - 10, ttl[i].ttl);
		ok(adopt(&m, &q) && get32(m.b + m.n - 10) == ttl[i].kept,
		   "a TTL of %u is passed on as %u", ttl[i].ttl, ttl[i].kept);
	}
	record(&m, DNS_AAAA, 300, "\x20\1\r\xb8............", 16);
	record(&m, DNS_CNAME, 300, "\1x\300\20", 4);
	put16(m.b + 6, 1);
	put16(m.b + 8, 1);
	put16(m.b + 10, 1);
	ok(adopt(&m, &q) == m.n, "records are read in all sections");
	for (n = m.n; n-- > 29; m.n = n + 1) {
		m.n = n;
		none &= adopt(&m, &q) == 0;
	}
	ok(none, "an answer cut short anywhere is refused");
}

static void refused_records(void)
{
	static const struct {
		unsigned type;
		const char *data;
		unsigned n;
		const char *text;
	} t[] = {
		{ DNS_A, "123", 3, "an A of three octets" },
		{ DNS_A, "12345", 5, "an A of five octets" },
		{ DNS_AAAA, "1234567890123456.", 17, "an AAAA of 17 octets" },
		{ DNS_A, "\306\022\1\1", 4, "an A in the overlay's range" },
		{ DNS_A, "\306\023\1\1", 4, "an A at the other end of the range" },
		{ DNS_AAAA, "\xfd\1\2\3\4\5\0\0........", 16, "an AAAA in the overlay's range" },
		{ DNS_AAAA, "\0\0\0\0\0\0\0\0\0\0\377\377\306\022\1\1", 16,
		  "an overlay IPv4 in an AAAA" },
		{ DNS_CNAME, "\300\14", 2, "a CNAME to itself" },
		{ DNS_CNAME, "\300\51", 2, "a pointer to itself" },
		{ DNS_CNAME, "\300\60", 2, "a pointer forward" },
		{ DNS_CNAME, "\300\3", 2, "a pointer into the header" },
		{ DNS_CNAME, "\1x\300\51", 4, "a pointer to its own label" },
		{ DNS_CNAME, "\300\14x", 3, "a CNAME with octets behind the name" },
		{ DNS_CNAME, "\3x", 2, "a CNAME that runs over its end" },
	};
	struct dns_question q;
	struct msg m;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		answer(&m, &q, DNS_A, 1);
		record(&m, t[i].type, 60, t[i].data, t[i].n);
		ok(adopt(&m, &q) == 0, "an answer with %s is refused", t[i].text);
	}
	answer(&m, &q, DNS_A, 1);
	record(&m, DNS_A, 60, "1234", 4);
	put16(m.b + m.n - 6, 5);
	ok(adopt(&m, &q) == 0, "data that reach over the end are refused");
	answer(&m, &q, DNS_A, 2);
	record(&m, DNS_A, 60, "1234", 4);
	record(&m, 99, 60, "\1n", 3);
	put16(m.b + 29, 0xc000 | 57);
	ok(m.b[57] == 1 && adopt(&m, &q) == 0, "a pointer forward to a good name is refused");
	answer(&m, &q, DNS_A, 1);
	record(&m, DNS_A, 60, "\306\021\1\1", 4);
	ok(adopt(&m, &q) != 0, "the address next to the range is passed on");
}

/* www.example -> n1 -> n2 ... by that many CNAMEs; the last leads back to `back`, or on. */
static void chain(struct msg *m, struct dns_question *q, unsigned cnames, int back)
{
	char from[32] = "www.example", to[32];
	struct msg data;
	unsigned i;

	answer(m, q, DNS_A, cnames);
	for (i = 1; i <= cnames; i++) {
		snprintf(to, sizeof to, "n%u.example",
			 i == cnames && back >= 0 ? (unsigned)back : i);
		data.n = 0;
		add_name(&data, to);
		add_name(m, from);
		add16(m, DNS_CNAME);
		add16(m, 1);
		add16(m, 0);
		add16(m, 60);
		add16(m, (unsigned)data.n);
		add(m, data.b, data.n);
		strcpy(from, to);
	}
}

static void chains(void)
{
	struct dns_question q;
	struct msg m;

	chain(&m, &q, 16, -1);
	ok(adopt(&m, &q) == m.n, "a chain of 16 CNAMEs is passed on");
	chain(&m, &q, 17, -1);
	ok(adopt(&m, &q) == 0, "one of 17 is refused");
	chain(&m, &q, 2, 1);
	ok(adopt(&m, &q) == 0, "two CNAMEs that lead to each other are refused");
	chain(&m, &q, 16, 3);
	ok(adopt(&m, &q) == 0, "so is a loop at the end of a chain");
}

/* The worst a message can do: as many pointers as fit, one leading to the other. */
static void pointer_chain(void)
{
	struct dns_question q;
	struct msg m;
	unsigned i, at;

	for (i = 0; i < 2; i++) {
		unsigned jumps = i ? 127 : 128;

		answer(&m, &q, DNS_A, 2);
		add16(&m, 0xc00c);
		add16(&m, 99);
		add16(&m, 1);
		add16(&m, 0);
		add16(&m, 0);
		add16(&m, 2 * jumps);
		for (at = (unsigned)m.n; (m.n - at) / 2 < jumps; )
			add16(&m, 0xc000 | (m.n == at ? 12 : (unsigned)m.n - 2));
		add16(&m, 0xc000 | ((unsigned)m.n - 2));
		add(&m, "\0\1\0\1\0\0\0\0\0\4abcd", 14);
		ok((adopt(&m, &q) != 0) == (i == 1), "a name of %u pointers is %s", jumps + 1,
		   i ? "read" : "refused");
	}
}

static void writing(void)
{
	uint8_t buf[512];
	struct dns_writer w;
	struct dns_question q;
	struct msg m;
	size_t whole, cap;
	bool none = true;

	query(&m, "x.Example", DNS_A, 1);
	opt(&m, 1232, 0, NULL, 0);
	parse(&q, m.b, m.n);
	dnsmsg_begin(&w, buf, sizeof buf, &q, DNS_NXDOMAIN, DNS_AA);
	dnsmsg_soa(&w, DNS_AUTHORITY, 2, 5, 5);
	whole = dnsmsg_end(&w, &q, DNS_NXDOMAIN);
	ok(whole == 12 + 11 + 4 + 12 + 35 + 11 && get16(buf + 2) == 0x8583 && get16(buf + 8) == 1 &&
	   get16(buf + 10) == 1, "an NXDOMAIN has AA, RD, RA, an SOA and an OPT record");
	ok(get16(buf + 27) == 0xc00e && get16(buf + 29) == DNS_SOA && get32(buf + 33) == 5 &&
	   get32(buf + 39 + 31) == 5, "the SOA is the zone's, negative answers live 5 s");
	for (cap = 0; cap < whole; cap++) {
		dnsmsg_begin(&w, buf, cap, &q, DNS_NXDOMAIN, DNS_AA);
		dnsmsg_soa(&w, DNS_AUTHORITY, 2, 5, 5);
		none &= dnsmsg_end(&w, &q, DNS_NXDOMAIN) == 0;
	}
	ok(none, "a buffer too small by any amount is noticed");
	dnsmsg_begin(&w, buf, sizeof buf, &q, DNS_BADVERS, 0);
	whole = dnsmsg_end(&w, &q, DNS_BADVERS);
	ok((buf[3] & 15) == 0 && buf[whole - 6] == 1,
	   "BADVERS is 16: its high part stands in the OPT record");
}

/* Every octet of good messages changed to everything, for the sanitizers to watch. */
static void flips(void)
{
	struct dns_question q, kept;
	struct msg m, good;
	unsigned v, reads = 0;
	size_t i;

	chain(&good, &kept, 3, -1);
	record(&good, DNS_A, 300, "1234", 4);
	put16(good.b + 6, 4);
	for (i = 0; i < good.n; i++)
		for (v = 0; v < 256; v++) {
			m = good;
			m.b[i] = (uint8_t)v;
			reads += adopt(&m, &kept) <= m.n;
			m.b[2] &= 0x07;
			reads += parse(&q, m.b, m.n) <= DNS_BADVERS;
		}
	ok(reads == 2 * 256 * good.n, "no octet of a message can be made to harm us");
}

int main(void)
{
	good_queries();
	bad_headers();
	bad_names();
	bad_edns();
	names();
	reverse_names();
	whose_answer();
	adoption();
	refused_records();
	chains();
	pointer_chain();
	writing();
	flips();
	return done();
}
