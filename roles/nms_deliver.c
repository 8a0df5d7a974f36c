/*
 * nms_deliver.c - Route Direction to a node of this worker, sent again until it is confirmed;
 * then the worker that decided is told.
 */
#include "roles/nms.h"
#include <stdlib.h>

static void report(struct nms *nms, struct now now, const struct nms_node *node,
		   const struct delivery *d, uint16_t reason, struct outbox *out)
{
	struct nms_note note = { .kind = NMS_TOLD, .a = node->link.id, .pair = d->pair,
				 .transaction = d->exchange.transaction, .reason = reason };

	nms_tell_worker(nms, now, d->coordinator, &note, out);
}

static void unlink_delivery(struct nms_node *node, struct delivery *d)
{
	struct delivery **at = &node->deliveries;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
}

static void delivery_free(struct delivery *d)
{
	wipe(d, sizeof *d);
	free(d);
}

/* A newer Route Direction of a pair makes the older one void. */
static void supersede(struct nms_node *node, const struct id *pair)
{
	struct delivery *d, *next;

	for (d = node->deliveries; d; d = next) {
		next = d->next;
		if (id_equal(&d->pair, pair)) {
			unlink_delivery(node, d);
			delivery_free(d);
		}
	}
}

void deliver_start(struct nms *nms, struct now now, const struct nms_note *tell,
		   struct outbox *out)
{
	struct nms_node *node = nms_node_get(nms, now, &tell->a);
	struct delivery *d = calloc(1, sizeof *d);

	if (!d)
		abort();
	d->pair = tell->pair;
	d->coordinator = tell->transaction & 0xff;
	exchange_start(&d->exchange, now, tell->transaction, tell->type, tell->body, tell->len);
	if (!node) {
		struct nms_node nobody = { .link.id = tell->a };

		report(nms, now, &nobody, d, REASON_OFFLINE, out);
		delivery_free(d);
		return;
	}
	supersede(node, &d->pair);
	d->next = node->deliveries;
	node->deliveries = d;
	deliver_tick(nms, now, node, out);
	nms_node_rearm(nms, node);
}

enum verdict deliver_confirmed(struct nms *nms, struct now now, struct nms_node *node,
			       uint32_t transaction, struct bytes body, struct outbox *out)
{
	struct msg_route_confirmation m;
	struct delivery *d;

	if (msg_read_route_confirmation(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	for (d = node->deliveries; d; d = d->next)
		if (exchange_is(&d->exchange, transaction))
			break;
	if (!d)
		return V_DROP_STATE;
	unlink_delivery(node, d);
	report(nms, now, node, d, m.result, out);
	delivery_free(d);
	return V_ANSWERED;
}

void deliver_tick(struct nms *nms, struct now now, struct nms_node *node, struct outbox *out)
{
	struct delivery *d, *next;

	for (d = node->deliveries; d; d = next) {
		next = d->next;
		switch (exchange_step(&d->exchange, now)) {
		case EXCHANGE_WAIT:
			break;
		case EXCHANGE_SEND:
			nms_send(nms, now, node, 2, d->exchange.transaction, d->exchange.type,
				 d->exchange.body, d->exchange.len, out);
			break;
		case EXCHANGE_GAVE_UP:
			unlink_delivery(node, d);
			report(nms, now, node, d, REASON_OFFLINE, out);
			delivery_free(d);
			break;
		}
	}
}

uint64_t deliver_expiry(const struct nms_node *node)
{
	const struct delivery *d;
	uint64_t at = NEVER;

	for (d = node->deliveries; d; d = d->next)
		at = MIN(at, exchange_expiry(&d->exchange));
	return at;
}

void deliver_offline(struct nms *nms, struct now now, struct nms_node *node, struct outbox *out)
{
	while (node->deliveries) {
		struct delivery *d = node->deliveries;

		unlink_delivery(node, d);
		report(nms, now, node, d, REASON_OFFLINE, out);
		delivery_free(d);
	}
}

void deliver_close(struct nms_node *node)
{
	while (node->deliveries) {
		struct delivery *d = node->deliveries;

		node->deliveries = d->next;
		delivery_free(d);
	}
}
