/*
 * node_route.c - Route Direction: the path the NMS gives us, believed only as far as the other
 * end's certificate goes.
 */
#include "net/proto/ip.h"
#include "roles/node.h"

/* Is this certificate that node's, under the domain's root, for these addresses?  It says the name. */
static bool check_peer(struct node *n, struct now now, const struct msg_route_direction *m,
		       struct cert_info *info)
{
	struct id expected;
	char err[256] = "it names another node or other addresses", hex[33];

	/* every peer has an IPv4 address, and nobody is his own */
	if (n->trust && get32(m->ip4) && !id_equal(&m->peer_id, &n->node_id) &&
	    trust_verify(n->trust, m->certificate.p, m->certificate.n,
			 cloud_ms(&n->cloud, now) / 1000, info, err) &&
	    memcmp(info->ip4, m->ip4, 4) == 0 && memcmp(info->ip6, m->ip6, 16) == 0) {
		node_id_of(&expected, info->fqdn);
		if (id_equal(&expected, &m->peer_id))
			return true;
	}
	n->bad_peers++;
	cy_log(LOG_WARN, "Route Direction to node %.8s refused, its certificate: %s",
	       id_text(hex, &m->peer_id), err);
	return false;
}

static bool in_range(const uint8_t *ip, const uint8_t *net, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return bits && memcmp(ip, net, whole) == 0 &&
	       (!rest || !((ip[whole] ^ net[whole]) >> (8 - rest)));
}

/* Where another node can be: nobody is made to call himself, a crowd, or into his own tunnels. */
static bool is_place(const struct node *n, const struct addr *a)
{
	if (!a->family || !a->port || !ip_is_usable(a->family, a->ip) ||
	    addr_equal(a, &n->registrar.way[a->family == 6].local))
		return false;
	return a->family == 4 ? !in_range(a->ip, n->net4, n->bits4) :
				!in_range(a->ip, n->net6, n->bits6);
}

/* A TRS has both families as a rule, and is bound at by one of ours. */
static bool is_reachable(const struct node *n, uint8_t family)
{
	const struct way *w = n->registrar.way;

	return w[family == 6].confirmed || !w[family != 6].confirmed;
}

static void fill_setup(struct node *n, const struct msg_route_direction *m,
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
	strcpy(s->peer_fqdn, info->fqdn);
	s->pattern = m->pattern;
	s->peer_families = m->families;
	s->peer_behaviour[0] = behaviour_of(m->behaviour4);
	s->peer_behaviour[1] = behaviour_of(m->behaviour6);
	s->relay = m->relay;
	for (i = 0; i < m->candidates_n && i < CANDIDATES; i++) {
		struct candidate *c = &s->candidate[s->candidates];

		c->kind = m->candidates[i].kind;
		c->addr = address_of(&m->candidates[i]);
		if (c->kind == ADDRESS_SERVICE && !is_reachable(n, c->addr.family))
			continue;
		if (is_place(n, &c->addr))
			s->candidates++;
		else
			n->bad_places++;
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

void path_close(struct node *n, struct now now, const struct id *path, struct outbox *out)
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
	bool stands = p->state == PEER_UP;

	fill_setup(n, m, info, &setup);
	peer_link(n, p, m->ip4, m->ip6);
	strcpy(p->fqdn, info->fqdn);
	p->node_id = m->peer_id;
	p->path = m->path;
	p->opened = now.boot;
	p->state = PEER_OPENING;
	p->reason = 0;
	napt_relayed(n, now, p, &setup);
	if (stands)
		peer_keep_before(n, now, p, &old, out);
	else if (!id_is_zero(&old))
		path_close(n, now, &old, out);
	if (!p->held)
		node_alarm(n, &p->alarm, ALARM_PEER, now.boot + OPEN_TIMEOUT);
	node_tell(n, now, id_owner(&m->path, n->env.workers), &note, out);
	wipe(&setup, sizeof setup);
}

/* The name asked for is the one that must answer, whatever else is certified. */
static bool is_wanted_name(const struct peer *p, const char *fqdn)
{
	if (!p || p->state != PEER_ASKING || !p->fqdn[0] || strcmp(p->fqdn, fqdn) == 0)
		return true;
	cy_log(LOG_WARN, "Route Direction for %s refused: %s was asked for", fqdn, p->fqdn);
	return false;
}

/*
 * A path we start must lead to somebody we asked for; closing the old one may have crossed this,
 * and this the answer that tells who it is.  With pattern 2 the end behind the NAPT starts it,
 * whoever asked.
 */
static bool is_sought(const struct node *n, struct now now, const struct msg_route_direction *m,
		      const struct peer *p, const char *fqdn)
{
	return !m->initiator || m->pattern == 2 || nms_asked(n, fqdn, m->ip4, m->ip6) ||
	       (p && (p->state != PEER_IDLE ||
		      (p->sought && now.boot - p->sought < ROUTE_TIMEOUT)));
}

enum verdict route_taken(struct node *n, struct now now, const struct msg_header *h,
			     struct bytes body, struct outbox *out)
{
	struct msg_route_direction m;
	struct cert_info info;
	uint16_t result = 0;
	struct peer *p, *p6;
	bool good;

	if (msg_read_route_direction(&m, body.p, body.n) != (long)body.n || id_is_zero(&m.path) ||
	    m.initiator != (h->type == TYPE_ROUTE_DIRECTION_I))
		return V_DROP_BODY;
	p = peer_by_ip(n, 4, m.ip4);
	p6 = peer_by_ip(n, 6, m.ip6);
	if (!p)
		p = p6;
	/* our confirmation was lost */
	if (p && (id_equal(&p->path, &m.path) || id_equal(&p->before, &m.path))) {
		confirm(n, now, h->transaction, &m.path, 0, out);
		return V_ANSWERED;
	}
	if (peer_by_path(n, &m.path))
		return V_DROP_STATE;
	/* an answer to a program may wait there, and what follows takes longer than a round trip */
	out->flush(out);
	good = check_peer(n, now, &m, &info);
	if (!is_sought(n, now, &m, p, good ? info.fqdn : ""))
		return V_DROP_STATE;
	if (!good || !is_wanted_name(p, info.fqdn))
		result = REASON_BAD_PEER;
	else
		p = p ? peer_merge(n, p, p6) : peer_new(n);
	if (!result && !p)
		result = REASON_BUSY;
	if (!result)
		open_path(n, now, p, &m, &info, out);
	else if (p && p->state == PEER_ASKING)
		peer_fail(n, now, p, result, out);
	confirm(n, now, h->transaction, &m.path, result, out);
	wipe(&m, sizeof m);
	return V_ANSWERED;
}
