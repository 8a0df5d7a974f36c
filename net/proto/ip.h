/*
 * ip.h - what we must know of a virtual IP packet: its length, its ends, and how to tell its
 * sender that it did not arrive.
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

#endif
