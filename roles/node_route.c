/*
 * node_route.c - Route Direction: the path the NMS gives us, believed only as far as the other
 * end's certificate goes.
 */
#include "roles/node.h"

/* Is this certificate the named one's, under the domain's root, for these addresses? */
static bool check_peer(struct node *n, struct now now, const struct msg_route_direction *m,
		       struct cert_info *info)
{
	struct id expected;
	char err[256] = "it names another node or other addresses";

	node_id_of(&expected, m->fqdn);
	if (trust_verify(n->trust, m->certificate.p, m->certificate.n,
			 cloud_ms(&n->cloud, now) / 1000, info, err) &&
	    strcmp(info->fqdn, m->fqdn) == 0 && memcmp(info->ip4, m->ip4, 4) == 0 &&
	    memcmp(info->ip6, m->ip6, 16) == 0 && id_equal(&expected, &m->peer_id))
		return true;
	n->bad_peers++;
	cy_log(LOG_WARN, "Route Direction for %s refused, its certificate: %s", m->fqdn, err);
	return false;
}

static void fill_setup(const struct node *n, const struct msg_route_direction *m,
		       const struct cert_info *info, struct tunnel_setup *s)
{
	unsigned i;

	memset(s, 0, sizeof *s);
	s->path = m->path;
	s->initiator = m->initiator;
	memcpy(s->tunnel_key.b, m->tunnel_key, 16);
	memcpy(s->temporary_key.b, m->temporary_key, 16);
	s->expiry = m->expiry;
	s->own = n->self;
	s->peer.node_id = m->peer_id;
	memcpy(s->peer.ip4, m->ip4, 4);
	memcpy(s->peer.ip6, m->ip6, 16);
	memcpy(s->peer.tbs_hash, info->tbs_hash, 32);
	memcpy(s->peer.x25519, info->x25519, 32);
	strcpy(s->peer_fqdn, m->fqdn);
	for (i = 0; i < m->candidates_n && i < CANDIDATES; i++) {
		s->candidate[s->candidates] = address_of(&m->candidates[i]);
		s->candidates += s->candidate[s->candidates].family != 0;
	}
}

static void confirm(struct node *n, struct now now, uint32_t transaction, const struct id *path,
		    uint16_t result, struct outbox *out)
{
	struct msg_route_confirmation m = { .path = *path, .result = result };
	uint8_t body[MSG_SIZE_route_confirmation];

	registrar_send(&n->registrar, now, transaction, TYPE_ROUTE_CONFIRMATION, body,
		       msg_write_route_confirmation(body, sizeof body, &m), out);
}

static void close_path(struct node *n, struct now now, const struct id *path, struct outbox *out)
{
	struct node_note note = { .kind = NODE_CLOSE, .path = *path };

	node_tell(n, now, id_owner(path, n->env.workers), &note, out);
}

static void open_path(struct node *n, struct now now, struct peer *p,
		      const struct msg_route_direction *m, const struct cert_info *info,
		      struct outbox *out)
{
	struct tunnel_setup setup;
	struct node_note note = { .kind = NODE_OPEN, .path = m->path, .len = sizeof setup,
				  .body = (uint8_t *)&setup };
	struct id old = p->path;

	fill_setup(n, m, info, &setup);
	peer_link(n, p, m->ip4, m->ip6);
	strcpy(p->fqdn, m->fqdn);
	p->node_id = m->peer_id;
	p->path = m->path;
	p->state = PEER_OPENING;
	p->reason = 0;
	if (!id_is_zero(&old))
		close_path(n, now, &old, out);
	node_tell(n, now, id_owner(&m->path, n->env.workers), &note, out);
	wipe(&setup, sizeof setup);
}

enum verdict route_taken(struct node *n, struct now now, const struct msg_header *h,
			     struct bytes body, struct outbox *out)
{
	struct msg_route_direction m;
	struct cert_info info;
	uint16_t result = 0;
	struct peer *p;

	if (msg_read_route_direction(&m, body.p, body.n) != (long)body.n ||
	    m.initiator != (h->type == TYPE_ROUTE_DIRECTION_I))
		return V_DROP_BODY;
	p = peer_merge(n, peer_by_ip(n, 4, m.ip4), peer_by_ip(n, 6, m.ip6));
	if (p && id_equal(&p->path, &m.path)) {		/* our confirmation was lost */
		confirm(n, now, h->transaction, &m.path, 0, out);
		return V_ANSWERED;
	}
	/* a path we start must lead to somebody we asked for */
	if (m.initiator && (!p || p->state == PEER_IDLE))
		return V_DROP_STATE;
	if (!check_peer(n, now, &m, &info))
		result = REASON_BAD_PEER;
	else if (!p)
		p = peer_new(n);
	if (!result && !p)
		result = REASON_BUSY;
	if (!result)
		open_path(n, now, p, &m, &info, out);
	else if (p && p->state == PEER_ASKING)
		peer_fail(n, now, p, result, out);
	confirm(n, now, h->transaction, &m.path, result, out);
	return V_ANSWERED;
}
