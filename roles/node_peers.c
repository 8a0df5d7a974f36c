/*
 * node_peers.c - the agent's peers: whom we want to talk to, and the packets held until their
 * path is there.
 *
 * A path is wanted by a DNS query (a name) or by a packet to a virtual address without a
 * path.  The NMS is asked (node_ask.c), its Route Direction brings the path (node_route.c),
 * the path's owner makes the tunnel (node_paths.c).
 */
#include "net/proto/ip.h"
#include "roles/node.h"
#include <stdlib.h>

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

struct peer *peer_by_ip(struct node *n, uint8_t family, const uint8_t *ip)
{
	struct id key = family == 4 ? key4(ip) : key6(ip);

	if (family == 4)
		return LINK_OWNER(table_get(&n->peers4, &key), struct peer, by4);
	return LINK_OWNER(table_get(&n->peers6, &key), struct peer, by6);
}

void peer_link(struct node *n, struct peer *p, const uint8_t *ip4, const uint8_t *ip6)
{
	static const uint8_t none[16];

	if (ip4 && memcmp(ip4, none, 4) && memcmp(ip4, p->ip4, 4)) {
		if (!id_is_zero(&p->by4.id))
			table_remove(&n->peers4, &p->by4);
		memcpy(p->ip4, ip4, 4);
		p->by4.id = key4(ip4);
		table_add(&n->peers4, &p->by4);
	}
	if (ip6 && memcmp(ip6, none, 16) && memcmp(ip6, p->ip6, 16)) {
		if (!id_is_zero(&p->by6.id))
			table_remove(&n->peers6, &p->by6);
		memcpy(p->ip6, ip6, 16);
		p->by6.id = key6(ip6);
		table_add(&n->peers6, &p->by6);
	}
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

static bool is_full(const struct node *n)
{
	return n->peers4.n >= PEERS_MAX || n->peers6.n >= PEERS_MAX;
}

static void match_idle(void *arg, struct link *link)
{
	struct peer *p = LINK_OWNER(link, struct peer, by4), **oldest = arg;

	if (p->state == PEER_IDLE && !p->held && (!*oldest || p->sought < (*oldest)->sought))
		*oldest = p;
}

struct peer *peer_new(struct node *n)
{
	struct peer *p = NULL;

	if (is_full(n))
		table_each(&n->peers4, match_idle, &p);
	if (p)
		peer_free(n, p);
	if (is_full(n))
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

/* Packets by address alone and by name met: one peer stays, with what both held. */
struct peer *peer_merge(struct node *n, struct peer *a, struct peer *b)
{
	if (!a || !b || a == b)
		return a ? a : b;
	if (b->state > a->state) {	/* a path that stands, or is coming, is worth more */
		struct peer *other = a;

		a = b;
		b = other;
	}
	if (!a->held && b->held && b->alarm.timer.place)
		node_alarm(n, &a->alarm, ALARM_PEER, b->alarm.timer.at);
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

void peer_fail(struct node *n, struct now now, struct peer *p, uint16_t reason,
		      struct outbox *out)
{
	cy_log(LOG_INFO, "no path to %s: %s", p->fqdn[0] ? p->fqdn : "an unknown address",
	       reason_name(reason));
	p->state = PEER_IDLE;
	p->reason = reason;
	refuse_held(n, p, out);
	status_failed(n, p->fqdn, reason, out);
	if (!p->fqdn[0])
		peer_free(n, p);
	else
		node_alarm(n, &p->alarm, ALARM_PEER, NEVER);
}

/* The question for this peer: by name when it is known. */
void peer_want(struct node *n, struct now now, struct peer *p, struct outbox *out)
{
	uint8_t family = p->fqdn[0] ? 0 : memcmp(p->ip4, "\0\0\0\0", 4) ? 4 : 6;
	enum ask want = p->failed ? ASK_OTHER_RELAY : ASK_PATH;

	if (p->state != PEER_IDLE)
		return;
	if (p->asked && now.boot - p->asked < ASK_EVERY) {
		if (p->held)
			node_alarm(n, &p->alarm, ALARM_PEER, p->asked + ASK_EVERY);
		return;
	}
	p->asked = p->sought = now.boot;
	p->transaction = 0;
	if (!nms_ask(n, now, p->fqdn, family, family == 4 ? p->ip4 : p->ip6, want, out))
		return;
	p->state = PEER_ASKING;
}

/* 0.0.0.0 or :: */
static bool is_to_nobody(const struct ip_view *v)
{
	static const uint8_t none[16];

	return memcmp(v->dst, none, v->family == 4 ? 4 : 16) == 0;
}

enum verdict peers_packet(struct node *n, struct now now, uint8_t *packet, size_t len,
			  struct outbox *out)
{
	enum verdict verdict;
	struct ip_view v;
	struct peer *p;

	if (!ip_look(&v, packet, len) || is_to_nobody(&v))
		return V_DROP_MALFORMED;
	if (v.multicast)
		return V_DROP_MULTICAST;
	if (!n->known || (v.family == 4 ? memcmp(v.src, n->self.ip4, 4) :
					  memcmp(v.src, n->self.ip6, 16)))
		return V_DROP_SOURCE;
	p = peer_by_ip(n, v.family, v.dst);
	if (p && p->state == PEER_UP)
		return pass_on(n, now, p, packet, v.len, out);
	if (!p) {
		p = peer_new(n);
		if (!p)
			return V_DROP_LIMIT;
		peer_link(n, p, v.family == 4 ? v.dst : NULL, v.family == 6 ? v.dst : NULL);
	}
	verdict = hold(n, now, p, packet, v.len);
	peer_want(n, now, p, out);
	return verdict;
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

struct peer *peer_by_path(struct node *n, const struct id *path)
{
	struct owning o = { path, NULL };

	if (!id_is_zero(path))
		table_each(&n->peers4, match_path, &o);
	return o.found;
}

static void on_dead(struct node *n, struct now now, struct peer *p, uint16_t why,
		    struct outbox *out)
{
	bool wanted = p->held || why == TUNNEL_SILENT || why == TUNNEL_KEYS_OUT;

	memset(&p->path, 0, sizeof p->path);
	p->state = PEER_IDLE;
	p->failed = why == TUNNEL_NO_ANSWER || why == TUNNEL_SILENT;
	p->reason = why == TUNNEL_NO_ANSWER ? REASON_NO_PATH : 0;
	if (why == TUNNEL_NO_ANSWER)
		peer_fail(n, now, p, REASON_NO_PATH, out);
	else if (wanted)
		peer_want(n, now, p, out);
}

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
	peer_want(f->n, f->now, p, f->out);
}

static void forget_paths(struct node *n, struct now now, int worker, struct outbox *out)
{
	struct forgetting f = { n, now, out, worker, false };

	table_each(&n->peers4, forget_one, &f);
}

void peers_note(struct node *n, struct now now, unsigned worker, const struct node_note *note,
		struct outbox *out)
{
	struct peer *p = peer_by_path(n, &note->path);

	if (note->kind == NODE_HELLO) {
		forget_paths(n, now, (int)worker, out);
		return;
	}
	if (!p)
		return;
	switch (note->kind) {
	case NODE_UP:
		p->state = PEER_UP;
		p->failed = false;
		p->route = note->route;
		p->asked = 0;	/* the limit is for those who cannot be reached */
		node_alarm(n, &p->alarm, ALARM_PEER, NEVER);
		flush_held(n, now, p, out);
		status_peer_up(n, now, p, out);
		break;
	case NODE_DEAD:
		on_dead(n, now, p, note->reason, out);
		break;
	case NODE_ROUTED:
		p->route = note->route;
		break;
	case NODE_UNANSWERED:
		napt_doubt(n, now);
		if (p->state == PEER_OPENING)
			nms_ask(n, now, p->fqdn, 0, NULL, ASK_RELAY, out);
		break;
	case NODE_PROBED:
		status_probed(n, now, p, note, out);
		break;
	case NODE_EXPLAINED:
		why_explained(n, p, note, out);
		break;
	}
}

struct identity_search {
	const struct id *node_id;
	struct peer *found;
};

static void match_id(void *arg, struct link *link)
{
	struct peer *p = LINK_OWNER(link, struct peer, by4);
	struct identity_search *s = arg;

	if (id_equal(&p->node_id, s->node_id))
		s->found = p;
}

struct widening {
	struct node *n;
	struct now now;
	struct outbox *out;
};

static void ask_anew(void *arg, struct link *link)
{
	struct peer *p = LINK_OWNER(link, struct peer, by4);
	struct widening *w = arg;

	if (p->fqdn[0] && (p->state == PEER_OPENING ||
			   (p->state == PEER_UP && p->route <= ROUTE_RELAY6)))
		nms_ask(w->n, w->now, p->fqdn, 0, NULL, ASK_PATH, w->out);
}

void peers_widened(struct node *n, struct now now, struct outbox *out)
{
	struct widening w = { n, now, out };

	n->widened = NEVER;
	table_each(&n->peers4, ask_anew, &w);
}

bool peers_lost(struct node *n, struct now now, const struct id *node_id, struct outbox *out)
{
	struct identity_search s = { node_id, NULL };
	struct id old;

	table_each(&n->peers4, match_id, &s);
	if (!s.found || s.found->state != PEER_UP)
		return false;
	old = s.found->path;
	/* forgotten before it is closed: its end is no news then */
	memset(&s.found->path, 0, sizeof s.found->path);
	s.found->state = PEER_IDLE;
	s.found->asked = 0;
	path_close(n, now, &old, out);
	peer_want(n, now, s.found, out);
	return true;
}

void peers_want_name(struct node *n, struct now now, const char *fqdn, struct outbox *out)
{
	struct peer *p = peers_by_name(n, fqdn);

	if (p)
		peer_want(n, now, p, out);
	else
		nms_ask(n, now, fqdn, 0, NULL, ASK_PATH, out);
}

/* It could not even be asked for; a nameless one would never be thought of again. */
static void forsake(struct node *n, struct peer *p, struct outbox *out)
{
	refuse_held(n, p, out);
	if (!p->fqdn[0])
		peer_free(n, p);
}

void peers_alarm(struct node *n, struct now now, struct peer *p, struct outbox *out)
{
	if (p->state == PEER_ASKING && now.boot - p->asked < ROUTE_TIMEOUT) {
		/* the packets waited long enough; the Route Direction may still come */
		refuse_held(n, p, out);
		node_alarm(n, &p->alarm, ALARM_PEER, p->asked + ROUTE_TIMEOUT);
	} else if (p->state == PEER_ASKING) {
		peer_fail(n, now, p, REASON_NO_PATH, out);
	} else if (p->state == PEER_OPENING && now.boot - p->opened < OPEN_TIMEOUT) {
		refuse_held(n, p, out);
		node_alarm(n, &p->alarm, ALARM_PEER, p->opened + OPEN_TIMEOUT);
	} else if (p->state == PEER_OPENING) {
		memset(&p->path, 0, sizeof p->path);
		peer_fail(n, now, p, REASON_NO_PATH, out);
	} else if (p->state == PEER_IDLE && p->held) {
		peer_want(n, now, p, out);
		if (p->state == PEER_ASKING)
			node_alarm(n, &p->alarm, ALARM_PEER, now.boot + HOLD_TIME);
		else
			forsake(n, p, out);
	}
}

static void free_by6(void *arg, struct link *link)
{
	peer_free(arg, LINK_OWNER(link, struct peer, by6));
}

void peers_close(struct node *n)
{
	struct forgetting f = { .n = n, .everything = true };

	table_each(&n->peers4, forget_one, &f);
	table_each(&n->peers6, free_by6, n);
	while (n->queries)
		query_end(n, n->queries);
}
