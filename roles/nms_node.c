/*
 * nms_node.c - the nodes a worker owns: found by their Node ID, heard under their Common Key,
 * spoken to, forgotten.
 */
#include "roles/nms.h"
#include "store/config.h"
#include <stdlib.h>

#define REREAD_EVERY (100 * MS)		/* looks for a new Common Key of one node */
#define LOOK_EVERY (5 * SEC)		/* whether a node may still talk */
#define UNHEARD_MAX 3			/* keep-alive intervals */

static void take_device(struct nms_node *node, const struct device *d)
{
	session_free(&node->session);
	node->key = d->common_key;
	session_common(&node->session, &node->key, &node->link.id, true);
	memcpy(node->ip4, d->ip4, 4);
	memcpy(node->ip6, d->ip6, 16);
	strcpy(node->fqdn, d->fqdn);
	node->kind = d->kind;
}

static bool may_talk(struct nms *nms, struct now now, const struct id *id, struct device *d)
{
	return device_by_id(nms->env.store, id, d) == STORE_OK && !d->disabled &&
	       d->key_expiry > cloud_ms(&nms->cloud, now);
}

/* Disabled, deleted, or its key ran out, while it is known here: it is not heard any more. */
static bool is_barred(struct nms *nms, struct now now, struct nms_node *node)
{
	struct device d;
	enum store_result r;

	if (now.boot - node->looked < LOOK_EVERY)
		return node->barred;
	node->looked = now.boot;
	r = device_by_id(nms->env.store, &node->link.id, &d);
	/* a store that fails bars nobody */
	node->barred = r == STORE_MISSING ||
		(r == STORE_OK && (d.disabled || d.key_expiry <= cloud_ms(&nms->cloud, now)));
	wipe(&d, sizeof d);
	return node->barred;
}

/* What an earlier session of this node may have heard is older than the silence that ended it. */
static uint64_t replay_floor(struct nms *nms, struct now now)
{
	uint64_t ms = cloud_ms(&nms->cloud, now), life = nms_registration_life(nms) / MS;

	return ms - MIN(ms, life);
}

struct nms_node *nms_node_get(struct nms *nms, struct now now, const struct id *id)
{
	struct link *link = table_get(&nms->nodes, id);
	struct nms_node *node = LINK_OWNER(link, struct nms_node, link);
	struct device d;

	if (node)
		return is_barred(nms, now, node) ? NULL : node;
	if (!may_talk(nms, now, id, &d))
		return NULL;
	node = calloc(1, sizeof *node);
	if (!node)
		abort();
	node->link.id = *id;
	take_device(node, &d);
	node->heard = node->looked = now.boot;
	node->floor = replay_floor(nms, now);
	node->save_at = NEVER;
	node->registered = registration_get(nms->env.store, id, &node->reg) == STORE_OK;
	table_add(&nms->nodes, &node->link);
	nms_node_rearm(nms, node);
	wipe(&d, sizeof d);
	return node;
}

void nms_node_free(struct nms *nms, struct nms_node *node)
{
	struct nms_node **at;

	for (at = &nms->saving; *at; at = &(*at)->next_saving)
		if (*at == node) {
			*at = node->next_saving;
			break;
		}
	table_remove(&nms->nodes, &node->link);
	timer_clear(&nms->timers, &node->timer);
	deliver_close(node);
	session_free(&node->session);
	wipe(node, sizeof *node);
	free(node);
}

void nms_node_forget(struct nms *nms, struct nms_node *node)
{
	if (!node->session.seen.any && !node->registered && !node->deliveries)
		nms_node_free(nms, node);
}

uint64_t nms_registration_life(const struct nms *nms)
{
	/* one more second for the retransmissions of the last Keep Alive */
	return UNHEARD_MAX * nms->env.conf->keepalive * MS + SEC;
}

void nms_node_rearm(struct nms *nms, struct nms_node *node)
{
	timer_set(&nms->timers, &node->timer,
		  MIN(MIN(node->heard + nms_registration_life(nms), node->save_at),
		      deliver_expiry(node)));
}

/* A new login made a new Common Key: takes it.  False: it is the one we have. */
bool nms_node_rekeyed(struct nms *nms, struct now now, struct nms_node *node)
{
	struct device d;
	bool changed;

	if (now.boot - node->reread < REREAD_EVERY)
		return false;
	node->reread = now.boot;
	changed = may_talk(nms, now, &node->link.id, &d) &&
		  !same_secret(d.common_key.b, node->key.b, sizeof node->key.b);
	if (changed)
		take_device(node, &d);
	wipe(&d, sizeof d);
	return changed;
}

void nms_write(struct nms *nms)
{
	if (!nms->writing)
		nms->writing = live_begin(nms->env.store) == STORE_OK;
}

static bool is_saving(const struct nms *nms, const struct nms_node *node)
{
	const struct nms_node *n;

	for (n = nms->saving; n; n = n->next_saving)
		if (n == node)
			return true;
	return false;
}

void nms_node_store(struct nms *nms, struct nms_node *node)
{
	enum store_result r;

	nms_write(nms);
	r = registration_put(nms->env.store, &node->reg);
	if (!is_saving(nms, node)) {
		node->next_saving = nms->saving;
		nms->saving = node;
	}
	if (r != STORE_OK)
		cy_log(LOG_ERROR_, "registration of %s not stored: %s", node->fqdn,
		       store_error(nms->env.store));
}

/* ---- sending ---- */

void nms_send(struct nms *nms, struct now now, struct nms_node *node, unsigned f,
	      uint32_t transaction, uint8_t type, const void *body, size_t n,
	      struct outbox *out)
{
	uint64_t ms = cloud_ms(&nms->cloud, now);
	uint8_t p[DATAGRAM_MAX];
	size_t len;

	if (f > 1)
		f = node->heard_by;
	if (!node->reg.confirmed[f])
		f = !f;
	/* nothing goes unasked to an address that has not echoed its challenge */
	if (!node->reg.confirmed[f])
		return;
	len = session_seal(&node->session, ms, transaction, type, 0, body, n, p);
	if (len)
		out_datagram(out, PORT_MAIN, &node->reg.mapped[f], &node->service[f], p, len);
}

/* An answer goes where its request came from, registered or not. */
void nms_answer(struct nms *nms, struct now now, struct nms_node *node,
		   const struct msg_header *h, const struct addr *from, const struct addr *to,
		   uint8_t type, const void *body, size_t n, struct outbox *out)
{
	uint8_t p[DATAGRAM_MAX];
	size_t len = session_seal(&node->session, cloud_ms(&nms->cloud, now), h->transaction,
				  type, 0, body, n, p);

	if (len)
		out_datagram(out, PORT_MAIN, from, to, p, len);
}

static size_t make_refusal(struct nms *nms, struct now now, uint8_t type, uint16_t reason,
			   uint8_t body[MSG_SIZE_refusal])
{
	struct msg_refusal m = { .reason = reason, .type = type,
				 .cloud_time = cloud_ms(&nms->cloud, now) };

	nms->refusals++;
	return msg_write_refusal(body, MSG_SIZE_refusal, &m);
}

void nms_refuse(struct nms *nms, struct now now, struct nms_node *node, unsigned f,
		uint32_t transaction, uint8_t type, uint16_t reason, struct outbox *out)
{
	uint8_t body[MSG_SIZE_refusal];
	size_t n = make_refusal(nms, now, type, reason, body);

	nms_send(nms, now, node, f, transaction, TYPE_REFUSAL, body, n, out);
}

void nms_answer_refusal(struct nms *nms, struct now now, struct nms_node *node,
		   const struct msg_header *h, const struct addr *from, const struct addr *to,
		   uint16_t reason, struct outbox *out)
{
	uint8_t body[MSG_SIZE_refusal];

	/* whoever is there has proved nothing: no answer is longer than what it answers */
	if (h->length < MESSAGE_MIN + MSG_SIZE_refusal)
		return;
	nms_answer(nms, now, node, h, from, to, TYPE_REFUSAL, body,
		   make_refusal(nms, now, h->type, reason, body), out);
}
