/* node_paths.c - the tunnels this worker owns: their packets, their timers, their end. */
#include "net/proto/ip.h"
#include "roles/node.h"
#include <stdlib.h>

static struct path *find(struct node *n, const struct id *path)
{
	return LINK_OWNER(table_get(&n->paths, path), struct path, link);
}

static void tell_agent(struct node *n, struct now now, uint32_t kind, const struct path *p,
		       struct outbox *out)
{
	const struct route *r = route_used(&p->tunnel);
	struct node_note note = { .kind = kind, .path = p->link.id, .from = p->tunnel.remote,
				  .rtt = p->tunnel.rtt, .reason = (uint16_t)p->tunnel.why,
				  .route = r ? (uint8_t)r->kind : 0 };

	node_tell(n, now, 0, &note, out);
}

void carried_add(void *arg, struct link *link)
{
	const struct tunnel *t = &LINK_OWNER(link, struct path, link)->tunnel;
	struct carried *sum = arg;

	sum->packets_in += t->packets_in;
	sum->packets_out += t->packets_out;
	sum->octets_in += t->octets_in;
	sum->octets_out += t->octets_out;
	sum->rekeys += t->rekeys;
}

static void path_free(struct node *n, struct path *p)
{
	carried_add(&n->gone, &p->link);
	table_remove(&n->paths, &p->link);
	timer_clear(&n->timers, &p->alarm.timer);
	tunnel_wipe(&p->tunnel);
	free(p);
}

/* It is up, or goes another way than before. */
static void announce(struct node *n, struct now now, struct path *p, struct outbox *out)
{
	struct tunnel *t = &p->tunnel;
	bool first = !p->announced;
	char id[33], at[ADDR_TEXT];

	cy_log(LOG_INFO, "path %.8s to %s %s, %s by %s", id_text(id, &p->link.id),
	       t->setup.peer_fqdn, first ? "is up" : "goes another way",
	       route_is_relay(route_used(t)) ? "relayed" : "direct", addr_text(at, &t->remote));
	/* known as told before it is told: what follows may lead here again */
	p->announced = true;
	p->changes = t->routes.changes;
	tell_agent(n, now, first ? NODE_UP : NODE_ROUTED, p, out);
	tunnel_probe(t, now, out);	/* its round trip, for status */
}

/* After anything happened to a tunnel: tells the agent what is new and sets the next alarm. */
static void settle(struct node *n, struct now now, struct path *p, struct outbox *out)
{
	struct tunnel *t = &p->tunnel;
	bool silent;
	char id[33];

	if (t->state == TUNNEL_DEAD) {
		cy_log(LOG_INFO, "path %.8s to %s ended: %s", id_text(id, &p->link.id),
		       t->setup.peer_fqdn, tunnel_why_name(t->why));
		tell_agent(n, now, NODE_DEAD, p, out);
		path_free(n, p);
		return;
	}
	if (t->state == TUNNEL_UP && (!p->announced || p->changes != t->routes.changes))
		announce(n, now, p, out);
	silent = t->state == TUNNEL_UP ? t->probe_again != NEVER : now.boot - t->born >= SEC;
	if (silent && !p->silent)
		tell_agent(n, now, NODE_SILENT, p, out);
	p->silent = silent;
	if (t->unanswered && !p->gave_up) {
		p->gave_up = true;
		tell_agent(n, now, NODE_UNANSWERED, p, out);
	}
	node_alarm(n, &p->alarm, ALARM_PATH, tunnel_expiry(t, now));
}

void paths_open(struct node *n, struct now now, const struct tunnel_setup *setup,
		struct outbox *out)
{
	struct tunnel_host host = { &n->rules, n->identity.x25519_priv, &n->cloud, &n->tokens };
	struct path *p = find(n, &setup->path);

	/* only an agent that lost its memory says this of a path that stands */
	if (p)
		path_free(n, p);
	p = calloc(1, sizeof *p);
	if (!p)
		abort();
	p->link.id = setup->path;
	table_add(&n->paths, &p->link);
	tunnel_open(&p->tunnel, setup, &host, now);
	tunnel_tick(&p->tunnel, now, out);
	settle(n, now, p, out);
}

/* RFC 6040 4.2: congestion marked outside is marked inside, or the packet is dropped. */
static bool take_ecn(uint8_t *packet, const struct ip_view *v, uint8_t outer)
{
	if (outer != 3 || v->ecn == 3)
		return true;
	if (v->ecn == 0)
		return false;
	if (v->family == 6) {
		packet[1] |= 0x30;
		return true;
	}
	packet[1] |= 3;
	put16(packet + 10, 0);
	put16(packet + 10, ip_checksum(0, packet, (size_t)(packet[0] & 15) * 4));
	return true;
}

static void deliver(uint8_t *p, size_t len, uint8_t ecn, struct outbox *out)
{
	struct ip_view v;

	while (len && ip_look(&v, p, len)) {
		if (take_ecn(p, &v, ecn)) {
			struct out_item *item = out_add(out, OUT_TUN);

			item->buf = p;
			item->len = v.len;
		}
		p += v.len;
		len -= v.len;
	}
}

enum verdict paths_input(struct node *n, struct now now, uint8_t *p, size_t len,
			 const struct msg_header *h, const struct exts *x,
			 const struct addr *from, const struct addr *to, uint8_t ecn,
			 struct outbox *out)
{
	struct path *path = find(n, &h->id);
	struct tunnel_event ev;
	enum tunnel_state before;
	enum verdict v;

	if (!path)
		return V_DROP_STRANGER;
	before = path->tunnel.state;
	v = tunnel_input(&path->tunnel, now, p, len, h, x, from, to, out, &ev);
	if (v == V_DELIVERED)
		deliver((uint8_t *)(uintptr_t)ev.packets.p, ev.packets.n, ecn, out);
	if (ev.probed)
		tell_agent(n, now, NODE_PROBED, path, out);
	/* the data path sets no timers: silence and wear are looked at when the old alarm rings */
	if (v != V_DELIVERED || before != path->tunnel.state ||
	    path->tunnel.routes.punch <= now.boot ||
	    path->changes != path->tunnel.routes.changes)
		settle(n, now, path, out);
	return v;
}

/* The agent missed the end of this path, or we lost it: it must not go on sending into nothing. */
static void tell_unknown(struct node *n, struct now now, const struct id *path, struct outbox *out)
{
	struct node_note note = { .kind = NODE_DEAD, .path = *path, .reason = TUNNEL_SILENT };

	if (!id_is_zero(path))
		node_tell(n, now, 0, &note, out);
}

/* Whatever the agent was told of addresses: what is for one peer is sealed for no other. */
static bool is_for(const struct tunnel_end *peer, const struct ip_view *v)
{
	return v->family == 4 ? memcmp(v->dst, peer->ip4, 4) == 0 :
				memcmp(v->dst, peer->ip6, 16) == 0;
}

enum verdict paths_send(struct node *n, struct now now, const struct id *path, uint8_t *packet,
			size_t len, struct outbox *out)
{
	struct path *p = find(n, path);
	struct tunnel *t = p ? &p->tunnel : NULL;
	bool quiet = t && !t->sent_unheard;
	struct ip_view v;
	enum verdict verdict;

	if (!p) {
		tell_unknown(n, now, path, out);
		return V_DROP_STATE;
	}
	if (!ip_look(&v, packet, len))
		return V_DROP_MALFORMED;
	if (!is_for(&t->setup.peer, &v))
		return V_DROP_SOURCE;
	verdict = tunnel_send(t, now, packet, v.len, v.ecn, out);
	/* only the first packet of a silence, and worn keys, need an earlier alarm */
	if (quiet || t->keys.gen[t->keys.current & 3].sent >= t->rules.rekey_packets)
		settle(n, now, p, out);
	return verdict;
}

void paths_probe(struct node *n, struct now now, const struct id *path, struct outbox *out)
{
	struct path *p = find(n, path);

	if (p) {
		tunnel_probe(&p->tunnel, now, out);
		settle(n, now, p, out);
	}
}

void paths_close(struct node *n, struct now now, const struct id *path, struct outbox *out)
{
	struct path *p = find(n, path);

	if (p) {
		tunnel_close(&p->tunnel, now, out);
		settle(n, now, p, out);
	}
}

void paths_alarm(struct node *n, struct now now, struct path *p, struct outbox *out)
{
	tunnel_tick(&p->tunnel, now, out);
	settle(n, now, p, out);
}

struct reloading {
	struct node *n;
	struct now now;
};

static void reload_one(void *arg, struct link *link)
{
	struct path *p = LINK_OWNER(link, struct path, link);
	struct reloading *r = arg;

	tunnel_rule(&p->tunnel, r->now, &r->n->rules);
	node_alarm(r->n, &p->alarm, ALARM_PATH, r->now.boot);
}

void paths_reload(struct node *n, struct now now)
{
	struct reloading r = { n, now };

	table_each(&n->paths, reload_one, &r);
}

struct closing {
	struct node *n;
	struct now now;
	struct outbox *out;	/* NULL: without a word */
};

static void close_one(void *arg, struct link *link)
{
	struct path *p = LINK_OWNER(link, struct path, link);
	struct closing *c = arg;

	if (c->out)
		tunnel_close(&p->tunnel, c->now, c->out);
	path_free(c->n, p);
}

void paths_close_all(struct node *n, struct now now, bool say, struct outbox *out)
{
	struct closing c = { n, now, say ? out : NULL };

	table_each(&n->paths, close_one, &c);
}
