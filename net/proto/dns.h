/*
 * dns.h - the node's resolver: names of the overlay answered from what the NMS said, all others
 * passed to the ordinary resolvers.  RFC 1034, 1035, 2308, 6891 (EDNS), 8482 (ANY), 7766 (TCP).
 * No I/O, no clock: queries and answers come as bytes, it gives back what to send.
 */
#ifndef DNS_H
#define DNS_H

#include "net/proto/outbox.h"

#define DNS_TTL 30		/* s, of every overlay answer */
#define DNS_NEGATIVE_TTL 5	/* s, in the SOA of negative answers */
#define DNS_STALE 30		/* s beyond DNS_TTL: still said when the overlay does not answer */
#define DNS_FAILED_TTL 1	/* s: after a failed lookup the next one waits that long */
#define DNS_LOOKUP_WAIT 2	/* s for the answer to lookup(); then SERVFAIL, or what is stale */
#define DNS_NAMES 256		/* names and addresses remembered or being looked up */
#define DNS_PENDING 1024	/* queries waiting at once; beyond: SERVFAIL */
#define DNS_QUERY_MAX 1232	/* octets of a query; longer: FORMERR, TCP streams closed */
#define DNS_TCP_MAX 64		/* TCP clients at once, and queries repeated upstream by TCP */
#define DNS_TCP_IDLE 5		/* s */
#define DNS_UPSTREAM_MAX 4	/* resolvers kept of those given to dns_upstream() */
#define DNS_UPSTREAM_WAIT 2	/* s for each */

/* What the overlay says about a name or address. */
enum dns_found { DNS_FOUND, DNS_NO_SUCH_NAME, DNS_FAILED };

struct dns_record {
	char fqdn[NAME_SIZE];
	uint8_t ip4[4], ip6[16];	/* all zero: this node has none of that family -> NODATA */
};

struct dns;

/* What the resolver asks of its owner; arg is the owner's.  Answers come by dns_answer(). */
struct dns_ops {
	/*
	 * Who has this name (family 0; canonical, within the domain) or address (family 4 or
	 * 6, then name is "")?  wanted: an A or AAAA query, so a path will be needed; false:
	 * PTR and others, a lookup only.  May call dns_answer() at once.
	 */
	void (*lookup)(void *arg, struct now now, const char *name, uint8_t family,
		       const uint8_t *ip, bool wanted, struct outbox *out);
	/* An A or AAAA query was answered with r without a lookup() that said wanted. */
	void (*wanted)(void *arg, struct now now, const struct dns_record *r,
		       struct outbox *out);
};

/* Flow handles handle_base..handle_base + DNS_PENDING - 1 are its own, for upstream queries. */
struct dns *dns_new(const struct dns_ops *ops, void *arg, uint32_t handle_base);
void dns_free(struct dns *d);
/*
 * The overlay's domain and ranges once known; bits 0: no range of that family.  Before that
 * every name counts as somebody else's.
 */
void dns_domain(struct dns *d, const char *domain, const uint8_t net4[4], uint8_t bits4,
		const uint8_t net6[16], uint8_t bits6);
/*
 * Upstream resolvers, tried in order, a single one twice.  None: REFUSED for all names but
 * the overlay's.
 */
void dns_upstream(struct dns *d, const struct addr *servers, unsigned n);

/* A UDP query (one datagram).  May be answered at once or later. */
void dns_query(struct dns *d, struct now now, const struct addr *from, const struct addr *to,
	       const uint8_t *msg, size_t n, struct outbox *out);
/* TCP: accepted streams of PORT_DNS, and the upstream flows (handles of its own range). */
void dns_flow(struct dns *d, struct now now, const struct flow_event *ev, struct outbox *out);
/* The answer to lookup(): the same name or address as asked; record only with DNS_FOUND. */
void dns_answer(struct dns *d, struct now now, const char *name, uint8_t family,
		const uint8_t *ip, enum dns_found found, const struct dns_record *record,
		struct outbox *out);
void dns_tick(struct dns *d, struct now now, struct outbox *out);
uint64_t dns_expiry(const struct dns *d);

struct dns_counters {
	uint64_t queries;	/* all that came */
	uint64_t overlay, forwarded;	/* names of ours, of others */
	uint64_t answered, refused, malformed, servfail;	/* how they ended; NXDOMAIN is an answer */
};
const struct dns_counters *dns_counters(const struct dns *d);

#endif
