/*
 * dnsup.c - asks upstream.  Each attempt has a socket and an ID of its own, so that whoever
 * wants to slip in an answer must guess both, and what answers an older attempt is not heard.
 */
#include "net/proto/dnsup.h"
#include "crypto/aead.h"
#include <stdlib.h>

static void flow_forget(struct dnsup *u, struct dnsup_query *uq)
{
	if (uq->in)
		u->by_tcp--;
	free(uq->in);
	uq->in = NULL;
	u->flow[uq->flow - 1] = NULL;
	uq->flow = 0;
}

static void flow_close(struct dnsup *u, struct dnsup_query *uq, struct outbox *out)
{
	if (!uq->flow)
		return;
	out_close(out, u->handle_base + uq->flow - 1);
	flow_forget(u, uq);
}

static uint32_t flow_open(struct dnsup *u, struct dnsup_query *uq, struct outbox *out)
{
	uint32_t handle;

	/* there are as many flows as queries, so one is free */
	while (u->flow[u->next_flow])
		u->next_flow = (u->next_flow + 1) % DNS_PENDING;
	handle = u->handle_base + u->next_flow;
	u->flow[u->next_flow] = uq;
	uq->flow = u->next_flow + 1;
	u->next_flow = uq->flow % DNS_PENDING;
	out_connect(out, handle, uq->proto, &uq->server);
	return handle;
}

static void ask(struct dnsup *u, struct now now, struct dnsup_query *uq, enum flow_proto proto,
		struct outbox *out)
{
	uint32_t handle;

	flow_close(u, uq, out);
	uq->proto = proto;
	uq->in_n = 0;
	uq->id = (uint16_t)random_u32();
	handle = flow_open(u, uq, out);
	put16(u->frame, (uint16_t)uq->n);
	memcpy(u->frame + 2, uq->msg, uq->n);
	put16(u->frame + 2, uq->id);
	if (proto == FLOW_TCP)
		out_stream(out, handle, u->frame, 2 + uq->n);
	else
		out_stream(out, handle, u->frame + 2, uq->n);
	timer_set(&u->timers, &uq->timer, now.boot + DNS_UPSTREAM_WAIT * SEC);
}

/* One datagram may get lost even where there is no second server to ask. */
static void ask_next(struct dnsup *u, struct now now, struct dnsup_query *uq,
		     struct outbox *out)
{
	struct dns_question q;

	if (uq->tries >= MAX(2, u->servers) || !u->servers) {
		dnsmsg_query(&q, uq->msg, uq->n);
		dnsup_stop(u, uq, out);
		u->done(u->arg, now, uq, &q, 0, out);
		return;
	}
	uq->server = u->server[uq->tries++ % u->servers];
	ask(u, now, uq, FLOW_UDP, out);
}

/* The whole answer by TCP; false when there are enough of those. */
static bool ask_by_tcp(struct dnsup *u, struct now now, struct dnsup_query *uq,
		       struct outbox *out)
{
	uint8_t *in = u->by_tcp < DNS_TCP_MAX ? malloc(2 + DNS_MESSAGE_MAX) : NULL;

	if (!in)
		return false;
	ask(u, now, uq, FLOW_TCP, out);
	uq->in = in;
	u->by_tcp++;
	return true;
}

static void message(struct dnsup *u, struct now now, struct dnsup_query *uq, const uint8_t *msg,
		    size_t n, struct outbox *out)
{
	struct dns_question q;
	unsigned rcode;

	dnsmsg_query(&q, uq->msg, uq->n);
	if (n > DNS_MESSAGE_MAX || !dnsmsg_answers(&q, uq->id, msg, n)) {
		/* a datagram may be anybody's; behind a wrong one on a stream comes no right one */
		if (uq->proto == FLOW_TCP)
			ask_next(u, now, uq, out);
		return;
	}
	if (get16(msg + 2) & DNS_TC && uq->proto == FLOW_UDP && ask_by_tcp(u, now, uq, out))
		return;
	rcode = msg[3] & 15;
	if ((rcode == DNS_SERVFAIL || rcode == DNS_REFUSED) && uq->tries < u->servers) {
		ask_next(u, now, uq, out);
		return;
	}
	memcpy(u->frame + 2, msg, n);
	dnsup_stop(u, uq, out);
	u->done(u->arg, now, uq, &q, dnsmsg_adopt(u->frame + 2, n, &q, &u->ranges), out);
}

static void stream_data(struct dnsup *u, struct now now, struct dnsup_query *uq,
			struct bytes data, struct outbox *out)
{
	size_t n = MIN(data.n, 2 + DNS_MESSAGE_MAX - uq->in_n);

	memcpy(uq->in + uq->in_n, data.p, n);
	uq->in_n += n;
	if (uq->in_n >= 2 && uq->in_n >= 2u + get16(uq->in))
		message(u, now, uq, uq->in + 2, get16(uq->in), out);
}

void dnsup_flow(struct dnsup *u, struct now now, const struct flow_event *ev,
		struct outbox *out)
{
	uint32_t i = ev->handle - u->handle_base;
	struct dnsup_query *uq = i < DNS_PENDING ? u->flow[i] : NULL;

	if (!uq)
		return;
	if (ev->what == FLOW_CLOSED) {
		flow_forget(u, uq);
		ask_next(u, now, uq, out);
	} else if (ev->what == FLOW_DATA && uq->proto == FLOW_TCP) {
		stream_data(u, now, uq, ev->data, out);
	} else if (ev->what == FLOW_DATA) {
		message(u, now, uq, ev->data.p, ev->data.n, out);
	}
}

void dnsup_ask(struct dnsup *u, struct now now, struct dnsup_query *uq, struct outbox *out)
{
	ask_next(u, now, uq, out);
}

void dnsup_stop(struct dnsup *u, struct dnsup_query *uq, struct outbox *out)
{
	flow_close(u, uq, out);
	timer_clear(&u->timers, &uq->timer);
}

void dnsup_tick(struct dnsup *u, struct now now, struct outbox *out)
{
	struct timer *t;

	while ((t = timers_due(&u->timers, now.boot)))
		ask_next(u, now, TIMER_OWNER(t, struct dnsup_query, timer), out);
}

void dnsup_free(struct dnsup *u)
{
	unsigned i;

	for (i = 0; i < DNS_PENDING; i++)
		if (u->flow[i])
			free(u->flow[i]->in);
	timers_free(&u->timers);
}
