/*
 * ip.c - looking at virtual packets, RFC 791 and RFC 8200, and ICMP errors, RFC 792 and 4443;
 * and at the addresses of the real network that somebody names.
 */
#include "net/proto/ip.h"

bool ip_is_multicast(uint8_t family, const uint8_t *ip)
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };

	if (family == 4)
		return (ip[0] & 0xf0) == 0xe0 || memcmp(ip, broadcast, 4) == 0;
	return ip[0] == 0xff;
}

static bool look4(struct ip_view *v, const uint8_t *p, size_t n)
{
	size_t header;

	if (n < 20)
		return false;
	header = (size_t)(p[0] & 15) * 4;
	v->family = 4;
	v->len = get16(p + 2);
	v->ecn = p[1] & 3;
	v->src = p + 12;
	v->dst = p + 16;
	return header >= 20 && v->len >= header && v->len <= n;
}

static bool look6(struct ip_view *v, const uint8_t *p, size_t n)
{
	if (n < 40)
		return false;
	v->family = 6;
	v->len = 40u + get16(p + 4);
	v->ecn = p[1] >> 4 & 3;
	v->src = p + 8;
	v->dst = p + 24;
	return v->len <= n;
}

bool ip_look(struct ip_view *v, const uint8_t *p, size_t n)
{
	bool whole = n > 0 && (p[0] >> 4 == 4 ? look4(v, p, n) :
			       p[0] >> 4 == 6 ? look6(v, p, n) : false);

	if (whole)
		v->multicast = ip_is_multicast(v->family, v->dst);
	return whole;
}

uint16_t ip_checksum(uint32_t sum, const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i + 1 < n; i += 2)
		sum += get16(p + i);
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* RFC 1122 3.2.2: never about an ICMP error, a later fragment or a multicast. */
static bool answerable4(const struct ip_view *v, const uint8_t *p)
{
	size_t header = (size_t)(p[0] & 15) * 4;

	if (v->multicast || get16(p + 6) & 0x1fff)
		return false;
	return p[9] != 1 || (v->len > header && (p[header] == 8 || p[header] == 0));
}

static size_t unreachable4(uint8_t *out, const uint8_t *p, const struct ip_view *v,
			   const uint8_t *from)
{
	size_t quote = MIN(v->len, 576u - 28), n = 28 + quote;

	memset(out, 0, 28);
	out[0] = 0x45;
	put16(out + 2, (uint16_t)n);
	out[8] = 64;
	out[9] = 1;
	memcpy(out + 12, from, 4);
	memcpy(out + 16, v->src, 4);
	put16(out + 10, ip_checksum(0, out, 20));
	out[20] = 3;
	out[21] = 1;
	memcpy(out + 28, p, quote);
	put16(out + 22, ip_checksum(0, out + 20, n - 20));
	return n;
}

static size_t unreachable6(uint8_t *out, const uint8_t *p, const struct ip_view *v,
			   const uint8_t *from)
{
	size_t quote = MIN(v->len, 1280u - 48), body = 8 + quote;
	uint32_t pseudo;

	memset(out, 0, 48);
	out[0] = 0x60;
	put16(out + 4, (uint16_t)body);
	out[6] = 58;
	out[7] = 64;
	memcpy(out + 8, from, 16);
	memcpy(out + 24, v->src, 16);
	out[40] = 1;
	out[41] = 3;
	memcpy(out + 48, p, quote);
	pseudo = (uint16_t)~ip_checksum(0, out + 8, 32) + (uint32_t)body + 58;
	put16(out + 42, ip_checksum(pseudo, out + 40, body));
	return 40 + body;
}

size_t ip_unreachable(uint8_t *out, const uint8_t *p, size_t n, const uint8_t *from4,
		      const uint8_t *from6)
{
	struct ip_view v;

	if (!ip_look(&v, p, n))
		return 0;
	if (v.family == 4)
		return answerable4(&v, p) ? unreachable4(out, p, &v, from4) : 0;
	/* RFC 4443 2.4 (e): not about ICMPv6 errors, whose types are below 128 */
	if (v.multicast || (p[6] == 58 && v.len > 40 && p[40] < 128))
		return 0;
	return unreachable6(out, p, &v, from6);
}

/* ---- addresses somebody names ---- */

struct range {
	uint8_t bits, ip[16];
	uint8_t holds;		/* octet at which an IPv4 address stands that counts instead, 0: none */
};

static const struct range no_host4[] = {
	{ 8, { 0 }, 0 },			/* this network */
	{ 8, { 127 }, 0 },			/* loopback */
	{ 16, { 169, 254 }, 0 },		/* link-local */
	{ 3, { 224 }, 0 },			/* multicast, reserved, broadcast */
};

static const struct range no_host6[] = {
	{ 96, { 0 }, 0 },			/* unspecified, loopback, IPv4-compatible */
	{ 96, { [10] = 0xff, 0xff }, 0 },	/* IPv4-mapped */
	{ 96, { 0, 0x64, 0xff, 0x9b }, 12 },	/* NAT64, RFC 6052 */
	{ 48, { 0, 0x64, 0xff, 0x9b, 0, 1 }, 0 },	/* NAT64 of one site: whom it means, only that knows */
	{ 16, { 0x20, 0x02 }, 2 },		/* 6to4, RFC 3056 */
	{ 10, { 0xfe, 0x80 }, 0 },		/* link-local */
	{ 8, { 0xff }, 0 },			/* multicast */
};

static const struct range private4[] = {
	{ 8, { 10 }, 0 }, { 12, { 172, 16 }, 0 }, { 16, { 192, 168 }, 0 },
	{ 10, { 100, 64 }, 0 },			/* between a provider's NAPT and its customers */
};

static const struct range private6[] = { { 7, { 0xfc }, 0 } };

bool ip_in_range(const uint8_t *ip, const uint8_t *net, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(ip, net, whole) == 0 &&
	       (!rest || !((ip[whole] ^ net[whole]) >> (8 - rest)));
}

static const struct range *find_range(const struct range *r, size_t n, const uint8_t *ip)
{
	for (; n; n--, r++)
		if (ip_in_range(ip, r->ip, r->bits))
			return r;
	return NULL;
}

bool ip_is_usable(uint8_t family, const uint8_t *ip)
{
	const struct range *r;

	if (family == 4)
		return !find_range(no_host4, ARRAY_SIZE(no_host4), ip);
	if (family != 6)
		return false;
	r = find_range(no_host6, ARRAY_SIZE(no_host6), ip);
	return !r || (r->holds && ip_is_usable(4, ip + r->holds));
}

bool ip_is_private(uint8_t family, const uint8_t *ip)
{
	return family == 4 ? find_range(private4, ARRAY_SIZE(private4), ip) != NULL :
	       family == 6 && find_range(private6, ARRAY_SIZE(private6), ip);
}

bool ip_is_loopback(uint8_t family, const uint8_t *ip)
{
	static const uint8_t loopback[16] = { [15] = 1 };

	return family == 4 ? ip[0] == 127 : family == 6 && memcmp(ip, loopback, 16) == 0;
}
