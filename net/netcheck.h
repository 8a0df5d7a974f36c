/*
 * netcheck.h - the contract between the halves of `cyphonic netcheck`: roles/netcheck.c asks and
 * judges without sockets and clock, net/io/survey.c has both and knows nothing of STUN.  Like
 * role.h it stands beneath both.
 */
#ifndef NETCHECK_H
#define NETCHECK_H

#include "net/proto/outbox.h"

#define NETCHECK_SERVERS 8
#define NETCHECK_AS 4
#define NETCHECK_MS 2900	/* after this it is over, whatever is missing */

enum { NETCHECK_IPV4, NETCHECK_IPV6, NETCHECK_FAMILIES };

struct netcheck_plan {
	struct addr server[NETCHECK_SERVERS];	/* STUN servers, each once */
	unsigned servers;
	struct addr as[NETCHECK_AS];		/* TCP: can it be reached? */
	unsigned as_n;
	/* What this computer sends from, with PORT_MAIN's port; family 0: there is no way out. */
	struct addr local[NETCHECK_FAMILIES];
	uint8_t random[10];			/* new for each run: nobody else can answer */
	struct now start;
};

enum netcheck_fact { FACT_UNKNOWN, FACT_NO, FACT_YES };

/* From the worst to the best. */
enum netcheck_verdict {
	VERDICT_NOT_ASKED,	/* no server of this family was given */
	VERDICT_NO_NETWORK,
	VERDICT_UDP_BLOCKED,	/* or no server is there: nobody answered */
	VERDICT_HARD_NAPT,	/* another address outside for each peer */
	VERDICT_UNKNOWN_NAPT,	/* a NAPT, but which? */
	VERDICT_EASY_NAPT,	/* one address outside, or a firewall without NAPT */
	VERDICT_OPEN,		/* others may begin */
};

struct netcheck_family {
	enum netcheck_verdict verdict;
	struct addr local, mapped;	/* family 0: none, or not known */
	const char *text;		/* the verdict in words */
	/* Words of RFC 4787, and what is to be said of them, such as why it cannot be told, or NULL. */
	const char *mapping, *mapping_note;
	const char *filtering, *filtering_note;
	enum netcheck_fact hairpin, port_kept;
};

struct netcheck_server {
	struct addr at, mapped, other;
	bool answered;
	uint64_t rtt;			/* us */
	uint16_t error;			/* it answered with, 0: none */
};

struct netcheck_as {
	struct addr at;
	enum netcheck_fact reached;	/* unknown: no answer */
	uint64_t rtt;			/* us, of what was reached */
};

struct netcheck_report {
	enum netcheck_verdict verdict;		/* of the better family */
	const char *text;
	struct netcheck_family family[NETCHECK_FAMILIES];
	struct netcheck_server server[NETCHECK_SERVERS];
	unsigned servers;
	struct netcheck_as as[NETCHECK_AS];
	unsigned as_n;
};

/* The half below: datagrams by PORT_MAIN and PORT_STUN, OUT_CONNECT for each AS. */
struct netcheck_half {
	void *(*open)(const struct netcheck_plan *plan);	/* copies it; NULL: no memory */
	void (*close)(void *self);
	void (*input)(void *self, struct now now, struct batch *in, struct outbox *out);
	void (*flow)(void *self, struct now now, const struct flow_event *ev, struct outbox *out);
	/* Called once after open(), then whenever expiry() has passed. */
	void (*tick)(void *self, struct now now, struct outbox *out);
	/* NEVER: all that can be known is. */
	uint64_t (*expiry)(const void *self);
	void (*report)(const void *self, struct netcheck_report *r);
};

extern const struct netcheck_half netcheck_protocol;

#endif
