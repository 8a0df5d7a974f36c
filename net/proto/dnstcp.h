/*
 * dnstcp.h - the resolver's clients by TCP: queries are cut out of their streams, several at
 * once if they like, answers go back in any order.  RFC 7766.  A part of dns.c's resolver.
 */
#ifndef DNSTCP_H
#define DNSTCP_H

#include "net/proto/dns.h"
#include "net/proto/timers.h"

struct dnstcp_ops {
	void (*query)(void *arg, struct now now, uint32_t flow, const uint8_t *msg, size_t n,
		      struct outbox *out);
	/* Is a query of this flow still to be answered? */
	bool (*waits)(void *arg, uint32_t flow);
	/* The flow is no more: nothing is to be sent to it. */
	void (*left)(void *arg, uint32_t flow, struct outbox *out);
};

struct dnstcp {
	const struct dnstcp_ops *ops;
	void *arg;
	struct timers timers;
	struct dnstcp_client {
		uint32_t flow;			/* 0: free */
		struct timer timer;		/* closed then, unless a query waits */
		size_t have;
		uint8_t in[2 + DNS_QUERY_MAX];
	} client[DNS_TCP_MAX];
};

/* Zero-filled, then ops and arg set, is ready.  dnstcp_free() closes nothing. */
void dnstcp_free(struct dnstcp *t);
void dnstcp_flow(struct dnstcp *t, struct now now, const struct flow_event *ev,
		 struct outbox *out);
/* frame: room for the length, then a message of n octets. */
void dnstcp_send(struct dnstcp *t, struct now now, uint32_t flow, uint8_t *frame, size_t n,
		 struct outbox *out);
void dnstcp_tick(struct dnstcp *t, struct now now, struct outbox *out);

#endif
