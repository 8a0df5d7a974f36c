/*
 * nms_relays.c - the TRS of the domain: what each last reported, known to every worker, so that
 * whichever decides about a path can choose.  The owner of a TRS's Node ID tells the others; a
 * worker that has just started asks.
 */
#include "roles/nms.h"
#include "roles/nms_way.h"
#include <stdlib.h>

#define LEG_UNKNOWN 50000		/* us, where nobody has measured yet */
#define LEG_SILENT 1000000		/* us, where others were measured and this one was not */
#define LOAD_MAX 1000

/* ---- what is known ---- */

static struct nms_relay *find(const struct nms *nms, const struct id *trs)
{
	return LINK_OWNER(table_get(&nms->relays, trs), struct nms_relay, link);
}

static void forget(struct nms *nms, struct nms_relay *r)
{
	table_remove(&nms->relays, &r->link);
	free(r);
}

static void learn(struct nms *nms, struct now now, const struct nms_note *note)
{
	struct nms_relay *r = find(nms, &note->a);

	if (note->len != sizeof r->facts) {
		if (r)
			forget(nms, r);
		return;
	}
	if (!r) {
		r = calloc(1, sizeof *r);
		if (!r)
			abort();
		r->link.id = note->a;
		table_add(&nms->relays, &r->link);
	}
	memcpy(&r->facts, note->body, sizeof r->facts);
	r->heard = now.boot;
	r->silent = false;
}

static void fill_note(struct nms_note *note, const struct nms_relay *r)
{
	note->kind = NMS_RELAY;
	note->a = r->link.id;
	note->len = sizeof r->facts;
	memcpy(note->body, &r->facts, sizeof r->facts);
}

void relays_gone(struct nms *nms, struct now now, const struct id *trs, struct outbox *out)
{
	struct nms_note note = { .kind = NMS_RELAY, .a = *trs };

	nms_tell_all(nms, now, &note, out);
}

/* load and paths: those of the report at hand, else of the one before. */
static void announce(struct nms *nms, struct now now, const struct nms_node *node, uint16_t load,
		     uint32_t paths, struct outbox *out)
{
	const struct registration *reg = &node->reg;
	struct nms_relay r = { .link.id = node->link.id, .facts = {
		.draining = reg->relay.draining, .other_port = reg->relay.other_port,
		.load = load, .paths = paths } };
	struct nms_note note = { 0 };
	unsigned f;

	for (f = 0; f < 2; f++)
		if (reg->confirmed[f])
			r.facts.addr[f] = reg->mapped[f];
	memcpy(r.facts.region, reg->relay.region, sizeof reg->relay.region);
	strcpy(r.facts.fqdn, node->fqdn);
	fill_note(&note, &r);
	nms_tell_all(nms, now, &note, out);
}

void relays_announce(struct nms *nms, struct now now, const struct nms_node *node,
		     struct outbox *out)
{
	const struct nms_relay *before = find(nms, &node->link.id);

	if (node->kind == DEVICE_TRS && node->registered && node->reg.relay.known)
		announce(nms, now, node, before ? before->facts.load : 0,
			 before ? before->facts.paths : 0, out);
}

/* ---- reports ---- */

/* A word that can be shown, zero octets behind. */
static bool is_region(const uint8_t region[16])
{
	unsigned i = 0;

	while (i < 16 && region[i] > ' ' && region[i] < 0x7f)
		i++;
	while (i < 16 && !region[i])
		i++;
	return i == 16;
}

enum verdict relays_report(struct nms *nms, struct now now, struct nms_node *node,
			   const struct msg_header *h, struct bytes body,
			   const struct addr *from, const struct addr *to,
			   struct outbox *out)
{
	struct msg_relay_report m;
	struct relay_report new = { .known = 1 };

	if (msg_read_relay_report(&m, body.p, body.n) != (long)body.n || !is_region(m.region))
		return V_DROP_BODY;
	if (!register_counts(nms, now, node, h, from, to, out))
		return V_ANSWERED;
	new.draining = m.draining != 0;
	new.other_port = m.other_port;
	memcpy(new.region, m.region, sizeof new.region);
	if (memcmp(&new, &node->reg.relay, sizeof new) != 0) {
		node->reg.relay = new;
		nms_node_store(nms, node);
	}
	announce(nms, now, node, MIN(m.load, LOAD_MAX), m.paths, out);
	register_ack(nms, now, node, h, from, to, out);
	return V_ANSWERED;
}

/* ---- between workers ---- */

struct saying {
	struct nms *nms;
	struct now now;
	unsigned worker;
	struct outbox *out;
};

static void introduce_one(void *arg, struct link *link)
{
	struct saying *s = arg;

	relays_announce(s->nms, s->now, LINK_OWNER(link, struct nms_node, link), s->out);
}

void relays_introduce(struct nms *nms, struct now now, struct outbox *out)
{
	struct nms_note note = { .kind = NMS_RELAYS, .transaction = nms->env.worker };
	struct saying s = { nms, now, 0, out };

	table_each(&nms->nodes, introduce_one, &s);
	nms_tell_all(nms, now, &note, out);
}

static void tell_one(void *arg, struct link *link)
{
	const struct nms_relay *r = LINK_OWNER(link, struct nms_relay, link);
	struct saying *s = arg;
	struct nms_note note = { 0 };

	if (id_owner(&r->link.id, s->nms->env.workers) != s->nms->env.worker)
		return;
	fill_note(&note, r);
	nms_tell_worker(s->nms, s->now, s->worker, &note, s->out);
}

void relays_on_note(struct nms *nms, struct now now, const struct nms_note *note,
		    struct outbox *out)
{
	struct saying s = { nms, now, note->transaction, out };

	if (note->kind == NMS_RELAY)
		learn(nms, now, note);
	else if (s.worker < nms->env.workers && s.worker != nms->env.worker)
		table_each(&nms->relays, tell_one, &s);
}

/* ---- choosing ---- */

static uint64_t leg(const struct registration *r, const struct id *trs, uint64_t unknown)
{
	unsigned i;

	for (i = 0; i < r->rtt_n; i++)
		if (r->rtt[i].rtt && id_equal(&r->rtt[i].trs, trs))
			return r->rtt[i].rtt;
	return unknown;
}

/* A node that knows others has looked at this one too, most likely, and heard nothing. */
static uint64_t leg_feared(const struct registration *r, const struct id *trs)
{
	return leg(r, trs, r->rtt_n ? LEG_SILENT : LEG_UNKNOWN);
}

static bool is_old(const struct nms *nms, struct now now, const struct nms_relay *r)
{
	return now.boot - r->heard >= nms_registration_life(nms);
}

static bool is_reached_by(const struct nms *nms, const struct nms_relay *r,
			  const struct registration *reg, unsigned f)
{
	return reg->confirmed[f] &&
	       way_is_place(nms->env.conf, &r->facts.addr[f], &reg->mapped[f]);
}

static bool serves(const struct nms *nms, const struct nms_relay *r,
		   const struct registration *reg)
{
	return is_reached_by(nms, r, reg, 0) || is_reached_by(nms, r, reg, 1);
}

/* One of a list being made, the least of all keys first; the last ones only make it certain. */
struct place {
	const struct nms_relay *relay;
	uint64_t key[3];
};

static bool goes_before(const struct place *a, const struct place *b)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(a->key); i++)
		if (a->key[i] != b->key[i])
			return a->key[i] < b->key[i];
	return memcmp(&a->relay->link.id, &b->relay->link.id, sizeof a->relay->link.id) < 0;
}

struct choosing {
	const struct nms *nms;
	struct now now;
	const struct registration *a, *b;
	const struct id *tried;
	unsigned n;
	struct place best;
};

static bool was_tried(const struct choosing *c, const struct id *trs)
{
	unsigned i;

	for (i = 0; i < c->n; i++)
		if (id_equal(&c->tried[i], trs))
			return true;
	return false;
}

static void consider(void *arg, struct link *link)
{
	const struct nms_relay *r = LINK_OWNER(link, struct nms_relay, link);
	struct choosing *c = arg;
	struct place p = { .relay = r, .key = { r->silent,
		(leg_feared(c->a, &link->id) + leg_feared(c->b, &link->id)) * (LOAD_MAX + r->facts.load),
		r->facts.paths } };

	if (r->facts.draining || is_old(c->nms, c->now, r) || was_tried(c, &link->id) ||
	    !serves(c->nms, r, c->a) || !serves(c->nms, r, c->b))
		return;
	if (!c->best.relay || goes_before(&p, &c->best))
		c->best = p;
}

const struct nms_relay *relays_choose(const struct nms *nms, struct now now,
				      const struct registration *a,
				      const struct registration *b, const struct id *tried,
				      unsigned n)
{
	struct choosing c = { nms, now, a, b, tried, n, { NULL, { 0 } } };

	table_each(&nms->relays, consider, &c);
	return c.best.relay;
}

void relays_silent(struct nms *nms, const struct id *trs)
{
	struct nms_relay *r = find(nms, trs);

	if (r)
		r->silent = true;
}

struct pointing {
	const struct nms *nms;
	struct now now;
	const struct registration *reg;
	unsigned f;
	const struct addr *service;
	struct place best[4];
	unsigned n;
};

static void point(void *arg, struct link *link)
{
	const struct nms_relay *r = LINK_OWNER(link, struct nms_relay, link);
	struct pointing *p = arg;
	struct place new = { .relay = r, .key = {
		addr_same_ip(&r->facts.addr[p->f], p->service), leg(p->reg, &link->id, LEG_UNKNOWN),
		r->facts.load } };
	unsigned i;

	if (is_old(p->nms, p->now, r) || !is_reached_by(p->nms, r, p->reg, p->f))
		return;
	for (i = p->n; i > 0 && goes_before(&new, &p->best[i - 1]); i--)
		if (i < ARRAY_SIZE(p->best))
			p->best[i] = p->best[i - 1];
	if (i < ARRAY_SIZE(p->best))
		p->best[i] = new;
	p->n = MIN(p->n + 1, (unsigned)ARRAY_SIZE(p->best));
}

unsigned relays_points(const struct nms *nms, struct now now, const struct registration *reg,
		       unsigned f, const struct addr *service, const struct nms_relay *best[4])
{
	struct pointing p = { nms, now, reg, f, service, { { NULL, { 0 } } }, 0 };
	unsigned i;

	table_each(&nms->relays, point, &p);
	for (i = 0; i < p.n; i++)
		best[i] = p.best[i].relay;
	return p.n;
}

/* ---- forgetting, showing ---- */

static void sweep_one(void *arg, struct link *link)
{
	struct saying *s = arg;
	struct nms_relay *r = LINK_OWNER(link, struct nms_relay, link);

	if (is_old(s->nms, s->now, r))
		forget(s->nms, r);
}

void relays_sweep(struct nms *nms, struct now now)
{
	struct saying s = { nms, now, 0, NULL };

	table_each(&nms->relays, sweep_one, &s);
}

static void forget_one(void *arg, struct link *link)
{
	forget(arg, LINK_OWNER(link, struct nms_relay, link));
}

void relays_close(struct nms *nms)
{
	table_each(&nms->relays, forget_one, nms);
	table_free(&nms->relays);
}

struct showing {
	const struct nms *nms;
	json_t *list;
};

static void show_one(void *arg, struct link *link)
{
	const struct nms_relay *r = LINK_OWNER(link, struct nms_relay, link);
	const struct relay_facts *facts = &r->facts;
	json_t *addresses = json_array();
	struct showing *s = arg;
	char text[ADDR_TEXT];
	unsigned f;

	if (id_owner(&link->id, s->nms->env.workers) != s->nms->env.worker) {
		json_decref(addresses);
		return;
	}
	for (f = 0; f < 2; f++)
		if (facts->addr[f].family)
			json_array_append_new(addresses,
					      json_string(addr_text(text, &facts->addr[f])));
	json_array_append_new(s->list, json_pack("{s:s, s:s, s:o, s:s, s:i, s:I}",
			      "name", facts->fqdn, "state", r->silent ? "silent" :
			      facts->draining ? "draining" : "ready", "addresses", addresses,
			      "region", facts->region, "load", facts->load,
			      "paths", (json_int_t)facts->paths));
}

json_t *relays_status(const struct nms *nms)
{
	struct showing s = { nms, json_array() };

	table_each(&nms->relays, show_one, &s);
	return s.list;
}
