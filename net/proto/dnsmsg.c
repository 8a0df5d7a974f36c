/*
 * dnsmsg.c - reads and writes DNS messages.  The reader is a cursor that remembers it failed:
 * take everything, ask once.  Whatever loops over a message has a bound that does not come
 * out of the message.
 */
#include "net/proto/dnsmsg.h"

#define MAX_JUMPS 128		/* compression pointers followed for one name */
#define MAX_CNAMES 16		/* in one answer */
#define MAX_LABELS 128
#define MAX_TTL 86400		/* s, passed on from other servers */
#define OPT_COOKIE 10		/* RFC 7873 */

struct reader {
	const uint8_t *msg;
	size_t n, at;
	bool failed;
};

static const uint8_t *take(struct reader *r, size_t n)
{
	static const uint8_t zero[10];
	const uint8_t *p = r->msg + r->at;

	if (r->failed || n > r->n - r->at) {
		r->failed = true;
		return zero;
	}
	r->at += n;
	return p;
}

/*
 * A name, uncompressed into name; its octets, 0 for none.  Pointers must lead strictly
 * backwards, so that no chain of them can come round.
 */
static size_t take_name(struct reader *r, uint8_t name[DNS_WIRE_NAME], bool pointers)
{
	size_t at = r->at, limit = r->at, len = 0;
	unsigned jumps = 0;

	while (!r->failed && at < r->n) {
		uint8_t c = r->msg[at];

		if (c >= 0xc0 && pointers && at + 2 <= r->n && jumps < MAX_JUMPS) {
			if (jumps++ == 0)
				r->at = at + 2;
			at = get16(r->msg + at) & 0x3fff;
			if (at < DNS_HEADER || at >= limit)
				break;
			limit = at;
			continue;
		}
		if (c > 63 || at + 1 + c > r->n || len + 1 + c > DNS_WIRE_NAME)
			break;
		memcpy(name + len, r->msg + at, 1u + c);
		len += 1u + c;
		at += 1u + c;
		if (c == 0) {
			if (jumps == 0)
				r->at = at;
			return len;
		}
	}
	r->failed = true;
	return 0;
}

struct record {
	uint8_t name[DNS_WIRE_NAME];
	size_t name_len;
	uint16_t type, class;
	uint32_t ttl;
	size_t ttl_at;		/* where the TTL stands */
	size_t at, n;		/* where the data stand, and their octets */
};

static bool take_record(struct reader *r, struct record *rec)
{
	const uint8_t *p;

	rec->name_len = take_name(r, rec->name, true);
	rec->ttl_at = r->at + 4;
	p = take(r, 10);
	rec->type = get16(p);
	rec->class = get16(p + 2);
	rec->ttl = get32(p + 4);
	rec->n = get16(p + 8);
	rec->at = r->at;
	take(r, rec->n);
	return !r->failed;
}

/* ---- queries ---- */

static bool options_are_good(const uint8_t *p, size_t n)
{
	while (n >= 4) {
		size_t len = get16(p + 2);

		if (len > n - 4)
			return false;
		if (get16(p) == OPT_COOKIE && len != 8 && (len < 16 || len > 40))
			return false;
		p += 4 + len;
		n -= 4 + len;
	}
	return n == 0;
}

static bool take_opt(struct dns_question *q, const struct reader *r, const struct record *rec)
{
	if (q->edns || rec->name_len != 1 || !options_are_good(r->msg + rec->at, rec->n))
		return false;
	q->edns = true;
	q->size = MIN(MAX(rec->class, DNS_UDP_MIN), DNS_UDP_MAX);
	q->version = (uint8_t)(rec->ttl >> 16);
	q->dnssec_ok = rec->ttl & 0x8000;
	return true;
}

int dnsmsg_query(struct dns_question *q, const uint8_t *msg, size_t n)
{
	struct reader r = { .msg = msg, .n = n, .at = DNS_HEADER };
	struct record rec;
	const uint8_t *p;
	size_t len;
	unsigned i;

	memset(q, 0, sizeof *q);
	q->size = DNS_UDP_MIN;
	if (n < DNS_HEADER || get16(msg + 2) & DNS_QR)
		return -1;
	q->id = get16(msg);
	q->flags = get16(msg + 2);
	if (q->flags & DNS_OPCODE)
		return DNS_NOTIMP;
	if (get16(msg + 4) != 1)
		return DNS_FORMERR;
	len = take_name(&r, q->name, false);
	p = take(&r, 4);
	if (r.failed)
		return DNS_FORMERR;
	q->name_len = len;
	q->type = get16(p);
	q->class = get16(p + 2);
	if (get16(msg + 6) || get16(msg + 8))
		return DNS_FORMERR;
	for (i = get16(msg + 10); i > 0; i--)
		if (!take_record(&r, &rec) || (rec.type == DNS_OPT && !take_opt(q, &r, &rec)))
			return DNS_FORMERR;
	if (r.at != n)
		return DNS_FORMERR;
	return q->version ? DNS_BADVERS : DNS_NOERROR;
}

/* ---- answers we make ---- */

static void put_bytes(struct dns_writer *w, const void *p, size_t n)
{
	if (w->failed || n > w->cap - w->n) {
		w->failed = true;
		return;
	}
	memcpy(w->msg + w->n, p, n);
	w->n += n;
}

static void put_u16(struct dns_writer *w, unsigned v)
{
	uint8_t b[2];

	put16(b, (uint16_t)v);
	put_bytes(w, b, 2);
}

static void put_u32(struct dns_writer *w, uint32_t v)
{
	put_u16(w, v >> 16);
	put_u16(w, v & 0xffff);
}

static unsigned pointer_to(size_t at)
{
	return (unsigned)(0xc000 | (DNS_HEADER + at));
}

static void count_record(struct dns_writer *w, enum dns_section section)
{
	uint8_t *count = w->msg + 4 + 2 * section;

	if (!w->failed)
		put16(count, (uint16_t)(get16(count) + 1));
}

void dnsmsg_begin(struct dns_writer *w, uint8_t *msg, size_t cap, const struct dns_question *q,
		  enum dns_rcode rcode, unsigned flags)
{
	*w = (struct dns_writer){ .msg = msg, .cap = cap };
	put_u16(w, q->id);
	put_u16(w, DNS_QR | DNS_RA | flags | (q->flags & (DNS_OPCODE | DNS_RD | DNS_CD)) |
		(rcode & 15));
	put_u16(w, q->name_len ? 1 : 0);
	put_u16(w, 0);
	put_u32(w, 0);
	if (!q->name_len)
		return;
	put_bytes(w, q->name, q->name_len);
	put_u16(w, q->type);
	put_u16(w, q->class);
}

void dnsmsg_record(struct dns_writer *w, enum dns_section section, size_t at, uint16_t type,
		   uint32_t ttl, const void *data, size_t n)
{
	put_u16(w, pointer_to(at));
	put_u16(w, type);
	put_u16(w, DNS_IN);
	put_u32(w, ttl);
	put_u16(w, (unsigned)n);
	put_bytes(w, data, n);
	count_record(w, section);
}

void dnsmsg_soa(struct dns_writer *w, enum dns_section section, size_t at, uint32_t ttl,
		uint32_t negative_ttl)
{
	static const char who[] = "\012hostmaster";
	uint8_t data[2 + sizeof who - 1 + 2 + 20], *p = data;

	put16(p, (uint16_t)pointer_to(at));
	memcpy(p + 2, who, sizeof who - 1);
	p += 2 + sizeof who - 1;
	put16(p, (uint16_t)pointer_to(at));
	put32(p + 2, 1);		/* serial: nobody transfers this zone */
	put32(p + 6, 3600);
	put32(p + 10, 600);
	put32(p + 14, MAX_TTL);
	put32(p + 18, negative_ttl);
	dnsmsg_record(w, section, at, DNS_SOA, ttl, data, sizeof data);
}

void dnsmsg_ns(struct dns_writer *w, size_t at, uint32_t ttl)
{
	uint8_t data[2];

	put16(data, (uint16_t)pointer_to(at));
	dnsmsg_record(w, DNS_ANSWER, at, DNS_NS, ttl, data, sizeof data);
}

size_t dnsmsg_end(struct dns_writer *w, const struct dns_question *q, enum dns_rcode rcode)
{
	static const uint8_t root;

	if (q->edns) {
		put_bytes(w, &root, 1);
		put_u16(w, DNS_OPT);
		put_u16(w, DNS_UDP_MAX);
		put_u32(w, (uint32_t)rcode >> 4 << 24 | (q->dnssec_ok ? 0x8000 : 0));
		put_u16(w, 0);
		count_record(w, DNS_ADDITIONAL);
	}
	return w->failed ? 0 : w->n;
}

/* ---- names ---- */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* A length octet is at most 63, so folding all octets alike does no harm to it. */
static bool same_octets(const uint8_t *a, const uint8_t *b, size_t n)
{
	while (n && lower(*a) == lower(*b)) {
		a++;
		b++;
		n--;
	}
	return n == 0;
}

/* Where each label begins, the root's not counted; octets of the name in *size. */
static unsigned labels(const uint8_t *name, uint8_t start[MAX_LABELS], size_t *size)
{
	unsigned n = 0;
	size_t at = 0;

	while (name[at]) {
		start[n++] = (uint8_t)at;
		at += 1u + name[at];
	}
	*size = at + 1;
	return n;
}

size_t dnsname_wire(uint8_t wire[DNS_WIRE_NAME], const char *text)
{
	char name[NAME_SIZE];
	size_t at = 0, i, n;

	if (!name_canonical(name, text))
		return 0;
	for (i = 0; name[i]; i += n + (name[i + n] == '.')) {
		n = strcspn(name + i, ".");
		wire[at++] = (uint8_t)n;
		memcpy(wire + at, name + i, n);
		at += n;
	}
	wire[at++] = 0;
	return at;
}

bool dnsname_text(char text[NAME_SIZE], const uint8_t *wire)
{
	char dotted[DNS_WIRE_NAME + 1];
	size_t at = 0, n;

	for (; wire[at]; at += 1 + n) {
		n = wire[at];
		/* a dot or a zero inside a label would make another name of it */
		if (memchr(wire + at + 1, '.', n) || memchr(wire + at + 1, '\0', n))
			return false;
		memcpy(dotted + at, wire + at + 1, n);
		dotted[at + n] = '.';
	}
	dotted[at] = '\0';
	return name_canonical(text, dotted);
}

int dnsname_below(const uint8_t *name, size_t n, const uint8_t *zone, size_t zone_n)
{
	size_t at = 0;

	if (zone_n == 0)
		return -1;
	while (n - at > zone_n)
		at += 1u + name[at];
	return n - at == zone_n && same_octets(name + at, zone, zone_n) ? (int)at : -1;
}

/* A label as one of the digits of an address, or -1. */
static int reverse_digit(const uint8_t *label, uint8_t family)
{
	unsigned n = label[0], v = 0, i;
	char hex[3] = { '0', 0, 0 };
	uint8_t nibble;

	if (family == 6) {
		hex[1] = (char)label[1];
		return n == 1 && hex_parse(&nibble, 1, hex) ? nibble : -1;
	}
	if (n > 3 || (n > 1 && label[1] == '0'))
		return -1;
	for (i = 1; i <= n; i++) {
		if (label[i] < '0' || label[i] > '9')
			return -1;
		v = 10 * v + label[i] - '0';
	}
	return v <= 255 ? (int)v : -1;
}

bool dnsname_reverse(struct dns_reverse *r, const uint8_t *name)
{
	static const uint8_t arpa4[] = "\7in-addr\4arpa", arpa6[] = "\3ip6\4arpa";
	uint8_t start[MAX_LABELS];
	size_t size;
	unsigned n = labels(name, start, &size), max;
	int v;

	memset(r, 0, sizeof *r);
	if (dnsname_below(name, size, arpa4, sizeof arpa4) >= 0)
		r->family = 4;
	else if (dnsname_below(name, size, arpa6, sizeof arpa6) >= 0)
		r->family = 6;
	else
		return false;
	max = r->family == 4 ? 32 : 128;
	for (n -= 2; n > 0 && r->bits < max; n--) {
		v = reverse_digit(name + start[n - 1], r->family);
		if (v < 0)
			break;
		r->ip[r->bits / 8] |= (uint8_t)(r->family == 4 || r->bits % 8 ? v : v << 4);
		r->bits += r->family == 4 ? 8 : 4;
	}
	r->extra = n > 0;
	return true;
}

size_t dnsname_reverse_zone(const uint8_t *name, uint8_t family, unsigned bits)
{
	unsigned width = family == 4 ? 8 : 4, keep = 2 + (bits + width - 1) / width;
	uint8_t start[MAX_LABELS];
	size_t size;
	unsigned n = labels(name, start, &size);

	return n > keep ? start[n - keep] : 0;
}

/* ---- answers others made ---- */

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (!rest || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

bool dnsmsg_in_range(const struct dns_ranges *r, uint8_t family, const uint8_t *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == 4)
		return r->bits4 && same_prefix(ip, r->net4, r->bits4);
	if (memcmp(ip, mapped, sizeof mapped) == 0)
		return dnsmsg_in_range(r, 4, ip + sizeof mapped);
	return r->bits6 && same_prefix(ip, r->net6, r->bits6);
}

bool dnsmsg_answers(const struct dns_question *q, uint16_t id, const uint8_t *msg, size_t n)
{
	size_t end = DNS_HEADER + q->name_len;

	return n >= end + 4 && get16(msg) == id &&
	       (get16(msg + 2) & (DNS_QR | DNS_OPCODE)) == DNS_QR && get16(msg + 4) == 1 &&
	       same_octets(msg + DNS_HEADER, q->name, q->name_len) &&
	       get16(msg + end) == q->type && get16(msg + end + 2) == q->class;
}

struct aliases {
	unsigned n;
	uint8_t from[MAX_CNAMES][DNS_WIRE_NAME], to[MAX_CNAMES][DNS_WIRE_NAME];
	size_t from_len[MAX_CNAMES], to_len[MAX_CNAMES];
};

static bool take_alias(struct aliases *a, const struct reader *whole, const struct record *rec)
{
	struct reader r = { .msg = whole->msg, .n = rec->at + rec->n, .at = rec->at };
	unsigned i = a->n;

	if (i == MAX_CNAMES)
		return false;
	memcpy(a->from[i], rec->name, rec->name_len);
	a->from_len[i] = rec->name_len;
	a->to_len[i] = take_name(&r, a->to[i], true);
	a->n++;
	return !r.failed && r.at == r.n;
}

static bool aliases_end(const struct aliases *a, const struct dns_question *q)
{
	const uint8_t *name = q->name;
	size_t len = q->name_len;
	unsigned steps, i;

	for (steps = 0; steps <= a->n; steps++) {
		for (i = 0; i < a->n; i++)
			if (a->from_len[i] == len && same_octets(a->from[i], name, len))
				break;
		if (i == a->n)
			return true;
		name = a->to[i];
		len = a->to_len[i];
	}
	return false;
}

static bool record_is_good(const struct reader *r, const struct record *rec,
			   const struct dns_ranges *ranges, struct aliases *aliases)
{
	const uint8_t *data = r->msg + rec->at;

	if (rec->class != DNS_IN)
		return true;
	switch (rec->type) {
	case DNS_A:
		return rec->n == 4 && !dnsmsg_in_range(ranges, 4, data);
	case DNS_AAAA:
		return rec->n == 16 && !dnsmsg_in_range(ranges, 6, data);
	case DNS_CNAME:
		return take_alias(aliases, r, rec);
	}
	return true;
}

size_t dnsmsg_adopt(uint8_t *msg, size_t n, const struct dns_question *q,
		    const struct dns_ranges *ranges)
{
	struct reader r = { .msg = msg, .n = n, .at = DNS_HEADER + q->name_len + 4 };
	uint32_t left = (uint32_t)get16(msg + 6) + get16(msg + 8) + get16(msg + 10);
	struct aliases aliases = { .n = 0 };
	struct record rec;

	for (; left > 0; left--) {
		if (!take_record(&r, &rec) || !record_is_good(&r, &rec, ranges, &aliases))
			return 0;
		if (rec.type != DNS_OPT && rec.ttl > MAX_TTL)
			put32(msg + rec.ttl_at, rec.ttl >> 31 ? 0 : MAX_TTL);	/* RFC 2181 8 */
	}
	if (!aliases_end(&aliases, q))
		return 0;
	put16(msg, q->id);
	memcpy(msg + DNS_HEADER, q->name, q->name_len);
	return r.at;
}
