/* Virtual IP packets: what stands there, and what their sender is told. */
#include "t/tap.h"
#include "crypto/aead.h"
#include "net/proto/ip.h"

static const uint8_t own4[4] = { 198, 18, 0, 2 };
static const uint8_t own6[16] = { 0xfd, 1, [15] = 2 };

static size_t make4(uint8_t *p, size_t payload, uint8_t protocol)
{
	size_t n = 20 + payload;

	memset(p, 0, n);
	p[0] = 0x45;
	put16(p + 2, (uint16_t)n);
	p[8] = 64;
	p[9] = protocol;
	memcpy(p + 12, own4, 4);
	memcpy(p + 16, "\xc6\x12\0\3", 4);
	put16(p + 10, ip_checksum(0, p, 20));
	return n;
}

static size_t make6(uint8_t *p, size_t payload, uint8_t next)
{
	memset(p, 0, 40 + payload);
	p[0] = 0x60;
	put16(p + 4, (uint16_t)payload);
	p[6] = next;
	memcpy(p + 8, own6, 16);
	memcpy(p + 24, own6, 16);
	p[39] = 3;
	return 40 + payload;
}

static void looking(void)
{
	uint8_t p[1500];
	struct ip_view v;
	size_t n = make4(p, 100, 17), i;
	bool refused = true;

	ok(ip_look(&v, p, n) && v.family == 4 && v.len == 120, "a whole IPv4 packet is seen");
	ok(ip_look(&v, p, n + 9) && v.len == 120, "octets behind it are not its");
	for (i = 0; i < n; i++)
		refused &= !ip_look(&v, p, i);
	ok(refused, "no truncation of it is a packet");
	p[0] = 0x44;
	ok(!ip_look(&v, p, n), "a header shorter than 20 octets is none");
	n = make6(p, 100, 17);
	ok(ip_look(&v, p, n) && v.family == 6 && v.len == 140, "a whole IPv6 packet is seen");
	for (i = 0, refused = true; i < n; i++)
		refused &= !ip_look(&v, p, i);
	ok(refused, "no truncation of it is a packet");
	p[24] = 0xff;
	ok(ip_look(&v, p, n) && v.multicast, "ff00::/8 is multicast");
	make4(p, 10, 17);
	p[16] = 239;
	ok(ip_look(&v, p, 30) && v.multicast, "224.0.0.0/4 is multicast");
	p[0] = 0x50;
	ok(!ip_look(&v, p, 30), "version 5 is no packet");
	for (i = 0; i < 20000; i++) {
		random_bytes(p, 60);
		ip_look(&v, p, random_u32() % 60);
	}
	ok(true, "20,000 random beginnings were looked at");
}

static uint16_t icmp6_sum(const uint8_t *p, size_t n)
{
	uint32_t pseudo = (uint16_t)~ip_checksum(0, p + 8, 32) + (uint32_t)(n - 40) + 58;

	return ip_checksum(pseudo, p + 40, n - 40);
}

static void telling(void)
{
	uint8_t p[1500], out[1280];
	size_t n = make4(p, 1000, 17), len = ip_unreachable(out, p, n, own4, own6);

	ok(len == 576 && out[20] == 3 && out[21] == 1, "IPv4: ICMP host unreachable, 576 octets at most");
	ok(ip_checksum(0, out, 20) == 0 && ip_checksum(0, out + 20, len - 20) == 0,
	   "both checksums are right");
	ok(memcmp(out + 16, p + 12, 4) == 0 && memcmp(out + 28, p, 100) == 0,
	   "it goes to the sender and quotes the packet");
	n = make6(p, 1400, 6);
	len = ip_unreachable(out, p, n, own4, own6);
	ok(len == 1280 && out[40] == 1 && out[41] == 3, "IPv6: address unreachable, 1,280 octets at most");
	ok(icmp6_sum(out, len) == 0, "with a right checksum");
	make4(p, 100, 1);
	p[20] = 3;
	ok(ip_unreachable(out, p, 120, own4, own6) == 0, "an ICMP error is never answered by another");
	p[20] = 8;
	ok(ip_unreachable(out, p, 120, own4, own6) > 0, "an echo request is");
	make4(p, 100, 17);
	put16(p + 6, 5);
	ok(ip_unreachable(out, p, 120, own4, own6) == 0, "a later fragment is not answered");
	make6(p, 100, 58);
	p[40] = 1;
	ok(ip_unreachable(out, p, 140, own4, own6) == 0, "nor is an ICMPv6 error");
}

int main(void)
{
	looking();
	telling();
	return done();
}
