/*
 * nms_vantage.c - how a node's NAPT behaves, looked at from elsewhere: the node is told which TRS
 * it may ask and under which key, the first of them writes to it unasked, and what the node finds
 * goes into its registration.
 */
#include "roles/nms.h"
#include "net/proto/napt.h"

#define PROBE_EVERY (200 * MS)		/* less than until a Vantage Request is sent again */
#define RTT_MOST 10000000		/* us; what takes longer is no use, or a lie */

static bool fill_point(struct nms *nms, struct now now, const struct nms_node *node,
		       const struct nms_relay *r, unsigned f, struct msg_vantage_point *point)
{
	struct vantage_key key;
	struct device d;
	bool good = device_by_id(nms->env.store, &r->link.id, &d) == STORE_OK &&
		    d.kind == DEVICE_TRS && !d.disabled &&
		    d.key_expiry > cloud_ms(&nms->cloud, now);

	if (good) {
		point->trs = r->link.id;
		keys_vantage(&key, &d.common_key, &node->link.id);
		memcpy(point->key, key.b, sizeof point->key);
		point->port = r->facts.addr[f].port;
		point->other_port = r->facts.other_port;
		memcpy(point->ip, r->facts.addr[f].ip, sizeof point->ip);
		wipe(&key, sizeof key);
	}
	wipe(&d, sizeof d);
	return good;
}

/* The node's filter has never seen this TRS: does it come in?  Said twice, for nobody confirms it. */
static void send_probe(struct nms *nms, struct now now, struct nms_node *node,
		       const struct id *trs, unsigned f, struct outbox *out)
{
	const struct addr *mapped = &node->reg.mapped[f];
	struct msg_probe_request m = { .node_id = node->link.id, .family = mapped->family,
				       .port = mapped->port };
	struct nms_note note = { .kind = NMS_SAY, .a = *trs, .type = TYPE_PROBE_REQUEST,
				 .transaction = random_u32() };
	unsigned owner = id_owner(trs, nms->env.workers);

	if (node->probed[f] && now.boot - node->probed[f] < PROBE_EVERY)
		return;
	node->probed[f] = now.boot;
	memcpy(m.ip, mapped->ip, sizeof m.ip);
	note.len = (uint32_t)msg_write_probe_request(note.body, sizeof note.body, &m);
	nms_tell_worker(nms, now, owner, &note, out);
	nms_tell_worker(nms, now, owner, &note, out);
}

enum verdict vantage_request(struct nms *nms, struct now now, struct nms_node *node,
			     const struct msg_header *h, struct bytes body,
			     const struct addr *from, const struct addr *to,
			     struct outbox *out)
{
	unsigned f = from->family == 6, n, i;
	const struct nms_relay *best[4];
	struct msg_vantage_request m;
	struct msg_vantage_response r = { 0 };
	uint8_t p[MSG_MAX_vantage_response];

	if (msg_read_vantage_request(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	if (!register_counts(nms, now, node, h, from, to, out))
		return V_ANSWERED;
	n = relays_points(nms, now, &node->reg, f, to, best);
	for (i = 0; i < n; i++)
		r.points_n += fill_point(nms, now, node, best[i], f, &r.points[r.points_n]);
	/* not kept: it holds keys, and is made again the same */
	nms_answer(nms, now, node, h, from, to, TYPE_VANTAGE_RESPONSE, p,
		   msg_write_vantage_response(p, sizeof p, &r), out);
	if (r.points_n)
		send_probe(nms, now, node, &r.points[0].trs, f, out);
	wipe(&r, sizeof r);
	wipe(p, sizeof p);
	return V_ANSWERED;
}

/* The newest of each TRS, those of this report first. */
static void take_rtts(struct registration *reg, const struct msg_vantage_report *m)
{
	struct trs_rtt old[REGISTRATION_RTTS];
	unsigned i, k, old_n = reg->rtt_n;

	memcpy(old, reg->rtt, sizeof old);
	memset(reg->rtt, 0, sizeof reg->rtt);
	for (i = reg->rtt_n = 0; i < m->rtts_n && reg->rtt_n < REGISTRATION_RTTS; i++)
		if (m->rtts[i].rtt && m->rtts[i].rtt <= RTT_MOST)
			reg->rtt[reg->rtt_n++] = (struct trs_rtt){ m->rtts[i].trs, m->rtts[i].rtt };
	for (i = 0; i < old_n && reg->rtt_n < REGISTRATION_RTTS; i++) {
		for (k = 0; k < m->rtts_n; k++)
			if (id_equal(&m->rtts[k].trs, &old[i].trs))
				break;
		if (k == m->rtts_n)
			reg->rtt[reg->rtt_n++] = old[i];
	}
}

enum verdict vantage_report(struct nms *nms, struct now now, struct nms_node *node,
			    const struct msg_header *h, struct bytes body,
			    const struct addr *from, const struct addr *to,
			    struct outbox *out)
{
	struct registration *reg = &node->reg;
	struct msg_vantage_report m;
	unsigned f;

	if (msg_read_vantage_report(&m, body.p, body.n) != (long)body.n ||
	    (m.family != 4 && m.family != 6) || m.mapping >= MAPPINGS || m.filtering >= FILTERINGS)
		return V_DROP_BODY;
	if (!register_counts(nms, now, node, h, from, to, out))
		return V_ANSWERED;
	f = m.family == 6;
	if (reg->confirmed[f]) {
		reg->behaviour[f] = behaviour_octet((struct behaviour){ m.mapping, m.filtering });
		take_rtts(reg, &m);
		nms_node_store(nms, node);
	}
	register_ack(nms, now, node, h, from, to, out);
	return V_ANSWERED;
}
