/*
 * punch.c - Hole Punching and ACK: to the TRS, which binds the address they come from, and to the
 * other end, which proves a way; at once, in bursts, and now and then to keep a way open.
 */
#include "net/proto/punch.h"
#include "net/proto/tunnel.h"

#define BURST_SOON (1 * SEC)	/* while there is none at all */
#define PUNCH_LIFE (10 * SEC / MS)	/* cloud ms: an older Hole Punching is a replay or no use */
#define CHECK_LEAST (1 * SEC)	/* between two looks that the other end causes */
#define ROUND_TRIP (2 * SEC)	/* an answer takes no longer */

/* ---- sending ---- */

static void send_punch(struct tunnel *t, struct now now, const struct route *r, uint8_t type,
		       uint32_t transaction, const struct msg_punch *m, struct outbox *out)
{
	struct session *s = route_is_relay(r) ? &t->routes.relay : &t->signal;
	uint8_t body[MSG_SIZE_punch], p[DATAGRAM_MAX];
	size_t len;

	msg_write_punch(body, sizeof body, m);
	len = session_seal(s, cloud_ms(t->cloud, now), transaction, type, route_token(t, now, r),
			   body, sizeof body, p);
	out_datagram(out, PORT_MAIN, &r->remote, &r->local, p, len);
}

static void punch(struct tunnel *t, struct now now, struct route *r, struct outbox *out)
{
	struct msg_punch m = { .echo = r->echo };

	/* the line may be longer than the time until the next one: any of them may be answered */
	r->again = r->challenge && now.boot - r->sent < ROUND_TRIP;
	if (!r->again)
		r->challenge = random_u64() | 1;
	m.challenge = r->challenge;
	r->sent = now.boot;
	if (r->state == ROUTE_NEW || r->state == ROUTE_FAILED)
		r->state = ROUTE_TRYING;
	send_punch(t, now, r, TYPE_HOLE_PUNCHING, random_u32(), &m, out);
}

/* Punched at once and, should that be lost, with the burst. */
static void prove(struct tunnel *t, struct now now, struct route *r, struct outbox *out)
{
	struct routes *all = &t->routes;

	if (r->state == ROUTE_WORKS || (r->sent && now.boot - r->sent < PUNCH_FIRST))
		return;
	punch(t, now, r, out);
	if (all->punch == NEVER) {
		all->tries = PUNCH_TRIES - 2;
		all->punch = now.boot + PUNCH_FIRST;
	}
}

/* ---- Hole Punching and ACK ---- */

static enum verdict on_punch(struct tunnel *t, struct now now, const struct msg_header *h,
			     const struct msg_punch *m, const struct addr *from,
			     const struct addr *to, struct outbox *out)
{
	struct msg_punch ack = { .echo = m->challenge, .family = from->family, .port = from->port };
	struct route *r = route_find(&t->routes, from), back = route_back(t, from, to);

	memcpy(ack.ip, from->ip, sizeof ack.ip);
	send_punch(t, now, &back, TYPE_ACK, h->transaction, &ack, out);
	if (!r)
		r = route_found(t, now, from, to);
	if (r)
		prove(t, now, r, out);
	return V_ANSWERED;
}

/* Is this the answer to what was sent that way? */
static bool answers(struct route *r, struct now now, const struct msg_punch *m)
{
	if (!m->echo || m->echo != r->challenge)
		return false;
	r->challenge = 0;
	/* which of several was answered nobody knows */
	if (!r->again)
		r->rtt = now.boot - r->sent;
	return true;
}

static enum verdict on_ack(struct tunnel *t, struct now now, const struct msg_punch *m,
			   const struct addr *from, const struct addr *to)
{
	struct route *r = route_find(&t->routes, from);

	if (!r || !answers(r, now, m))
		return V_DROP_STATE;
	route_works(t, now, r, to);
	return V_ANSWERED;
}

/* By another address of the relay than this: one is enough, and all it keeps. */
static bool is_bound_elsewhere(const struct routes *all, const struct route *than)
{
	const struct route *r;

	for (r = all->route; r < all->route + all->n; r++)
		if (r != than && route_is_relay(r) && route_carries(r))
			return true;
	return false;
}

/*
 * The TRS says where we come from and with which challenge to prove it.  What follows the echo
 * on the same way finds us bound: the Tunnel Request need not wait for one more answer.
 */
static enum verdict on_relay_ack(struct tunnel *t, struct now now, struct route *r,
				 const struct msg_punch *m, const struct addr *to,
				 struct outbox *out)
{
	bool first = m->bound && !r->bound;

	if (!m->challenge || !answers(r, now, m))
		return V_DROP_STATE;
	r->echo = m->challenge;
	r->heard = now.boot;
	r->local = *to;
	r->bound = m->bound;
	if (is_bound_elsewhere(&t->routes, r))
		return V_ANSWERED;
	/*
	 * Should the echo be lost, the burst sends it again; also where it is never worth anything,
	 * as each datagram comes from another port, or that TRS wants no end.
	 */
	if (!m->bound && (!r->echoed || now.boot - r->echoed >= PUNCH_FIRST)) {
		r->echoed = now.boot;
		punch(t, now, r, out);
	}
	if (!route_carries(r)) {
		r->state = ROUTE_BOUND;
		first = true;
	}
	/* the second time because the other end, told when we were, may be bound only now */
	if (first)
		tunnel_bound(t, now, r, out);
	return V_ANSWERED;
}

enum verdict punch_input(struct tunnel *t, struct now now, uint8_t *p, size_t n,
			 const struct msg_header *h, const struct exts *x,
			 const struct addr *from, const struct addr *to, struct outbox *out)
{
	struct route *r = route_find(&t->routes, from);
	bool relay = r && route_is_relay(r);
	struct session *s = relay ? &t->routes.relay : &t->signal;
	struct msg_punch m;
	struct bytes body;
	uint64_t stamp;
	enum verdict v;

	if (relay && h->type == TYPE_HOLE_PUNCHING)
		return V_DROP_TYPE;
	if (h->flags != s->flags)
		return V_DROP_FLAG;
	v = session_open(s, cloud_ms(t->cloud, now), p, n, h, x, &body, &stamp);
	if (v != V_PASSED)
		return v;
	if (h->type == TYPE_HOLE_PUNCHING && stamp + PUNCH_LIFE < cloud_ms(t->cloud, now))
		return V_DROP_STALE;
	if (msg_read_punch(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	if (relay)
		return on_relay_ack(t, now, r, &m, to, out);
	if (h->type == TYPE_HOLE_PUNCHING)
		return on_punch(t, now, h, &m, from, to, out);
	return on_ack(t, now, &m, from, to);
}

/* ---- time ---- */

/* Would it be taken if it worked? */
static bool is_wanted(const struct tunnel *t, const struct route *r)
{
	const struct route *used = route_used(t);

	if (route_is_relay(r))
		return !r->bound && !is_bound_elsewhere(&t->routes, r);
	if (r == used && r->state == ROUTE_WORKS)
		return route_is_suspected(&t->routes);
	return r->state != ROUTE_WORKS &&
	       (!used || used->state != ROUTE_WORKS || r->kind > used->kind);
}

static bool wants_better(const struct tunnel *t)
{
	unsigned i;

	for (i = 0; i < t->routes.n; i++)
		if (is_wanted(t, &t->routes.route[i]))
			return true;
	return false;
}

/* What nobody told of and does not work is no way. */
static void forget_found(struct routes *r)
{
	unsigned i;

	for (i = r->n; i-- > 0; ) {
		if (!r->route[i].found || r->route[i].state == ROUTE_WORKS || (int)i == r->used)
			continue;
		r->route[i] = r->route[--r->n];
		if (r->used == (int8_t)r->n)
			r->used = (int8_t)i;
	}
}

static void end_burst(struct tunnel *t, struct now now)
{
	struct routes *r = &t->routes;
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (r->route[i].state == ROUTE_TRYING)
			r->route[i].state = ROUTE_FAILED;
	forget_found(r);
	r->punch = NEVER;
	r->burst = now.boot + (t->state == TUNNEL_UP ? t->rules.punch : BURST_SOON);
}

static void tick_burst(struct tunnel *t, struct now now, struct outbox *out)
{
	struct routes *r = &t->routes;
	unsigned i;

	if (r->tries >= PUNCH_TRIES) {
		end_burst(t, now);
		return;
	}
	for (i = 0; i < r->n; i++)
		if (is_wanted(t, &r->route[i]))
			punch(t, now, &r->route[i], out);
	r->punch = now.boot + (PUNCH_FIRST << r->tries);
	r->tries++;
}

/* Nobody asks for a better way of a path that rests. */
static void tick_again(struct tunnel *t, struct now now, struct outbox *out)
{
	struct routes *r = &t->routes;
	bool rests = t->state == TUNNEL_UP && now.boot - t->used >= t->rules.punch;

	r->burst = now.boot + t->rules.punch;
	if (rests || !wants_better(t))
		return;
	r->tries = 0;
	r->began = r->punch = now.boot;
	r->burst = NEVER;
	if (t->state == TUNNEL_UP)
		tunnel_say_punching(t, now, out);
	tick_burst(t, now, out);
}

void punch_check(struct tunnel *t, struct now now, struct outbox *out)
{
	struct route *r;

	for (r = t->routes.route; r < t->routes.route + t->routes.n; r++)
		if (route_carries(r))
			punch(t, now, r, out);
	t->routes.checked = now.boot;
}

void punch_asked(struct tunnel *t, struct now now, struct outbox *out)
{
	if (t->routes.used >= 0)
		route_suspect(t, now);
	if (now.boot - t->routes.checked >= CHECK_LEAST)
		punch_check(t, now, out);
}

/*
 * NAPTs, firewalls and the TRS forget who is silent.  Of the direct ways only the one in use is
 * kept open: the others can be opened again.
 */
static void tick_keep(struct tunnel *t, struct now now, struct outbox *out)
{
	struct routes *r = &t->routes;
	unsigned i;

	for (i = 0; i < r->n; i++) {
		struct route *w = &r->route[i];

		if (!route_carries(w) || ((int)i != r->used && !route_is_relay(w)))
			continue;
		if ((int)i == r->used || now.boot <= w->heard + 2 * t->rules.keepalive) {
			punch(t, now, w, out);
			continue;
		}
		route_fail(w);
		r->burst = MIN(r->burst, now.boot);	/* another instead, if it is wanted */
	}
	r->keep = now.boot + t->rules.keepalive;
}

void punch_tick(struct tunnel *t, struct now now, struct outbox *out)
{
	struct routes *r = &t->routes;

	if (now.boot >= r->punch)
		tick_burst(t, now, out);
	if (now.boot >= r->keep)
		tick_keep(t, now, out);
	if (now.boot >= r->burst)
		tick_again(t, now, out);
}

uint64_t punch_expiry(const struct tunnel *t)
{
	const struct routes *r = &t->routes;

	return MIN(r->punch, MIN(r->burst, r->keep));
}
