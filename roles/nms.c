/*
 * nms.c - the node management service: who is where.  The front door and the directory are here;
 * nms_register.c takes registrations, nms_select.c decides paths, nms_deliver.c tells the nodes.
 *
 *   node A                        NMS                                node B
 *    |-- Registration Request ---->|                                   |
 *    |<------ {as seen, challenge} |                                   |
 *    |-- Keep Alive {echo} ------->|  now A's address counts           |
 *    |<----------- Keep Alive ACK  |                                   |
 *    |-- Direction Request {B} --->|                                   |
 *    |<------ Node Info Response   |                                   |
 *    |<--------- Route Direction --|-- Route Direction --------------->|
 *    |-- Confirmation ------------>|<------------------ Confirmation --|
 *
 * Of a relayed path its TRS is told at the same time (Relay Request, Relay Response).
 *
 * Every node belongs to the worker that its Node ID names, and only that one seals and opens
 * under its Common Key.
 */
#include "roles/nms.h"
#include "roles/lead.h"
#include "store/config.h"
#include <stdlib.h>

#define READY_AGAIN (100 * MS)
#define SAVE_AGAIN (1 * SEC)		/* after a registration could not be stored */

/* ---- the directory ---- */

/* Who is meant?  0, or the reason why there is nobody. */
static uint16_t look_up(struct nms *nms, const struct msg_direction_request *m, struct device *d)
{
	enum store_result r;

	if (m->family == 0)
		r = device_by_fqdn(nms->env.store, m->name, d);
	else if (m->family == 4 || m->family == 6)
		r = device_by_ip(nms->env.store, m->family, m->ip, d);
	else
		return REASON_BAD_REQUEST;
	if (r == STORE_MISSING)
		return REASON_NOT_FOUND;
	/* a relay is none to talk to, and has no addresses a name could stand for */
	if (r == STORE_OK && d->kind == DEVICE_TRS)
		return REASON_NOT_FOUND;
	return r == STORE_OK ? 0 : REASON_INTERNAL;
}

static enum verdict on_direction(struct nms *nms, struct now now, struct nms_node *node,
				 const struct msg_header *h, struct bytes body,
				 const struct addr *from, const struct addr *to,
				 struct outbox *out)
{
	struct nms_note want = { .kind = NMS_WANT, .a = node->link.id,
				 .transaction = h->transaction };
	struct msg_direction_request m;
	struct msg_node_info_response r;
	uint8_t p[MSG_MAX_node_info_response];
	struct device d;
	size_t n;

	if (msg_read_direction_request(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	memset(&r, 0, sizeof r);
	memset(&d, 0, sizeof d);
	r.result = look_up(nms, &m, &d);
	if (!r.result) {
		r.node_id = d.node_id;
		memcpy(r.ip4, d.ip4, 4);
		memcpy(r.ip6, d.ip6, 16);
		strcpy(r.fqdn, d.fqdn);
	}
	n = msg_write_node_info_response(p, sizeof p, &r);
	nms_answer(nms, now, node, h, from, to, TYPE_NODE_INFO_RESPONSE, p, n, out);
	answers_keep(nms->answers, now, &node->link.id, h->transaction, TYPE_NODE_INFO_RESPONSE,
		     p, n);
	want.b = d.node_id;
	want.relay = m.relay;
	wipe(&d, sizeof d);
	if (h->type != TYPE_DIRECTION_REQUEST || r.result || id_equal(&want.a, &want.b))
		return V_ANSWERED;
	nms_tell_worker(nms, now, pair_owner(&want.a, &want.b, nms->env.workers), &want, out);
	return V_ANSWERED;
}

/* ---- the front door ---- */

/* What a node never says, and what a TRS does not. */
static bool may_say(uint8_t kind, uint8_t type)
{
	switch (type) {
	case TYPE_REGISTRATION_REQUEST:
	case TYPE_KEEP_ALIVE:
		return true;
	case TYPE_RELAY_RESPONSE:
	case TYPE_RELAY_REPORT:
		return kind == DEVICE_TRS;
	default:
		return kind != DEVICE_TRS;
	}
}

static enum verdict dispatch(struct nms *nms, struct now now, struct nms_node *node,
			     const struct msg_header *h, struct bytes body,
			     const struct addr *from, const struct addr *to, struct outbox *out)
{
	const struct answer *before = answers_find(nms->answers, now, &node->link.id,
						   h->transaction);

	if (!may_say(node->kind, h->type))
		return V_DROP_STATE;
	/* a challenge is told where it was made for: a copy of the request may have come from elsewhere */
	if (h->type == TYPE_REGISTRATION_REQUEST &&
	    !addr_equal(&node->reg.mapped[from->family == 6], from))
		before = NULL;
	/* a shorter request that bears the same number is another one, and gets no longer answer */
	if (before && before->len <= body.n) {
		nms_answer(nms, now, node, h, from, to, before->type, before->body, before->len, out);
		return V_ANSWERED;
	}
	switch (h->type) {
	case TYPE_REGISTRATION_REQUEST:
		return register_request(nms, now, node, h, body, from, to, out);
	case TYPE_KEEP_ALIVE:
		return register_keep_alive(nms, now, node, h, body, from, to, out);
	case TYPE_DIRECTION_REQUEST:
	case TYPE_NODE_INFO_REQUEST:
		if (node->registered)
			return on_direction(nms, now, node, h, body, from, to, out);
		nms_answer_refusal(nms, now, node, h, from, to, REASON_NOT_REGISTERED, out);
		return V_ANSWERED;
	case TYPE_ROUTE_CONFIRMATION:
	case TYPE_RELAY_RESPONSE:
		return deliver_confirmed(nms, now, node, h, body, out);
	case TYPE_RELAY_REPORT:
		return relays_report(nms, now, node, h, body, from, to, out);
	case TYPE_VANTAGE_REQUEST:
		return vantage_request(nms, now, node, h, body, from, to, out);
	case TYPE_VANTAGE_REPORT:
		return vantage_report(nms, now, node, h, body, from, to, out);
	}
	return V_DROP_TYPE;
}

/* Opening destroys what does not open, and a new login may have changed the key: keeps a copy. */
static enum verdict open_by_node(struct nms *nms, struct now now, struct nms_node *node,
				 uint8_t *p, size_t n, const struct msg_header *h,
				 const struct exts *x, struct bytes *body, uint64_t *stamp)
{
	uint64_t ms = cloud_ms(&nms->cloud, now);
	uint8_t copy[DATAGRAM_MAX];
	enum verdict v;

	memcpy(copy, p, n);
	v = session_open(&node->session, ms, p, n, h, x, body, stamp);
	if (v == V_PASSED || !nms_node_rekeyed(nms, now, node))
		return v;
	memcpy(p, copy, n);
	return session_open(&node->session, ms, p, n, h, x, body, stamp);
}

static enum verdict hand_over(struct nms *nms, struct now now, unsigned worker,
			      const uint8_t *p, size_t n, const struct addr *from,
			      const struct addr *to, struct outbox *out)
{
	struct nms_note note = { .kind = NMS_HANDED, .from = *from, .to = *to,
				 .len = (uint32_t)n };

	memcpy(note.body, p, n);
	nms_tell_worker(nms, now, worker, &note, out);
	return V_HANDED;
}

static enum verdict nms_datagram(struct nms *nms, struct now now, uint8_t *p, size_t n,
				 const struct addr *from, const struct addr *to,
				 struct outbox *out)
{
	uint64_t ms = cloud_ms(&nms->cloud, now), stamp;
	struct msg_header h;
	struct nms_node *node;
	struct bytes body;
	struct exts x;
	enum verdict v = gate_check(p, n, &h, &x);
	unsigned f = from->family == 6, owner;

	if (v != V_PASSED)
		return v;
	if (n > DATAGRAM_MAX)
		return V_DROP_SHORT;
	if (type_key(h.type) != KEY_COMMON)
		return V_DROP_TYPE;
	if (!nms->listening || !tokens_valid(&nms->tokens, ms, h.token))
		return V_DROP_TOKEN;
	owner = id_owner(&h.id, nms->env.workers);
	if (owner != nms->env.worker)
		return hand_over(nms, now, owner, p, n, from, to, out);
	node = nms_node_get(nms, now, &h.id);
	if (!node)
		return V_DROP_STRANGER;
	v = open_by_node(nms, now, node, p, n, &h, &x, &body, &stamp);
	if (v != V_PASSED) {
		nms_node_forget(nms, node);
		return v;
	}
	if (stamp < MAX(nms->started, node->floor)) {
		nms_answer_refusal(nms, now, node, &h, from, to, REASON_STALE, out);
		return V_DROP_STALE;
	}
	node->heard = now.boot;
	if (node->reg.confirmed[f] && addr_equal(&node->reg.mapped[f], from))
		node->heard_by = (uint8_t)f;
	v = dispatch(nms, now, node, &h, body, from, to, out);
	nms_node_rearm(nms, node);
	return v;
}

/* What this batch or note changed is on record before any answer leaves. */
static void commit(struct nms *nms, struct now now)
{
	bool kept = nms->writing ? live_end(nms->env.store) == STORE_OK : !nms->saving;

	if (!kept)
		cy_log(LOG_ERROR_, "registrations not stored, to be tried again: %s",
		       store_error(nms->env.store));
	while (nms->saving) {
		struct nms_node *node = nms->saving;

		nms->saving = node->next_saving;
		node->save_at = kept ? NEVER : now.boot + SAVE_AGAIN;
		if (!kept)
			nms_node_rearm(nms, node);
	}
	nms->writing = false;
}

static void nms_input(void *self, struct now now, struct batch *in, struct outbox *out)
{
	struct nms *nms = self;
	uint32_t at, n;
	enum verdict v;

	if (!in->len)
		nms->verdicts.count[V_DROP_SHORT]++;
	for (at = 0; at < in->len; at += n) {
		n = MIN(in->seg ? in->seg : in->len, in->len - at);
		v = nms_datagram(nms, now, in->buf + at, n, &in->from, &in->to, out);
		nms->verdicts.count[v]++;
	}
	commit(nms, now);
}

/* ---- between workers ---- */

void nms_tell_worker(struct nms *nms, struct now now, unsigned worker,
		     const struct nms_note *note, struct outbox *out)
{
	if (worker == nms->env.worker)
		nms_on_note(nms, now, note, out);
	else
		out_worker(out, worker, note, offsetof(struct nms_note, body) + note->len);
}

void nms_tell_all(struct nms *nms, struct now now, const struct nms_note *note,
		  struct outbox *out)
{
	unsigned w;

	for (w = 0; w < nms->env.workers; w++)
		nms_tell_worker(nms, now, w, note, out);
}

static void say_once(struct nms *nms, struct now now, const struct nms_note *note,
		     struct outbox *out)
{
	struct nms_node *node = nms_node_get(nms, now, &note->a);

	if (node && node->registered)
		nms_send(nms, now, node, 2, note->transaction, note->type, note->body, note->len,
			 out);
}

void nms_on_note(struct nms *nms, struct now now, const struct nms_note *note,
		 struct outbox *out)
{
	uint8_t p[2048];
	struct nms_node *node;
	enum verdict v;

	switch (note->kind) {
	case NMS_HANDED:
		memcpy(p, note->body, note->len);
		v = nms_datagram(nms, now, p, note->len, &note->from, &note->to, out);
		nms->verdicts.count[v]++;
		break;
	case NMS_WANT:
		select_want(nms, now, note, out);
		break;
	case NMS_TELL:
		deliver_start(nms, now, note, out);
		break;
	case NMS_SAY:
		say_once(nms, now, note, out);
		break;
	case NMS_TOLD:
		select_told(nms, now, note, out);
		break;
	case NMS_REFUSE:
		node = nms_node_get(nms, now, &note->a);
		if (node)
			nms_refuse(nms, now, node, 2, note->transaction,
				   TYPE_DIRECTION_REQUEST, note->reason, out);
		break;
	case NMS_FORGET:
		select_forget(nms, now, &note->a, note->reason == 0, out);
		break;
	case NMS_RELAY:
	case NMS_RELAYS:
		relays_on_note(nms, now, note, out);
		break;
	}
}

static void nms_note(void *self, struct now now, const struct note *note, struct outbox *out)
{
	struct nms *nms = self;
	struct nms_note n;

	if (note->from != NOTE_WORKER || note->data.n < offsetof(struct nms_note, body) ||
	    note->data.n > sizeof n)
		return;
	memcpy(&n, note->data.p, note->data.n);
	if (n.len == note->data.n - offsetof(struct nms_note, body))
		nms_on_note(nms, now, &n, out);
	wipe(&n, sizeof n);
	commit(nms, now);
}

/* ---- time, and what operators ask ---- */

static void node_tick(struct nms *nms, struct now now, struct nms_node *node, struct outbox *out)
{
	deliver_tick(nms, now, node, out);
	if (node->save_at <= now.boot) {
		node->save_at = NEVER;
		if (node->registered)
			nms_node_store(nms, node);
	}
	if (now.boot - node->heard < nms_registration_life(nms)) {
		nms_node_rearm(nms, node);
		return;
	}
	if (node->registered) {
		nms_write(nms);
		registration_delete(nms->env.store, &node->link.id);
	}
	if (node->kind == DEVICE_TRS)
		relays_gone(nms, now, &node->link.id, out);
	cy_log(LOG_DEBUG, "%s is offline", node->fqdn);
	deliver_offline(nms, now, node, out);
	nms_node_free(nms, node);
}

/* The AS's helper makes SecretCommonValue at the domain's first start; until then nobody can be
 * heard. */
static bool take_tokens(struct nms *nms)
{
	struct secret_common_value scv;
	size_t n = sizeof scv;

	if (meta_get(nms->env.store, "secret-common-value", scv.b, &n) != STORE_OK ||
	    n != sizeof scv)
		return false;
	tokens_init(&nms->tokens, &scv);
	nms->listening = true;
	return true;
}

static void nms_tick(void *self, struct now now, struct outbox *out)
{
	struct nms *nms = self;
	struct timer *t;

	if (!nms->introduced)
		relays_introduce(nms, now, out);
	nms->introduced = true;
	while ((t = timers_due(&nms->timers, now.boot))) {
		if (t == &nms->lead) {
			lead_tick(&nms->cloud, &nms->env, now);
			timer_set(&nms->timers, t, now.boot + LEAD_EVERY);
		} else if (t == &nms->ready) {
			if (!take_tokens(nms))
				timer_set(&nms->timers, t, now.boot + READY_AGAIN);
		} else if (t == &nms->sweep) {
			select_sweep(nms, now);
			relays_sweep(nms, now);
			timer_set(&nms->timers, t, now.boot + SELECT_SWEEP);
		} else {
			node_tick(nms, now, TIMER_OWNER(t, struct nms_node, timer), out);
		}
	}
	commit(nms, now);
}

static uint64_t nms_expiry(const void *self)
{
	return timers_next(&((const struct nms *)self)->timers);
}

/* Paths of pattern 1, 2 and 3. */
static json_t *patterns(const struct nms *nms)
{
	return json_pack("[I, I, I]", (json_int_t)nms->patterns[1],
			 (json_int_t)nms->patterns[2], (json_int_t)nms->patterns[3]);
}

static void nms_flow(void *self, struct now now, const struct flow_event *ev, struct outbox *out)
{
	struct nms *nms = self;
	json_t *request = ev->port == PORT_CTL ? control_flow(&nms->control, ev, out) : NULL;

	if (!request)
		return;
	json_decref(request);
	control_answer(&nms->control, ev->handle,
		       json_pack("{s:o, s:i, s:i, s:I, s:o, s:I, s:I, s:o}", "status",
				 control_status("nms", &nms->env, &nms->verdicts, now, &nms->cloud),
				 "nodes", (int)nms->nodes.n, "selections", (int)nms->selections.n,
				 "paths", (json_int_t)nms->paths, "patterns", patterns(nms),
				 "refusals", (json_int_t)nms->refusals,
				 "undelivered", (json_int_t)nms->gave_up,
				 "relays", relays_status(nms)), out);
}

/* Registrations outlive a restart: their nodes are given a full life from now. */
static bool revive(void *arg, const struct registration *r)
{
	struct nms *nms = arg;

	if (id_owner(&r->node_id, nms->env.workers) == nms->env.worker)
		nms_node_get(nms, nms->env.start, &r->node_id);
	return true;
}

static void *nms_open(const struct role_env *env, char *err)
{
	struct nms *nms = calloc(1, sizeof *nms);

	if (!nms)
		abort();
	nms->env = *env;
	lead_open(&nms->cloud, env);
	nms->started = cloud_ms(&nms->cloud, env->start);
	table_init(&nms->nodes);
	table_init(&nms->selections);
	table_init(&nms->relays);
	nms->answers = calloc(1, sizeof *nms->answers);
	if (!nms->answers)
		abort();
	timer_set(&nms->timers, &nms->lead, env->start.boot + LEAD_EVERY);
	timer_set(&nms->timers, &nms->sweep, env->start.boot + SELECT_SWEEP);
	if (!take_tokens(nms))
		timer_set(&nms->timers, &nms->ready, env->start.boot + READY_AGAIN);
	registration_each(env->store, revive, nms);
	return nms;
}

static void close_node(void *arg, struct link *link)
{
	nms_node_free(arg, LINK_OWNER(link, struct nms_node, link));
}

static void nms_close(void *self)
{
	struct nms *nms = self;

	table_each(&nms->nodes, close_node, nms);
	select_close(nms);
	relays_close(nms);
	table_free(&nms->nodes);
	table_free(&nms->selections);
	timers_free(&nms->timers);
	free(nms->answers);
	free(nms);
}

static const struct verdicts *nms_verdicts(const void *self)
{
	return &((const struct nms *)self)->verdicts;
}

static void nms_summary(const void *self, struct summary *s)
{
	strcpy(s->text, "ready");
	strcpy(s->of, "nodes");
	s->count = ((const struct nms *)self)->nodes.n;
}

const struct role role_nms = {
	.name = "nms",
	.text = "node management service: knows where every node is and picks the path between two",
	.needs = NEEDS_STORE,
	.open = nms_open,
	.close = nms_close,
	.input = nms_input,
	.flow = nms_flow,
	.note = nms_note,
	.tick = nms_tick,
	.expiry = nms_expiry,
	.verdicts = nms_verdicts,
	.summary = nms_summary,
};
