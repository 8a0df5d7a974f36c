/*
 * tunnel.c - libFuzzer entry: one end of a path, in one of five states, and what its peer may
 * say to it once keys are no obstacle: signals, capsules, control, between packets of our own
 * and the passing of time.
 */
#include "net/proto/ip.h"
#include "net/proto/tunnel.h"
#include "t/fuzz/base/base.h"
#include "t/sim/random.h"

#define CLOUD (FUZZ_WALL * 1000)

enum stage { WAITING, ANSWERED, RESPONDER_UP, ASKING, INITIATOR_UP, STAGES };

/* An AEAD must not be moved: the two ends stay where they are, and are set back octet by octet. */
static struct tunnel end[2];
static struct tunnel saved[STAGES];
static struct addr address[4];		/* initiator, responder, the TRS, somebody */
static struct cloud cloud = { .offset = (int64_t)(CLOUD * MS) };
static struct tokens tokens;

struct mail {
	uint8_t p[HEADROOM + 2048];
	size_t n;
};

static void keep(void *arg, const struct out_item *item)
{
	struct mail *m = arg;

	/* Hole Punchings come beside what is waited for */
	if (item->kind != OUT_DATAGRAM || item->buf[6] == TYPE_HOLE_PUNCHING)
		return;
	m->n = item->len;
	memcpy(m->p + HEADROOM, item->buf, item->len);
}

static enum verdict give_from(struct tunnel *t, struct now now, const struct addr *from,
			      uint8_t *p, size_t n, struct tunnel_event *ev, struct outbox *out)
{
	struct msg_header h;
	struct exts x;
	enum verdict v = gate_check(p, n, &h, &x);

	if (v != V_PASSED)
		return v;
	return tunnel_input(t, now, p, n, &h, &x, from, &address[!t->setup.initiator], out, ev);
}

static enum verdict give(struct tunnel *t, struct now now, uint8_t *p, size_t n,
			 struct tunnel_event *ev, struct outbox *out)
{
	return give_from(t, now, &address[t == &end[0]], p, n, ev, out);
}

static void describe(struct tunnel_setup *s, bool initiator, const uint8_t pub[2][32])
{
	unsigned self = !initiator;

	memset(s, 0, sizeof *s);
	memset(s->path.b, 9, 16);
	s->initiator = initiator;
	s->expiry = CLOUD + 3600 * 1000;
	s->own = (struct tunnel_end){ .ip4 = { 198, 18, 0, (uint8_t)(5 + self) },
				      .ip6 = { 0xfd, [15] = (uint8_t)(5 + self) } };
	s->peer = (struct tunnel_end){ .ip4 = { 198, 18, 0, (uint8_t)(6 - self) },
				       .ip6 = { 0xfd, [15] = (uint8_t)(6 - self) } };
	s->own.node_id.b[0] = (uint8_t)(1 + self);
	s->peer.node_id.b[0] = (uint8_t)(2 - self);
	memcpy(s->own.x25519, pub[self], 32);
	memcpy(s->peer.x25519, pub[!self], 32);
	strcpy(s->peer_fqdn, "peer.cyphonic.internal");
	s->candidates = 2;
	memset(s->relay.b, 8, 16);
	s->candidate[1] = (struct candidate){ ADDRESS_SERVICE, address[2] };
	s->candidate[0] = (struct candidate){ ADDRESS_MAPPED, address[!self] };
}

/* A real meeting of the two, each state on the way kept. */
static void meet(void)
{
	static const struct tunnel_rules rules = { .suites = 14, .preferred = AEAD_AES128_GCM,
			.mtu = 1404, .rekey_after = 120 * SEC, .rekey_packets = 1 << 27,
			.idle = 300 * SEC, .keepalive = 20 * SEC, .punch = 60 * SEC };
	struct fuzz_box *box = fuzz_outbox();
	struct now now = { 1000 * SEC, FUZZ_WALL * SEC };
	uint8_t priv[2][32], pub[2][32];
	struct tunnel_setup s;
	struct tunnel_event ev;
	struct mail m = { .n = 0 };
	unsigned i;

	random_seed(5);
	ip_parse(&address[0], "192.0.2.5", 4503);
	ip_parse(&address[1], "2001:db8::6", 4503);
	ip_parse(&address[2], "192.0.2.9", 4502);
	ip_parse(&address[3], "198.51.100.1", 4000);
	for (i = 0; i < 2; i++)
		x25519_make(pub[i], priv[i]);
	box->look = keep;
	box->arg = &m;
	for (i = 0; i < 2; i++) {
		describe(&s, i == 0, pub);
		tunnel_open(&end[i], &s, &(struct tunnel_host){ &rules, priv[i], &cloud, &tokens },
			    now);
	}
	saved[WAITING] = end[1];
	tunnel_tick(&end[0], now, &box->out);
	box->out.flush(&box->out);
	saved[ASKING] = end[0];
	must(give(&end[1], now, m.p + HEADROOM, m.n, &ev, &box->out) == V_ANSWERED);
	box->out.flush(&box->out);
	saved[ANSWERED] = end[1];
	must(give(&end[0], now, m.p + HEADROOM, m.n, &ev, &box->out) == V_ANSWERED);
	box->out.flush(&box->out);
	must(give(&end[1], now, m.p + HEADROOM, m.n, &ev, &box->out) == V_CONTROL);
	box->out.flush(&box->out);
	must(give(&end[0], now, m.p + HEADROOM, m.n, &ev, &box->out) == V_CONTROL);
	box->out.flush(&box->out);
	saved[RESPONDER_UP] = end[1];
	saved[INITIATOR_UP] = end[0];
	must(end[0].state == TUNNEL_UP && end[1].state == TUNNEL_UP);
	box->look = NULL;
}

static uint32_t expected(const struct tunnel *t, uint8_t type, uint8_t flags, struct now now)
{
	const struct generation *g = &t->keys.gen[(flags & FLAG_GENERATION) >> GENERATION_SHIFT];

	return type == TYPE_CAPSULE ? (uint32_t)g->seen.top + 1 : (uint32_t)(CLOUD + now.boot / MS);
}

/* Type, flags, next, a step of the number; then extensions and body. */
static void cook(const struct tunnel *t, struct now now, struct fuzz_in *in,
		 struct fuzz_piece *out)
{
	static const uint8_t seldom[] = { TYPE_TUNNEL_REQUEST, TYPE_TUNNEL_RESPONSE,
					  TYPE_HOLE_PUNCHING, TYPE_ACK };
	uint8_t type = fuzz_octet(in), flags = fuzz_octet(in), next = fuzz_octet(in);
	int8_t step = (int8_t)fuzz_octet(in);
	struct msg_header h = { .transaction = t->transaction, .version = PROTO_VERSION,
				.next = next, .id = t->setup.path };

	h.type = type < 128 ? TYPE_CAPSULE : seldom[type & 3];
	h.count = h.type == TYPE_CAPSULE ? type & 3 : 0;
	h.flags = h.type != TYPE_CAPSULE ? (type & 2 ? flags & FLAG_DIRECTION : 0) :
		  (flags & ~FLAG_DIRECTION) | (t->setup.initiator ? FLAG_DIRECTION : 0);
	h.sequence = expected(t, h.type, h.flags, now) + (uint32_t)step;
	*out = fuzz_framed(in, HEADER_SIZE, TAG_SIZE);
	h.length = (uint16_t)out->n;
	msg_write_header(out->p, HEADER_SIZE, &h);
	/* an ACK that brings back what was sent */
	if (h.type == TYPE_ACK && flags & 1 && !next && out->n == MESSAGE_MIN + MSG_SIZE_punch)
		put64(out->p + HEADER_SIZE + 10, t->routes.route[flags >> 1 & 1].challenge);
}

static void check(const struct tunnel *t, const struct fuzz_piece *d, enum verdict v,
		  const struct tunnel_event *ev)
{
	struct bytes left = ev->packets;
	struct ip_view ip;

	must(v < V_COUNT && t->state <= TUNNEL_DEAD);
	if (v != V_DELIVERED)
		return;
	must(left.p >= d->p + HEADER_SIZE && left.p + left.n <= d->p + d->n - TAG_SIZE);
	while (left.n) {
		must(ip_look(&ip, left.p, left.n));
		must(!memcmp(ip.src, ip.family == 4 ? t->setup.peer.ip4 : t->setup.peer.ip6,
			     ip.family == 4 ? 4 : 16));
		left.p += ip.len;
		left.n -= ip.len;
	}
}

static void step(struct tunnel *t, struct now *now, struct fuzz_in *in, struct outbox *out)
{
	uint8_t op = fuzz_octet(in);
	struct fuzz_piece d = { NULL, 0, NULL };
	struct tunnel_event ev = { .ecn = 0 };
	uint64_t at;

	switch (op & 7) {
	case 0:
		tunnel_probe(t, *now, out);
		break;
	case 1:
		d = fuzz_framed(in, 0, 0);
		if (d.n && d.n <= t->rules.mtu)
			tunnel_send(t, *now, d.p, d.n, op >> 6, out);
		out->flush(out);
		break;
	case 2:
		at = tunnel_expiry(t, *now);
		now->boot = MIN(MAX(now->boot, at), now->boot + 3600 * SEC);
		tunnel_tick(t, *now, out);
		break;
	case 3:
		d = fuzz_framed(in, 0, 0);
		check(t, &d, give_from(t, *now, &address[op >> 6], d.p, d.n, &ev, out), &ev);
		break;
	default:
		cook(t, *now, in, &d);
		check(t, &d, give_from(t, *now, &address[op >> 6], d.p, d.n, &ev, out), &ev);
		break;
	}
	out->flush(out);
	fuzz_drop(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct outbox *out = &fuzz_outbox()->out;
	struct now now = { 1000 * SEC, FUZZ_WALL * SEC };
	struct fuzz_in in = { p, n };
	enum stage s = fuzz_octet(&in) % STAGES;
	struct tunnel *t = &end[s < ASKING];

	fuzz_accept = false;
	if (!saved[WAITING].born)
		meet();
	random_seed(6);
	memcpy(t, &saved[s], sizeof *t);
	fuzz_accept = true;
	/* a dead one is taken away at once */
	while (in.n && t->state != TUNNEL_DEAD)
		step(t, &now, &in, out);
	if (t->state == TUNNEL_UP)
		tunnel_close(t, now, out);
	tunnel_wipe(t);
	out->flush(out);
	return 0;
}
