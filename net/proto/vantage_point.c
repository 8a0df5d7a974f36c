/* vantage_point.c - one TRS that looks at a node. */
#include "net/proto/vantage_point.h"
#include "net/proto/ip.h"

bool point_set(struct vantage_point *p, const struct msg_vantage_point *m, const struct id *self,
	       uint8_t family)
{
	struct vantage_key key;

	memset(p, 0, sizeof *p);
	p->trs = m->trs;
	p->addr.family = family;
	p->addr.port = m->port;
	memcpy(p->addr.ip, m->ip, family == 4 ? 4 : 16);
	p->other_port = m->other_port;
	p->next = NEVER;
	if (!m->port || ip_is_multicast(family, p->addr.ip))
		return false;
	memcpy(key.b, m->key, sizeof key.b);
	session_vantage(&p->session, &key, self, false);
	wipe(&key, sizeof key);
	return true;
}

void point_free(struct vantage_point *p)
{
	session_free(&p->session);
	wipe(p, sizeof *p);
}

void point_start(struct vantage_point *p, struct now now)
{
	p->transaction = random_u32();
	p->challenge = (random_u64() | 4) & ~(uint64_t)3;
	p->tries = 0;
	p->next = now.boot;
	p->rtt = 0;
}

static void send_punch(struct vantage_point *p, struct registrar *r, struct now now, bool other,
		       struct outbox *out)
{
	struct msg_punch m = { .other = other, .challenge = p->challenge | p->tries };
	uint64_t ms = cloud_ms(r->cloud, now);
	uint8_t body[MSG_SIZE_punch], d[DATAGRAM_MAX];
	size_t n = msg_write_punch(body, sizeof body, &m);

	/* a TRS takes each number once: whatever a node says shares them, over either family */
	p->session.last = r->session.last;
	n = session_seal(&p->session, ms, p->transaction, TYPE_HOLE_PUNCHING,
			 tokens_at(&r->tokens, ms), body, n, d);
	r->session.last = p->session.last;
	out_datagram(out, PORT_MAIN, &p->addr, NULL, d, n);
}

void point_punch(struct vantage_point *p, struct registrar *r, struct now now, bool other,
		 struct outbox *out)
{
	send_punch(p, r, now, false, out);
	if (other)
		send_punch(p, r, now, true, out);
	p->sent[p->tries] = now.boot;
	p->next = now.boot + (VANTAGE_FIRST << p->tries++);
}

enum verdict point_open(struct vantage_point *p, uint64_t cloud_ms, const uint8_t *d, size_t n,
			const struct msg_header *h, const struct exts *x, struct msg_punch *m,
			uint64_t *stamp)
{
	uint8_t copy[DATAGRAM_MAX];	/* a wrong key would spoil the octets for the right one */
	struct bytes body;
	enum verdict v;

	if (n > sizeof copy)
		return V_DROP_TAG;
	memcpy(copy, d, n);
	v = session_open(&p->session, cloud_ms, copy, n, h, x, &body, stamp);
	if (v == V_PASSED && msg_read_punch(m, body.p, body.n) != (long)body.n)
		v = V_DROP_BODY;
	return v;
}

enum verdict point_answered(struct vantage_point *p, struct now now, const struct msg_punch *m)
{
	unsigned try = m->echo & 3;
	uint64_t rtt;

	if ((m->echo ^ try) != p->challenge || try >= p->tries)
		return V_DROP_STATE;
	if (m->family != p->addr.family)
		return V_DROP_BODY;
	rtt = MAX(now.boot - p->sent[try], 1u);
	p->rtt = p->rtt ? MIN(p->rtt, rtt) : rtt;
	p->seen = (struct addr){ .family = m->family, .port = m->port };
	memcpy(p->seen.ip, m->ip, m->family == 4 ? 4 : 16);
	return V_ANSWERED;
}
