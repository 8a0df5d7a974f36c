/*
 * dnsup.h - everybody else's names: one query is put to one upstream resolver after the other
 * until one gives an answer that may be passed on.  A part of dns.c's resolver.
 */
#ifndef DNSUP_H
#define DNSUP_H

#include "net/proto/dns.h"
#include "net/proto/dnsmsg.h"
#include "net/proto/timers.h"

/* A query on its way; part of whatever waits for the answer.  Zero-filled: not under way. */
struct dnsup_query {
	const uint8_t *msg;	/* as the client sent it; borrowed until done or stopped */
	size_t n;
	struct timer timer;	/* when to ask the next one */
	struct addr server;
	unsigned tries;
	unsigned flow;		/* index + 1 in the owner's table; 0: none is open */
	enum flow_proto proto;
	uint16_t id;		/* as sent */
	uint8_t *in;		/* TCP: the answer so far, 2 + DNS_MESSAGE_MAX octets */
	size_t in_n;
};

struct dnsup {
	/* The end of uq: n octets of answer stand in frame + 2, ready to pass on; 0: none came. */
	void (*done)(void *arg, struct now now, struct dnsup_query *uq,
		     const struct dns_question *q, size_t n, struct outbox *out);
	void *arg;
	uint8_t *frame;				/* 2 + DNS_MESSAGE_MAX octets, the owner's */
	struct dns_ranges ranges;		/* addresses no answer may contain */
	struct addr server[DNS_UPSTREAM_MAX];
	unsigned servers;
	uint32_t handle_base;			/* of DNS_PENDING flow handles */
	unsigned next_flow;			/* one just closed is the last to be used again */
	unsigned by_tcp;			/* queries out by TCP */
	struct timers timers;
	struct dnsup_query *flow[DNS_PENDING];
};

/* Zero-filled, then its first three members and handle_base set, is ready. */
void dnsup_free(struct dnsup *u);
/* At most DNS_PENDING at once.  uq zero-filled but for msg (a whole query) and n. */
void dnsup_ask(struct dnsup *u, struct now now, struct dnsup_query *uq, struct outbox *out);
/* Nobody wants the answer any more, or it is done.  Harmless when not under way. */
void dnsup_stop(struct dnsup *u, struct dnsup_query *uq, struct outbox *out);
void dnsup_flow(struct dnsup *u, struct now now, const struct flow_event *ev,
		struct outbox *out);
void dnsup_tick(struct dnsup *u, struct now now, struct outbox *out);

#endif
