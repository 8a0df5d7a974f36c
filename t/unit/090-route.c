/* The ways of one path at one end, against a scripted other end and TRS: binding, punching, choice. */
#include "t/tap.h"
#include "net/proto/punch.h"
#include "net/proto/tunnel.h"

#define CLOUD 1800000000000ull		/* ms, when boot time is 0 */
#define START (1000 * SEC)
#define KEEPALIVE (20 * SEC)
#define SENT_MAX 512

struct sent {
	struct addr to;
	uint8_t type, token;
	uint64_t at;			/* boot time */
	size_t n;
	struct msg_punch m;		/* types 2 and 21, as the receiver reads them */
};

struct message {
	size_t n;
	uint8_t p[DATAGRAM_MAX];
};

struct scene {
	struct tunnel t;
	struct tunnel_setup setup;
	struct session peer, trs;	/* the other sides */
	struct tokens tokens;
	struct cloud cloud;
	struct now now;
	struct outbox out;
	struct sent sent[SENT_MAX];
	unsigned n;
	unsigned stuck;			/* ticks that left their deadline in the past */
	struct message last;		/* that was heard */
};

static const struct addr here = { .family = 4, .ip = { 10, 0, 0, 9 }, .port = 4503 };

/* Of the candidates: number n of a kind of way. */
static struct addr place(enum route_kind k, uint8_t n)
{
	struct addr a = { .port = 4503 };

	a.family = k == ROUTE_RELAY6 || k == ROUTE_DIRECT6 ? 6 : 4;
	memcpy(a.ip, a.family == 6 ? (uint8_t[]){ 0x20, 1, 0xd, 0xb8 } :
				     (uint8_t[]){ 192, 0, 2, 0 }, 4);
	a.ip[a.family == 6 ? 14 : 2] = (uint8_t)k;
	a.ip[a.family == 6 ? 15 : 3] = n;
	return a;
}

/* ---- what is sent ---- */

static void open_punch(struct scene *s, struct sent *to, const uint8_t *p, size_t n)
{
	bool relay = addr_equal(&to->to, &(struct addr){ 0 });
	uint8_t copy[DATAGRAM_MAX];
	struct msg_header h;
	struct bytes body;
	struct exts x;
	uint64_t stamp;
	unsigned i;

	for (i = 0; i < s->t.routes.n; i++)
		if (addr_equal(&s->t.routes.route[i].remote, &to->to))
			relay = route_is_relay(&s->t.routes.route[i]);
	memcpy(copy, p, n);
	if (gate_check(copy, n, &h, &x) != V_PASSED ||
	    session_open(relay ? &s->trs : &s->peer, cloud_ms(&s->cloud, s->now), copy, n, &h, &x,
			 &body, &stamp) != V_PASSED ||
	    msg_read_punch(&to->m, body.p, body.n) != (long)body.n)
		to->type = 0;
}

static void take(struct outbox *out)
{
	struct scene *s = out->owner;
	unsigned i;

	for (i = 0; i < out->n && s->n < SENT_MAX; i++) {
		const struct out_item *item = &out->item[i];
		struct sent *to = &s->sent[s->n++];

		*to = (struct sent){ .to = item->to, .type = item->buf[6], .at = s->now.boot,
				     .token = item->buf[15], .n = item->len };
		if (to->type == TYPE_HOLE_PUNCHING || to->type == TYPE_ACK)
			open_punch(s, to, item->buf, item->len);
	}
	out->n = 0;
	out->used = 0;
}

static unsigned count(const struct scene *s, uint8_t type, const struct addr *to)
{
	unsigned i, n = 0;

	for (i = 0; i < s->n; i++)
		n += s->sent[i].type == type && (!to || addr_equal(&s->sent[i].to, to));
	return n;
}

/* The newest of that type sent there; all zero: none. */
static struct sent newest(const struct scene *s, uint8_t type, const struct addr *to)
{
	unsigned i = s->n;

	while (i-- > 0)
		if (s->sent[i].type == type && addr_equal(&s->sent[i].to, to))
			return s->sent[i];
	return (struct sent){ .n = 0 };
}

/* Time passes, from deadline to deadline; what was sent before is forgotten. */
static void pass(struct scene *s, uint64_t us)
{
	uint64_t end = s->now.boot + us, at;

	s->n = 0;
	while ((at = punch_expiry(&s->t)) <= end && !s->stuck) {
		s->now.boot = MAX(at, s->now.boot);
		punch_tick(&s->t, s->now, &s->out);
		take(&s->out);
		s->stuck += punch_expiry(&s->t) <= s->now.boot;
	}
	s->now.boot = end;
}

/* ---- what is heard ---- */

static enum verdict give(struct scene *s, const struct message *m, const struct addr *from)
{
	uint8_t copy[DATAGRAM_MAX];
	struct msg_header h;
	struct exts x;
	enum verdict v;

	memcpy(copy, m->p, m->n);
	v = gate_check(copy, m->n, &h, &x);
	if (v == V_PASSED)
		v = punch_input(&s->t, s->now, copy, m->n, &h, &x, from, &here, &s->out);
	take(&s->out);
	return v;
}

static enum verdict hear_at(struct scene *s, struct session *by, uint64_t ms, uint8_t type,
			    const struct msg_punch *m, const struct addr *from)
{
	uint8_t body[MSG_SIZE_punch];

	msg_write_punch(body, sizeof body, m);
	s->last.n = session_seal(by, ms, 7, type, 0, body, sizeof body, s->last.p);
	return give(s, &s->last, from);
}

static enum verdict hear(struct scene *s, struct session *by, uint8_t type, uint64_t challenge,
			 uint64_t echo, bool bound, const struct addr *from)
{
	struct msg_punch m = { .challenge = challenge, .echo = echo, .bound = bound };

	return hear_at(s, by, cloud_ms(&s->cloud, s->now), type, &m, from);
}

/* The other end punches from there. */
static enum verdict punched(struct scene *s, const struct addr *from)
{
	return hear(s, &s->peer, TYPE_HOLE_PUNCHING, 99, 0, false, from);
}

/* It answers the newest Hole Punching that went there. */
static enum verdict acked(struct scene *s, const struct addr *from)
{
	return hear(s, &s->peer, TYPE_ACK, 0,
		    newest(s, TYPE_HOLE_PUNCHING, from).m.challenge, false, from);
}

/* So does the TRS. */
static enum verdict relay_acks(struct scene *s, uint64_t challenge, bool bound,
			       const struct addr *from)
{
	return hear(s, &s->trs, TYPE_ACK, challenge,
		    newest(s, TYPE_HOLE_PUNCHING, from).m.challenge, bound, from);
}

/* ---- scenes ---- */

static void scene(struct scene *s, bool initiator)
{
	uint8_t *scratch = s->out.scratch;

	memset(s, 0, sizeof *s);
	s->out.scratch = scratch ? scratch : malloc(OUTBOX_SCRATCH);
	s->out.flush = take;
	s->out.owner = s;
	s->now.boot = START;
	s->cloud.offset = (int64_t)(CLOUD * MS);
	memset(&s->setup.path, 5, sizeof s->setup.path);
	memset(&s->setup.tunnel_key, 6, sizeof s->setup.tunnel_key);
	s->setup.initiator = initiator;
	s->setup.expiry = cloud_ms(&s->cloud, s->now) + 86400000;
	tokens_init(&s->tokens, &(struct secret_common_value){ { 1 } });
}

static void add(struct scene *s, enum route_kind k, uint8_t n)
{
	struct candidate *c = &s->setup.candidate[s->setup.candidates++];

	c->kind = k == ROUTE_LAN ? ADDRESS_REAL : k <= ROUTE_RELAY6 ? ADDRESS_SERVICE :
		  ADDRESS_MAPPED;
	c->addr = place(k, n);
	if (k <= ROUTE_RELAY6)
		memset(&s->setup.relay, 4, sizeof s->setup.relay);
}

static void begin(struct scene *s)
{
	static const struct tunnel_rules rules = {
		.suites = 1 << AEAD_AES128_GCM, .preferred = AEAD_AES128_GCM, .mtu = 1404,
		.rekey_after = 120 * SEC, .rekey_packets = 1 << 27, .idle = 3600 * SEC,
		.keepalive = KEEPALIVE, .punch = 60 * SEC,
	};
	uint8_t priv[2][32];
	struct relay_key key;

	x25519_make(s->setup.own.x25519, priv[0]);
	x25519_make(s->setup.peer.x25519, priv[1]);
	tunnel_open(&s->t, &s->setup, &(struct tunnel_host){ &rules, priv[0], &s->cloud, &s->tokens },
		    s->now);
	session_tunnel(&s->peer, &s->setup.tunnel_key, &s->setup.path, !s->setup.initiator);
	keys_relay(&key, &s->setup.tunnel_key, &s->setup.relay);
	session_relay(&s->trs, &key, &s->setup.path, s->setup.initiator, true);
}

/* The tunnel stands: what only the search is asked for. */
static void come_up(struct scene *s)
{
	struct traffic_secret a = { { 1 } }, b = { { 2 } };

	s->t.keys.suite = AEAD_AES128_GCM;
	keyring_install(&s->t.keys, 0, &a, &b, s->now.boot);
	s->t.state = TUNNEL_UP;
	s->t.used = s->now.boot;
}

static void end(struct scene *s)
{
	ok(!s->stuck, "no deadline stayed in the past");
	tunnel_wipe(&s->t);
	session_free(&s->peer);
	session_free(&s->trs);
}

static const struct route *way(const struct scene *s, const struct addr *a)
{
	static const struct route none;
	unsigned i;

	for (i = 0; i < s->t.routes.n; i++)
		if (addr_equal(&s->t.routes.route[i].remote, a))
			return &s->t.routes.route[i];
	return &none;
}

static bool goes(const struct scene *s, const struct addr *a)
{
	const struct route *r = route_used(&s->t);

	return r && addr_equal(&r->remote, a) && addr_equal(&s->t.remote, a);
}

/* ---- binding ---- */

static void binding(struct scene *s)
{
	struct addr relay = place(ROUTE_RELAY4, 1), peer = place(ROUTE_DIRECT4, 1);
	struct sent first, echo;

	scene(s, true);
	add(s, ROUTE_DIRECT4, 1);
	add(s, ROUTE_RELAY4, 1);
	begin(s);
	pass(s, 0);
	first = newest(s, TYPE_HOLE_PUNCHING, &relay);
	ok(s->n == 2 && first.m.challenge && !first.m.echo && first.token &&
	   newest(s, TYPE_HOLE_PUNCHING, &peer).n == first.n &&
	   !newest(s, TYPE_HOLE_PUNCHING, &peer).token,
	   "a Hole Punching to each, of one length; the one to the TRS has a token");
	ok(hear(s, &s->trs, TYPE_ACK, 0, first.m.challenge, false, &relay) == V_DROP_STATE &&
	   way(s, &relay)->state == ROUTE_TRYING, "an ACK of the TRS without a challenge is no answer");
	s->n = 0;
	exchange_step(&s->t.request, s->now);
	ok(hear(s, &s->trs, TYPE_ACK, 77, first.m.challenge, false, &relay) == V_ANSWERED && s->n == 2 &&
	   s->sent[0].type == TYPE_HOLE_PUNCHING && s->sent[0].m.echo == 77 &&
	   s->sent[1].type == TYPE_TUNNEL_REQUEST && addr_equal(&s->sent[0].to, &relay) &&
	   addr_equal(&s->sent[1].to, &relay) && s->sent[1].token,
	   "its challenge is echoed, and the Tunnel Request follows on the same way");
	ok(way(s, &relay)->state == ROUTE_BOUND && route_used(&s->t) == NULL,
	   "bound, but what comes of it is not known yet");
	pass(s, 500 * MS);
	echo = newest(s, TYPE_HOLE_PUNCHING, &relay);
	ok(echo.m.echo == 77, "until the TRS says bound the echo is sent again");
	s->n = 0;
	hear(s, &s->trs, TYPE_ACK, 78, echo.m.challenge, true, &relay);
	ok(s->n == 1 && count(s, TYPE_TUNNEL_REQUEST, &relay) == 1,
	   "it says so: once more the Tunnel Request, as the other end may be bound only now");
	pass(s, 5 * SEC);
	ok(count(s, TYPE_HOLE_PUNCHING, &relay) == 0 && count(s, TYPE_HOLE_PUNCHING, &peer) > 0,
	   "and it is left alone until the next Keep Alive, the other end is not");
	pass(s, KEEPALIVE);
	ok(count(s, TYPE_HOLE_PUNCHING, &relay) == 1 &&
	   newest(s, TYPE_HOLE_PUNCHING, &relay).m.echo == 78, "which echoes the newest challenge");
	s->n = 0;
	pass(s, 0);
	end(s);
}

/* A NAPT with another port for each datagram, or a TRS that never says bound. */
static void never_bound(struct scene *s)
{
	struct addr relay = place(ROUTE_RELAY4, 1);
	unsigned i, sent = 0;

	scene(s, false);
	add(s, ROUTE_RELAY4, 1);
	begin(s);
	pass(s, 0);
	for (i = 0; i < 1000; i++) {
		s->now.boot += MS;
		relay_acks(s, 1000 + i, false, &relay);
		sent = count(s, TYPE_HOLE_PUNCHING, &relay);
	}
	ok(sent == 2, "an echo that does not bind is not sent again for each answer (%u)", sent);
	end(s);
}

static void bound_again(struct scene *s)
{
	struct addr relay = place(ROUTE_RELAY4, 1), relay6 = place(ROUTE_RELAY6, 1);

	scene(s, false);
	add(s, ROUTE_RELAY6, 1);
	add(s, ROUTE_RELAY4, 1);
	begin(s);
	pass(s, 0);
	relay_acks(s, 77, false, &relay);
	relay_acks(s, 78, false, &relay6);
	ok(count(s, TYPE_HOLE_PUNCHING, &relay) == 2 && count(s, TYPE_HOLE_PUNCHING, &relay6) == 1 &&
	   count(s, TYPE_TUNNEL_REQUEST, NULL) == 0,
	   "of two families of a TRS the first to answer is bound, by the responder without a request");
	relay_acks(s, 79, true, &relay);
	pass(s, KEEPALIVE);
	ok(relay_acks(s, 80, false, &relay) == V_ANSWERED &&
	   newest(s, TYPE_HOLE_PUNCHING, &relay).m.echo == 80,
	   "a Keep Alive finds it unbound (our address is another): it is echoed at once");
	relay_acks(s, 81, true, &relay);
	s->now.boot += 1000;
	pass(s, 5 * KEEPALIVE);
	ok(way(s, &relay)->state != ROUTE_BOUND && count(s, TYPE_HOLE_PUNCHING, &relay6) > 0,
	   "when it is silent for two Keep Alives the other family is tried");
	relay_acks(s, 82, false, &relay6);
	ok(way(s, &relay6)->state == ROUTE_BOUND, "and bound");
	relay_acks(s, 83, true, &relay6);
	ok(hear(s, &s->trs, TYPE_ACK, 84, 12345, true, &relay) == V_DROP_STATE,
	   "an answer to nothing is none");
	end(s);
}

/* ---- sending again ---- */

static void repeated(struct scene *s)
{
	static const uint64_t want[] = { 0, 100, 300, 700, 1500 };
	struct addr peer = place(ROUTE_DIRECT4, 1);
	unsigned i, good = 0;

	scene(s, false);
	add(s, ROUTE_DIRECT4, 1);
	begin(s);
	pass(s, 3 * SEC);
	for (i = 0; i < s->n && s->n == ARRAY_SIZE(want); i++)
		good += s->sent[i].at == START + want[i] * MS;
	ok(good == ARRAY_SIZE(want), "a Hole Punching is sent five times, later and later");
	pass(s, 200 * MS);
	ok(way(s, &peer)->state == ROUTE_FAILED, "then the way has failed for now");
	pass(s, 2 * SEC);
	ok(count(s, TYPE_HOLE_PUNCHING, &peer) > 0, "where there is no way at all the next burst is soon");
	come_up(s);
	pass(s, 30 * SEC);
	s->t.used = s->now.boot;
	pass(s, 70 * SEC);
	s->t.used = s->now.boot;
	pass(s, 63100 * MS);
	ok(count(s, TYPE_HOLE_PUNCHING, &peer) == 5, "where there is one it is a minute later");
	pass(s, 600 * SEC);
	ok(count(s, TYPE_HOLE_PUNCHING, &peer) <= 5, "and none while nobody uses the path");
	end(s);
}

static void slow_line(struct scene *s)
{
	struct addr peer = place(ROUTE_DIRECT4, 1);
	uint64_t first;

	scene(s, false);
	add(s, ROUTE_DIRECT4, 1);
	begin(s);
	pass(s, 0);
	first = newest(s, TYPE_HOLE_PUNCHING, &peer).m.challenge;
	pass(s, 350 * MS);
	ok(count(s, TYPE_HOLE_PUNCHING, &peer) == 2 &&
	   hear(s, &s->peer, TYPE_ACK, 0, first, false, &peer) == V_ANSWERED && goes(s, &peer) &&
	   !way(s, &peer)->rtt, "the answer to the first counts though others followed; "
	   "how long it took nobody knows");
	pass(s, KEEPALIVE);
	s->now.boot += 120 * MS;
	ok(newest(s, TYPE_HOLE_PUNCHING, &peer).m.challenge != first && acked(s, &peer) == V_ANSWERED &&
	   way(s, &peer)->rtt > 0, "a Keep Alive has a challenge of its own, and tells the round trip");
	end(s);
}

/* ---- lies ---- */

static void false_acks(struct scene *s)
{
	struct addr peer = place(ROUTE_DIRECT4, 1), relay = place(ROUTE_RELAY4, 1);
	struct addr other = place(ROUTE_DIRECT6, 1), stranger = place(ROUTE_DIRECT4, 66);
	struct tunnel_key wrong = { { 3 } };
	struct session liar;
	struct message first;
	uint64_t c;

	scene(s, false);
	add(s, ROUTE_DIRECT6, 1);
	add(s, ROUTE_DIRECT4, 1);
	add(s, ROUTE_RELAY4, 1);
	begin(s);
	session_tunnel(&liar, &wrong, &s->setup.path, true);
	pass(s, 0);
	c = newest(s, TYPE_HOLE_PUNCHING, &peer).m.challenge;
	ok(hear(s, &liar, TYPE_ACK, 0, c, false, &peer) == V_DROP_TAG, "an ACK under another key is none");
	ok(hear(s, &s->peer, TYPE_ACK, 0, c + 1, false, &peer) == V_DROP_STATE &&
	   hear(s, &s->peer, TYPE_ACK, 0, 0, false, &peer) == V_DROP_STATE,
	   "nor is one with another echo, or none");
	ok(hear(s, &s->peer, TYPE_ACK, 0, c, false, &other) == V_DROP_STATE,
	   "nor one that came by another way");
	ok(hear(s, &s->peer, TYPE_ACK, 0, c, false, &stranger) == V_DROP_STATE &&
	   !way(s, &stranger)->remote.family, "or from somewhere else, which is not remembered");
	ok(hear(s, &s->peer, TYPE_ACK, 0, c, false, &relay) != V_ANSWERED &&
	   hear(s, &s->trs, TYPE_ACK, 5, c, false, &peer) != V_ANSWERED,
	   "what the one could say counts from nowhere where the other is");
	ok(hear(s, &s->trs, TYPE_HOLE_PUNCHING, 5, 0, false, &relay) == V_DROP_TYPE,
	   "a TRS punches nothing");
	ok(!route_used(&s->t), "none of them made a way");
	ok(hear(s, &s->peer, TYPE_ACK, 0, c, false, &peer) == V_ANSWERED && goes(s, &peer),
	   "the right one does");
	first = s->last;
	ok(give(s, &first, &peer) == V_DROP_REPLAY, "a copy of it is a replay");
	ok(hear(s, &s->peer, TYPE_ACK, 0, c, false, &peer) == V_DROP_STATE,
	   "and its challenge is used up");
	ok(s->t.routes.changes == 1, "the way was taken once");
	session_free(&liar);
	end(s);
}

static void strange_punches(struct scene *s)
{
	struct addr peer = place(ROUTE_DIRECT4, 1), stranger = place(ROUTE_DIRECT4, 66), old;
	struct sent ack;

	scene(s, true);
	add(s, ROUTE_DIRECT4, 1);
	begin(s);
	pass(s, 5 * SEC);
	ok(punched(s, &stranger) == V_ANSWERED, "a Hole Punching from where nobody told of is answered");
	ack = newest(s, TYPE_ACK, &stranger);
	ok(ack.m.echo == 99 && ack.n == s->last.n && ack.m.port == stranger.port && !ack.token,
	   "with its challenge and where it came from, no longer than it was");
	ok(way(s, &stranger)->state == ROUTE_TRYING && way(s, &stranger)->found && !route_used(&s->t) &&
	   newest(s, TYPE_HOLE_PUNCHING, &stranger).m.challenge, "and has to prove itself at once");
	s->n = 0;
	ok(give(s, &s->last, &stranger) == V_DROP_REPLAY && s->n == 0, "a copy is not answered");
	old = place(ROUTE_DIRECT4, 67);
	ok(give(s, &s->last, &old) == V_DROP_REPLAY && s->n == 0 && !way(s, &old)->remote.family,
	   "nor from elsewhere");
	pass(s, SEC);
	ok(count(s, TYPE_HOLE_PUNCHING, &stranger) > 0, "what is not answered is sent again");
	ok(acked(s, &stranger) == V_ANSWERED && goes(s, &stranger) &&
	   way(s, &stranger)->kind == ROUTE_DIRECT4 && addr_equal(&s->t.local, &here),
	   "its ACK makes it a way, used from the address that was hit");
	pass(s, 65 * SEC);
	ok(goes(s, &stranger) && way(s, &peer)->remote.family, "it is kept, as the one told of");
	end(s);
}

static void stale(struct scene *s)
{
	struct addr peer = place(ROUTE_DIRECT4, 1);
	struct msg_punch m = { .challenge = 1 };
	struct message held;

	scene(s, true);
	add(s, ROUTE_DIRECT4, 1);
	begin(s);
	pass(s, 0);
	s->last.n = 0;
	hear_at(s, &s->peer, cloud_ms(&s->cloud, s->now), TYPE_HOLE_PUNCHING, &m, &peer);
	ok(newest(s, TYPE_ACK, &peer).n > 0, "a Hole Punching of now is answered");
	/* sealed, and held back by somebody on the way */
	held.n = session_seal(&s->peer, cloud_ms(&s->cloud, s->now), 7, TYPE_HOLE_PUNCHING, 0,
			      (uint8_t[MSG_SIZE_punch]){ 0 }, MSG_SIZE_punch, held.p);
	pass(s, 10500 * MS);
	s->n = 0;
	ok(give(s, &held, &peer) == V_DROP_STALE && s->n == 0,
	   "one that was on its way for more than ten seconds is not");
	end(s);
}

/* ---- ways that were found ---- */

static void many_found(struct scene *s)
{
	struct addr peer = place(ROUTE_DIRECT4, 1), at;
	unsigned i, found = 0;

	scene(s, false);
	add(s, ROUTE_LAN, 1);
	add(s, ROUTE_DIRECT6, 1);
	add(s, ROUTE_DIRECT4, 1);
	add(s, ROUTE_DIRECT4, 1);
	begin(s);
	ok(s->t.routes.n == 3, "a candidate named twice is one way");
	pass(s, 0);
	for (i = 0; i < 40; i++) {
		at = place(ROUTE_DIRECT4, (uint8_t)(100 + i));
		punched(s, &at);
	}
	for (i = 0; i < s->t.routes.n; i++)
		found += s->t.routes.route[i].found;
	ok(s->t.routes.n == ROUTES && found == ROUTES - 3 && way(s, &peer)->remote.family &&
	   way(s, &at)->found, "of many that are found the newest have a place, none of those told goes");
	ok(count(s, TYPE_ACK, NULL) == 40 && count(s, TYPE_HOLE_PUNCHING, NULL) <= 3 + 40,
	   "nobody gets more than two datagrams for one");
	acked(s, &at);
	ok(goes(s, &at), "the one that answers is used");
	come_up(s);
	pass(s, 4 * SEC);
	ok(s->t.routes.n == 4 && goes(s, &at), "after the burst the others are forgotten, and it is not");
	for (i = 0; i < 40; i++) {
		struct addr more = place(ROUTE_DIRECT4, (uint8_t)(150 + i));

		s->now.boot += 10 * MS;
		punched(s, &more);
	}
	for (i = found = 0; i < s->t.routes.n; i++)
		found += s->t.routes.route[i].found;
	ok(found <= 3 && goes(s, &at), "while there is a way they are looked at five times a second");
	pass(s, 4 * SEC);
	ok(s->t.routes.n == 4 && goes(s, &at), "and forgotten again");
	end(s);
}

/* ---- the choice ---- */

static void let_work(struct scene *s, enum route_kind k)
{
	struct addr a = place(k, 1);

	if (k <= ROUTE_RELAY6)
		route_heard(&s->t, s->now, &a, &here, false);
	else
		acked(s, &a);
}

static void all_kinds(struct scene *s, enum route_kind first)
{
	static const enum route_kind told[] = { ROUTE_LAN, ROUTE_DIRECT6, ROUTE_DIRECT4, ROUTE_RELAY6,
						ROUTE_RELAY4 };
	unsigned i;

	scene(s, false);
	for (i = 0; i < ARRAY_SIZE(told); i++)
		add(s, told[i], 1);
	begin(s);
	pass(s, 0);
	if (first < ROUTE_KINDS)
		let_work(s, first);
}

static void choice(struct scene *s)
{
	unsigned k, up = 0, down = 0;
	struct addr lan = place(ROUTE_LAN, 1);

	all_kinds(s, ROUTE_KINDS);
	for (k = 0; k < ROUTE_KINDS; k++) {
		let_work(s, k);
		up += route_used(&s->t) && route_used(&s->t)->kind == k;
	}
	ok(up == ROUTE_KINDS && s->t.routes.changes == ROUTE_KINDS,
	   "relay4, relay6, direct4, direct6, lan: each is taken instead of the one before");
	end(s);
	all_kinds(s, ROUTE_LAN);
	for (k = ROUTE_LAN; k-- > 0; ) {
		let_work(s, k);
		down += goes(s, &lan);
	}
	ok(down == ROUTE_LAN && s->t.routes.changes == 1, "none of a worse kind is");
	for (k = ROUTE_LAN; k-- > 0; ) {
		route_doubt(&s->t, s->now);
		up += route_used(&s->t)->kind == k;
	}
	ok(up == 2 * ROUTE_KINDS - 1, "each that falls silent gives way to the next best");
	route_doubt(&s->t, s->now);
	ok(route_used(&s->t) && route_used(&s->t)->kind == ROUTE_RELAY4,
	   "the last is kept for want of a better one");
	end(s);
}

/* ---- silence ---- */

static void keepalives(struct scene *s)
{
	struct addr lan = place(ROUTE_LAN, 1), d4 = place(ROUTE_DIRECT4, 1);
	struct addr relay = place(ROUTE_RELAY4, 1);
	unsigned i, good = 0;

	all_kinds(s, ROUTE_LAN);
	let_work(s, ROUTE_DIRECT4);
	relay_acks(s, 5, true, &relay);
	come_up(s);
	pass(s, KEEPALIVE - 1);
	for (i = 0; i < 4; i++) {
		pass(s, KEEPALIVE);
		good += count(s, TYPE_HOLE_PUNCHING, &lan) == 1 && count(s, TYPE_HOLE_PUNCHING, &d4) == 0 &&
			count(s, TYPE_HOLE_PUNCHING, &relay) == 1;
		s->t.used = s->now.boot;
		acked(s, &lan);
		if (i < 2)
			relay_acks(s, 5, true, &relay);
	}
	ok(good == 4, "the way in use and the relay are used once in each Keep Alive time, others not");
	pass(s, KEEPALIVE);
	acked(s, &lan);
	ok(!route_carries(way(s, &relay)) && way(s, &lan)->state == ROUTE_WORKS,
	   "a relay that is silent for two of them has failed");
	for (i = 0; i < 100; i++)
		punched(s, &lan);
	ok(count(s, TYPE_HOLE_PUNCHING, &lan) <= 1, "Hole Punching by a way that works is answered by "
	   "ACK alone: two ends do not keep each other busy");
	route_doubt(&s->t, s->now);
	ok(goes(s, &lan) && way(s, &d4)->state == ROUTE_FAILED,
	   "the one in use falls silent: one that was not kept open is not trusted either");
	end(s);
}

static void suspicion(struct scene *s)
{
	struct addr d4 = place(ROUTE_DIRECT4, 1), relay = place(ROUTE_RELAY4, 1);
	unsigned i;

	all_kinds(s, ROUTE_RELAY4);
	let_work(s, ROUTE_DIRECT4);
	come_up(s);
	pass(s, 5 * SEC);
	route_heard(&s->t, s->now, &relay, &here, false);
	pass(s, 100 * MS);
	ok(goes(s, &d4) && count(s, TYPE_HOLE_PUNCHING, &d4) == 1,
	   "the other end talks by another way than ours: ours is asked");
	acked(s, &d4);
	for (i = 0; i < 8; i++) {
		route_heard(&s->t, s->now, &relay, &here, false);
		pass(s, 100 * MS);
	}
	ok(goes(s, &d4) && s->t.routes.changes == 2, "it answers, and stays in use");
	for (i = 0; i < 14; i++) {
		pass(s, 100 * MS);
		route_heard(&s->t, s->now, &d4, &here, false);
		route_heard(&s->t, s->now, &relay, &here, false);
	}
	ok(goes(s, &relay) && way(s, &d4)->state != ROUTE_WORKS,
	   "without an answer it is left, even if the other end is heard by it");
	end(s);
	all_kinds(s, ROUTE_RELAY4);
	let_work(s, ROUTE_DIRECT4);
	come_up(s);
	pass(s, 5 * SEC);
	s->n = 0;
	for (i = 0; i < 100; i++) {
		punch_asked(&s->t, s->now, &s->out);
		take(&s->out);
	}
	ok(count(s, TYPE_HOLE_PUNCHING, &d4) == 1 && count(s, TYPE_HOLE_PUNCHING, &relay) == 1,
	   "asked whether we are there we look at the way in use and the relay, once a second");
	end(s);
}

/* ---- who asks for too much ---- */

static void bursts(struct scene *s)
{
	struct addr d6 = place(ROUTE_DIRECT6, 1);
	unsigned i, n = 0;

	all_kinds(s, ROUTE_DIRECT4);
	come_up(s);
	pass(s, 10 * SEC);
	for (i = 0; i < 1000; i++) {
		route_burst(&s->t, s->now);
		pass(s, 10 * MS);
		n += count(s, TYPE_HOLE_PUNCHING, &d6);
	}
	ok(n >= 5 && n <= 10, "who asks for punching a thousand times in ten seconds gets two bursts (%u)",
	   n);
	end(s);
}

/* Its end is proved, and it sends at full speed; ours still asks. */
static void flooded(struct scene *s)
{
	struct addr d4 = place(ROUTE_DIRECT4, 1);
	unsigned i, n = 0;

	all_kinds(s, ROUTE_RELAY4);
	come_up(s);
	pass(s, 10 * SEC);
	for (i = 0; i < 1000; i++) {
		route_heard(&s->t, s->now, &d4, &here, false);
		pass(s, 100);
		n += count(s, TYPE_HOLE_PUNCHING, &d4);
	}
	ok(n >= 1 && n <= 3, "a thousand capsules by a way that is not proved cause few Hole Punchings "
	   "(%u)", n);
	end(s);
}

static void together(struct scene *s)
{
	struct addr d6 = place(ROUTE_DIRECT6, 1), relay = place(ROUTE_RELAY6, 1);
	unsigned i, n = 0;

	all_kinds(s, ROUTE_DIRECT4);
	come_up(s);
	pass(s, 50 * SEC);
	s->t.used = s->now.boot;
	pass(s, 15 * SEC);
	ok(count(s, TYPE_HOLE_PUNCHING, &d6) == 5 && count(s, TYPE_CAPSULE, NULL) == 1,
	   "a burst for a better way tells the other end to punch too");
	let_work(s, ROUTE_DIRECT6);
	let_work(s, ROUTE_LAN);
	relay_acks(s, 5, true, &relay);
	for (i = 0; i < 10; i++) {
		s->t.used = s->now.boot;
		pass(s, KEEPALIVE);
		n += count(s, TYPE_CAPSULE, NULL);
		let_work(s, ROUTE_DIRECT6);
		let_work(s, ROUTE_LAN);
		relay_acks(s, 5, true, &relay);
	}
	ok(n == 0, "where there is no better one nobody is told");
	end(s);
}

int main(void)
{
	struct scene *s = calloc(1, sizeof *s);

	if (!s)
		return 99;
	binding(s);
	never_bound(s);
	bound_again(s);
	repeated(s);
	slow_line(s);
	false_acks(s);
	strange_punches(s);
	stale(s);
	many_found(s);
	choice(s);
	keepalives(s);
	suspicion(s);
	bursts(s);
	flooded(s);
	together(s);
	free(s->out.scratch);
	free(s);
	return done();
}
