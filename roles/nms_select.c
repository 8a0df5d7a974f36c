/*
 * nms_select.c - which path between two nodes.  One worker decides for a pair, whoever asks,
 * so that both asking at once get one path: the responder is told first, and when it has
 * confirmed, the initiator.
 */
#include "roles/nms.h"
#include "store/config.h"
#include <stdlib.h>

#define GLARE (100 * MS)		/* a finished selection answers a request this much later */
#define STUCK (20 * SEC)	/* an unfinished one older than this is begun anew */

enum selection_state {
	TELLING_RESPONDER,	/* Route Direction is on its way to the responder */
	TELLING_INITIATOR,	/* it confirmed; now the initiator is told */
	DONE,			/* both know */
};

struct selection {
	struct link link;			/* by pair */
	struct id initiator, responder;		/* Node IDs */
	enum selection_state state;
	uint64_t since;				/* boot time of this state */
	uint32_t transaction;			/* of the Direction Request */
	uint32_t telling;			/* of the Route Direction under way */
	uint16_t len;				/* Route Direction for the initiator, kept until its turn */
	uint8_t body[DATAGRAM_MAX];
};

void pair_id(struct id *pair, const struct id *a, const struct id *b)
{
	bool first = memcmp(a, b, sizeof *a) < 0;
	uint8_t both[32], hash[32];

	memcpy(both, first ? a : b, 16);
	memcpy(both + 16, first ? b : a, 16);
	sha256(hash, both, sizeof both);
	memcpy(pair->b, hash, 16);
}

unsigned pair_owner(const struct id *a, const struct id *b, unsigned workers)
{
	return id_owner(memcmp(a, b, sizeof *a) < 0 ? a : b, workers);
}

/* ---- deciding ---- */

/* One end as the selection sees it. */
struct end {
	struct device device;
	struct registration reg;
};

/* 0, or the reason why this node cannot take part. */
static uint16_t read_end(struct nms *nms, struct now now, const struct id *id, struct end *e)
{
	if (device_by_id(nms->env.store, id, &e->device) != STORE_OK)
		return REASON_NOT_FOUND;
	if (e->device.disabled)
		return REASON_DISABLED;
	if (e->device.key_expiry <= cloud_ms(&nms->cloud, now) ||
	    registration_get(nms->env.store, id, &e->reg) != STORE_OK ||
	    !(e->reg.confirmed[0] || e->reg.confirmed[1]))
		return REASON_OFFLINE;
	return 0;
}

/* Pattern 1: both seen unmapped in this family. */
static bool direct_by(const struct end *a, const struct end *b, unsigned f)
{
	return a->reg.confirmed[f] && b->reg.confirmed[f] && !a->reg.napt[f] && !b->reg.napt[f];
}

static void add_candidate(struct msg_route_direction *m, const struct end *a,
			  const struct end *b, unsigned f)
{
	if (direct_by(a, b, f) && m->candidates_n < ARRAY_SIZE(m->candidates))
		m->candidates[m->candidates_n++] = address_part(2, &b->reg.mapped[f]);
}

/* What `to` is told of `peer`; octets, 0 when it does not fit. */
static size_t describe(const struct msg_route_direction *common, bool initiator,
		       const struct end *to, const struct end *peer,
		       uint8_t body[DATAGRAM_MAX])
{
	struct msg_route_direction m = *common;
	size_t n;

	m.initiator = initiator;
	m.peer_id = peer->device.node_id;
	memcpy(m.ip4, peer->device.ip4, 4);
	memcpy(m.ip6, peer->device.ip6, 16);
	m.certificate = (struct bytes){ peer->device.cert, peer->device.cert_len };
	add_candidate(&m, to, peer, 1);
	add_candidate(&m, to, peer, 0);
	n = msg_write_route_direction(body, DATAGRAM_MAX - MESSAGE_MIN, &m);
	wipe(&m, sizeof m);
	return n;
}

static void make_path(struct nms *nms, struct now now, struct msg_route_direction *m)
{
	memset(m, 0, sizeof *m);
	random_bytes(m->path.b, sizeof m->path.b);
	random_bytes(m->tunnel_key, sizeof m->tunnel_key);
	random_bytes(m->temporary_key, sizeof m->temporary_key);
	m->pattern = 1;
	m->expiry = cloud_ms(&nms->cloud, now) + nms->env.conf->path_lifetime;
}

static void refuse_asker(struct nms *nms, struct now now, const struct id *asker,
			 uint32_t transaction, uint16_t reason, struct outbox *out)
{
	struct nms_note note = { .kind = NMS_REFUSE, .a = *asker, .transaction = transaction,
				 .reason = reason };

	nms_tell_worker(nms, now, id_owner(asker, nms->env.workers), &note, out);
}

/* s may be gone afterwards: a node that is not there is known at once if it is this worker's. */
static void tell(struct nms *nms, struct now now, struct selection *s,
		 const struct id *node, uint8_t type, const uint8_t *body, size_t n,
		 struct outbox *out)
{
	struct nms_note note = { .kind = NMS_TELL, .a = *node, .pair = s->link.id, .type = type,
				 .len = (uint32_t)n };

	/* the low octet names this worker: the confirmation finds its way back */
	note.transaction = (random_u32() & ~0xffu) | nms->env.worker;
	s->telling = note.transaction;
	memcpy(note.body, body, n);
	nms_tell_worker(nms, now, id_owner(node, nms->env.workers), &note, out);
	wipe(&note, sizeof note);
}

static uint16_t decide(struct nms *nms, struct now now, struct selection *s, uint8_t *body,
		       size_t *n)
{
	struct end *asker = calloc(2, sizeof *asker), *other = asker + 1;
	struct msg_route_direction path;
	uint16_t reason;

	if (!asker)
		abort();
	reason = read_end(nms, now, &s->initiator, asker);
	if (!reason)
		reason = read_end(nms, now, &s->responder, other);
	if (!reason && !direct_by(asker, other, 0) && !direct_by(asker, other, 1))
		reason = REASON_NO_PATH;
	if (!reason) {
		make_path(nms, now, &path);
		*n = describe(&path, false, other, asker, body);
		s->len = (uint16_t)describe(&path, true, asker, other, s->body);
		if (!*n || !s->len)
			reason = REASON_INTERNAL;
		wipe(&path, sizeof path);
	}
	wipe(asker, 2 * sizeof *asker);
	free(asker);
	return reason;
}

static struct selection *find(struct nms *nms, const struct id *pair)
{
	return LINK_OWNER(table_get(&nms->selections, pair), struct selection, link);
}

static void drop(struct nms *nms, struct selection *s)
{
	table_remove(&nms->selections, &s->link);
	wipe(s, sizeof *s);
	free(s);
}

void select_want(struct nms *nms, struct now now, const struct nms_note *want,
		 struct outbox *out)
{
	uint8_t body[DATAGRAM_MAX];
	struct selection *s;
	struct id pair;
	uint16_t reason;
	size_t n = 0;

	pair_id(&pair, &want->a, &want->b);
	s = find(nms, &pair);
	/* under way, or just done: the asker is told as one of the two ends */
	if (s && now.boot - s->since < (s->state == DONE ? GLARE : STUCK))
		return;
	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s)
			abort();
		s->link.id = pair;
		table_add(&nms->selections, &s->link);
	}
	s->initiator = want->a;
	s->responder = want->b;
	s->transaction = want->transaction;
	s->state = TELLING_RESPONDER;
	s->since = now.boot;
	reason = decide(nms, now, s, body, &n);
	if (reason) {
		refuse_asker(nms, now, &want->a, want->transaction, reason, out);
		drop(nms, s);
		return;
	}
	tell(nms, now, s, &s->responder, TYPE_ROUTE_DIRECTION_R, body, n, out);
	wipe(body, sizeof body);
}

void select_told(struct nms *nms, struct now now, const struct nms_note *told,
		 struct outbox *out)
{
	struct selection *s = find(nms, &told->pair);
	uint8_t body[DATAGRAM_MAX];

	/* a late word about a path that another one has replaced says nothing about that one */
	if (!s || told->transaction != s->telling)
		return;
	if (told->reason) {
		nms->gave_up++;
		if (id_equal(&told->a, &s->responder))
			refuse_asker(nms, now, &s->initiator, s->transaction, told->reason, out);
		drop(nms, s);
	} else if (s->state == TELLING_RESPONDER && id_equal(&told->a, &s->responder)) {
		s->state = TELLING_INITIATOR;
		s->since = now.boot;
		memcpy(body, s->body, s->len);
		wipe(s->body, sizeof s->body);
		tell(nms, now, s, &s->initiator, TYPE_ROUTE_DIRECTION_I, body, s->len, out);
		wipe(body, sizeof body);
	} else if (s->state == TELLING_INITIATOR && id_equal(&told->a, &s->initiator)) {
		s->state = DONE;
		s->since = now.boot;
		nms->paths++;
	}
}

/* ---- forgetting ---- */

struct forgetting {
	struct nms *nms;
	const struct id *node;		/* NULL: everything */
	struct now now;
	bool is_back;			/* it was started again, it did not leave */
	struct outbox *out;
};

/* It lost the path this selection made: the other end learns that before it notices silence. */
static void tell_other_end(const struct forgetting *f, const struct selection *s)
{
	bool first = id_equal(f->node, &s->initiator);
	struct nms_note note = { .kind = NMS_LOST, .a = first ? s->responder : s->initiator,
				 .b = *f->node };

	nms_tell_worker(f->nms, f->now, id_owner(&note.a, f->nms->env.workers), &note, f->out);
}

static void forget_one(void *arg, struct link *link)
{
	struct selection *s = LINK_OWNER(link, struct selection, link);
	struct forgetting *f = arg;

	if (f->node && !id_equal(f->node, &s->initiator) && !id_equal(f->node, &s->responder))
		return;
	/* the other end came anew in the midst of it: the asker may ask again, and must not wait */
	if (f->node && s->state != DONE && id_equal(f->node, &s->responder))
		refuse_asker(f->nms, f->now, &s->initiator, s->transaction, REASON_OFFLINE, f->out);
	if (f->is_back && s->state == DONE)
		tell_other_end(f, s);
	drop(f->nms, s);
}

void select_forget(struct nms *nms, struct now now, const struct id *node, bool is_back,
		   struct outbox *out)
{
	struct forgetting f = { nms, node, now, is_back, out };

	table_each(&nms->selections, forget_one, &f);
}

struct sweeping {
	struct nms *nms;
	struct now now;
};

static void sweep_one(void *arg, struct link *link)
{
	struct selection *s = LINK_OWNER(link, struct selection, link);
	struct sweeping *w = arg;

	if (w->now.boot - s->since >= (s->state == DONE ? GLARE : STUCK))
		drop(w->nms, s);
}

void select_sweep(struct nms *nms, struct now now)
{
	struct sweeping w = { nms, now };

	table_each(&nms->selections, sweep_one, &w);
}

void select_close(struct nms *nms)
{
	struct forgetting f = { .nms = nms };

	table_each(&nms->selections, forget_one, &f);
}
