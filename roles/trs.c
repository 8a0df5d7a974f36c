/*
 * trs.c - the relay, for two nodes that cannot reach each other: it sends on what one end of a
 * path sends to the other, and can read none of it.
 *
 *   trs_agent.c     worker 0: logs in at the AS, registers at the NMS, takes Relay Requests
 *   trs_paths.c     every worker: who is bound where, and what goes on to whom
 *   trs_vantage.c   worker 0: what a node's NAPT looks like from here; all: STUN
 *
 *   NMS              TRS               initiator      responder
 *    |-- Relay Request ->|                  |             |
 *    |<- Relay Response -|                  |             |
 *    |                   |<- Hole Punching, twice --------|  each end proves its address
 *    |                   |<- Hole Punching, twice         |
 *    |                   |<- capsule -------|             |
 *    |                   |-- the same capsule ----------->|
 *
 * What came is steered by its ID: a path's to the path's owner.  A run of datagrams that came
 * together is looked at one by one, as the kernel steers it by its first.
 */
#include "roles/trs.h"
#include "net/proto/stun.h"
#include "store/config.h"
#include <stdlib.h>

#define TELL_EVERY (5 * SEC)
#define STUN_COOKIE 0x2112a442u	/* RFC 8489 5 */

/* ---- notes between workers ---- */

static void on_note(struct trs *t, struct now now, unsigned worker, const struct trs_note *note,
		    uint8_t *body, struct outbox *out);

void trs_tell(struct trs *t, struct now now, unsigned worker, const struct trs_note *note,
	      struct outbox *out)
{
	struct trs_note copy = *note;
	struct out_item *item;

	if (worker == t->env.worker) {
		on_note(t, now, worker, note, (uint8_t *)(uintptr_t)note->body, out);
		return;
	}
	copy.body = NULL;	/* a pointer of this process means nothing there */
	item = out_reserve(out, OUT_WORKER, sizeof copy + note->len);
	item->handle = worker;
	memcpy(item->buf, &copy, sizeof copy);
	if (note->len)
		memcpy(item->buf + sizeof copy, note->body, note->len);
}

static enum verdict hand_over(struct trs *t, struct now now, unsigned worker,
			      enum trs_note_kind kind, const struct trs_packet *k,
			      struct outbox *out)
{
	struct trs_note note = { .kind = kind, .from = k->from, .to = k->to, .ecn = k->ecn,
				 .len = (uint32_t)k->n, .body = k->p };

	trs_tell(t, now, worker, &note, out);
	return V_HANDED;
}

/* ---- the front door ---- */

/* A Hole Punching of no path is a node's that looks at its NAPT. */
static enum verdict on_punch(struct trs *t, struct now now, struct trs_packet *k,
			     struct outbox *out)
{
	struct trs_path *path = relay_get(t, &k->h.id);

	if (k->n > DATAGRAM_MAX)
		return V_DROP_SHORT;
	if (path)
		return relay_punch(t, now, path, k, out);
	if (is_agent(t))
		return vantage_punch(t, now, k, out);
	return hand_over(t, now, 0, TRS_LOOK, k, out);
}

/* The NMS's word: only the agent can open it. */
static enum verdict on_signal(struct trs *t, struct now now, struct trs_packet *k,
			      struct outbox *out)
{
	if (k->n > DATAGRAM_MAX)
		return V_DROP_SHORT;
	if (!t->known || !id_equal(&k->h.id, &t->node_id))
		return V_DROP_STRANGER;
	return is_agent(t) ? agent_input(t, now, k, out) : hand_over(t, now, 0, TRS_HANDED, k, out);
}

static enum verdict of_a_path(struct trs *t, struct now now, struct trs_packet *k,
			      struct outbox *out)
{
	unsigned owner = id_owner(&k->h.id, t->env.workers);
	struct trs_path *path;

	if (owner != t->env.worker)
		return hand_over(t, now, owner, TRS_HANDED, k, out);
	if (k->h.type == TYPE_HOLE_PUNCHING)
		return on_punch(t, now, k, out);
	if (k->h.type == TYPE_ACK)
		return V_DROP_TYPE;
	path = relay_get(t, &k->h.id);
	return path ? relay_forward(t, now, path, k, out) : V_DROP_STRANGER;
}

static enum verdict trs_datagram(struct trs *t, struct now now, struct trs_packet *k,
				 struct outbox *out)
{
	enum verdict v = gate_check(k->p, k->n, &k->h, &k->x);

	if (v != V_PASSED)
		return v;
	if (type_key(k->h.type) == KEY_COMMON)
		return on_signal(t, now, k, out);
	if (type_key(k->h.type) != KEY_TUNNEL && type_key(k->h.type) != KEY_DATA)
		return V_DROP_TYPE;
	if (!t->known || !tokens_valid(&t->tokens, cloud_ms(&t->cloud, now), k->h.token))
		return V_DROP_TOKEN;
	return of_a_path(t, now, k, out);
}

/* STUN says so where our header has its version, which it is not. */
static bool is_stun(const struct trs_packet *k)
{
	return k->n >= STUN_HEADER && get32(k->p + 4) == STUN_COOKIE;
}

static enum verdict either(struct trs *t, struct now now, struct trs_packet *k,
			   struct outbox *out)
{
	if (is_stun(k))
		return vantage_stun(t, now, k, out);
	return k->port == PORT_STUN ? V_DROP_TYPE : trs_datagram(t, now, k, out);
}

static void trs_input(void *self, struct now now, struct batch *in, struct outbox *out)
{
	struct trs_packet k = { .port = in->port, .from = in->from, .to = in->to, .ecn = in->ecn };
	struct trs *t = self;
	uint32_t at;

	if (!in->len)
		t->verdicts.count[V_DROP_SHORT]++;
	for (at = 0; at < in->len; at += (uint32_t)k.n) {
		k.p = in->buf + at;
		k.n = MIN(in->seg ? in->seg : in->len, in->len - at);
		t->verdicts.count[either(t, now, &k, out)]++;
	}
}

/* ---- notes that came ---- */

static void take_handed(struct trs *t, struct now now, const struct trs_note *note,
			uint8_t *body, struct outbox *out)
{
	struct trs_packet k = { .p = body, .n = note->len, .from = note->from, .to = note->to,
				.ecn = note->ecn };
	enum verdict v = gate_check(k.p, k.n, &k.h, &k.x);

	if (v == V_PASSED && note->kind == TRS_LOOK)
		v = is_agent(t) ? vantage_punch(t, now, &k, out) : V_DROP_STRANGER;
	else if (v == V_PASSED)
		v = trs_datagram(t, now, &k, out);
	t->verdicts.count[v]++;
}

static void take_knowledge(struct trs *t, const struct trs_note *note)
{
	if (!t->known || memcmp(&t->tokens.scv, &note->scv, sizeof note->scv) != 0)
		tokens_init(&t->tokens, &note->scv);
	t->node_id = note->id;
	t->cloud.offset = note->offset;
	t->known = true;
}

static void take_request(struct trs *t, struct now now, const struct trs_note *note,
			 struct outbox *out)
{
	struct trs_note answer = { .kind = TRS_OPENED, .transaction = note->transaction };
	struct msg_relay_request m;

	if (msg_read_relay_request(&m, note->body, note->len) != (long)note->len)
		return;
	answer.id = m.path;
	answer.reason = relay_open(t, now, &m);
	wipe(&m, sizeof m);
	trs_tell(t, now, 0, &answer, out);
}

static void on_note(struct trs *t, struct now now, unsigned worker, const struct trs_note *note,
		    uint8_t *body, struct outbox *out)
{
	switch (note->kind) {
	case TRS_HANDED:
	case TRS_LOOK:
		take_handed(t, now, note, body, out);
		break;
	case TRS_KNOW:
		take_knowledge(t, note);
		break;
	case TRS_OPEN:
		take_request(t, now, note, out);
		break;
	default:
		if (is_agent(t))
			agent_note(t, now, worker, note, out);
	}
}

static void trs_note(void *self, struct now now, const struct note *note, struct outbox *out)
{
	struct trs_note m;
	uint8_t *body;

	if (note->from != NOTE_WORKER || note->data.n < sizeof m)
		return;
	memcpy(&m, note->data.p, sizeof m);
	if (m.len != note->data.n - sizeof m)
		return;
	/* what goes on to the other end stays where it lies until the flush */
	out_need(out, 4);
	body = out_space(out, m.len);
	memcpy(body, note->data.p + sizeof m, m.len);
	m.body = body;
	on_note(self, now, note->worker, &m, body, out);
	wipe(&m, sizeof m);
}

/* ---- time ---- */

static void tell_load(struct trs *t, struct now now, struct outbox *out)
{
	struct trs_note note = { .kind = TRS_DID, .load = t->did };

	trs_tell(t, now, 0, &note, out);
	timer_set(&t->timers, &t->tell, now.boot + TELL_EVERY);
}

static void trs_tick(void *self, struct now now, struct outbox *out)
{
	struct trs_note hello = { .kind = TRS_HELLO };
	struct trs *t = self;
	struct timer *timer;

	if (!is_agent(t) && !t->known && !t->greeted) {
		t->greeted = true;
		trs_tell(t, now, 0, &hello, out);
	}
	while ((timer = timers_due(&t->timers, now.boot)))
		if (timer == &t->tell)
			tell_load(t, now, out);
		else
			relay_alarm(t, now, TIMER_OWNER(timer, struct trs_path, timer));
	if (is_agent(t))
		agent_tick(t, now, out);
}

static uint64_t trs_expiry(const void *self)
{
	const struct trs *t = self;
	uint64_t at = timers_next(&t->timers);

	return is_agent(t) ? MIN(at, agent_expiry(t)) : at;
}

static void trs_flow(void *self, struct now now, const struct flow_event *ev, struct outbox *out)
{
	struct trs *t = self;

	if (ev->port == PORT_CTL)
		trs_control(t, now, ev, out);
	else if (is_agent(t))
		agent_flow(t, now, ev, out);
}

/* ---- beginning and end ---- */

static void trs_close(void *self)
{
	struct trs *t = self;

	relay_close(t);
	agent_close(t);
	timers_free(&t->timers);
	wipe(t, sizeof *t);
	free(t);
}

static void *trs_open(const struct role_env *env, char *err)
{
	struct trs *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	t->env = *env;
	random_bytes(t->challenge_key, sizeof t->challenge_key);
	table_init(&t->paths);
	table_init(&t->members);
	table_init(&t->pairs);
	cloud_guess(&t->cloud, env->start, 0);
	t->draining = trs_was_draining(t);
	timer_set(&t->timers, &t->tell, env->start.boot + TELL_EVERY);
	if (env->worker > 0 || agent_open(t, err))
		return t;
	trs_close(t);
	return NULL;
}

static void trs_leave(void *self, struct now now, struct outbox *out)
{
	struct trs *t = self;

	if (is_agent(t))
		agent_leave(t, now, out);
}

/* Quotas are read where they are used. */
static void trs_reload(void *self, struct now now, struct outbox *out)
{
	struct trs *t = self;

	if (is_agent(t))
		agent_reload(t, now);
}

static const struct verdicts *trs_verdicts(const void *self)
{
	return &((const struct trs *)self)->verdicts;
}

const struct role role_trs = {
	.name = "trs",
	.text = "relay: sends packets on between two nodes that cannot reach each other, unread",
	.open = trs_open,
	.close = trs_close,
	.leave = trs_leave,
	.reload = trs_reload,
	.input = trs_input,
	.flow = trs_flow,
	.note = trs_note,
	.tick = trs_tick,
	.expiry = trs_expiry,
	.verdicts = trs_verdicts,
	.summary = trs_summary,
};
