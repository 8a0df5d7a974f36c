/*
 * node_vantage.c - the agent looks at the NAPT in front of it, by each family (vantage.h), and
 * says what it found.
 */
#include "roles/node.h"

#define RELAYS_EVERY (10 * SEC)		/* sooner than a new mapping is noticed: they are let in by it too */

void napt_open(struct node *n)
{
	vantage_init(&n->napt[0], &n->registrar, 0);
	vantage_init(&n->napt[1], &n->registrar, 1);
}

void napt_close(struct node *n)
{
	vantage_free(&n->napt[0]);
	vantage_free(&n->napt[1]);
}

bool napt_is_for(const struct node *n, const struct msg_header *h)
{
	return (h->type == TYPE_ACK || h->type == TYPE_HOLE_PUNCHING) && n->known &&
	       id_equal(&h->id, &n->node_id);
}

enum verdict napt_input(struct node *n, struct now now, const uint8_t *p, size_t len,
			const struct msg_header *h, const struct exts *x, const struct addr *from)
{
	if (!n->registering)
		return V_DROP_STRANGER;
	return vantage_input(&n->napt[from->family == 6], now, p, len, h, x, from);
}

enum verdict napt_signal(struct node *n, struct now now, const struct msg_header *h,
			 struct bytes body)
{
	enum verdict v = vantage_answer(&n->napt[0], now, h, body);

	if (v == V_PASSED)
		v = vantage_answer(&n->napt[1], now, h, body);
	if (v == V_PASSED && (h->type == TYPE_VANTAGE_RESPONSE || h->type == TYPE_KEEP_ALIVE_ACK))
		return V_DROP_STATE;
	return v;
}

/* ---- relays in use: a NAPT lets them in, however it treats strangers ---- */

static void wrote_to(struct node *n, struct now now, const struct peer *p)
{
	unsigned f;

	for (f = 0; f < 2; f++)
		if (p->relay[f].family)
			vantage_wrote(&n->napt[f], now, &p->relay[f]);
}

void napt_relayed(struct node *n, struct now now, struct peer *p, const struct tunnel_setup *s)
{
	unsigned i;

	memset(p->relay, 0, sizeof p->relay);
	for (i = 0; i < s->candidates; i++)
		if (s->candidate[i].kind == ADDRESS_SERVICE)
			p->relay[s->candidate[i].addr.family == 6] = s->candidate[i].addr;
	wrote_to(n, now, p);
}

struct seen {
	struct node *n;
	struct now now;
};

static void see_relay(void *arg, struct link *link)
{
	const struct peer *p = LINK_OWNER(link, struct peer, by4);
	const struct seen *s = arg;

	if (p->state >= PEER_OPENING)
		wrote_to(s->n, s->now, p);
}

/* ---- time ---- */

void napt_doubt(struct node *n, struct now now)
{
	unsigned f;

	for (f = 0; f < 2; f++)
		if (n->napt[f].found_at && now.boot - n->napt[f].found_at > VANTAGE_SOON)
			vantage_hurry(&n->napt[f], now);
}

void napt_tick(struct node *n, struct now now, struct outbox *out)
{
	struct seen seen = { n, now };

	if (now.boot >= n->relays_seen + RELAYS_EVERY) {
		n->relays_seen = now.boot;
		table_each(&n->peers4, see_relay, &seen);
	}
	vantage_tick(&n->napt[0], now, out);
	vantage_tick(&n->napt[1], now, out);
}

uint64_t napt_expiry(const struct node *n)
{
	uint64_t at = n->peers4.n ? n->relays_seen + RELAYS_EVERY : NEVER;

	return MIN(at, MIN(vantage_expiry(&n->napt[0]), vantage_expiry(&n->napt[1])));
}

/* ---- status ---- */

static json_t *relays(const struct vantage *v)
{
	json_t *a = json_array();
	char id[33], at[ADDR_TEXT];
	unsigned i;

	for (i = 0; i < v->relays; i++)
		json_array_append_new(a, json_pack("{s:s, s:s, s:f}",
			"id", id_text(id, &v->relay[i].trs),
			"addr", addr_text(at, &v->relay[i].addr),
			"rtt_ms", (double)v->relay[i].rtt / MS));
	return a;
}

void napt_status(const struct node *n, struct now now, unsigned family, json_t *way)
{
	const struct vantage *v = &n->napt[family];
	uint64_t age = (now.boot - MIN(v->found_at, now.boot)) / MS;
	uint64_t found = v->found_at ? (cloud_ms(&n->cloud, now) - age) / 1000 : 0;

	json_object_set_new(way, "mapping", json_string(mapping_name(v->found.mapping)));
	json_object_set_new(way, "filtering", json_string(filtering_name(v->found.filtering)));
	json_object_set_new(way, "kind", json_string(behaviour_name(v->found)));
	json_object_set_new(way, "found", json_integer((json_int_t)found));
	json_object_set_new(way, "relays", relays(v));
}
