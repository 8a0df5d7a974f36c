/*
 * tunnel.c - the life of one path at one end: key exchange, capsules, probes, the end.
 * The rekey is in rekey.c, the ways between the ends in route.c.
 */
#include "net/proto/tunnel.h"
#include "net/proto/ip.h"
#include "net/proto/kx.h"
#include "net/proto/rekey.h"

#define CONFIRM_AGAIN (250 * MS)
#define CONFIRM_TRIES 20
#define WAIT_FOR_REQUEST (15 * SEC)	/* the responder's patience with the initiator */
#define SILENT_PROBE (1 * SEC)		/* sent, but heard nothing: ask, by every way that works */
#define SILENT_DEAD (5 * SEC)		/* and give the path up */
#define PROBE_AGAIN (500 * MS)
#define PREVIOUS_LIFE (10 * SEC)
#define WANT_RELAY (1 * SEC)		/* without an answer by a direct way */
#define LOOK_AGAIN (86400 * SEC)	/* at the expiry, however far it is */

const char *tunnel_state_name(enum tunnel_state s)
{
	static const char *const name[] = { "asking", "waiting", "answered", "up", "dead" };

	return name[s];
}

const char *tunnel_why_name(enum tunnel_end_reason why)
{
	static const char *const name[] = { "lives", "no_answer", "closed", "idle", "silent",
					    "keys_out", "expired" };

	return name[why];
}

static void die(struct tunnel *t, enum tunnel_end_reason why)
{
	t->state = TUNNEL_DEAD;
	t->why = why;
}

bool tunnel_may_send(const struct tunnel *t)
{
	return t->state == TUNNEL_UP &&
	       t->keys.gen[t->keys.current & 3].sent < 2 * t->rules.rekey_packets;
}

void tunnel_open(struct tunnel *t, const struct tunnel_setup *setup,
		 const struct tunnel_host *host, struct now now)
{
	memset(t, 0, sizeof *t);
	t->setup = *setup;
	t->rules = *host->rules;
	t->cloud = host->cloud;
	t->tokens = host->tokens;
	t->keys.path = setup->path;
	t->keys.initiator = setup->initiator;
	t->born = t->used = now.boot;
	t->confirm_again = t->rekey_again = t->probe_again = NEVER;
	memcpy(t->x25519_priv, host->x25519_priv, 32);
	session_tunnel(&t->signal, &setup->tunnel_key, &setup->path, setup->initiator);
	route_open(t, now);
	t->state = setup->initiator ? TUNNEL_ASKING : TUNNEL_WAITING;
	if (setup->initiator && !kx_make_request(t, now))
		die(t, TUNNEL_NO_ANSWER);
}

void tunnel_wipe(struct tunnel *t)
{
	keyring_wipe(&t->keys);
	route_close(t);
	session_free(&t->signal);
	wipe(t, sizeof *t);
	t->state = TUNNEL_DEAD;
}

static void send_signal(struct tunnel *t, struct now now, uint8_t type, const void *body,
			size_t n, const struct route *r, struct outbox *out)
{
	uint8_t p[DATAGRAM_MAX];
	size_t len = session_seal(&t->signal, cloud_ms(t->cloud, now), t->transaction, type,
				  route_token(t, now, r), body, n, p);

	out_datagram(out, PORT_MAIN, &r->remote, &r->local, p, len);
}

static enum verdict on_request(struct tunnel *t, struct now now, const struct msg_header *h,
			       struct bytes body, const struct addr *from,
			       const struct addr *to, struct outbox *out)
{
	struct msg_tunnel_request m;
	struct msg_tunnel_response answer;
	uint8_t p[MSG_SIZE_tunnel_response];
	struct route back = route_back(t, from, to);
	enum verdict v = V_PASSED;
	bool again;

	if (msg_read_tunnel_request(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	if (t->setup.initiator || t->state == TUNNEL_DEAD || t->state == TUNNEL_ASKING)
		return V_DROP_STATE;
	again = t->state != TUNNEL_WAITING &&
		memcmp(m.noise, t->request_noise, sizeof m.noise) == 0;
	/* a different request may replace one that was never confirmed, nothing else */
	if (!again && (t->state == TUNNEL_UP || t->heard))
		return V_DROP_STATE;
	if (!again)
		v = kx_take_request(t, now, &m);
	if (v != V_PASSED)
		return v;
	t->transaction = h->transaction;
	memcpy(answer.noise, t->response_noise, sizeof answer.noise);
	msg_write_tunnel_response(p, sizeof p, &answer);
	send_signal(t, now, TYPE_TUNNEL_RESPONSE, p, sizeof p, &back, out);
	route_heard(t, now, from, to, false);
	return V_ANSWERED;
}

static void send_control_by(struct tunnel *t, struct now now, const struct route *r,
			    const void *body, size_t n, struct outbox *out)
{
	struct out_item *item = out_reserve(out, OUT_DATAGRAM, n + CAPSULE_OVERHEAD);

	item->port = PORT_MAIN;
	item->to = r->remote;
	item->from = r->local;
	memcpy(item->buf + HEADER_SIZE, body, n);
	t->keys.token = route_token(t, now, r);
	capsule_seal(&t->keys, FLAG_CONTROL, 0, item->buf + HEADER_SIZE, n);
	if (!t->sent_unheard)
		t->sent_unheard = now.boot;
}

static void send_control(struct tunnel *t, struct now now, const void *body, size_t n,
			 struct outbox *out)
{
	const struct route *r = route_used(t);

	if (r)
		send_control_by(t, now, r, body, n, out);
}

static void send_probe_by(struct tunnel *t, struct now now, const struct route *r,
			  uint8_t control, uint64_t value, struct outbox *out)
{
	struct msg_probe m = { .control = control, .value = value };
	uint8_t p[MSG_SIZE_probe];

	msg_write_probe(p, sizeof p, &m);
	send_control_by(t, now, r, p, sizeof p, out);
}

static void send_probe(struct tunnel *t, struct now now, uint8_t control, uint64_t value,
		       struct outbox *out)
{
	const struct route *r = route_used(t);

	if (r)
		send_probe_by(t, now, r, control, value, out);
}

void tunnel_say_punching(struct tunnel *t, struct now now, struct outbox *out)
{
	send_probe(t, now, CONTROL_PUNCHING, 0, out);
}

void tunnel_send_rekey(struct tunnel *t, struct now now, const uint8_t body[MSG_SIZE_rekey],
		       struct outbox *out)
{
	send_control(t, now, body, MSG_SIZE_rekey, out);
}

void tunnel_ask_rekey(struct tunnel *t, struct now now, struct outbox *out)
{
	send_probe(t, now, CONTROL_PLEASE_REKEY, 0, out);
}

/* Says "confirm" now and again until the other end was heard under the current keys. */
void tunnel_confirm(struct tunnel *t, struct now now, struct outbox *out)
{
	t->confirmed = false;
	t->confirms = 0;
	t->confirm_again = now.boot + CONFIRM_AGAIN;
	send_probe(t, now, CONTROL_CONFIRM, 0, out);
}

static enum verdict on_response(struct tunnel *t, struct now now, const struct msg_header *h,
				struct bytes body, const struct addr *from,
				const struct addr *to, struct outbox *out)
{
	struct msg_tunnel_response m;
	enum verdict v;

	if (msg_read_tunnel_response(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	if (!t->setup.initiator || h->transaction != t->transaction)
		return V_DROP_STATE;
	if (t->state == TUNNEL_UP) {	/* the same answer by another way: it works too */
		route_heard(t, now, from, to, true);
		return V_ANSWERED;
	}
	if (t->state != TUNNEL_ASKING)
		return V_DROP_STATE;
	route_heard(t, now, from, to, true);
	/* from where nobody told of, and not proven: asked again, it is answered again */
	if (!route_used(t))
		return V_DROP_STATE;
	v = kx_take_response(t, now, &m);
	if (v != V_PASSED)
		return v;
	exchange_end(&t->request);
	t->state = TUNNEL_UP;
	kx_forget(t);
	t->up_since = t->heard = now.boot;
	tunnel_confirm(t, now, out);
	return V_ANSWERED;
}

/* ---- capsules ---- */

/* The responder, when the initiator was heard and a way to it has proved itself. */
static void come_up(struct tunnel *t, struct now now)
{
	if (t->state != TUNNEL_ANSWERED || !t->heard || !route_used(t))
		return;
	t->state = TUNNEL_UP;
	kx_forget(t);
	t->up_since = now.boot;
}

/* The other end was heard, authentically, under generation g. */
static void note_heard(struct tunnel *t, struct now now, const struct generation *g,
		       const struct addr *from, const struct addr *to)
{
	bool silent = t->sent_unheard && now.boot - t->sent_unheard >= SILENT_PROBE;

	/* asked by every way, and this is the first to answer */
	if (silent && !addr_equal(from, &t->remote))
		route_doubt(t, now);
	route_heard(t, now, from, to, silent || t->state == TUNNEL_ANSWERED);
	t->heard = now.boot;
	t->sent_unheard = 0;
	t->probe_again = NEVER;
	come_up(t, now);
	/* the responder follows the initiator's generation when it hears it in use */
	if (!t->setup.initiator && g->number == (uint8_t)(t->keys.current + 1)) {
		t->keys.current = g->number;
		t->confirmed = false;
		t->rekey_again = NEVER;
	}
	if (g->number == t->keys.current && !t->confirmed) {
		t->confirmed = true;
		t->confirm_again = NEVER;
		t->previous_until = now.boot + PREVIOUS_LIFE;
		/* rekeyed again within its ten seconds: no third one is opened */
		keyring_drop(&t->keys, (uint8_t)(t->keys.current - 2));
	}
}

static enum verdict on_probe(struct tunnel *t, struct now now, struct bytes body,
			     const struct addr *from, const struct addr *to,
			     struct outbox *out, struct tunnel_event *ev)
{
	struct route back = route_back(t, from, to);
	struct msg_probe m;

	if (msg_read_probe(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	switch (m.control) {
	case CONTROL_CONFIRM:
		if (!t->setup.initiator)
			send_probe(t, now, CONTROL_CONFIRM, 0, out);
		break;
	case CONTROL_PROBE:
		/* the way it came: it asks whether that one works */
		send_probe_by(t, now, &back, CONTROL_PROBE_ANSWER, m.value, out);
		route_asked(t, now, out);
		break;
	case CONTROL_PROBE_ANSWER:
		if (!t->probe_value || m.value != t->probe_value)
			return V_DROP_STATE;
		t->rtt = now.boot - t->probe_sent;
		t->probe_value = 0;
		ev->probed = true;
		break;
	case CONTROL_PLEASE_REKEY:
		t->rekey_wanted = t->setup.initiator;
		break;
	case CONTROL_CLOSE:
		die(t, TUNNEL_CLOSED);
		break;
	case CONTROL_PUNCHING:
		route_burst(t, now);
		break;
	default:
		return V_DROP_BODY;
	}
	return V_CONTROL;
}

static enum verdict on_control(struct tunnel *t, struct now now, struct bytes body,
			       const struct addr *from, const struct addr *to,
			       struct outbox *out, struct tunnel_event *ev)
{
	enum verdict v;

	if (body.n < 1)
		return V_DROP_BODY;
	if (body.p[0] == CONTROL_REKEY_REQUEST || body.p[0] == CONTROL_REKEY_RESPONSE)
		v = rekey_input(t, now, body, out);
	else
		v = on_probe(t, now, body, from, to, out, ev);
	/* an answer to a probe or confirm asks for nothing: it starts no wait for the other end */
	t->sent_unheard = t->confirm_again == NEVER && !t->rekeying ? 0 : t->sent_unheard;
	return v;
}

/* Exactly count + 1 whole packets, each from the peer's virtual address to ours. */
static enum verdict check_packets(const struct tunnel *t, struct bytes body, unsigned count)
{
	const struct tunnel_end *peer = &t->setup.peer, *own = &t->setup.own;
	struct ip_view v;
	unsigned i;

	for (i = 0; i <= count; i++) {
		if (!ip_look(&v, body.p, body.n))
			return V_DROP_BODY;
		if (v.multicast)
			return V_DROP_MULTICAST;
		if (v.family == 4 ? memcmp(v.src, peer->ip4, 4) || memcmp(v.dst, own->ip4, 4) :
				    memcmp(v.src, peer->ip6, 16) || memcmp(v.dst, own->ip6, 16))
			return V_DROP_SOURCE;
		body.p += v.len;
		body.n -= v.len;
	}
	return body.n ? V_DROP_BODY : V_DELIVERED;
}

static enum verdict on_capsule(struct tunnel *t, struct now now, uint8_t *p, size_t n,
			       const struct msg_header *h, const struct exts *x,
			       const struct addr *from, const struct addr *to,
			       struct outbox *out, struct tunnel_event *ev)
{
	struct generation *g;
	struct bytes body;
	enum verdict v;

	if (t->state != TUNNEL_UP && t->state != TUNNEL_ANSWERED)
		return V_DROP_STATE;
	v = capsule_open(&t->keys, p, n, h, x, &body, &g);
	if (v != V_PASSED)
		return v;
	note_heard(t, now, g, from, to);
	if (h->flags & FLAG_CONTROL)
		return on_control(t, now, body, from, to, out, ev);
	v = check_packets(t, body, h->count);
	if (v != V_DELIVERED)
		return v;
	t->used = now.boot;
	t->packets_in += h->count + 1u;
	t->octets_in += body.n;
	ev->packets = body;
	return v;
}

enum verdict tunnel_input(struct tunnel *t, struct now now, uint8_t *p, size_t n,
			  const struct msg_header *h, const struct exts *x,
			  const struct addr *from, const struct addr *to, struct outbox *out,
			  struct tunnel_event *ev)
{
	struct bytes body;
	uint64_t stamp;
	enum verdict v;

	memset(ev, 0, sizeof *ev);
	if (h->type == TYPE_CAPSULE)
		return on_capsule(t, now, p, n, h, x, from, to, out, ev);
	if (h->type == TYPE_HOLE_PUNCHING || h->type == TYPE_ACK) {
		v = route_input(t, now, p, n, h, x, from, to, out);
		come_up(t, now);
		return v;
	}
	v = session_open(&t->signal, cloud_ms(t->cloud, now), p, n, h, x, &body, &stamp);
	if (v != V_PASSED)
		return v;
	if (h->type == TYPE_TUNNEL_REQUEST)
		return on_request(t, now, h, body, from, to, out);
	if (h->type == TYPE_TUNNEL_RESPONSE)
		return on_response(t, now, h, body, from, to, out);
	return V_DROP_TYPE;
}

enum verdict tunnel_send(struct tunnel *t, struct now now, uint8_t *packet, size_t n, uint8_t ecn,
			 struct outbox *out)
{
	struct out_item *item;

	if (!tunnel_may_send(t))
		return V_DROP_STATE;
	item = out_add(out, OUT_DATAGRAM);
	item->port = PORT_MAIN;
	item->to = t->remote;
	item->from = t->local;
	item->ecn = ecn;
	t->keys.token = route_token(t, now, route_used(t));
	item->buf = capsule_seal(&t->keys, 0, 0, packet, n);
	item->len = (uint32_t)(n + CAPSULE_OVERHEAD);
	t->used = now.boot;
	t->packets_out++;
	t->octets_out += n;
	if (!t->sent_unheard)
		t->sent_unheard = now.boot;
	return V_SEALED;
}

/* ---- probes, time, the end ---- */

void tunnel_probe(struct tunnel *t, struct now now, struct outbox *out)
{
	if (t->state != TUNNEL_UP)
		return;
	t->probe_value = random_u64() | 1;
	t->probe_sent = now.boot;
	send_probe(t, now, CONTROL_PROBE, t->probe_value, out);
}

/* The way in use says nothing: which of the others does? */
static void probe_all(struct tunnel *t, struct now now, struct outbox *out)
{
	const struct routes *r = &t->routes;
	unsigned i;

	route_check(t, now, out);
	tunnel_probe(t, now, out);
	for (i = 0; i < r->n; i++)
		if ((int)i != r->used && route_carries(&r->route[i]))
			send_probe_by(t, now, &r->route[i], CONTROL_PROBE, t->probe_value, out);
}

void tunnel_close(struct tunnel *t, struct now now, struct outbox *out)
{
	if (t->state == TUNNEL_UP)
		send_probe(t, now, CONTROL_CLOSE, 0, out);
	die(t, TUNNEL_CLOSED);
}

static void request_by(struct tunnel *t, struct now now, const struct route *r,
		       struct outbox *out)
{
	send_signal(t, now, TYPE_TUNNEL_REQUEST, t->request.body, t->request.len, r, out);
}

void tunnel_bound(struct tunnel *t, struct now now, const struct route *r, struct outbox *out)
{
	if (t->state == TUNNEL_ASKING)
		request_by(t, now, r, out);
}

static void tick_request(struct tunnel *t, struct now now, struct outbox *out)
{
	const struct routes *r = &t->routes;
	unsigned i;

	if (!r->has_relay && now.boot - t->born >= WANT_RELAY)
		t->unanswered = true;
	switch (exchange_step(&t->request, now)) {
	case EXCHANGE_WAIT:
		break;
	case EXCHANGE_GAVE_UP:
		die(t, TUNNEL_NO_ANSWER);
		break;
	case EXCHANGE_SEND:
		for (i = 0; i < r->n; i++)
			if (!route_is_relay(&r->route[i]) || route_carries(&r->route[i]))
				request_by(t, now, &r->route[i], out);
		break;
	}
}

static void tick_up(struct tunnel *t, struct now now, struct outbox *out)
{
	if (now.boot >= t->confirm_again && ++t->confirms >= CONFIRM_TRIES) {
		die(t, TUNNEL_SILENT);
		return;
	}
	if (now.boot >= t->confirm_again) {
		t->confirm_again = now.boot + CONFIRM_AGAIN;
		send_probe(t, now, CONTROL_CONFIRM, 0, out);
	}
	if (t->previous_until && now.boot >= t->previous_until) {
		keyring_drop(&t->keys, (uint8_t)(t->keys.current - 1));
		t->previous_until = 0;
	}
	if (now.boot - t->used >= t->rules.idle) {
		tunnel_close(t, now, out);
		t->why = TUNNEL_IDLE;
	} else if (t->sent_unheard && now.boot - t->sent_unheard >= SILENT_DEAD) {
		die(t, TUNNEL_SILENT);
	} else if (t->sent_unheard && now.boot - t->sent_unheard >= SILENT_PROBE &&
		   (t->probe_again == NEVER || now.boot >= t->probe_again)) {
		t->probe_again = now.boot + PROBE_AGAIN;
		probe_all(t, now, out);
	}
}

void tunnel_rule(struct tunnel *t, struct now now, const struct tunnel_rules *rules)
{
	struct generation *g = keyring_get(&t->keys, t->keys.current);

	t->rules.rekey_after = rules->rekey_after;
	t->rules.rekey_packets = rules->rekey_packets;
	t->rules.idle = rules->idle;
	t->rules.keepalive = rules->keepalive;
	t->rules.punch = rules->punch;
	/* keys older than they may now become are worn, not yet used up */
	if (g && now.boot - g->since > rules->rekey_after)
		g->since = now.boot - rules->rekey_after;
}

void tunnel_tick(struct tunnel *t, struct now now, struct outbox *out)
{
	if (t->state != TUNNEL_DEAD && cloud_ms(t->cloud, now) >= t->setup.expiry)
		die(t, TUNNEL_EXPIRED);
	if (t->state == TUNNEL_ASKING)
		tick_request(t, now, out);
	if ((t->state == TUNNEL_WAITING || t->state == TUNNEL_ANSWERED) &&
	    now.boot - t->born >= WAIT_FOR_REQUEST)
		die(t, TUNNEL_NO_ANSWER);
	if (t->state == TUNNEL_UP)
		tick_up(t, now, out);
	if (t->state == TUNNEL_UP && !rekey_tick(t, now, out))
		die(t, TUNNEL_KEYS_OUT);
	if (t->state != TUNNEL_DEAD)
		route_tick(t, now, out);
}

static uint64_t expiry_up(const struct tunnel *t)
{
	uint64_t at = MIN(t->used + t->rules.idle, t->confirm_again);

	if (t->previous_until)
		at = MIN(at, t->previous_until);
	if (t->sent_unheard && t->probe_again != NEVER)
		at = MIN(at, MIN(t->probe_again, t->sent_unheard + SILENT_DEAD));
	else if (t->sent_unheard)
		at = MIN(at, t->sent_unheard + SILENT_PROBE);
	return MIN(at, rekey_expiry(t));
}

uint64_t tunnel_expiry(const struct tunnel *t, struct now now)
{
	uint64_t end, left, ms = cloud_ms(t->cloud, now);

	if (t->state == TUNNEL_DEAD)
		return now.boot;
	left = t->setup.expiry > ms ? t->setup.expiry - ms : 0;
	/* the NMS says how long: a sum that turned over would be due for ever */
	end = MIN(now.boot + MIN(left, LOOK_AGAIN / MS) * MS, route_expiry(t));
	if (t->state == TUNNEL_ASKING && !t->routes.has_relay && !t->unanswered)
		end = MIN(end, t->born + WANT_RELAY);
	if (t->state == TUNNEL_ASKING)
		return MIN(end, exchange_expiry(&t->request));
	if (t->state == TUNNEL_UP)
		return MIN(end, expiry_up(t));
	return MIN(end, t->born + WAIT_FOR_REQUEST);
}
