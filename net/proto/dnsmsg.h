/*
 * dnsmsg.h - DNS messages as bytes: names, questions, records, EDNS.  RFC 1035, 6891.
 * Knows nothing of who asks whom; dns.c does.
 */
#ifndef DNSMSG_H
#define DNSMSG_H

#include "cyphonic.h"

#define DNS_HEADER 12
#define DNS_WIRE_NAME 255	/* octets of a name in wire form, the root's zero included */
#define DNS_UDP_MIN 512		/* what a client without EDNS takes by UDP */
#define DNS_UDP_MAX 1232	/* the most we send by UDP: fits every path unfragmented */
#define DNS_MESSAGE_MAX 65000	/* a longer answer counts as malformed */

enum dns_rcode {
	DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4,
	DNS_REFUSED = 5, DNS_BADVERS = 16
};

enum dns_type {
	DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_HINFO = 13,
	DNS_AAAA = 28, DNS_OPT = 41, DNS_IXFR = 251, DNS_AXFR = 252, DNS_ANY = 255
};

enum { DNS_IN = 1 };

enum dns_flag {
	DNS_QR = 0x8000, DNS_OPCODE = 0x7800, DNS_AA = 0x0400, DNS_TC = 0x0200, DNS_RD = 0x0100,
	DNS_RA = 0x0080, DNS_CD = 0x0010
};

enum dns_section { DNS_ANSWER = 1, DNS_AUTHORITY = 2, DNS_ADDITIONAL = 3 };

/* What a query says: its one question, its flags, its EDNS. */
struct dns_question {
	uint16_t id, flags;
	uint8_t name[DNS_WIRE_NAME];	/* as asked, case kept */
	size_t name_len;		/* 0: there was no readable question */
	uint16_t type, class;
	bool edns, dnssec_ok;
	uint8_t version;		/* of EDNS */
	uint16_t size;			/* octets the client takes by UDP, 512..1232 */
};

/*
 * Reads a query.  DNS_NOERROR: q is whole.  Another rcode: answer with that; q holds what
 * could be read.  -1: say nothing (shorter than a header, or itself an answer).
 */
int dnsmsg_query(struct dns_question *q, const uint8_t *msg, size_t n);

/* ---- answers we make ---- */

/* Writes into somebody else's buffer; remembers when it did not suffice. */
struct dns_writer {
	uint8_t *msg;
	size_t cap, n;
	bool failed;
};

/* Header and question of an answer to q; flags: what to set beside QR, RA and what q had. */
void dnsmsg_begin(struct dns_writer *w, uint8_t *msg, size_t cap, const struct dns_question *q,
		  enum dns_rcode rcode, unsigned flags);
/* A record whose owner name begins at octet `at` of the question's name. */
void dnsmsg_record(struct dns_writer *w, enum dns_section section, size_t at, uint16_t type,
		   uint32_t ttl, const void *data, size_t n);
/* The SOA of the zone whose name begins at octet `at` of the question's name. */
void dnsmsg_soa(struct dns_writer *w, enum dns_section section, size_t at, uint32_t ttl,
		uint32_t negative_ttl);
/* Its NS: the zone's own name, as there is no other server to send anybody to (RFC 6303). */
void dnsmsg_ns(struct dns_writer *w, size_t at, uint32_t ttl);
/* Adds the OPT record if the client had one.  Octets of the message, 0: it did not fit. */
size_t dnsmsg_end(struct dns_writer *w, const struct dns_question *q, enum dns_rcode rcode);

/* ---- answers others made ---- */

/* The overlay's address ranges; bits 0: none of that family. */
struct dns_ranges {
	uint8_t net4[4], net6[16];
	uint8_t bits4, bits6;
};

bool dnsmsg_in_range(const struct dns_ranges *r, uint8_t family, const uint8_t *ip);
/* Is this the answer to q sent under that ID?  The name is compared without case. */
bool dnsmsg_answers(const struct dns_question *q, uint16_t id, const uint8_t *msg, size_t n);
/*
 * Judges such an answer and makes it ours: q's ID and case, TTLs of a day at most, nothing
 * behind the last record.  Octets of it; 0: malformed, an endless chain of CNAMEs, or an
 * address of the overlay that no other server may claim.
 */
size_t dnsmsg_adopt(uint8_t *msg, size_t n, const struct dns_question *q,
		    const struct dns_ranges *ranges);

/* ---- names in wire form ---- */

/* Octets written, 0: text (canonical) is no name.  "" is none either. */
size_t dnsname_wire(uint8_t wire[DNS_WIRE_NAME], const char *text);
/* The canonical text; false when there is none. */
bool dnsname_text(char text[NAME_SIZE], const uint8_t *wire);
/* Where in name the zone's name begins, or -1: name is neither it nor below it. */
int dnsname_below(const uint8_t *name, size_t n, const uint8_t *zone, size_t zone_n);

/* What a name below in-addr.arpa or ip6.arpa says about an address. */
struct dns_reverse {
	uint8_t family;
	uint8_t ip[16];
	unsigned bits;		/* leading bits of ip the name fixes */
	bool extra;		/* labels in front of these that are no part of an address */
};

bool dnsname_reverse(struct dns_reverse *r, const uint8_t *name);
/* Where in such a name the smallest zone begins that fixes at least so many bits. */
size_t dnsname_reverse_zone(const uint8_t *name, uint8_t family, unsigned bits);

#endif
