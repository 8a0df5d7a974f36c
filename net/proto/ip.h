/*
 * ip.h - what we must know of a virtual IP packet: its length, its ends, and how to tell its
 * sender that it did not arrive; and which addresses of the real network can be somebody's.
 */
#ifndef IP_H
#define IP_H

#include "cyphonic.h"

struct ip_view {
	uint8_t family;		/* 4 or 6 */
	uint8_t ecn;
	uint32_t len;		/* whole packet by its own length field */
	const uint8_t *src, *dst;	/* 4 or 16 octets */
	bool multicast;		/* destination is multicast or broadcast */
};

/* The packet at the front of p; false when no whole packet stands there. */
bool ip_look(struct ip_view *v, const uint8_t *p, size_t n);
/*
 * ICMP (v4 type 3 code 1, v6 type 1 code 3: address unreachable) for packet p, written to
 * out (576 / 1,280 octets at most); octets, or 0 when such a packet gets no answer (ICMP
 * errors, multicast, later fragments).  from: the answering address, one's own virtual one.
 */
size_t ip_unreachable(uint8_t *out, const uint8_t *p, size_t n, const uint8_t *from4,
		      const uint8_t *from6);
/* The Internet checksum, RFC 1071, over n octets added to sum. */
uint16_t ip_checksum(uint32_t sum, const uint8_t *p, size_t n);
/* True for 224/4, 255.255.255.255, ff00::/8. */
bool ip_is_multicast(uint8_t family, const uint8_t *ip);
/*
 * Can a single host elsewhere have this address (ip: 4 or 16 octets)?  Not: unspecified, this
 * network, loopback, link-local, multicast, reserved and broadcast; IPv4-mapped; one of these
 * inside a NAT64 or 6to4 address.  A domain's virtual ranges are for the caller to refuse.
 */
bool ip_is_usable(uint8_t family, const uint8_t *ip);
/* RFC 1918, RFC 6598 and fc00::/7: means something on its own network only. */
bool ip_is_private(uint8_t family, const uint8_t *ip);
bool ip_is_loopback(uint8_t family, const uint8_t *ip);
/* Do the first bits of both agree? */
bool ip_in_range(const uint8_t *ip, const uint8_t *net, unsigned bits);

#endif
