/*
 * node_peers.c - the agent's part: who is wanted, what the NMS says of them, and the packets
 * held until their path is there.
 *
 * A path is wanted by a DNS query (a name) or by a packet to a virtual address without a
 * path.  One query is out at a time for a peer; its answer names the peer, a Route Direction
 * brings the path, the path's owner makes the tunnel.
 */
#include "net/proto/ip.h"
#include "roles/node.h"
#include <stdlib.h>

#define ROUTE_TIMEOUT (9 * SEC)		/* the NMS's own tries at the other end take this long */

const char *peer_state_name(enum peer_state s)
{
	static const char *const name[] = { "idle", "asking", "opening", "up" };

	return name[s];
}

/* ---- peers by address and name ---- */

static struct id key4(const uint8_t ip4[4])
{
	struct id key = { { 0 } };

	memcpy(key.b + 12, ip4, 4);
	return key;
}

static struct id key6(const uint8_t ip6[16])
{
	struct id key;

	memcpy(key.b, ip6, 16);
	return key;
}

static struct peer *by_ip(struct node *n, uint8_t family, const uint8_t *ip)
{
	struct id key = family == 4 ? key4(ip) : key6(ip);

	if (family == 4)
		return LINK_OWNER(table_get(&n->peers4, &key), struct peer, by4);
	return LINK_OWNER(table_get(&n->peers6, &key), struct peer, by6);
}

static void link_peer(struct node *n, struct peer *p, const uint8_t *ip4, const uint8_t *ip6)
{
	static const uint8_t none[16];

	if (ip4 && memcmp(ip4, none, 4) && id_is_zero(&p->by4.id)) {
		memcpy(p->ip4, ip4, 4);
		p->by4.id = key4(ip4);
		table_add(&n->peers4, &p->by4);
	}
	if (ip6 && memcmp(ip6, none, 16) && id_is_zero(&p->by6.id)) {
		memcpy(p->ip6, ip6, 16);
		p->by6.id = key6(ip6);
		table_add(&n->peers6, &p->by6);
	}
}

static struct peer *peer_new(struct node *n)
{
	struct peer *p;

	if (n->peers4.n >= PEERS_MAX || n->peers6.n >= PEERS_MAX)
		return NULL;
	p = calloc(1, sizeof *p);
	if (!p)
		abort();
	p->held_end = &p->held;
	p->alarm.kind = ALARM_PEER;
	return p;
}

struct naming {
	const char *fqdn;
	struct peer *found;
};

static void match_name(void *arg, struct link *link)
{
	struct peer *p = LINK_OWNER(link, struct peer, by4);
	struct naming *m = arg;

	if (strcmp(p->fqdn, m->fqdn) == 0)
		m->found = p;
}

struct peer *peers_by_name(struct node *n, const char *fqdn)
{
	struct naming m = { fqdn, NULL };

	table_each(&n->peers4, match_name, &m);
	return m.found;
}

static void drop_held(struct peer *p)
{
	while (p->held) {
		struct held *h = p->held;

		p->held = h->next;
		free(h);
	}
	p->held_end = &p->held;
	p->held_n = p->held_octets = 0;
}

static void peer_free(struct node *n, struct peer *p)
{
	if (!id_is_zero(&p->by4.id))
		table_remove(&n->peers4, &p->by4);
	if (!id_is_zero(&p->by6.id))
		table_remove(&n->peers6, &p->by6);
	timer_clear(&n->timers, &p->alarm.timer);
	drop_held(p);
	free(p);
}

/* Packets by address alone and by name met: one peer stays, with what both held. */
static struct peer *merge(struct node *n, struct peer *a, struct peer *b)
{
	if (!a || !b || a == b)
		return a ? a : b;
	*a->held_end = b->held;
	if (b->held)
		a->held_end = b->held_end;
	a->held_n += b->held_n;
	a->held_octets += b->held_octets;
	b->held = NULL;
	b->held_end = &b->held;
	peer_free(n, b);
	return a;
}

/* ---- packets: sent, or held ---- */

static enum verdict pass_on(struct node *n, struct now now, const struct peer *p,
			    uint8_t *packet, size_t len, struct outbox *out)
{
	unsigned owner = id_owner(&p->path, n->env.workers);
	struct node_note note = { .kind = NODE_SEND, .path = p->path, .len = (uint32_t)len,
				  .body = packet };

	if (owner == n->env.worker)
		return paths_send(n, now, &p->path, packet, len, out);
	node_tell(n, now, owner, &note, out);
	return V_HANDED;
}

static enum verdict hold(struct node *n, struct now now, struct peer *p, const uint8_t *packet,
			 size_t len)
{
	struct held *h;

	if (p->held_n >= HOLD_PACKETS || p->held_octets + len > HOLD_OCTETS)
		return V_DROP_LIMIT;
	h = malloc(sizeof *h + HEADROOM + len + TAILROOM);
	if (!h)
		abort();
	h->next = NULL;
	h->len = (uint32_t)len;
	memcpy(h->room + HEADROOM, packet, len);
	if (!p->held)
		node_alarm(n, &p->alarm, ALARM_PEER, now.boot + HOLD_TIME);
	*p->held_end = h;
	p->held_end = &h->next;
	p->held_n++;
	p->held_octets += (uint32_t)len;
	return V_HELD;
}

static void flush_held(struct node *n, struct now now, struct peer *p, struct outbox *out)
{
	struct held *h = p->held;

	p->held = NULL;
	p->held_end = &p->held;
	p->held_n = p->held_octets = 0;
	while (h) {
		struct held *next = h->next;
		uint8_t *copy;

		/* sealed in the outbox's scratch, where it must live until the flush */
		out_need(out, 4);
		copy = out_space(out, h->len);
		memcpy(copy, h->room + HEADROOM, h->len);
		n->verdicts.count[pass_on(n, now, p, copy, h->len, out)]++;
		free(h);
		h = next;
	}
}

static void refuse_held(struct node *n, struct peer *p, struct outbox *out)
{
	uint8_t icmp[1280];
	struct held *h;
	size_t len;

	for (h = p->held; h; h = h->next) {
		len = ip_unreachable(icmp, h->room + HEADROOM, h->len, n->self.ip4, n->self.ip6);
		if (len)
			out_tun(out, icmp, len);
		n->verdicts.count[V_DROP_UNREACHABLE]++;
	}
	drop_held(p);
}

static void fail_peer(struct node *n, struct now now, struct peer *p, uint16_t reason,
		      struct outbox *out)
{
	cy_log(LOG_INFO, "no path to %s: %s", p->fqdn[0] ? p->fqdn : "an unknown address",
	       reason_name(reason));
	p->state = PEER_IDLE;
	p->reason = reason;
	refuse_held(n, p, out);
	status_peer_failed(n, now, p, out);
	if (!p->fqdn[0])
		peer_free(n, p);
	else
		node_alarm(n, &p->alarm, ALARM_PEER, NEVER);
}

/* ---- questions to the NMS ---- */

static struct query *find_query(struct node *n, const char *name, uint8_t family,
				const uint8_t *ip)
{
	struct query *q;

	for (q = n->queries; q; q = q->next)
		if (q->family == family && (family ? memcmp(q->ip, ip, family == 4 ? 4 : 16) == 0 :
						     strcmp(q->name, name) == 0))
			return q;
	return NULL;
}

static void end_query(struct node *n, struct query *q)
{
	struct query **at = &n->queries;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	n->queries_n--;
	timer_clear(&n->timers, &q->alarm.timer);
	free(q);
}

static void send_query(struct node *n, struct now now, struct query *q, struct outbox *out)
{
	struct msg_direction_request *m = calloc(1, sizeof *m);
	uint8_t body[MSG_MAX_direction_request];
	size_t len;

	if (!m)
		abort();
	m->family = q->family;
	memcpy(m->ip, q->ip, sizeof m->ip);
	strcpy(m->name, q->name);
	len = msg_write_direction_request(body, sizeof body, m);
	free(m);
	exchange_start(&q->exchange, now, random_u32(),
		       q->path ? TYPE_DIRECTION_REQUEST : TYPE_NODE_INFO_REQUEST, body, len);
	peers_query_alarm(n, now, q, out);
}

/* Asks, unless the same question is out already.  False: too many are. */
static bool ask(struct node *n, struct now now, const char *name, uint8_t family,
		const uint8_t *ip, bool path, struct outbox *out)
{
	struct query *q = find_query(n, name, family, ip);
	bool better = q && path && !q->path;

	if (q && !better)
		return true;
	if (!q) {
		if (!n->registering || n->queries_n >= QUERIES_MAX)
			return false;
		q = calloc(1, sizeof *q);
		if (!q)
			abort();
		q->alarm.kind = ALARM_QUERY;
		q->family = family;
		if (family)
			memcpy(q->ip, ip, family == 4 ? 4 : 16);
		else
			strcpy(q->name, name);
		q->next = n->queries;
		n->queries = q;
		n->queries_n++;
	}
	q->path = path;
	send_query(n, now, q, out);
	return true;
}

static void answer_dns(struct node *n, struct now now, const struct query *q,
		       enum dns_found found, const struct msg_node_info_response *m,
		       struct outbox *out)
{
	struct dns_record r;

	memset(&r, 0, sizeof r);
	if (m) {
		memcpy(r.ip4, m->ip4, 4);
		memcpy(r.ip6, m->ip6, 16);
		strcpy(r.fqdn, m->fqdn);
	}
	if (n->dns)
		dns_answer(n->dns, now, q->name, q->family, q->ip, found, &r, out);
}

void peers_query_alarm(struct node *n, struct now now, struct query *q, struct outbox *out)
{
	struct peer *p;

	switch (exchange_step(&q->exchange, now)) {
	case EXCHANGE_SEND:
		registrar_send(&n->registrar, now, q->exchange.transaction, q->exchange.type,
			       q->exchange.body, q->exchange.len, out);
		break;
	case EXCHANGE_GAVE_UP:
		answer_dns(n, now, q, DNS_FAILED, NULL, out);
		p = q->family ? by_ip(n, q->family, q->ip) : peers_by_name(n, q->name);
		if (p && p->state == PEER_ASKING)
			fail_peer(n, now, p, REASON_NO_PATH, out);
		end_query(n, q);
		return;
	case EXCHANGE_WAIT:
		break;
	}
	node_alarm(n, &q->alarm, ALARM_QUERY, exchange_expiry(&q->exchange));
}

/* The question for this peer: by name when it is known. */
static void want(struct node *n, struct now now, struct peer *p, struct outbox *out)
{
	uint8_t family = p->fqdn[0] ? 0 : memcmp(p->ip4, "\0\0\0\0", 4) ? 4 : 6;

	if (p->state != PEER_IDLE || (p->asked && now.boot - p->asked < ASK_EVERY))
		return;
	p->asked = now.boot;
	p->transaction = 0;
	if (!ask(n, now, p->fqdn, family, family == 4 ? p->ip4 : p->ip6, true, out))
		return;
	p->state = PEER_ASKING;
}

enum verdict peers_packet(struct node *n, struct now now, uint8_t *packet, size_t len,
			  struct outbox *out)
{
	enum verdict verdict;
	struct ip_view v;
	struct peer *p;

	if (!ip_look(&v, packet, len))
		return V_DROP_MALFORMED;
	if (v.multicast)
		return V_DROP_MULTICAST;
	if (!n->known || (v.family == 4 ? memcmp(v.src, n->self.ip4, 4) :
					  memcmp(v.src, n->self.ip6, 16)))
		return V_DROP_SOURCE;
	p = by_ip(n, v.family, v.dst);
	if (p && p->state == PEER_UP)
		return pass_on(n, now, p, packet, v.len, out);
	if (!p) {
		p = peer_new(n);
		if (!p)
			return V_DROP_LIMIT;
		link_peer(n, p, v.family == 4 ? v.dst : NULL, v.family == 6 ? v.dst : NULL);
	}
	verdict = hold(n, now, p, packet, v.len);
	want(n, now, p, out);
	return verdict;
}

/* ---- what the NMS says ---- */

static enum verdict on_info(struct node *n, struct now now, uint32_t transaction,
			    struct bytes body, struct outbox *out)
{
	struct msg_node_info_response m;
	struct query *q;
	struct peer *p;

	if (msg_read_node_info_response(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	for (q = n->queries; q && !exchange_is(&q->exchange, transaction); q = q->next)
		;
	if (!q)
		return V_DROP_STATE;
	answer_dns(n, now, q, m.result == 0 ? DNS_FOUND : m.result == REASON_NOT_FOUND ?
		   DNS_NO_SUCH_NAME : DNS_FAILED, &m, out);
	p = q->family ? by_ip(n, q->family, q->ip) : peers_by_name(n, q->name);
	if (m.result && p) {
		fail_peer(n, now, p, m.result, out);
	} else if (!m.result && q->path && !id_equal(&m.node_id, &n->node_id)) {
		p = merge(n, merge(n, by_ip(n, 4, m.ip4), by_ip(n, 6, m.ip6)), p);
		if (!p)
			p = peer_new(n);
		if (p) {
			link_peer(n, p, m.ip4, m.ip6);
			strcpy(p->fqdn, m.fqdn);
			p->node_id = m.node_id;
			p->transaction = transaction;
			p->asked = now.boot;
			if (p->state == PEER_IDLE)
				p->state = PEER_ASKING;
			if (p->state == PEER_ASKING && !p->held)
				node_alarm(n, &p->alarm, ALARM_PEER, now.boot + ROUTE_TIMEOUT);
		}
	} else if (!m.result && p && q->path) {
		fail_peer(n, now, p, REASON_ITSELF, out);
	}
	end_query(n, q);
	return V_ANSWERED;
}

struct seeking {
	uint32_t transaction;
	struct peer *found;
};

static void match_transaction(void *arg, struct link *link)
{
	struct peer *p = LINK_OWNER(link, struct peer, by4);
	struct seeking *s = arg;

	if (p->state == PEER_ASKING && p->transaction == s->transaction)
		s->found = p;
}

static enum verdict on_refusal(struct node *n, struct now now, uint32_t transaction,
			       struct bytes body, struct outbox *out)
{
	struct seeking s = { transaction, NULL };
	struct msg_refusal m;
	struct query *q;

	if (msg_read_refusal(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	for (q = n->queries; q && !exchange_is(&q->exchange, transaction); q = q->next)
		;
	if (q && m.reason == REASON_STALE) {
		n->cloud.best_rtt = 0;
		cloud_follow(&n->cloud, now, q->exchange.sent, m.cloud_time);
		exchange_hurry(&q->exchange, now);
		peers_query_alarm(n, now, q, out);
		return V_ANSWERED;
	}
	if (q)		/* not_registered: the registration is renewed meanwhile, the query goes on */
		return V_ANSWERED;
	table_each(&n->peers4, match_transaction, &s);
	if (!s.found)
		return V_DROP_STATE;
	fail_peer(n, now, s.found, m.reason, out);
	return V_ANSWERED;
}

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
	link_peer(n, p, m->ip4, m->ip6);
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

static enum verdict on_route(struct node *n, struct now now, const struct msg_header *h,
			     struct bytes body, struct outbox *out)
{
	struct msg_route_direction m;
	struct cert_info info;
	uint16_t result = 0;
	struct peer *p;

	if (msg_read_route_direction(&m, body.p, body.n) != (long)body.n ||
	    m.initiator != (h->type == TYPE_ROUTE_DIRECTION_I))
		return V_DROP_BODY;
	p = merge(n, by_ip(n, 4, m.ip4), by_ip(n, 6, m.ip6));
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
		fail_peer(n, now, p, result, out);
	confirm(n, now, h->transaction, &m.path, result, out);
	return V_ANSWERED;
}

enum verdict peers_signal(struct node *n, struct now now, const struct msg_header *h,
			  struct bytes body, struct outbox *out)
{
	switch (h->type) {
	case TYPE_NODE_INFO_RESPONSE:
		return on_info(n, now, h->transaction, body, out);
	case TYPE_REFUSAL:
		return on_refusal(n, now, h->transaction, body, out);
	case TYPE_ROUTE_DIRECTION_R:
	case TYPE_ROUTE_DIRECTION_I:
		return on_route(n, now, h, body, out);
	}
	return V_DROP_TYPE;
}

/* ---- what the paths' owners say ---- */

struct owning {
	const struct id *path;
	struct peer *found;
};

static void match_path(void *arg, struct link *link)
{
	struct peer *p = LINK_OWNER(link, struct peer, by4);
	struct owning *o = arg;

	if (id_equal(&p->path, o->path))
		o->found = p;
}

static void on_dead(struct node *n, struct now now, struct peer *p, uint16_t why,
		    struct outbox *out)
{
	bool wanted = p->held || why == TUNNEL_SILENT || why == TUNNEL_KEYS_OUT;

	memset(&p->path, 0, sizeof p->path);
	p->state = PEER_IDLE;
	p->reason = why == TUNNEL_NO_ANSWER ? REASON_NO_PATH : 0;
	if (why == TUNNEL_NO_ANSWER)
		fail_peer(n, now, p, REASON_NO_PATH, out);
	else if (wanted)
		want(n, now, p, out);
}

void peers_note(struct node *n, struct now now, unsigned worker, const struct node_note *note,
		struct outbox *out)
{
	struct owning o = { &note->path, NULL };

	if (note->kind == NODE_HELLO) {
		peers_forget_paths(n, now, (int)worker, out);
		return;
	}
	table_each(&n->peers4, match_path, &o);
	if (!o.found)
		return;
	switch (note->kind) {
	case NODE_UP:
		o.found->state = PEER_UP;
		node_alarm(n, &o.found->alarm, ALARM_PEER, NEVER);
		flush_held(n, now, o.found, out);
		status_peer_up(n, now, o.found, out);
		break;
	case NODE_DEAD:
		on_dead(n, now, o.found, note->reason, out);
		break;
	case NODE_PROBED:
		status_probed(n, now, o.found, note, out);
		break;
	}
}

void peers_want_name(struct node *n, struct now now, const char *fqdn, struct outbox *out)
{
	struct peer *p = peers_by_name(n, fqdn);

	if (p)
		want(n, now, p, out);
	else
		ask(n, now, fqdn, 0, NULL, true, out);
}

void peers_alarm(struct node *n, struct now now, struct peer *p, struct outbox *out)
{
	if (p->state == PEER_ASKING && now.boot - p->asked < ROUTE_TIMEOUT) {
		/* the packets waited long enough; the Route Direction may still come */
		refuse_held(n, p, out);
		node_alarm(n, &p->alarm, ALARM_PEER, p->asked + ROUTE_TIMEOUT);
	} else if (p->state == PEER_ASKING) {
		fail_peer(n, now, p, REASON_NO_PATH, out);
	} else if (p->state != PEER_UP) {
		refuse_held(n, p, out);
	}
}

/* ---- the resolver's questions ---- */

static void dns_lookup(void *arg, struct now now, const char *name, uint8_t family,
		       const uint8_t *ip, bool wanted, struct outbox *out)
{
	struct node *n = arg;
	struct peer *p = wanted && family == 0 ? peers_by_name(n, name) : NULL;
	bool path = wanted && !(p && p->state != PEER_IDLE);

	if (!ask(n, now, name, family, ip, path, out))
		dns_answer(n->dns, now, name, family, ip, DNS_FAILED, NULL, out);
}

static void dns_wanted(void *arg, struct now now, const struct dns_record *r, struct outbox *out)
{
	struct node *n = arg;

	if (strcmp(r->fqdn, n->fqdn) != 0)
		peers_want_name(n, now, r->fqdn, out);
}

const struct dns_ops node_dns_ops = { .lookup = dns_lookup, .wanted = dns_wanted };

/* ---- the end ---- */

struct forgetting {
	struct node *n;
	struct now now;
	struct outbox *out;
	int worker;		/* whose paths; -1: all */
	bool everything;	/* the peers too */
};

static void forget_one(void *arg, struct link *link)
{
	struct peer *p = LINK_OWNER(link, struct peer, by4);
	struct forgetting *f = arg;

	if (f->everything) {
		peer_free(f->n, p);
		return;
	}
	if (p->state != PEER_OPENING && p->state != PEER_UP)
		return;
	if (f->worker >= 0 && id_owner(&p->path, f->n->env.workers) != (unsigned)f->worker)
		return;
	memset(&p->path, 0, sizeof p->path);
	p->state = PEER_IDLE;
	want(f->n, f->now, p, f->out);
}

static void free_by6(void *arg, struct link *link)
{
	peer_free(arg, LINK_OWNER(link, struct peer, by6));
}

void peers_forget_paths(struct node *n, struct now now, int worker, struct outbox *out)
{
	struct forgetting f = { n, now, out, worker, false };

	table_each(&n->peers4, forget_one, &f);
}

void peers_close(struct node *n)
{
	struct forgetting f = { .n = n, .everything = true };

	table_each(&n->peers4, forget_one, &f);
	table_each(&n->peers6, free_by6, n);
	while (n->queries)
		end_query(n, n->queries);
}
