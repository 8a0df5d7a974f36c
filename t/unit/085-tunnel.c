/* Two tunnels back to back in one process: exchange, data, rekey, hostile peers, the ends. */
#include "t/tap.h"
#include "net/proto/ip.h"
#include "net/proto/rekey.h"

#define QUEUE 256
#define CLOUD 1800000000000ull		/* ms, when boot time is 0 */
#define START (1000 * SEC)		/* boot time at the start */

struct message {
	unsigned from;			/* whose: 0 initiator, 1 responder */
	struct addr to;
	size_t n;
	uint8_t p[DATAGRAM_MAX];
};

struct pair {
	struct tunnel t[2];
	struct outbox out;
	uint8_t *scratch;
	struct now now;
	struct cloud cloud;
	unsigned turn;			/* whose outbox is being filled */
	struct message queue[QUEUE];
	unsigned first, n;
	bool (*lose)(struct pair *p, const struct message *m);
	unsigned lose_at, lost;		/* for lose() */
	unsigned sent, delivered[2], probed;
	unsigned stuck;			/* deadlines that stayed in the past after a tick */
	enum verdict last;
	struct message newest;		/* the one sent last, lost or not */
};

static struct addr address(unsigned i)
{
	struct addr a = { .family = 4, .ip = { 10, 0, 0, (uint8_t)(2 + i) }, .port = 4503 };

	return a;
}

/* What the outbox holds goes into the queue, or is lost. */
static void take(struct outbox *out)
{
	struct pair *p = out->owner;
	unsigned i;

	for (i = 0; i < out->n; i++) {
		struct out_item *item = &out->item[i];
		struct message *m = &p->newest;

		/* the search for better ways has a test of its own */
		if (item->buf[6] == TYPE_HOLE_PUNCHING || item->buf[6] == TYPE_ACK)
			continue;
		m->from = p->turn;
		m->to = item->to;
		m->n = item->len;
		memcpy(m->p, item->buf, item->len);
		p->sent++;
		if (p->lose && p->lose(p, m))
			p->lost++;
		else if (p->n < QUEUE)
			p->queue[(p->first + p->n++) % QUEUE] = *m;
	}
	out->n = 0;
	out->used = 0;
}

static enum verdict hear(struct pair *p, unsigned i, const struct message *m)
{
	struct addr from = address(m->from), to = address(i);
	static uint8_t copy[DATAGRAM_MAX];
	struct tunnel_event ev = { .probed = false };
	struct msg_header h;
	struct exts x;
	enum verdict v;

	memcpy(copy, m->p, m->n);
	v = gate_check(copy, m->n, &h, &x);
	if (v == V_PASSED) {
		p->turn = i;
		v = tunnel_input(&p->t[i], p->now, copy, m->n, &h, &x, &from, &to,
				 &p->out, &ev);
		take(&p->out);
	}
	p->delivered[i] += v == V_DELIVERED;
	p->probed += ev.probed;
	return p->last = v;
}

static void settle(struct pair *p)
{
	while (p->n) {
		struct message m = p->queue[p->first];

		p->first = (p->first + 1) % QUEUE;
		p->n--;
		hear(p, !m.from, &m);
	}
}

static uint64_t expiry(const struct pair *p, unsigned i)
{
	return p->t[i].state == TUNNEL_DEAD ? NEVER :
	       tunnel_expiry(&p->t[i], p->now);
}

/* Time passes, from deadline to deadline. */
static void pass(struct pair *p, uint64_t us)
{
	uint64_t end = p->now.boot + us;
	unsigned i;

	settle(p);
	for (;;) {
		uint64_t at = MIN(expiry(p, 0), expiry(p, 1));

		if (at > end || p->stuck)
			break;
		p->now.boot = MAX(at, p->now.boot);
		for (i = 0; i < 2; i++) {
			if (expiry(p, i) > p->now.boot)
				continue;
			p->turn = i;
			tunnel_tick(&p->t[i], p->now, &p->out);
			take(&p->out);
			p->stuck += expiry(p, i) <= p->now.boot;
		}
		settle(p);
	}
	p->now.boot = end;
}

static void make_setups(struct tunnel_setup s[2], uint8_t priv[2][32])
{
	unsigned i;

	memset(s, 0, 2 * sizeof *s);
	random_bytes(s[0].path.b, 16);
	random_bytes(s[0].tunnel_key.b, 16);
	random_bytes(s[0].temporary_key.b, 16);
	s[0].initiator = true;
	s[0].expiry = CLOUD + 86400000;
	s[0].candidates = 1;
	for (i = 0; i < 2; i++) {
		struct tunnel_end *e = i ? &s[0].peer : &s[0].own;

		memset(e->node_id.b, (int)i + 1, 16);
		memcpy(e->ip4, (uint8_t[]){ 198, 18, 0, (uint8_t)(i + 2) }, 4);
		memset(e->ip6, 0xfd, 15);
		e->ip6[15] = (uint8_t)(i + 2);
		random_bytes(e->tbs_hash, 32);
		x25519_make(e->x25519, priv[i]);
	}
	s[1] = s[0];
	s[1].initiator = false;
	s[1].own = s[0].peer;
	s[1].peer = s[0].own;
	s[0].candidate[0] = (struct candidate){ ADDRESS_MAPPED, address(1) };
	s[1].candidate[0] = (struct candidate){ ADDRESS_MAPPED, address(0) };
}

static const struct tunnel_rules usual = {
	.suites = 1 << AEAD_AES128_GCM | 1 << AEAD_CHACHA20_POLY1305, .preferred = AEAD_AES128_GCM,
	.mtu = 1404, .rekey_after = 120 * SEC, .rekey_packets = 1 << 27, .idle = 3600 * SEC,
	.keepalive = 3600 * SEC,
	.punch = 60 * SEC,
};

/* change may spoil a setup; both tunnels are opened, nothing is sent yet. */
static struct pair *pair_new(const struct tunnel_rules *rules,
			     void (*change)(struct tunnel_setup s[2]))
{
	struct pair *p = calloc(1, sizeof *p);
	struct tunnel_setup s[2];
	uint8_t priv[2][32];
	unsigned i;

	if (!p || !(p->scratch = malloc(OUTBOX_SCRATCH)))
		exit(99);
	p->out.scratch = p->scratch;
	p->out.flush = take;
	p->out.owner = p;
	p->now.boot = START;
	p->cloud.offset = (int64_t)(CLOUD * MS);
	make_setups(s, priv);
	s[0].expiry = s[1].expiry = cloud_ms(&p->cloud, p->now) + 86400000;
	if (change)
		change(s);
	for (i = 2; i-- > 0; )
		tunnel_open(&p->t[i], &s[i], &(struct tunnel_host){ rules, priv[i], &p->cloud, NULL },
			    p->now);
	return p;
}

static void pair_free(struct pair *p)
{
	tunnel_wipe(&p->t[0]);
	tunnel_wipe(&p->t[1]);
	free(p->scratch);
	free(p);
}

static bool both_up(const struct pair *p)
{
	return p->t[0].state == TUNNEL_UP && p->t[1].state == TUNNEL_UP;
}

static struct pair *pair_up(const struct tunnel_rules *rules)
{
	struct pair *p = pair_new(rules, NULL);

	pass(p, 100 * MS);
	if (!both_up(p))
		exit(99);
	return p;
}

/* An IPv4 packet of 40 octets from i's virtual address to the other's. */
static size_t make_packet(const struct pair *p, unsigned i, uint8_t *packet)
{
	memset(packet, 0, 40);
	packet[0] = 0x45;
	packet[3] = 40;
	memcpy(packet + 12, p->t[i].setup.own.ip4, 4);
	memcpy(packet + 16, p->t[i].setup.peer.ip4, 4);
	return 40;
}

static enum verdict send_from(struct pair *p, unsigned i)
{
	uint8_t room[HEADROOM + 40 + TAILROOM];
	size_t n = make_packet(p, i, room + HEADROOM);
	enum verdict v;

	p->turn = i;
	v = tunnel_send(&p->t[i], p->now, room + HEADROOM, n, 0, &p->out);
	take(&p->out);
	settle(p);
	return v;
}

/* One packet each way arrives. */
static bool talk(struct pair *p)
{
	unsigned d0 = p->delivered[0], d1 = p->delivered[1];

	send_from(p, 0);
	send_from(p, 1);
	return p->delivered[0] == d0 + 1 && p->delivered[1] == d1 + 1;
}

/* Any body under i's data keys: what a peer that means ill may say. */
static enum verdict say(struct pair *p, unsigned i, uint8_t flags, const void *body, size_t n)
{
	uint8_t room[HEADROOM + 256 + TAILROOM];
	struct message m = { .from = i, .n = n + CAPSULE_OVERHEAD };
	enum verdict v;

	if (n)
		memcpy(room + HEADROOM, body, n);
	memcpy(m.p, capsule_seal(&p->t[i].keys, flags, 0, room + HEADROOM, n), m.n);
	v = hear(p, !i, &m);
	settle(p);
	return v;
}

static enum verdict say_probe(struct pair *p, unsigned i, uint8_t control, uint64_t value)
{
	struct msg_probe m = { .control = control, .value = value };
	uint8_t body[MSG_SIZE_probe];

	return say(p, i, FLAG_CONTROL, body, msg_write_probe(body, sizeof body, &m));
}

/* ---- the exchange ---- */

static bool lose_nth(struct pair *p, const struct message *m)
{
	return p->sent == p->lose_at;
}

static bool lose_all(struct pair *p, const struct message *m)
{
	return true;
}

static bool lose_capsules(struct pair *p, const struct message *m)
{
	return m->p[6] == TYPE_CAPSULE;
}

static void exchange(void)
{
	static const uint8_t zero[32];
	struct pair *p = pair_new(&usual, NULL);
	unsigned i, good = 0, rounds = 8;

	ok(send_from(p, 0) == V_DROP_STATE && send_from(p, 1) == V_DROP_STATE,
	   "nothing is sealed before there are keys");
	p->lose = lose_capsules;
	pass(p, 10 * MS);
	ok(p->t[0].state == TUNNEL_UP && p->t[1].state == TUNNEL_ANSWERED &&
	   send_from(p, 1) == V_DROP_STATE,
	   "the responder sends nothing before it was proved that the request is no old one");
	p->lose = NULL;
	pass(p, SEC);
	ok(both_up(p) && talk(p), "the first capsule proves it, then packets go both ways");
	ok(addr_equal(&p->t[0].remote, &p->t[1].local) && p->t[0].keys.suite == AEAD_AES128_GCM &&
	   p->t[1].keys.suite == AEAD_AES128_GCM, "both use the suite the responder prefers");
	for (i = 0; i < 2; i++)
		good += memcmp(p->t[i].x25519_priv, zero, 32) == 0 &&
			memcmp(p->t[i].setup.temporary_key.b, zero, 16) == 0;
	ok(good == 2, "a tunnel that stands keeps neither Temporary Key nor static key");
	ok(memcmp(p->t[0].root.b, p->t[1].root.b, 32) == 0, "both have the same root for the rekey");
	pair_free(p);

	for (i = 1, good = 0; i <= rounds; i++) {
		p = pair_new(&usual, NULL);
		p->lose = lose_nth;
		p->lose_at = i;
		pass(p, 2 * SEC);
		p->lose = NULL;
		good += both_up(p) && talk(p) && !p->stuck;
		pair_free(p);
	}
	ok(good == rounds, "whichever of its messages is lost, the tunnel comes up");
}

static void duplicates(void)
{
	struct pair *p = pair_new(&usual, NULL);
	struct message request, answer;
	uint8_t first[64];
	unsigned sent;

	p->lose = lose_all;
	pass(p, 0);
	request = p->newest;
	pass(p, 300 * MS);
	ok(p->newest.from == 0 && memcmp(p->newest.p + 8, request.p + 8, 4) != 0 &&
	   memcmp(p->newest.p, request.p, 4) == 0,
	   "a repeated request has a new number and its old Transaction ID");
	hear(p, 1, &request);
	answer = p->newest;
	memcpy(first, p->t[1].response_noise, 64);
	ok(answer.from == 1 && answer.n < request.n, "the answer is no longer than the request");
	ok(hear(p, 1, &request) == V_DROP_REPLAY, "the same datagram again is a replay");
	sent = p->sent;
	pass(p, 600 * MS);
	request = p->newest;
	ok(request.from == 0 && hear(p, 1, &request) == V_ANSWERED && p->sent > sent &&
	   memcmp(first, p->t[1].response_noise, 64) == 0,
	   "the request in a new datagram gets the same response");
	p->lose = NULL;
	hear(p, 0, &answer);
	pass(p, SEC);
	ok(both_up(p) && talk(p), "the tunnel stands");
	ok(hear(p, 0, &answer) == V_DROP_REPLAY && talk(p), "an old answer moves nothing");
	pair_free(p);
}

static void other_hash(struct tunnel_setup s[2])
{
	s[1].peer.tbs_hash[5] ^= 1;
}

static void other_address(struct tunnel_setup s[2])
{
	s[0].peer.ip6[9] ^= 1;
}

static void other_temporary(struct tunnel_setup s[2])
{
	s[0].temporary_key.b[3] ^= 1;
}

static void other_key(struct tunnel_setup s[2])
{
	uint8_t priv[32];

	x25519_make(s[0].peer.x25519, priv);
}

static void other_path(struct tunnel_setup s[2])
{
	s[1].path.b[0] ^= 1;
}

static void both_initiators(struct tunnel_setup s[2])
{
	s[1].initiator = true;
}

static void told_differently(void)
{
	static const struct {
		void (*change)(struct tunnel_setup s[2]);
		const char *what;
	} lie[] = {
		{ other_hash, "another certificate" },
		{ other_address, "other virtual addresses" },
		{ other_temporary, "another Temporary Key" },
		{ other_key, "another X25519 key" },
		{ other_path, "another Path ID" },
		{ both_initiators, "the same part" },
	};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(lie); i++) {
		struct pair *p = pair_new(&usual, lie[i].change);

		pass(p, 40 * SEC);
		ok(p->t[0].state == TUNNEL_DEAD && p->t[0].why == TUNNEL_NO_ANSWER &&
		   p->t[1].state == TUNNEL_DEAD && p->t[1].why == TUNNEL_NO_ANSWER && !p->stuck,
		   "where one end was told of %s, there is no tunnel", lie[i].what);
		pair_free(p);
	}
}

/* ---- capsules ---- */

static void forged(void)
{
	struct pair *p = pair_up(&usual);
	struct tunnel *t = &p->t[1];
	struct message m, bad;
	struct addr remote = t->remote;
	unsigned refused = 0;
	size_t i;

	p->lose = lose_all;
	send_from(p, 0);
	m = p->newest;
	for (i = 0; i < 8 * m.n; i++) {
		bad = m;
		bad.p[i / 8] ^= (uint8_t)(1 << i % 8);
		bad.from = 1;		/* and from elsewhere */
		refused += hear(p, 1, &bad) >= V_DROP_SHORT;
	}
	ok(refused == 8 * m.n, "a capsule with any one bit changed is dropped");
	ok(addr_equal(&remote, &t->remote) && t->state == TUNNEL_UP, "and changes nothing");
	ok(hear(p, 0, &m) == V_DROP_FLAG, "one's own capsule sent back is dropped");
	ok(hear(p, 1, &m) == V_DELIVERED && hear(p, 1, &m) == V_DROP_REPLAY,
	   "the true one is delivered, once");
	pair_free(p);
}

static void inner_packets(void)
{
	struct pair *p = pair_up(&usual);
	uint8_t packet[80];
	size_t n = make_packet(p, 0, packet);

	packet[15] ^= 1;
	ok(say(p, 0, 0, packet, n) == V_DROP_SOURCE, "another's source address inside is dropped");
	make_packet(p, 0, packet);
	packet[19] ^= 1;
	ok(say(p, 0, 0, packet, n) == V_DROP_SOURCE, "and another's destination");
	packet[16] = 224;
	ok(say(p, 0, 0, packet, n) == V_DROP_MULTICAST, "and multicast");
	make_packet(p, 0, packet);
	ok(say(p, 0, 0, packet, n - 1) == V_DROP_BODY && say(p, 0, 0, packet, n + 1) == V_DROP_BODY &&
	   say(p, 0, 0, packet, 0) == V_DROP_BODY,
	   "less than a whole packet, octets left over, and nothing at all are dropped");
	ok(p->delivered[1] == 0 && talk(p), "none of it came through, and the tunnel stands");
	pair_free(p);
}

/* ---- rekey ---- */

static bool same_keys(const struct pair *p)
{
	const struct keyring *a = &p->t[0].keys, *b = &p->t[1].keys;
	const struct generation *g = &a->gen[a->current & 3], *h = &b->gen[b->current & 3];

	return a->current == b->current && !memcmp(g->tx.key_name, h->rx.key_name, 8) &&
	       !memcmp(g->rx.key_name, h->tx.key_name, 8) &&
	       memcmp(g->rx.key_name, g->tx.key_name, 8) &&
	       !memcmp(&p->t[0].root, &p->t[1].root, 32);
}

static void rekeys(void)
{
	struct tunnel_rules quick = usual;
	unsigned i, good = 0, lost = 0, steps, talks = 0;
	struct pair *p = pair_up(&usual);

	pass(p, 121 * SEC);
	ok(p->t[0].keys.current == 1 && same_keys(p) && talk(p), "after 120 s there are new keys");
	ok(keyring_get(&p->t[0].keys, 0) && keyring_get(&p->t[1].keys, 0),
	   "the old ones are still opened for what is under way");
	pass(p, 10 * SEC);
	ok(!keyring_get(&p->t[0].keys, 0) && !keyring_get(&p->t[1].keys, 0), "for ten seconds");
	pair_free(p);

	for (i = 1; i <= 6; i++) {
		p = pair_up(&usual);
		p->lose = lose_nth;
		p->lose_at = p->sent + i;
		pass(p, 122 * SEC);
		p->lose = NULL;
		good += p->t[0].keys.current == 1 && same_keys(p) && talk(p);
		lost += p->lost;
		pair_free(p);
	}
	ok(good == 6 && lost >= 3, "whichever message of a rekey is lost, both ends have the same new keys");

	quick.rekey_after = SEC;
	quick.idle = 3600 * SEC;
	p = pair_up(&quick);
	for (steps = 0; steps < 2600 && p->t[0].rekeys < 515; steps++) {
		pass(p, 200 * MS);
		talks += talk(p);
	}
	ok(p->t[0].rekeys == 515 && p->t[0].keys.current == 515 % 256 && same_keys(p) &&
	   talks == steps && !p->stuck,
	   "generations go twice past 255, and no packet is lost (%u of %u)", talks, steps);
	pair_free(p);
}

static void worn(void)
{
	struct tunnel_rules few = usual;
	unsigned i, sealed = 0;
	struct pair *p;

	few.rekey_packets = 100;
	p = pair_up(&few);
	for (i = 0; i < 120; i++)
		send_from(p, 1);
	pass(p, SEC);
	ok(p->t[1].rekeys == 1 && same_keys(p), "the responder's packets wear keys too: it asks");
	pair_free(p);

	p = pair_up(&few);
	p->lose = lose_all;
	for (i = 0; i < 300; i++)
		sealed += send_from(p, 0) == V_SEALED;
	ok(sealed <= 200 && send_from(p, 0) == V_DROP_STATE,
	   "at twice the limit nothing more is sealed (%u)", sealed);
	pass(p, 0);
	ok(p->t[0].why == TUNNEL_KEYS_OUT, "and the tunnel ends");
	pair_free(p);
}

static bool lose_rekeys(struct pair *p, const struct message *m)
{
	return m->n == MSG_SIZE_rekey + CAPSULE_OVERHEAD;
}

static void keys_out(void)
{
	struct pair *p = pair_up(&usual);

	p->lose = lose_rekeys;
	for (; p->now.boot < START + 179 * SEC; pass(p, SEC))
		talk(p);
	ok(both_up(p) && p->t[0].keys.current == 0, "a rekey that never succeeds is tried on and on");
	pass(p, 3 * SEC);
	ok(p->t[0].state == TUNNEL_DEAD && p->t[0].why == TUNNEL_KEYS_OUT &&
	   p->t[1].why == TUNNEL_KEYS_OUT && !p->stuck, "at 180 s the tunnel ends at both ends");
	pair_free(p);
}

/* ---- hostile peers ---- */

static enum verdict say_rekey(struct pair *p, unsigned i, uint8_t control, uint8_t generation,
			      const uint8_t ephemeral[32])
{
	struct msg_rekey m = { .control = control, .generation = generation };
	uint8_t body[MSG_SIZE_rekey];

	memcpy(m.ephemeral, ephemeral, 32);
	return say(p, i, FLAG_CONTROL, body, msg_write_rekey(body, sizeof body, &m));
}

static void out_of_turn(void)
{
	static const uint8_t zero[32];
	uint8_t body[64] = { 0 }, pub[32], priv[32];
	struct pair *p = pair_up(&usual);
	unsigned i, n, refused = 0;

	x25519_make(pub, priv);
	pass(p, SEC);
	for (i = 0; i < 256; i++) {
		if (i >= CONTROL_CONFIRM && i <= CONTROL_PUNCHING)
			continue;
		body[0] = (uint8_t)i;
		for (n = 0; n < 2; n++)
			refused += say(p, n, FLAG_CONTROL, body, MSG_SIZE_probe) >= V_DROP_SHORT;
	}
	ok(refused == 2 * (256 - 6), "unknown control messages are dropped");
	for (n = refused = 0; n < sizeof body; n++) {
		body[0] = CONTROL_CLOSE;
		refused += n != MSG_SIZE_probe &&
			   say(p, 0, FLAG_CONTROL, body, n) == V_DROP_BODY;
		body[0] = CONTROL_REKEY_REQUEST;
		refused += n != MSG_SIZE_rekey &&
			   say(p, 0, FLAG_CONTROL, body, n) == V_DROP_BODY;
	}
	ok(refused == 2 * sizeof body - 2, "and those that are too short or too long");
	ok(say_rekey(p, 1, CONTROL_REKEY_REQUEST, 1, pub) == V_DROP_STATE,
	   "the responder may not raise the generation");
	ok(say_rekey(p, 1, CONTROL_REKEY_RESPONSE, 1, pub) == V_DROP_STATE,
	   "nor answer what was not asked");
	ok(say_rekey(p, 0, CONTROL_REKEY_REQUEST, 2, pub) == V_DROP_STATE &&
	   say_rekey(p, 0, CONTROL_REKEY_REQUEST, 0, pub) == V_DROP_STATE,
	   "only the next generation can be asked for");
	ok(say_rekey(p, 0, CONTROL_REKEY_REQUEST, 1, zero) == V_DROP_BODY,
	   "a key of low order is refused");
	ok(say_probe(p, 0, CONTROL_PROBE_ANSWER, 7) == V_DROP_STATE, "so is an answer to no probe");
	ok(both_up(p) && p->t[0].rekeys == 0 && p->t[1].rekeys == 0 && talk(p),
	   "after all of it the tunnel stands as it was");
	ok(say_rekey(p, 0, CONTROL_REKEY_REQUEST, 1, pub) == V_CONTROL && p->t[1].rekeys == 1,
	   "a rekey request in turn is answered");
	x25519_make(pub, priv);
	ok(say_rekey(p, 0, CONTROL_REKEY_REQUEST, 1, pub) == V_DROP_STATE && p->t[1].rekeys == 1,
	   "a different one for the same generation is not");
	pair_free(p);
}

static void storms(void)
{
	struct pair *p = pair_up(&usual);
	uint8_t pub[32], priv[32];
	unsigned i;

	for (i = 0; i < 1000; i++) {
		say_probe(p, 1, CONTROL_PLEASE_REKEY, 0);
		pass(p, MS);
	}
	ok(p->t[0].rekeys > 0 && p->t[0].rekeys <= 11 && same_keys(p) && !p->stuck,
	   "a thousand wishes for new keys in a second bring ten (%" PRIu64 ")", p->t[0].rekeys);
	for (i = 0; i < 100; i++) {
		x25519_make(pub, priv);
		say_rekey(p, 0, CONTROL_REKEY_REQUEST, (uint8_t)(p->t[1].keys.current + 1), pub);
	}
	ok(p->t[1].rekeys <= 12, "and a hundred requests at once at most one");
	pair_free(p);

	p = pair_up(&usual);
	ok(say_probe(p, 0, CONTROL_CLOSE, 0) == V_CONTROL && p->t[1].why == TUNNEL_CLOSED &&
	   send_from(p, 0) == V_SEALED && p->last == V_DROP_STATE,
	   "what closed stays closed, whatever the other end sends");
	pair_free(p);
}

/* ---- the ends ---- */

static bool lose_from_responder(struct pair *p, const struct message *m)
{
	return m->from == 1;
}

static void endings(void)
{
	struct tunnel_rules brief = usual;
	struct pair *p = pair_up(&usual);

	p->turn = 0;
	tunnel_probe(&p->t[0], p->now, &p->out);
	take(&p->out);
	settle(p);
	ok(p->probed == 1, "a probe comes back");
	p->lose = lose_from_responder;
	send_from(p, 0);
	pass(p, 900 * MS);
	ok(p->lost == 0, "who hears nothing for less than a second says nothing");
	pass(p, 4000 * MS);
	ok(p->lost > 3 && p->t[0].state == TUNNEL_UP, "then it asks");
	pass(p, 200 * MS);
	ok(p->t[0].why == TUNNEL_SILENT && p->t[1].state == TUNNEL_UP,
	   "and after five seconds gives the path up");
	pair_free(p);

	brief.idle = 30 * SEC;
	p = pair_up(&brief);
	pass(p, 20 * SEC);
	ok(talk(p), "a tunnel in use lives");
	pass(p, 29 * SEC);
	ok(both_up(p), "and a while longer");
	pass(p, 2 * SEC);
	ok(p->t[0].state == TUNNEL_DEAD && p->t[1].state == TUNNEL_DEAD &&
	   (p->t[0].why == TUNNEL_IDLE || p->t[1].why == TUNNEL_IDLE) && !p->stuck,
	   "idle, it closes at both ends");
	pair_free(p);
}

static unsigned variant;

static void far_expiry(struct tunnel_setup s[2])
{
	static const uint64_t far[] = {
		UINT64_MAX, UINT64_MAX / MS, UINT64_MAX / MS + CLOUD, UINT64_MAX - CLOUD, 1ull << 61,
	};

	s[0].expiry = s[1].expiry = far[variant];
}

/* In microseconds from now, the sum turns over into the past. */
static void turned_over(struct tunnel_setup s[2])
{
	s[0].expiry = s[1].expiry = CLOUD + START / MS + (UINT64_MAX - START) / MS + 1;
}

static void expiries(void)
{
	unsigned good = 0;
	struct pair *p;

	for (variant = 0; variant < 5; variant++) {
		p = pair_new(&usual, far_expiry);
		pass(p, 10 * SEC);
		good += both_up(p) && !p->stuck && expiry(p, 0) > p->now.boot;
		pair_free(p);
	}
	p = pair_new(&usual, turned_over);
	pass(p, 10 * SEC);
	ok(good == 5 && both_up(p) && !p->stuck, "an end told as far off as can be keeps nobody busy");
	pair_free(p);
	p = pair_up(&usual);
	while (p->now.boot < 86300 * SEC && both_up(p)) {
		pass(p, 600 * SEC);
		talk(p);
	}
	ok(both_up(p), "a tunnel lives as long as the NMS said");
	pass(p, 3600 * SEC);
	ok(p->t[0].why == TUNNEL_EXPIRED && p->t[1].why == TUNNEL_EXPIRED, "and not longer");
	pair_free(p);
}

int main(void)
{
	exchange();
	duplicates();
	told_differently();
	forged();
	inner_packets();
	rekeys();
	worn();
	keys_out();
	out_of_turn();
	storms();
	endings();
	expiries();
	return done();
}
