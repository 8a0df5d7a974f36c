/*
 * trs_paths.c - the relay itself.  A path has two ends, and each proves where it is by sending
 * back a challenge that was sent there; between the two proven addresses Tunnel Requests,
 * Tunnel Responses and capsules go on as they came, and nobody else's do.
 *
 *   end                            TRS
 *    |-- Hole Punching {c1} ------->|   nothing is kept: the challenge is made of the address
 *    |<------ ACK {echo c1, s} -----|
 *    |-- Hole Punching {c2, s} ---->|   bound
 *    |<-- ACK {echo c2, s', bound} -|
 *
 * A copy from elsewhere, sooner or later than the original, gets a challenge that only the
 * key's holder could send back, and it does not stand in the original's way.
 */
#include "roles/trs.h"
#include "store/config.h"
#include <stdlib.h>

#define CHALLENGE_SLOT (8 * SEC)
#define NS 1000				/* in a us */
#define BURST_NS (100 * MS * NS)
#define BURST_OCTETS 65536

struct trs_path *relay_get(const struct trs *t, const struct id *id)
{
	return LINK_OWNER(table_get(&t->paths, id), struct trs_path, link);
}

/* ---- quotas: a bucket is the time in ns at which it will be full again ---- */

static uint64_t cost(const struct trs *t, uint32_t mbit, unsigned parts, size_t octets)
{
	return octets * 8 * NS * parts / mbit;
}

static bool has_room(const struct trs *t, struct now now, uint64_t bucket, uint32_t mbit,
		     unsigned parts, size_t octets)
{
	uint64_t ns = now.boot * NS;

	return !mbit || MAX(bucket, ns) + cost(t, mbit, parts, octets) <=
			ns + MAX(BURST_NS, cost(t, mbit, parts, BURST_OCTETS));
}

static void charge(const struct trs *t, struct now now, uint64_t *bucket, uint32_t mbit,
		   unsigned parts, size_t octets)
{
	if (mbit)
		*bucket = MAX(*bucket, now.boot * NS) + cost(t, mbit, parts, octets);
}

/* A node's paths are everywhere: each worker gives it its part. */
static bool within_quota(struct trs *t, struct now now, struct trs_end *end, size_t n)
{
	uint32_t path = t->env.conf->trs_path_rate, node = t->env.conf->trs_node_rate;

	if (!has_room(t, now, end->bucket, path, 1, n) ||
	    !has_room(t, now, end->member->bucket, node, t->env.workers, n))
		return false;
	charge(t, now, &end->bucket, path, 1, n);
	charge(t, now, &end->member->bucket, node, t->env.workers, n);
	return true;
}

/* ---- opening and ending ---- */

static struct trs_member *member_take(struct trs *t, const struct id *id)
{
	struct trs_member *m = LINK_OWNER(table_get(&t->members, id), struct trs_member, link);

	if (!m) {
		m = calloc(1, sizeof *m);
		if (!m)
			abort();
		m->link.id = *id;
		table_add(&t->members, &m->link);
	}
	m->paths++;
	return m;
}

static void member_leave(struct trs *t, struct trs_member *m)
{
	if (--m->paths)
		return;
	table_remove(&t->members, &m->link);
	free(m);
}

/* Two nodes need one path; who asks for ever more of them takes none from others. */
static void pair_join(struct trs *t, struct trs_path *path, const struct msg_relay_request *m)
{
	struct trs_path **at;
	struct trs_pair *pair;
	struct id both;
	size_t i;

	for (i = 0; i < sizeof both.b; i++)
		both.b[i] = m->initiator.b[i] ^ m->responder.b[i];
	pair = LINK_OWNER(table_get(&t->pairs, &both), struct trs_pair, link);
	if (!pair) {
		pair = calloc(1, sizeof *pair);
		if (!pair)
			abort();
		pair->link.id = both;
		table_add(&t->pairs, &pair->link);
	}
	for (at = &pair->oldest; *at; at = &(*at)->younger)
		;
	*at = path;
	path->pair = pair;
	pair->paths++;
}

static void pair_leave(struct trs *t, struct trs_path *path)
{
	struct trs_pair *pair = path->pair;
	struct trs_path **at = &pair->oldest;

	while (*at != path)
		at = &(*at)->younger;
	*at = path->younger;
	if (--pair->paths)
		return;
	table_remove(&t->pairs, &pair->link);
	free(pair);
}

static bool is_bound(const struct trs_path *path)
{
	return path->end[0].at.family && path->end[1].at.family;
}

static void path_free(struct trs *t, struct trs_path *path)
{
	t->bound -= is_bound(path);
	t->ended++;
	timer_clear(&t->timers, &path->timer);
	table_remove(&t->paths, &path->link);
	pair_leave(t, path);
	member_leave(t, path->end[0].member);
	member_leave(t, path->end[1].member);
	wipe(path, sizeof *path);
	free(path);
	t->did.paths = t->paths.n;
}

/* When it must be gone unless somebody is heard until then. */
static uint64_t path_end(const struct trs_path *path)
{
	uint64_t heard = MAX(path->end[0].heard, path->end[1].heard);

	return MIN(path->expiry, heard ? heard + TRS_SILENT : path->opened + TRS_UNBOUND);
}

void relay_alarm(struct trs *t, struct now now, struct trs_path *path)
{
	if (now.boot >= path_end(path))
		path_free(t, path);
	else
		timer_set(&t->timers, &path->timer, path_end(path));
}

static void close_one(void *arg, struct link *link)
{
	path_free(arg, LINK_OWNER(link, struct trs_path, link));
}

void relay_close(struct trs *t)
{
	table_each(&t->paths, close_one, t);
	table_free(&t->paths);
	table_free(&t->members);
	table_free(&t->pairs);
}

/* Path IDs are random: every worker has about its part of them. */
static bool is_full(const struct trs *t)
{
	return t->paths.n >= (t->env.conf->trs_paths + t->env.workers - 1) / t->env.workers;
}

static struct trs_path *path_make(struct trs *t, struct now now, const struct msg_relay_request *m)
{
	struct trs_path *path = calloc(1, sizeof *path);

	if (!path)
		abort();
	path->link.id = m->path;
	memcpy(path->key.b, m->relay_key, sizeof path->key.b);
	path->end[0].member = member_take(t, &m->initiator);
	path->end[1].member = member_take(t, &m->responder);
	path->opened = now.boot;
	table_add(&t->paths, &path->link);
	pair_join(t, path, m);
	if (path->pair->paths > TRS_OF_PAIR)
		path_free(t, path->pair->oldest);
	t->opened++;
	t->did.paths = t->paths.n;
	return path;
}

static bool is_same(const struct trs_path *path, const struct msg_relay_request *m)
{
	return memcmp(path->key.b, m->relay_key, sizeof path->key.b) == 0 &&
	       id_equal(&path->end[0].member->link.id, &m->initiator) &&
	       id_equal(&path->end[1].member->link.id, &m->responder);
}

uint16_t relay_open(struct trs *t, struct now now, const struct msg_relay_request *m)
{
	struct trs_path *path = relay_get(t, &m->path);
	uint64_t ms = cloud_ms(&t->cloud, now), year = 366 * 86400 * SEC / MS;

	if (m->expiry <= ms || id_equal(&m->initiator, &m->responder) ||
	    (path && !is_same(path, m))) {
		t->refused++;
		return REASON_BAD_REQUEST;
	}
	if (!path && (t->draining || is_full(t))) {
		t->refused++;
		return REASON_BUSY;
	}
	if (!path)
		path = path_make(t, now, m);
	path->expiry = now.boot + MIN(m->expiry - ms, year) * MS;
	timer_set(&t->timers, &path->timer, path_end(path));
	return 0;
}

/* ---- binding ---- */

static uint8_t *put_addr(uint8_t *p, const struct addr *a)
{
	*p++ = a->family;
	memcpy(p, a->ip, sizeof a->ip);
	put16(p + 16, a->port);
	put32(p + 18, a->scope);
	return p + 22;
}

/* What whoever receives at `from` is to send back: good for this slot and the next. */
static uint64_t challenge_for(const struct trs *t, const struct trs_path *path, unsigned end,
			      const struct trs_packet *k, uint64_t slot)
{
	uint8_t p[16 + 1 + 2 * 23 + 8], *at = p + 17;

	memcpy(p, path->link.id.b, 16);
	p[16] = (uint8_t)end;
	at = put_addr(at, &k->from);
	at = put_addr(at, &k->to);
	put64(at, slot);
	return siphash(t->challenge_key, p, (size_t)(at + 8 - p)) | 1;
}

static bool proves(const struct trs *t, struct now now, const struct trs_path *path, unsigned end,
		   const struct trs_packet *k, uint64_t echo)
{
	uint64_t slot = now.boot / CHALLENGE_SLOT;

	return echo && (echo == challenge_for(t, path, end, k, slot) ||
			echo == challenge_for(t, path, end, k, slot - 1));
}

bool punch_is_new(struct trs *t, const void *what, size_t n)
{
	uint64_t mark = siphash(t->challenge_key, what, n) | 1;
	uint64_t *slot = &t->seen[(mark >> 1) % TRS_SEEN];
	bool new = *slot != mark;

	*slot = mark;
	return new;
}

/* Copies from other addresses are answered too: else who is quicker could silence an end. */
static bool is_new(struct trs *t, const struct trs_path *path, unsigned end,
		   const struct trs_packet *k, uint64_t stamp)
{
	uint8_t p[16 + 1 + 23 + 8], *at = p + 17;

	memcpy(p, path->link.id.b, 16);
	p[16] = (uint8_t)end;
	at = put_addr(at, &k->from);
	put64(at, stamp);
	return punch_is_new(t, p, (size_t)(at + 8 - p));
}

void punch_answer(struct trs *t, struct now now, struct session *s, uint64_t *sent,
		  const struct trs_packet *k, const struct msg_punch *m, enum port port,
		  struct outbox *out)
{
	struct msg_punch r = *m;
	uint8_t body[MSG_SIZE_punch], p[DATAGRAM_MAX];
	size_t n;

	r.family = k->from.family;
	r.port = k->from.port;
	memcpy(r.ip, k->from.ip, sizeof r.ip);
	n = msg_write_punch(body, sizeof body, &r);
	s->last = *sent;
	n = session_seal(s, cloud_ms(&t->cloud, now), k->h.transaction, TYPE_ACK, 0, body, n, p);
	*sent = s->last;
	out_datagram(out, port, &k->from, &k->to, p, n);
}

/* This end is there now, or still. */
static void bind_end(struct trs *t, struct now now, struct trs_path *path, struct trs_end *end,
		     const struct trs_packet *k, uint64_t stamp)
{
	bool before = is_bound(path);

	end->at = k->from;
	end->to = k->to;
	end->stamp = stamp;
	end->heard = now.boot;
	t->bound += is_bound(path) && !before;
	timer_set(&t->timers, &path->timer, path_end(path));
}

static void send_held(struct trs *t, struct trs_path *path, struct outbox *out)
{
	const struct trs_end *to = &path->end[1];

	if (!path->waits || !is_bound(path))
		return;
	out_datagram(out, PORT_MAIN, &to->at, &to->to, path->request, TRS_REQUEST);
	path->waits = false;
	t->packets++;
	t->did.octets += TRS_REQUEST;
}

static enum verdict take_punch(struct trs *t, struct now now, struct trs_path *path, unsigned i,
			       struct session *s, struct trs_packet *k, struct outbox *out)
{
	struct trs_end *end = &path->end[i];
	uint64_t ms = cloud_ms(&t->cloud, now), stamp;
	struct msg_punch m, r = { .bound = 0 };
	struct bytes body;
	enum verdict v = session_open(s, ms, k->p, k->n, &k->h, &k->x, &body, &stamp);

	if (v != V_PASSED)
		return v;
	if (msg_read_punch(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	if (stamp <= end->stamp || stamp + TRS_STAMP_AGE < ms || stamp > ms + TRS_STAMP_AGE ||
	    !is_new(t, path, i, k, stamp))
		return V_DROP_REPLAY;
	r.bound = (addr_equal(&end->at, &k->from) && addr_equal(&end->to, &k->to)) ||
		  proves(t, now, path, i, k, m.echo);
	if (r.bound)
		bind_end(t, now, path, end, k, stamp);
	r.echo = m.challenge;
	r.challenge = challenge_for(t, path, i, k, now.boot / CHALLENGE_SLOT);
	punch_answer(t, now, s, &end->sent, k, &r, PORT_MAIN, out);
	send_held(t, path, out);
	return V_ANSWERED;
}

enum verdict relay_punch(struct trs *t, struct now now, struct trs_path *path,
			 struct trs_packet *k, struct outbox *out)
{
	unsigned end = k->h.flags & FLAG_DIRECTION ? 1 : 0;
	struct session s;
	enum verdict v;

	session_relay(&s, &path->key, &path->link.id, end == 0, true);
	v = take_punch(t, now, path, end, &s, k, out);
	session_free(&s);
	wipe(&s, sizeof s);
	return v;
}

/* ---- forwarding ---- */

/* Follows the one before it in the same buffer, to the same place: then it leaves with it. */
static bool joins(const struct out_item *last, const struct trs_end *to, const struct trs_packet *k)
{
	return last->kind == OUT_DATAGRAM && last->port == PORT_MAIN && last->seg &&
	       last->buf + last->len == k->p && last->len % last->seg == 0 && k->n <= last->seg &&
	       last->len + k->n <= UINT16_MAX && last->ecn == k->ecn &&
	       addr_equal(&last->to, &to->at) && addr_equal(&last->from, &to->to);
}

static void send_on(const struct trs_end *to, const struct trs_packet *k, struct outbox *out)
{
	struct out_item *item = out->n ? &out->item[out->n - 1] : NULL;

	if (item && joins(item, to, k)) {
		item->len += (uint32_t)k->n;
		return;
	}
	item = out_add(out, OUT_DATAGRAM);
	item->port = PORT_MAIN;
	item->to = to->at;
	item->from = to->to;
	item->buf = k->p;
	item->len = (uint32_t)k->n;
	item->seg = (uint16_t)k->n;
	item->ecn = k->ecn;
}

/* Both ends set out at once: who is here first need not ask again when the other has come. */
static enum verdict hold(struct trs_path *path, unsigned end, const struct trs_packet *k)
{
	if (end != 0 || k->h.type != TYPE_TUNNEL_REQUEST || k->n != TRS_REQUEST)
		return V_DROP_UNBOUND;
	memcpy(path->request, k->p, TRS_REQUEST);
	path->waits = true;
	return V_HELD;
}

enum verdict relay_forward(struct trs *t, struct now now, struct trs_path *path,
			   const struct trs_packet *k, struct outbox *out)
{
	unsigned i = addr_equal(&path->end[0].at, &k->from) ? 0 : 1;

	if (!addr_equal(&path->end[i].at, &k->from))
		return V_DROP_UNBOUND;
	if (!within_quota(t, now, &path->end[i], k->n))
		return V_DROP_QUOTA;
	if (!is_bound(path))
		return hold(path, i, k);
	send_on(&path->end[!i], k, out);
	path->end[i].heard = now.boot;
	t->packets++;
	t->did.octets += k->n;
	return V_RELAYED;
}
