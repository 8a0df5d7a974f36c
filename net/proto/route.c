/* route.c - the ways of one path: binding at the relay, punching, and which one is used. */
#include "net/proto/route.h"
#include "net/proto/tunnel.h"

#define PUNCH_FIRST (100 * MS)	/* between the first two Hole Punchings of a burst; doubled each time */
#define PUNCH_TRIES 5
#define BURST_SOON (1 * SEC)	/* while there is none at all */
#define BURST_LEAST (5 * SEC)	/* between two of them, whoever wants one */
#define PUNCH_LIFE (10 * SEC / MS)	/* cloud ms: an older Hole Punching is a replay or no use */
#define FOUND_LEAST (200 * MS)	/* between two ways that were found */
#define SUSPECT_LIFE (1 * SEC)	/* the other end talks by another way, and ours gives no answer */
#define CHECK_LEAST (1 * SEC)	/* between two looks that the other end causes */
#define ROUND_TRIP (2 * SEC)	/* an answer takes no longer */

const char *route_kind_name(enum route_kind k)
{
	static const char *const name[ROUTE_KINDS] = { "relay4", "relay6", "direct4", "direct6",
						       "lan" };

	return name[k];
}

const char *route_state_name(enum route_state s)
{
	static const char *const name[] = { "new", "trying", "bound", "works", "failed" };

	return name[s];
}

/* ---- the ways there are ---- */

static enum route_kind kind_of(uint8_t candidate_kind, const struct addr *a)
{
	if (candidate_kind == CANDIDATE_REAL)
		return ROUTE_LAN;
	if (candidate_kind == CANDIDATE_RELAY)
		return a->family == 6 ? ROUTE_RELAY6 : ROUTE_RELAY4;
	return a->family == 6 ? ROUTE_DIRECT6 : ROUTE_DIRECT4;
}

static struct route *find(struct routes *r, const struct addr *remote)
{
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (addr_equal(&r->route[i].remote, remote))
			return &r->route[i];
	return NULL;
}

struct route route_back(const struct tunnel *t, const struct addr *from, const struct addr *to)
{
	const struct route *r = find((struct routes *)(uintptr_t)&t->routes, from);
	struct route back = { .kind = kind_of(CANDIDATE_MAPPED, from), .remote = *from };

	if (r)
		back = *r;
	back.local = *to;
	return back;
}

static struct route *add(struct routes *r, enum route_kind kind, const struct addr *remote)
{
	struct route *n = NULL;
	unsigned i;

	if (find(r, remote))
		return NULL;
	/* one that was found makes room for another */
	for (i = 0; i < r->n && r->n == ROUTES; i++)
		if (r->route[i].found && (int)i != r->used)
			n = &r->route[i];
	if (!n && r->n < ROUTES)
		n = &r->route[r->n++];
	if (!n)
		return NULL;
	memset(n, 0, sizeof *n);
	n->kind = kind;
	n->remote = *remote;
	return n;
}

void route_open(struct tunnel *t, struct now now)
{
	const struct tunnel_setup *s = &t->setup;
	struct routes *r = &t->routes;
	struct relay_key key;
	unsigned i;

	memset(r, 0, sizeof *r);
	r->used = -1;
	r->has_relay = !id_is_zero(&s->relay);
	for (i = 0; i < s->candidates; i++)
		if (s->candidate[i].kind != CANDIDATE_RELAY || r->has_relay)
			add(r, kind_of(s->candidate[i].kind, &s->candidate[i].addr),
			    &s->candidate[i].addr);
	if (r->has_relay) {
		keys_relay(&key, &s->tunnel_key, &s->relay);
		session_relay(&r->relay, &key, &s->path, s->initiator, false);
		wipe(&key, sizeof key);
	}
	r->began = r->punch = now.boot;
	r->burst = NEVER;
	r->keep = now.boot + t->rules.keepalive;
}

void route_close(struct tunnel *t)
{
	if (t->routes.has_relay)
		session_free(&t->routes.relay);
	t->routes.has_relay = false;
	t->routes.used = -1;
}

const struct route *route_used(const struct tunnel *t)
{
	return t->routes.used < 0 ? NULL : &t->routes.route[t->routes.used];
}

bool route_carries(const struct route *r)
{
	return r->state == ROUTE_WORKS || r->state == ROUTE_BOUND;
}

uint8_t route_token(const struct tunnel *t, struct now now, const struct route *r)
{
	return route_is_relay(r) ? tokens_at(t->tokens, cloud_ms(t->cloud, now)) : 0;
}

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

/* ---- which one is used ---- */

static bool is_better(const struct route *a, const struct route *than)
{
	if (!than || than->state != ROUTE_WORKS)
		return true;
	/* of two alike, the one that answered when the other had long been silent */
	return a->kind > than->kind || (a->kind == than->kind && than->heard < a->sent);
}

static void choose(struct tunnel *t)
{
	struct routes *r = &t->routes;
	int8_t best = r->used;
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (r->route[i].state == ROUTE_WORKS && (int)i != best &&
		    is_better(&r->route[i], best < 0 ? NULL : &r->route[best]))
			best = (int8_t)i;
	if (best < 0)
		return;
	t->remote = r->route[best].remote;
	t->local = r->route[best].local;
	if (best == r->used)
		return;
	r->used = best;
	r->changes++;
	t->rtt = r->route[best].rtt;
}

static void fail(struct route *r)
{
	r->state = ROUTE_FAILED;
	r->bound = false;
}

static void works(struct tunnel *t, struct now now, struct route *r, const struct addr *to)
{
	r->state = ROUTE_WORKS;
	r->heard = r->answered = now.boot;
	r->local = *to;
	choose(t);
}

/* A way nobody told of: it has to prove itself like the others, soon. */
static struct route *found(struct tunnel *t, struct now now, const struct addr *from,
			   const struct addr *to)
{
	struct routes *r = &t->routes;
	struct route *n;

	if (r->used >= 0 && now.boot - r->found < FOUND_LEAST)
		return NULL;
	n = add(r, kind_of(CANDIDATE_MAPPED, from), from);
	if (!n)
		return NULL;
	n->found = true;
	n->local = *to;
	r->found = now.boot;
	return n;
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

void route_burst(struct tunnel *t, struct now now)
{
	struct routes *r = &t->routes;

	if (r->punch != NEVER || now.boot - r->began < BURST_LEAST)
		return;
	r->tries = 0;
	r->began = r->punch = now.boot;
	r->burst = NEVER;
}

/* Some more, by the ways that are wanted. */
static void punch_soon(struct routes *r, struct now now, uint8_t times)
{
	if (r->punch == NEVER)
		r->tries = PUNCH_TRIES - times;
	r->punch = MIN(r->punch, now.boot);
}

void route_doubt(struct tunnel *t, struct now now)
{
	struct routes *r = &t->routes;
	unsigned i;

	if (r->used < 0 || r->route[r->used].state != ROUTE_WORKS)
		return;
	fail(&r->route[r->used]);
	/* nor are those that were not kept open still what they were */
	for (i = 0; i < r->n; i++)
		if (r->route[i].state == ROUTE_WORKS &&
		    now.boot - r->route[i].heard > 2 * t->rules.keepalive)
			fail(&r->route[i]);
	choose(t);
	route_burst(t, now);
}

static bool is_suspected(const struct routes *all)
{
	return all->used >= 0 && all->suspect > all->route[all->used].answered;
}

/*
 * The other end talks by another way than ours, or asks whether we are there.  Perhaps because
 * what we send by ours does not arrive, which nobody else can tell us: what comes by it sounds
 * well.
 */
static void suspect(struct tunnel *t, struct now now)
{
	struct routes *all = &t->routes;
	const struct route *used = &all->route[all->used];

	if (route_is_relay(used) || now.boot - used->answered < SUSPECT_LIFE)
		return;
	if (!is_suspected(all)) {
		all->suspect = now.boot;
		punch_soon(all, now, PUNCH_TRIES - 1);
	} else if (now.boot - all->suspect >= SUSPECT_LIFE + used->rtt) {
		route_doubt(t, now);
	}
}

void route_heard(struct tunnel *t, struct now now, const struct addr *from,
		 const struct addr *to, bool answer)
{
	struct routes *all = &t->routes;
	struct route *used = all->used < 0 ? NULL : &all->route[all->used], *r;

	if (used && addr_equal(&used->remote, from)) {
		used->heard = now.boot;
		return;
	}
	r = find(all, from);
	if (r && used && !answer)
		suspect(t, now);
	if (!r)
		r = found(t, now, from, to);
	if (!r)
		return;
	/*
	 * Through a relay nothing comes unless both ends are bound there.  Where nobody told of an
	 * answer may be a copy that was quicker than the original: only a challenge tells.
	 */
	if ((answer && (!r->found || r->state == ROUTE_WORKS)) || route_is_relay(r)) {
		works(t, now, r, to);
	} else if (r->state != ROUTE_WORKS) {
		r->local = *to;
		/* whatever comes says so, and much may come before we are answered */
		if (now.boot - r->sent >= PUNCH_FIRST)
			punch_soon(all, now, 3);
	}
}

/* ---- Hole Punching and ACK ---- */

static enum verdict on_punch(struct tunnel *t, struct now now, const struct msg_header *h,
			     const struct msg_punch *m, const struct addr *from,
			     const struct addr *to, struct outbox *out)
{
	struct msg_punch ack = { .echo = m->challenge, .family = from->family, .port = from->port };
	struct route *r = find(&t->routes, from), back = route_back(t, from, to);

	memcpy(ack.ip, from->ip, sizeof ack.ip);
	send_punch(t, now, &back, TYPE_ACK, h->transaction, &ack, out);
	if (!r)
		r = found(t, now, from, to);
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
	struct route *r = find(&t->routes, from);

	if (!r || !answers(r, now, m))
		return V_DROP_STATE;
	works(t, now, r, to);
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

enum verdict route_input(struct tunnel *t, struct now now, uint8_t *p, size_t n,
			 const struct msg_header *h, const struct exts *x,
			 const struct addr *from, const struct addr *to, struct outbox *out)
{
	struct route *r = find(&t->routes, from);
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
		return is_suspected(&t->routes);
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

void route_check(struct tunnel *t, struct now now, struct outbox *out)
{
	struct route *r;

	for (r = t->routes.route; r < t->routes.route + t->routes.n; r++)
		if (route_carries(r))
			punch(t, now, r, out);
	t->routes.checked = now.boot;
}

void route_asked(struct tunnel *t, struct now now, struct outbox *out)
{
	if (t->routes.used >= 0)
		suspect(t, now);
	if (now.boot - t->routes.checked >= CHECK_LEAST)
		route_check(t, now, out);
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
		fail(w);
		r->burst = MIN(r->burst, now.boot);	/* another instead, if it is wanted */
	}
	r->keep = now.boot + t->rules.keepalive;
}

void route_tick(struct tunnel *t, struct now now, struct outbox *out)
{
	struct routes *r = &t->routes;

	if (now.boot >= r->punch)
		tick_burst(t, now, out);
	if (now.boot >= r->keep)
		tick_keep(t, now, out);
	if (now.boot >= r->burst)
		tick_again(t, now, out);
}

uint64_t route_expiry(const struct tunnel *t)
{
	const struct routes *r = &t->routes;

	return MIN(r->punch, MIN(r->burst, r->keep));
}
