/*
 * nms_register.c - Registration Request and Keep Alive: where a node says it is, where it was
 * seen, and when an address counts.
 */
#include "roles/nms.h"

static bool is_mapped(const struct msg_registration_request *m, const struct addr *from)
{
	unsigned i, same = 0;

	for (i = 0; i < m->real_n; i++) {
		struct addr real = address_of(&m->real[i]);

		if (real.family != from->family)
			continue;
		if (addr_same_ip(&real, from) && real.port == from->port)
			return false;
		same++;
	}
	return same > 0;
}

static void forget_paths(struct nms *nms, struct now now, const struct id *id, uint16_t reason,
			 struct outbox *out)
{
	struct nms_note note = { .kind = NMS_FORGET, .a = *id, .reason = reason };

	nms_tell_all(nms, now, &note, out);
}

static enum verdict on_leaving(struct nms *nms, struct now now, struct nms_node *node,
			       const struct msg_registration_request *m, struct outbox *out)
{
	/* another run of the same node may have registered since */
	if (!node->registered || node->reg.boot != m->boot)
		return V_DROP_STATE;
	forget_paths(nms, now, &node->link.id, REASON_OFFLINE, out);
	if (node->kind == DEVICE_TRS)
		relays_gone(nms, now, &node->link.id, out);
	nms_write(nms);
	registration_delete(nms->env.store, &node->link.id);
	node->registered = false;
	memset(&node->reg, 0, sizeof node->reg);
	cy_log(LOG_DEBUG, "%s left", node->fqdn);
	return V_ANSWERED;
}

enum verdict register_request(struct nms *nms, struct now now, struct nms_node *node,
			      const struct msg_header *h, struct bytes body,
			      const struct addr *from, const struct addr *to,
			      struct outbox *out)
{
	unsigned f = from->family == 6, i;
	struct registration *reg = &node->reg;
	struct msg_registration_request m;
	struct msg_registration_response r = { .family = from->family, .port = from->port };
	uint8_t p[MSG_SIZE_registration_response];
	size_t n;

	if (msg_read_registration_request(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	if (m.leaving)
		return on_leaving(nms, now, node, &m, out);
	node->fresh |= m.fresh;
	if (!node->registered || reg->boot != m.boot)
		memset(reg, 0, sizeof *reg);
	reg->node_id = node->link.id;
	reg->boot = m.boot;
	reg->updated = cloud_ms(&nms->cloud, now);
	/* the same address keeps its challenge: the answer to a repeated request may come first */
	if (!addr_equal(&reg->mapped[f], from) || !node->challenge[f])
		node->challenge[f] = random_u64() | 1;
	if (!addr_equal(&reg->mapped[f], from))
		reg->confirmed[f] = 0;
	if (!addr_same_ip(&reg->mapped[f], from))	/* another network, another NAPT */
		reg->behaviour[f] = 0;
	reg->mapped[f] = *from;
	reg->napt[f] = is_mapped(&m, from);
	reg->real_n = m.real_n;
	for (i = 0; i < m.real_n; i++)
		reg->real[i] = address_of(&m.real[i]);
	node->registered = true;
	node->service[f] = *to;
	nms_node_store(nms, node);

	r.napt = reg->napt[f];
	r.cloud_time = reg->updated;
	r.challenge = node->challenge[f];
	memcpy(r.ip, from->ip, sizeof r.ip);
	n = msg_write_registration_response(p, sizeof p, &r);
	nms_answer(nms, now, node, h, from, to, TYPE_REGISTRATION_RESPONSE, p, n, out);
	answers_keep(nms->answers, now, &node->link.id, h->transaction,
		     TYPE_REGISTRATION_RESPONSE, p, n);
	return V_ANSWERED;
}

void register_ack(struct nms *nms, struct now now, struct nms_node *node,
		  const struct msg_header *h, const struct addr *from, const struct addr *to,
		  struct outbox *out)
{
	struct msg_keep_alive_ack r = { .cloud_time = cloud_ms(&nms->cloud, now) };
	uint8_t p[MSG_SIZE_keep_alive_ack];

	nms_answer(nms, now, node, h, from, to, TYPE_KEEP_ALIVE_ACK, p,
		   msg_write_keep_alive_ack(p, sizeof p, &r), out);
}

bool register_counts(struct nms *nms, struct now now, struct nms_node *node,
		     const struct msg_header *h, const struct addr *from,
		     const struct addr *to, struct outbox *out)
{
	unsigned f = from->family == 6;

	if (node->registered && node->reg.confirmed[f] && addr_equal(&node->reg.mapped[f], from))
		return true;
	nms_answer_refusal(nms, now, node, h, from, to, REASON_NOT_REGISTERED, out);
	return false;
}

static void on_confirmed(struct nms *nms, struct now now, struct nms_node *node, unsigned f,
			 struct outbox *out)
{
	node->reg.confirmed[f] = 1;
	if (node->fresh)	/* only now can the other ends reach it again */
		forget_paths(nms, now, &node->link.id, 0, out);
	node->fresh = false;
	node->reg.updated = cloud_ms(&nms->cloud, now);
	nms_node_store(nms, node);
	relays_announce(nms, now, node, out);
}

enum verdict register_keep_alive(struct nms *nms, struct now now, struct nms_node *node,
				 const struct msg_header *h, struct bytes body,
				 const struct addr *from, const struct addr *to,
				 struct outbox *out)
{
	unsigned f = from->family == 6;
	struct msg_keep_alive m;

	if (msg_read_keep_alive(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	if (!node->registered || !addr_equal(&node->reg.mapped[f], from) ||
	    (!node->reg.confirmed[f] && (!m.challenge || m.challenge != node->challenge[f]))) {
		nms_answer_refusal(nms, now, node, h, from, to, REASON_NOT_REGISTERED, out);
		return V_ANSWERED;
	}
	node->service[f] = *to;
	if (!node->reg.confirmed[f])
		on_confirmed(nms, now, node, f, out);
	register_ack(nms, now, node, h, from, to, out);
	return V_ANSWERED;
}
