/*
 * nms_select.c - which path between two nodes.  One worker decides for a pair, whoever asks,
 * so that both asking at once get one path.  By pattern (nms_way.h) one end is the path's
 * initiator, whichever asked.  Up to three are told, all at once, so that a first packet waits
 * for no more round trips than it must:
 *
 *   TRS          Relay Request: this path is coming.  Refuses or is silent: all anew with another
 *   responder    Route Direction
 *   initiator    Route Direction
 *
 * The papers tell each after the one before has confirmed.  What that saved, an initiator that
 * tries in vain, a refusal to who asked saves as well.
 */
#include "roles/nms.h"
#include "roles/nms_way.h"
#include <stdlib.h>

#define GLARE (100 * MS)	/* a finished selection answers a request this much later */
#define STUCK (20 * SEC)	/* an unfinished one older than this is begun anew */
#define TRS_TRIED 3		/* of one selection at most */
#define AGAIN (30 * SEC)	/* so long it is known which TRS a path had */

enum listener { RELAY, RESPONDER, INITIATOR, LISTENERS };

/* What one of them is told; `to` is zero when there is nobody. */
struct word {
	struct id to;			/* Node ID */
	uint8_t type;
	uint32_t transaction;
	bool heard;			/* it has confirmed */
	uint16_t len;
	uint8_t body[DATAGRAM_MAX];
};

struct selection {
	struct link link;		/* by pair */
	struct id asker, other;		/* Node IDs */
	uint8_t relay_wanted;		/* as in the Direction Request */
	uint64_t since;			/* boot time of its beginning, or end */
	uint32_t transaction;		/* of the Direction Request */
	uint8_t pattern;
	struct word *word;		/* LISTENERS of them, NULL: all have confirmed */
	unsigned turn;			/* times it was begun */
	struct id tried[TRS_TRIED + 1];	/* TRS, the newest last; room for the one that is spared */
	unsigned tried_n;
	struct id spared;		/* TRS of the path before, taken if there is no other; or zero */
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
	if (e->device.kind == DEVICE_TRS)	/* nobody talks to it but by its own messages */
		return REASON_NOT_FOUND;
	if (e->device.disabled)
		return REASON_DISABLED;
	if (e->device.key_expiry <= cloud_ms(&nms->cloud, now) ||
	    registration_get(nms->env.store, id, &e->reg) != STORE_OK ||
	    !(e->reg.confirmed[0] || e->reg.confirmed[1]))
		return REASON_OFFLINE;
	return 0;
}

static uint8_t families(const struct registration *r)
{
	return (uint8_t)((r->confirmed[0] ? 1 : 0) | (r->confirmed[1] ? 2 : 0));
}

/* What `to` is told of `peer`.  False when it does not fit. */
static bool describe(struct nms *nms, const struct msg_route_direction *common,
		     const struct end *to, const struct end *peer, const struct nms_relay *relay,
		     struct word *w)
{
	struct msg_route_direction m = *common;

	m.initiator = w->type == TYPE_ROUTE_DIRECTION_I;
	m.peer_id = peer->device.node_id;
	memcpy(m.ip4, peer->device.ip4, 4);
	memcpy(m.ip6, peer->device.ip6, 16);
	m.families = families(&peer->reg);
	m.behaviour4 = behaviour_octet(way_behaviour(&peer->reg, 0));
	m.behaviour6 = behaviour_octet(way_behaviour(&peer->reg, 1));
	m.certificate = (struct bytes){ peer->device.cert, peer->device.cert_len };
	m.candidates_n = (uint8_t)way_candidates(nms->env.conf, &to->reg, &peer->reg,
						 relay ? relay->facts.addr : NULL, m.candidates);
	w->to = to->device.node_id;
	w->len = (uint16_t)msg_write_route_direction(w->body, DATAGRAM_MAX - MESSAGE_MIN, &m);
	wipe(&m, sizeof m);
	return w->len > 0;
}

/* What the TRS is told: who, and a key that opens no more than its own messages. */
static void describe_to_relay(const struct msg_route_direction *m, const struct nms_relay *relay,
			      const struct id *initiator, const struct id *responder,
			      struct word *w)
{
	struct msg_relay_request r = { .path = m->path, .initiator = *initiator,
				       .responder = *responder, .expiry = m->expiry };
	struct tunnel_key tunnel_key;
	struct relay_key key;

	memcpy(tunnel_key.b, m->tunnel_key, sizeof tunnel_key.b);
	keys_relay(&key, &tunnel_key, &relay->link.id);
	memcpy(r.relay_key, key.b, sizeof r.relay_key);
	w->to = relay->link.id;
	w->len = (uint16_t)msg_write_relay_request(w->body, sizeof w->body, &r);
	wipe(&r, sizeof r);
	wipe(&tunnel_key, sizeof tunnel_key);
	wipe(&key, sizeof key);
}

/* A new path: everybody's word about it.  relay: NULL without one. */
static bool write_words(struct nms *nms, struct now now, struct selection *s,
			const struct end *initiator, const struct end *responder,
			const struct nms_relay *relay)
{
	struct msg_route_direction m;
	bool good;

	memset(&m, 0, sizeof m);
	random_bytes(m.path.b, sizeof m.path.b);
	random_bytes(m.tunnel_key, sizeof m.tunnel_key);
	random_bytes(m.temporary_key, sizeof m.temporary_key);
	m.pattern = s->pattern;
	m.expiry = cloud_ms(&nms->cloud, now) + nms->env.conf->path_lifetime;
	if (relay) {
		m.relay = relay->link.id;
		describe_to_relay(&m, relay, &initiator->device.node_id,
				  &responder->device.node_id, &s->word[RELAY]);
	}
	good = describe(nms, &m, responder, initiator, relay, &s->word[RESPONDER]) &&
	       describe(nms, &m, initiator, responder, relay, &s->word[INITIATOR]);
	wipe(&m, sizeof m);
	return good;
}

static void close_words(struct selection *s)
{
	if (s->word)
		wipe(s->word, LISTENERS * sizeof *s->word);
	free(s->word);
	s->word = NULL;
}

static void open_words(struct selection *s)
{
	close_words(s);
	s->word = calloc(LISTENERS, sizeof *s->word);
	if (!s->word)
		abort();
	s->word[RELAY].type = TYPE_RELAY_REQUEST;
	s->word[RESPONDER].type = TYPE_ROUTE_DIRECTION_R;
	s->word[INITIATOR].type = TYPE_ROUTE_DIRECTION_I;
}

/*
 * A TRS may be out of reach of a node alone, which neither NMS nor TRS can see: then the path
 * comes to nothing, and the next one is tried by another.
 */
static const struct nms_relay *choose_relay(struct nms *nms, struct now now, struct selection *s,
					    const struct end *a, const struct end *b)
{
	const struct nms_relay *relay;

	if (s->tried_n == TRS_TRIED)
		return NULL;
	s->tried[s->tried_n] = s->spared;
	relay = relays_choose(nms, now, &a->reg, &b->reg, s->tried, s->tried_n + 1);
	return relay ? relay : relays_choose(nms, now, &a->reg, &b->reg, s->tried, s->tried_n);
}

/* The pattern and all words; 0, or the reason why there is no path. */
static uint16_t plan_path(struct nms *nms, struct now now, struct selection *s,
			  const struct end *asker, const struct end *other)
{
	const struct nms_relay *relay = choose_relay(nms, now, s, asker, other);
	/* a path that is begun anew anyway may as well be a direct one where there is no relay */
	bool wanted = s->relay_wanted == 2 ? relay != NULL : s->relay_wanted != 0;
	struct plan plan = way_plan(nms->env.conf, &asker->reg, &other->reg, wanted, relay != NULL);

	if (!plan.pattern)
		return REASON_NO_RELAY;
	if (plan.pattern != 3)
		relay = NULL;
	s->pattern = plan.pattern;
	if (relay)
		s->tried[s->tried_n++] = relay->link.id;
	open_words(s);
	return write_words(nms, now, s, plan.other_begins ? other : asker,
			   plan.other_begins ? asker : other, relay) ? 0 : REASON_INTERNAL;
}

static uint16_t decide(struct nms *nms, struct now now, struct selection *s)
{
	struct end *asker = calloc(2, sizeof *asker), *other = asker + 1;
	uint16_t reason;

	if (!asker)
		abort();
	reason = read_end(nms, now, &s->asker, asker);
	if (!reason)
		reason = read_end(nms, now, &s->other, other);
	if (!reason)
		reason = plan_path(nms, now, s, asker, other);
	wipe(asker, 2 * sizeof *asker);
	free(asker);
	return reason;
}

/* ---- telling ---- */

static struct selection *find(struct nms *nms, const struct id *pair)
{
	return LINK_OWNER(table_get(&nms->selections, pair), struct selection, link);
}

static void drop(struct nms *nms, struct selection *s)
{
	table_remove(&nms->selections, &s->link);
	close_words(s);
	wipe(s, sizeof *s);
	free(s);
}

static void refuse_asker(struct nms *nms, struct now now, const struct selection *s,
			 uint16_t reason, struct outbox *out)
{
	struct nms_note note = { .kind = NMS_REFUSE, .a = s->asker, .reason = reason,
				 .transaction = s->transaction };

	nms_tell_worker(nms, now, id_owner(&s->asker, nms->env.workers), &note, out);
}

static void tell(struct nms *nms, struct now now, const struct selection *s, struct word *w,
		 struct outbox *out)
{
	struct nms_note note = { .kind = NMS_TELL, .a = w->to, .pair = s->link.id,
				 .type = w->type, .len = w->len };

	/* the low octet names this worker: the confirmation finds its way back */
	note.transaction = (random_u32() & ~0xffu) | nms->env.worker;
	w->transaction = note.transaction;
	memcpy(note.body, w->body, w->len);
	wipe(w->body, sizeof w->body);
	nms_tell_worker(nms, now, id_owner(&note.a, nms->env.workers), &note, out);
	wipe(&note, sizeof note);
}

/* Decides and tells them.  s may be gone afterwards. */
static void begin(struct nms *nms, struct now now, struct selection *s, struct outbox *out)
{
	struct id pair = s->link.id;
	uint16_t reason = decide(nms, now, s);
	unsigned i, turn = ++s->turn;

	s->since = now.boot;
	if (reason) {
		refuse_asker(nms, now, s, reason, out);
		drop(nms, s);
		return;
	}
	for (i = 0; i < LISTENERS; i++) {
		/* one that is not there is known at once if it is this worker's */
		s = find(nms, &pair);
		if (!s || s->turn != turn)
			return;
		if (!id_is_zero(&s->word[i].to))
			tell(nms, now, s, &s->word[i], out);
	}
}

/* spare: the TRS of the path before, if that is not long ago. */
static struct selection *anew(struct nms *nms, struct now now, const struct id *pair, bool spare)
{
	struct selection *s = find(nms, pair);
	struct id spared = { { 0 } };

	if (s && spare && s->tried_n && now.boot - s->since < AGAIN)
		spared = s->tried[s->tried_n - 1];
	if (s)
		drop(nms, s);
	s = calloc(1, sizeof *s);
	if (!s)
		abort();
	s->link.id = *pair;
	s->spared = spared;
	table_add(&nms->selections, &s->link);
	return s;
}

void select_want(struct nms *nms, struct now now, const struct nms_note *want,
		 struct outbox *out)
{
	struct selection *s;
	struct id pair;

	pair_id(&pair, &want->a, &want->b);
	s = find(nms, &pair);
	/* under way, or just done: the asker is told as one of the two ends */
	if (s && now.boot - s->since < (s->word ? STUCK : GLARE))
		return;
	s = anew(nms, now, &pair, want->relay == 2);
	s->asker = want->a;
	s->other = want->b;
	s->transaction = want->transaction;
	s->relay_wanted = want->relay;
	begin(nms, now, s, out);
}

static struct word *word_of(const struct selection *s, const struct nms_note *told)
{
	unsigned i;

	for (i = 0; s->word && i < LISTENERS; i++)
		if (s->word[i].transaction == told->transaction &&
		    id_equal(&s->word[i].to, &told->a))
			return &s->word[i];
	return NULL;
}

static void confirmed(struct nms *nms, struct now now, struct selection *s, struct word *w)
{
	unsigned i;

	w->heard = true;
	for (i = 0; i < LISTENERS; i++)
		if (!id_is_zero(&s->word[i].to) && !s->word[i].heard)
			return;
	close_words(s);
	s->since = now.boot;
	nms->paths++;
	nms->patterns[s->pattern]++;
}

void select_told(struct nms *nms, struct now now, const struct nms_note *told,
		 struct outbox *out)
{
	struct selection *s = find(nms, &told->pair);
	struct word *w = s ? word_of(s, told) : NULL;

	/* a late word about a path that another one has replaced says nothing about that one */
	if (!w)
		return;
	if (!told->reason) {
		confirmed(nms, now, s, w);
	} else if (w->type == TYPE_RELAY_REQUEST) {
		if (told->reason == REASON_OFFLINE)
			relays_silent(nms, &told->a);
		begin(nms, now, s, out);
	} else {
		nms->gave_up++;
		/* an asker that refuses or is silent need not be told */
		if (!id_equal(&told->a, &s->asker))
			refuse_asker(nms, now, s, told->reason, out);
		drop(nms, s);
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

/*
 * It lost the path this selection made: the other end learns that before it notices silence.
 * Said once: who misses it finds out by that silence.  Only nodes that still use the path ask
 * for a new one, so a restart of a busy node makes no storm.
 */
static void tell_other_end(const struct forgetting *f, const struct selection *s)
{
	struct nms_note note = { .kind = NMS_SAY, .type = TYPE_PATH_LOST,
				 .transaction = random_u32() };
	struct msg_path_lost m = { .peer_id = *f->node };

	note.a = id_equal(f->node, &s->asker) ? s->other : s->asker;
	note.len = (uint32_t)msg_write_path_lost(note.body, sizeof note.body, &m);
	nms_tell_worker(f->nms, f->now, id_owner(&note.a, f->nms->env.workers), &note, f->out);
}

static void forget_one(void *arg, struct link *link)
{
	struct selection *s = LINK_OWNER(link, struct selection, link);
	struct forgetting *f = arg;

	if (f->node && !id_equal(f->node, &s->asker) && !id_equal(f->node, &s->other))
		return;
	/* the other end came anew in the midst of it: the asker may ask again, and must not wait */
	if (f->node && s->word && id_equal(f->node, &s->other))
		refuse_asker(f->nms, f->now, s, REASON_OFFLINE, f->out);
	if (f->is_back && !s->word)
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

	if (w->now.boot - s->since >= (s->word ? STUCK : AGAIN))
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
