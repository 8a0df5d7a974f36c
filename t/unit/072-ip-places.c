/* Addresses somebody names: which of them can be a host's.  places.py says it a second way. */
#include "t/tap.h"
#include "crypto/aead.h"
#include "net/proto/ip.h"
#include <arpa/inet.h>

static const struct {
	const char *ip;
	bool usable, private, loopback;
} place[] = {
#define PLACE(ip, usable, private, loopback) { ip, usable, private, loopback },
#include "t/unit/places.h"
#undef PLACE
};

/* ip_parse() takes no mapped ones; here they are wanted. */
static uint8_t parse(uint8_t ip[16], const char *text)
{
	if (inet_pton(AF_INET, text, ip) == 1)
		return 4;
	return inet_pton(AF_INET6, text, ip) == 1 ? 6 : 0;
}

static unsigned differ(const char *what, bool (*says)(uint8_t family, const uint8_t *ip),
		       size_t member)
{
	unsigned i, n = 0;

	for (i = 0; i < ARRAY_SIZE(place); i++) {
		bool expected = *((const bool *)&place[i].usable + member);
		uint8_t ip[16], family = parse(ip, place[i].ip);

		if (family && says(family, ip) == expected)
			continue;
		diag("%s: not %s", place[i].ip, what);
		n++;
	}
	return n;
}

/* Names what it must not: nobody is asked to write there. */
static void refuses(const char *ip, const char *what)
{
	uint8_t octets[16], family = parse(octets, ip);

	ok(family && !ip_is_usable(family, octets), "%s, %s, is nobody's", ip, what);
}

static void ranges(void)
{
	static const uint8_t net[16] = { 0xfd, 0x12, 0x34 }, ip[16] = { 0xfd, 0x12, 0x35, 1 };

	ok(ip_in_range(ip, net, 0) && ip_in_range(ip, net, 16) && ip_in_range(ip, net, 23) &&
	   !ip_in_range(ip, net, 24) && !ip_in_range(ip, net, 128) && ip_in_range(ip, ip, 128),
	   "a range is what its first bits say, however many");
}

/* As in 110-keys.c: the header is what the script makes. */
static void made_anew(void)
{
	char now[80], then[80];
	FILE *script = popen("/usr/bin/python3 t/unit/places.py 2>/dev/null", "r");
	FILE *header = fopen("t/unit/places.h", "r");
	bool same = script && header, more = same && fgets(now, sizeof now, script);
	bool made = more;

	while (same && more) {
		same = fgets(then, sizeof then, header) && strcmp(now, then) == 0;
		more = fgets(now, sizeof now, script) != NULL;
	}
	if (made)
		ok(same && !fgets(then, sizeof then, header), "places.py makes places.h");
	else
		ok(true, "places.py makes places.h # SKIP needs python3");
	if (header)
		fclose(header);
	if (script)
		pclose(script);
}

int main(void)
{
	ok(!differ("usable as expected", ip_is_usable, 0),
	   "of %zu addresses each is usable or not as Python's ipaddress says", ARRAY_SIZE(place));
	ok(!differ("private as expected", ip_is_private, 1), "and private or not");
	ok(!differ("loopback as expected", ip_is_loopback, 2), "and loopback or not");
	refuses("255.255.255.255", "broadcast");
	refuses("64:ff9b::127.0.0.1", "loopback in a NAT64 address");
	refuses("2002:7f00:1::1", "loopback in a 6to4 address");
	refuses("::ffff:192.0.2.1", "IPv4-mapped");
	ok(!ip_is_usable(0, (const uint8_t[16]){ 192, 0, 2, 1 }), "nor is one of no family");
	ranges();
	made_anew();
	return done();
}
