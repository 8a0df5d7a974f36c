/*
 * dnstcp.c - streams of DNS messages.  Only answers, sent or owed, count as life: a query that
 * trickles in octet by octet is as idle as one that does not come.
 */
#include "net/proto/dnstcp.h"
#include "net/proto/dnsmsg.h"

static struct dnstcp_client *find(struct dnstcp *t, uint32_t flow)
{
	struct dnstcp_client *c;

	for (c = t->client; c < t->client + DNS_TCP_MAX; c++)
		if (c->flow == flow)
			return c;
	return NULL;
}

static void alive(struct dnstcp *t, struct now now, struct dnstcp_client *c)
{
	timer_set(&t->timers, &c->timer, now.boot + DNS_TCP_IDLE * SEC);
}

static void forget(struct dnstcp *t, struct dnstcp_client *c, struct outbox *out)
{
	uint32_t flow = c->flow;

	timer_clear(&t->timers, &c->timer);
	c->flow = 0;
	t->ops->left(t->arg, flow, out);
}

static void close_client(struct dnstcp *t, struct dnstcp_client *c, struct outbox *out)
{
	out_close(out, c->flow);
	forget(t, c, out);
}

static void opened(struct dnstcp *t, struct now now, uint32_t flow, struct outbox *out)
{
	struct dnstcp_client *c = find(t, 0);

	if (!c) {
		out_close(out, flow);
		return;
	}
	c->flow = flow;
	c->have = 0;
	alive(t, now, c);
}

/* Takes what is missing of the length or the message; true when that is complete. */
static bool fill(struct dnstcp_client *c, size_t need, struct bytes *data)
{
	size_t n = MIN(need - c->have, data->n);

	memcpy(c->in + c->have, data->p, n);
	c->have += n;
	data->p += n;
	data->n -= n;
	return c->have == need;
}

static void received(struct dnstcp *t, struct now now, struct dnstcp_client *c,
		     struct bytes data, struct outbox *out)
{
	size_t n;

	while (data.n) {
		if (c->have < 2 && !fill(c, 2, &data))
			return;
		n = get16(c->in);
		if (n < DNS_HEADER || n > DNS_QUERY_MAX) {
			close_client(t, c, out);
			return;
		}
		if (!fill(c, 2 + n, &data))
			return;
		c->have = 0;
		t->ops->query(t->arg, now, c->flow, c->in + 2, n, out);
	}
}

void dnstcp_flow(struct dnstcp *t, struct now now, const struct flow_event *ev,
		 struct outbox *out)
{
	struct dnstcp_client *c = find(t, ev->handle);

	if (ev->what == FLOW_OPENED && !c)
		opened(t, now, ev->handle, out);
	else if (ev->what == FLOW_DATA && c)
		received(t, now, c, ev->data, out);
	else if (ev->what == FLOW_CLOSED && c)
		forget(t, c, out);
}

void dnstcp_send(struct dnstcp *t, struct now now, uint32_t flow, uint8_t *frame, size_t n,
		 struct outbox *out)
{
	struct dnstcp_client *c = find(t, flow);

	if (!c)
		return;
	put16(frame, (uint16_t)n);
	out_stream(out, flow, frame, 2 + n);
	alive(t, now, c);
}

void dnstcp_tick(struct dnstcp *t, struct now now, struct outbox *out)
{
	struct timer *timer;
	struct dnstcp_client *c;

	while ((timer = timers_due(&t->timers, now.boot))) {
		c = TIMER_OWNER(timer, struct dnstcp_client, timer);
		if (t->ops->waits(t->arg, c->flow))
			alive(t, now, c);
		else
			close_client(t, c, out);
	}
}

void dnstcp_free(struct dnstcp *t)
{
	timers_free(&t->timers);
}
