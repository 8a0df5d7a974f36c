/*
 * nms_deliver.c - Route Direction to a node of this worker, or Relay Request to a TRS, sent again
 * until it is confirmed; then the worker that decided is told.
 */
#include "roles/nms.h"
#include <stdlib.h>

#define RELAY_PATIENCE (1 * SEC)	/* then another TRS is asked */

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

static void send_it(struct nms *nms, struct now now, struct nms_node *node, struct delivery *d,
		    struct outbox *out)
{
	/* perhaps nobody has noticed yet that a family is dead */
	d->by = d->exchange.tries == 1 ? node->heard_by : !d->by;
	nms_send(nms, now, node, d->by, d->exchange.transaction, d->exchange.type,
		 d->exchange.body, d->exchange.len, out);
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
	d->give_up = tell->type == TYPE_RELAY_REQUEST ? now.boot + RELAY_PATIENCE : NEVER;
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
	/* this one alone: another that is due now may be what led here */
	if (exchange_step(&d->exchange, now) == EXCHANGE_SEND)
		send_it(nms, now, node, d, out);
	nms_node_rearm(nms, node);
}

/* Path ID and result of either kind; false: malformed. */
static bool read_result(const struct msg_header *h, struct bytes body, struct id *path,
			uint16_t *result)
{
	struct msg_route_confirmation rc;
	struct msg_relay_response rr;
	bool good;

	if (h->type == TYPE_RELAY_RESPONSE) {
		good = msg_read_relay_response(&rr, body.p, body.n) == (long)body.n;
		*path = rr.path;
		*result = rr.result;
	} else {
		good = msg_read_route_confirmation(&rc, body.p, body.n) == (long)body.n;
		*path = rc.path;
		*result = rc.result;
	}
	return good;
}

/* What is delivered begins with the Path ID. */
static bool answers_it(const struct delivery *d, const struct msg_header *h,
		       const struct id *path)
{
	return exchange_is(&d->exchange, h->transaction) &&
	       (d->exchange.type == TYPE_RELAY_REQUEST) == (h->type == TYPE_RELAY_RESPONSE) &&
	       memcmp(d->exchange.body, path->b, sizeof path->b) == 0;
}

enum verdict deliver_confirmed(struct nms *nms, struct now now, struct nms_node *node,
			       const struct msg_header *h, struct bytes body,
			       struct outbox *out)
{
	struct delivery *d;
	struct id path;
	uint16_t result;

	if (!read_result(h, body, &path, &result))
		return V_DROP_BODY;
	for (d = node->deliveries; d; d = d->next)
		if (answers_it(d, h, &path))
			break;
	if (!d)
		return V_DROP_STATE;
	unlink_delivery(node, d);
	report(nms, now, node, d, result, out);
	delivery_free(d);
	return V_ANSWERED;
}

static enum exchange_step step(struct delivery *d, struct now now)
{
	return now.boot >= d->give_up ? EXCHANGE_GAVE_UP : exchange_step(&d->exchange, now);
}

void deliver_tick(struct nms *nms, struct now now, struct nms_node *node, struct outbox *out)
{
	struct delivery *d, *next;

	for (d = node->deliveries; d; d = next) {
		next = d->next;
		switch (step(d, now)) {
		case EXCHANGE_WAIT:
			break;
		case EXCHANGE_SEND:
			send_it(nms, now, node, d, out);
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
		at = MIN(at, MIN(d->give_up, exchange_expiry(&d->exchange)));
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
