/*
 * trs_vantage.c - a second place to look from.  A node finds out how its NAPT behaves by what
 * another address than the NMS's sees of it, and by who gets through to it unasked.
 *
 *   NMS                      TRS                          node
 *    |-- Probe Request ------>|-- Hole Punching ---------->|  arrives: anybody gets in
 *    |                        |<- Hole Punching {c} ------|
 *    |                        |-- ACK {c, as seen} ------->|
 *    |                        |<- Hole Punching {c, other} |
 *    |                        |-- ACK from the other port >|  arrives: whoever has the address
 *
 * The key follows from our Common Key and the Node ID, so nothing is kept about a node; the
 * NMS gives the node the same.
 */
#include "roles/trs.h"
#include "net/proto/ip.h"
#include "net/proto/stun.h"
#include "store/config.h"

#define PROBES 2			/* one may get lost */
#define STUN_RATE 1000			/* answers a second and worker */

static void open_session(const struct trs *t, struct session *s, const struct id *node)
{
	struct vantage_key key;

	keys_vantage(&key, &t->agent->key, node);
	session_vantage(s, &key, node, true);
	wipe(&key, sizeof key);
}

/* Wherever a copy comes from: it is answered once. */
static bool is_new(struct trs *t, const struct id *node, uint64_t stamp)
{
	uint8_t p[16 + 8];

	memcpy(p, node->b, 16);
	put64(p + 16, stamp);
	return punch_is_new(t, p, sizeof p);
}

static enum verdict take_look(struct trs *t, struct now now, struct session *s,
			      struct trs_packet *k, struct outbox *out)
{
	uint64_t ms = cloud_ms(&t->cloud, now), stamp;
	struct msg_punch m, r = { .bound = 0 };
	struct bytes body;
	enum verdict v = session_open(s, ms, k->p, k->n, &k->h, &k->x, &body, &stamp);

	if (v != V_PASSED)
		return v;
	if (msg_read_punch(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	if (stamp + TRS_STAMP_AGE < ms || stamp > ms + TRS_STAMP_AGE ||
	    !is_new(t, &k->h.id, stamp))
		return V_DROP_REPLAY;
	r.echo = m.challenge;
	/* one for one: nobody has proved that he is there */
	punch_answer(t, now, s, &t->agent->sent, k, &r,
		     m.other && t->env.conf->trs_stun_port ? PORT_STUN : PORT_MAIN, out);
	t->agent->looks++;
	return V_ANSWERED;
}

enum verdict vantage_punch(struct trs *t, struct now now, struct trs_packet *k,
			   struct outbox *out)
{
	struct session s;
	enum verdict v;

	if (!t->agent->registering || k->h.flags)
		return V_DROP_STRANGER;
	open_session(t, &s, &k->h.id);
	v = take_look(t, now, &s, k, out);
	session_free(&s);
	wipe(&s, sizeof s);
	return v;
}

/* ---- unasked, for the NMS ---- */

/* A node's mapped address is some host's in the real network; all else is somebody's trick. */
static bool is_of_a_host(const struct trs_agent *a, const struct addr *at)
{
	const uint8_t *net = at->family == 4 ? a->net4 : a->net6;
	unsigned bits = at->family == 4 ? a->bits4 : a->bits6;

	return at->port && (at->family == 4 || at->family == 6) &&
	       ip_is_usable(at->family, at->ip) && !(bits && ip_in_range(at->ip, net, bits));
}

enum verdict vantage_probe(struct trs *t, struct now now, struct bytes body, struct outbox *out)
{
	struct trs_agent *a = t->agent;
	struct msg_punch punch = { .other = 0 };
	struct msg_probe_request m;
	uint8_t p[MSG_SIZE_punch], sealed[DATAGRAM_MAX];
	struct addr at;
	struct session s;
	size_t n;
	int i;

	if (msg_read_probe_request(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	at = address_of(&(struct msg_address){ .family = m.family, .port = m.port });
	memcpy(at.ip, m.ip, at.family == 4 ? 4 : 16);
	if (!is_of_a_host(a, &at))
		return V_DROP_BODY;
	open_session(t, &s, &m.node_id);
	n = msg_write_punch(p, sizeof p, &punch);
	for (i = 0; i < PROBES; i++) {
		size_t len;

		s.last = a->sent;
		len = session_seal(&s, cloud_ms(&t->cloud, now), random_u32(), TYPE_HOLE_PUNCHING, 0,
				   p, n, sealed);
		a->sent = s.last;
		out_datagram(out, PORT_MAIN, &at, &a->registrar.way[at.family == 6].local, sealed, len);
	}
	session_free(&s);
	wipe(&s, sizeof s);
	a->probes++;
	return V_ANSWERED;
}

/* ---- for anybody: STUN ---- */

enum verdict vantage_stun(struct trs *t, struct now now, const struct trs_packet *k,
			  struct outbox *out)
{
	const struct config *c = t->env.conf;
	enum port other = k->port == PORT_STUN ? PORT_MAIN : PORT_STUN;
	struct stun_server s = { .at = k->to };
	uint8_t answer[DATAGRAM_MAX];
	bool from_other = false;
	size_t n;

	if (k->n > sizeof answer)
		return V_DROP_SHORT;
	if (t->stun_second != now.boot / SEC) {
		t->stun_second = now.boot / SEC;
		t->stun = 0;
	}
	if (t->stun >= STUN_RATE)
		return V_DROP_LIMIT;
	if (c->trs_stun_port) {
		s.other = k->to;
		s.other.port = (uint16_t)(other == PORT_STUN ? c->trs_stun_port : c->trs_port);
	}
	n = stun_answer(&s, answer, k->p, k->n, &k->from, &from_other);
	if (!n)
		return V_DROP_MALFORMED;
	t->stun++;
	out_datagram(out, from_other ? other : k->port, &k->from, &k->to, answer, n);
	return V_ANSWERED;
}
