/* netcheck.h - what was asked and what came back; the questions and the judgement share it. */
#ifndef ROLES_NETCHECK_H
#define ROLES_NETCHECK_H

#include "net/netcheck.h"

/* Of each family, beside one question to every server.  SECOND: from the second port. */
enum netcheck_question {
	ASK_OTHER_IP,		/* the server's other address: is the mapping the same? */
	ASK_OTHER_PORT,		/* its other port */
	SECOND_PLAIN,		/* the second port's mapping */
	SECOND_CHANGE_PORT,	/* to be answered from the other port: is that let in? */
	SECOND_CHANGE_IP,	/* from the other address and port */
	HAIRPIN_IN,		/* from the second port to where the first is seen */
	HAIRPIN_OUT,		/* and the other way round: each opens its filter for the other */
	QUESTIONS
};

#define PROBES (NETCHECK_SERVERS + NETCHECK_FAMILIES * QUESTIONS)
#define PROBE_SENDS 3

enum probe_state {
	PROBE_IDLE,		/* not wanted, or not yet */
	PROBE_ASKED,
	PROBE_ANSWERED,
	PROBE_REFUSED,		/* by an error, or not answered as asked */
	PROBE_SILENT,
	PROBE_CUT,		/* the time was up before that meant anything */
};

struct probe {
	enum probe_state state;
	enum port port;
	struct addr to;
	unsigned change;			/* STUN_CHANGE_* */
	unsigned sent;
	uint64_t start, sent_at[PROBE_SENDS];
	/* of the answer: */
	struct addr mapped, other;
	bool own;				/* the address outside is the one inside */
	uint64_t rtt;				/* us */
	uint16_t error;
};

struct netcheck {
	struct netcheck_plan plan;
	struct probe probe[PROBES];		/* servers first */
	const struct probe *chosen[NETCHECK_FAMILIES];	/* whose other address is used, or NULL */
	struct netcheck_as as[NETCHECK_AS];
	bool as_settled[NETCHECK_AS];
	bool started;
};

static inline unsigned netcheck_family_of(const struct addr *a)
{
	return a->family == 4 ? NETCHECK_IPV4 : NETCHECK_IPV6;
}

static inline const struct probe *netcheck_probe(const struct netcheck *n, unsigned family,
						 enum netcheck_question q)
{
	return &n->probe[NETCHECK_SERVERS + family * QUESTIONS + q];
}

/* What the answers mean. */
void netcheck_judge(const struct netcheck *n, struct netcheck_report *r);

#endif
