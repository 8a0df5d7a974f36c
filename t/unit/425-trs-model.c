/*
 * 425-trs-model.c - a relay of three workers and a small model of it get the same random
 * requests, bindings, data, pauses, drains and restarts.  They agree about every answer, and
 * about paths, nodes and quotas; at the end nothing is left.
 */
#include "t/unit/trs_scene.h"
#include <malloc.h>

#define WORKERS 3
#define PAIRS 60		/* paths; five of each two nodes, all of one worker */
#define NODES 7
#define PLACES 3		/* addresses an end may be at */
#define PATHS_MAX 36
#define RATE 8			/* Mbit/s: an octet is 1,000 ns */
#define NODE_RATE (RATE * WORKERS * 2)	/* of which each worker gives a third */
#define CAP (100 * MS * 1000)	/* ns a bucket holds */
#define SLOT (8 * SEC)

struct bucket {
	int64_t ns;		/* what may be sent at once */
	uint64_t at;
};

struct model_end {
	struct addr at, here;
	uint64_t stamp, heard;
	struct bucket bucket;
};

struct model_path {
	bool there;
	uint64_t opened, expiry;
	unsigned node[2], serial;
	uint8_t key;
	bool waits;		/* a Tunnel Request, for its responder */
	struct model_end end[2];
};

/* The challenge an end was told at one of its places. */
struct told {
	uint64_t value, slot;
	unsigned run;		/* of the worker that said it */
};

struct model {
	struct scene s;
	uint64_t dice;
	struct pair pair[PAIRS];
	struct model_path path[PAIRS];
	struct told told[PAIRS][2][PLACES];
	struct bucket node[WORKERS][NODES];
	unsigned run[WORKERS];	/* times it was started */
	uint64_t opened[WORKERS], ended[WORKERS];
	bool draining;
	unsigned differ, serial;
	unsigned did[8];
	uint64_t ended_in[V_COUNT];	/* what came from ends */
};

/* 0 to n - 1, the same in every run (xorshift64*). */
static uint64_t roll(struct model *m, uint64_t n)
{
	m->dice ^= m->dice >> 12;
	m->dice ^= m->dice << 25;
	m->dice ^= m->dice >> 27;
	return (m->dice * 0x2545f4914f6cdd1d >> 16) % n;
}

/* ---- what the model knows ---- */

static unsigned owner(const struct model *m, unsigned i)
{
	return id_owner(&m->pair[i].path, WORKERS);
}

static bool is_bound(const struct model_path *p)
{
	return p->end[0].at.family && p->end[1].at.family;
}

static uint64_t end_of(const struct model_path *p)
{
	uint64_t heard = MAX(p->end[0].heard, p->end[1].heard);

	return MIN(p->expiry, heard ? heard + 180 * SEC : p->opened + 30 * SEC);
}

static unsigned paths_of(const struct model *m, unsigned worker, unsigned node)
{
	unsigned i, n = 0;

	for (i = 0; i < PAIRS; i++)
		n += m->path[i].there && owner(m, i) == worker &&
		     (node == NODES || m->path[i].node[0] == node || m->path[i].node[1] == node);
	return n;
}

static void fill(struct model *m, struct bucket *b, uint64_t rate)
{
	uint64_t us = m->s.now.boot - b->at;

	b->ns = (int64_t)MIN((uint64_t)b->ns + us * 1000, (uint64_t)CAP);
	b->at = m->s.now.boot;
}

static void forget(struct model *m, unsigned i)
{
	m->path[i].there = false;
	m->ended[owner(m, i)]++;
}

static void pass(struct model *m, uint64_t us)
{
	unsigned i;

	tick(&m->s, us);
	for (i = 0; i < PAIRS; i++)
		if (m->path[i].there && m->s.now.boot >= end_of(&m->path[i]))
			forget(m, i);
}

static void agree(struct model *m, bool same, const char *what, unsigned i)
{
	if (same)
		return;
	if (m->differ++ < 5)
		diag("at %" PRIu64 " us, path %u: they differ about %s", m->s.now.boot, i, what);
}

/* ---- the same to both ---- */

static struct addr place(unsigned i, unsigned end, unsigned k)
{
	struct addr a = { .family = 4, .ip = { 198, 51, (uint8_t)(100 + k), (uint8_t)(2 * i + end) },
			  .port = 4503 };

	return a;
}

/* Mostly where it was before. */
static unsigned some_place(struct model *m)
{
	return roll(m, 5) ? 0 : (unsigned)roll(m, PLACES);
}

static void full_bucket(struct model *m, struct bucket *b)
{
	*b = (struct bucket){ .ns = CAP, .at = m->s.now.boot };
}

static struct id node_id(unsigned node)
{
	struct id id = { { 0 } };

	id.b[node] = 0x77;
	return id;
}

/* Of two nodes a worker has so many paths; then the oldest ends. */
static void end_oldest(struct model *m, unsigned i)
{
	unsigned k, n = 0, oldest = i;

	for (k = 0; k < PAIRS; k++) {
		const struct model_path *p = &m->path[k];

		if (!p->there || owner(m, k) != owner(m, i) ||
		    memcmp(p->node, m->path[i].node, sizeof p->node) != 0)
			continue;
		n++;
		oldest = p->serial < m->path[oldest].serial ? k : oldest;
	}
	m->did[6] += n > TRS_OF_PAIR;
	if (n > TRS_OF_PAIR)
		forget(m, oldest);
}

static void open_in_model(struct model *m, unsigned i, const unsigned node[2], uint8_t key)
{
	unsigned e;

	for (e = 0; e < 2; e++)
		if (!paths_of(m, owner(m, i), node[e]))
			full_bucket(m, &m->node[owner(m, i)][node[e]]);
	m->path[i] = (struct model_path){ .there = true, .opened = m->s.now.boot, .key = key,
					  .serial = ++m->serial,
					  .node = { node[0], node[1] } };
	for (e = 0; e < 2; e++)
		full_bucket(m, &m->path[i].end[e].bucket);
	m->opened[owner(m, i)]++;
	end_oldest(m, i);
}

/* The NMS asks; now and then for what it should not. */
static void request(struct model *m, unsigned i)
{
	struct pair *p = &m->pair[i];
	struct model_path *in = &m->path[i];
	unsigned odd = (unsigned)roll(m, 12), want = 0;
	const unsigned node[2] = { i % 4, 4 + i / 4 % 3 };
	uint64_t life = 1 + roll(m, 600000);
	uint8_t key = p->key.b[0];

	p->key.b[0] ^= odd == 0 ? 0xff : 0;	/* one that no end has */
	if (odd == 1)
		life = (uint64_t)-5;
	if (odd == 2)
		p->node[1] = p->node[0];
	if (odd == 3)
		life = UINT64_MAX / 2;
	if (odd == 1 || odd == 2 || (in->there && in->key != p->key.b[0]))
		want = REASON_BAD_REQUEST;
	else if (!in->there && (m->draining || paths_of(m, owner(m, i), NODES) >= PATHS_MAX / WORKERS))
		want = REASON_BUSY;
	agree(m, asked(&m->s, p, life, random_u32()) == (int)want, "a Relay Request", i);
	if (!want && !in->there)
		open_in_model(m, i, node, p->key.b[0]);
	if (!want)
		in->expiry = m->s.now.boot + MIN(life, 366ull * 86400 * 1000) * MS;
	p->key.b[0] = key;
	p->node[1] = node_id(node[1]);
}

/* What an end echoes at this place: what it was told there, or at another, or nothing. */
static bool proves(const struct model *m, const struct told *t, bool here, unsigned worker)
{
	return here && t->value && t->run == m->run[worker] && t->slot + 1 >= m->s.now.boot / SLOT;
}

/* What waited for the responder follows the ACK that makes both bound. */
static void check_held(struct model *m, unsigned i)
{
	struct model_path *in = &m->path[i];
	bool leaves = in->waits && is_bound(in);

	agree(m, m->s.sent_n == 1u + leaves &&
		 (!leaves || (addr_equal(&m->s.sent[1].to, &in->end[1].at) &&
			      m->s.sent[1].len == TRS_REQUEST)), "a Tunnel Request that waits", i);
	m->did[7] += leaves;
	in->waits &= !leaves;
}

/* An end says where it is; then a copy of that comes. */
static void bind(struct model *m, unsigned i)
{
	unsigned e = (unsigned)roll(m, 2), k = some_place(m);
	unsigned from = roll(m, 8) ? k : (unsigned)roll(m, PLACES), w = owner(m, i);
	const struct told *told = roll(m, 5) ? &m->told[i][e][from] : &(struct told){ 0 };
	struct end *end = &m->pair[i].end[e];
	struct model_end *in = &m->path[i].end[e];
	uint8_t p[DATAGRAM_MAX], copy[DATAGRAM_MAX];
	struct msg_punch ack;
	bool works = m->path[i].there && m->path[i].key == m->pair[i].key.b[0], bound;
	size_t n;

	end->at = place(i, e, k);
	bound = addr_equal(&in->at, &end->at) || proves(m, told, from == k, w);
	n = punch(&m->s, end, 4242, told->value, false, p);
	memcpy(copy, p, n);
	m->s.sent_n = 0;
	agree(m, ends(&m->s, &end->at, &end->here, p, n, works ? V_ANSWERED :
		    m->path[i].there || e == 0 ? V_DROP_TAG : V_DROP_STRANGER),
	      "a Hole Punching", i);
	m->ended_in[V_ANSWERED] += works;
	if (!works)
		return;
	agree(m, read_ack(&m->s, end, 0, &ack) && ack.bound == bound && ack.echo == 4242 &&
		 m->s.sent[0].len == n, "who is bound", i);
	m->ended_in[V_CONTROL] += bound && !addr_equal(&in->at, &end->at);
	if (bound) {
		in->at = end->at;
		in->heard = m->s.now.boot;
		in->stamp = end->s.last;
	}
	check_held(m, i);
	m->told[i][e][k] = (struct told){ ack.challenge, m->s.now.boot / SLOT, m->run[w] };
	m->s.sent_n = 0;
	agree(m, ends(&m->s, &end->at, &end->here, copy, n, V_DROP_REPLAY) && !m->s.sent_n, "a copy", i);
}

static bool spends(struct model *m, unsigned i, unsigned e, size_t n)
{
	struct bucket *path = &m->path[i].end[e].bucket,
		      *node = &m->node[owner(m, i)][m->path[i].node[e]];
	int64_t dear = (int64_t)n * 1000, cheap = dear / 2;

	fill(m, path, RATE);
	fill(m, node, NODE_RATE);
	if (path->ns < dear || node->ns < cheap)
		return false;
	path->ns -= dear;
	node->ns -= cheap;
	return true;
}

static enum verdict verdict_of(struct model *m, unsigned i, unsigned e, const struct addr *from,
			       size_t n, bool request)
{
	struct model_path *in = &m->path[i];

	if (!in->there)
		return V_DROP_STRANGER;
	if (!addr_equal(from, &in->end[e].at))
		return V_DROP_UNBOUND;
	if (!spends(m, i, e, n))
		return V_DROP_QUOTA;
	if (is_bound(in)) {
		in->end[e].heard = m->s.now.boot;
		return V_RELAYED;
	}
	if (!request || e != 0)
		return V_DROP_UNBOUND;
	in->waits = true;
	return V_HELD;
}

static void data(struct model *m, unsigned i)
{
	unsigned e = (unsigned)roll(m, 2), k = some_place(m), burst = 1;
	bool request = roll(m, 2);
	struct model_path *in = &m->path[i];
	struct addr from = place(i, e, k);
	uint8_t p[1400];
	size_t n = request ? TRS_REQUEST : 100 + roll(m, sizeof p - 100);

	for (burst += request ? 0 : (unsigned)roll(m, 200); burst; burst--) {
		enum verdict want = verdict_of(m, i, e, &from, n, request);

		capsule(&m->s, &m->pair[i], request ? 0 : e, n, p);
		p[6] = request ? TYPE_TUNNEL_REQUEST : TYPE_CAPSULE;
		m->s.sent_n = 0;
		m->ended_in[want]++;
		agree(m, ends(&m->s, &from, &m->s.here4, p, n, want) &&
			 m->s.sent_n == (want == V_RELAYED) &&
			 (!m->s.sent_n || addr_equal(&m->s.sent[0].to, &in->end[!e].at)), "data", i);
	}
}

static void drain(struct model *m)
{
	unsigned w;

	m->draining = !m->draining;
	for (w = 0; w < WORKERS; w++)
		operator_says(&m->s, w, m->draining ? "{\"cmd\": \"drain\"}\n" : "{\"cmd\": \"resume\"}\n");
}

static void restart(struct model *m)
{
	unsigned w = (unsigned)roll(m, WORKERS), i;
	struct role_env env = m->s.t[w]->env;
	char err[256];

	env.restarted = true;
	env.start = m->s.now;
	role_trs.close(m->s.t[w]);
	m->s.t[w] = role_trs.open(&env, err);
	if (!m->s.t[w])
		exit(99);
	if (w == 0)
		become_known(&m->s);
	m->run[w]++;
	m->opened[w] = m->ended[w] = 0;
	for (i = 0; i < PAIRS; i++)
		if (owner(m, i) == w)
			m->path[i].there = false;
	pass(m, 50 * MS);	/* the successor asks who we are; numbers follow the clock */
}

/* ---- the comparison ---- */

static void compare(struct model *m)
{
	unsigned w, i, k, bound, nodes;

	for (w = 0; w < WORKERS; w++) {
		const struct trs *t = m->s.t[w];

		for (i = bound = nodes = 0; i < PAIRS; i++)
			bound += m->path[i].there && owner(m, i) == w && is_bound(&m->path[i]);
		for (k = 0; k < NODES; k++)
			nodes += paths_of(m, w, k) > 0;
		agree(m, t->paths.n == paths_of(m, w, NODES) && t->did.paths == t->paths.n, "paths", w);
		agree(m, t->members.n == nodes, "nodes", w);
		agree(m, t->pairs.n <= t->paths.n && !t->pairs.n == !t->paths.n, "pairs", w);
		agree(m, t->bound == bound, "bound paths", w);
		agree(m, t->opened == m->opened[w] && t->ended == m->ended[w], "paths so far", w);
		agree(m, t->draining == m->draining, "draining", w);
	}
	for (i = 0; i < PAIRS; i++) {
		const struct trs_path *p = relay_get(m->s.t[owner(m, i)], &m->pair[i].path);

		agree(m, (p != NULL) == m->path[i].there, "whether it is there", i);
		for (k = 0; p && m->path[i].there && k < 2; k++)
			agree(m, addr_equal(&p->end[k].at, &m->path[i].end[k].at) &&
				 p->end[k].stamp == m->path[i].end[k].stamp &&
				 p->end[k].member->paths == paths_of(m, owner(m, i), m->path[i].node[k]),
			      "an end", i);
	}
}

static void operate(struct model *m)
{
	unsigned i = (unsigned)roll(m, PAIRS), what = (unsigned)roll(m, 1000);

	if (what < 200) {
		m->did[0]++;
		request(m, i);
	} else if (what < 750) {
		m->did[1]++;
		bind(m, i);
	} else if (what < 900) {
		m->did[2]++;
		data(m, i);
	} else if (what < 995) {
		m->did[3]++;
		pass(m, roll(m, 8) ? roll(m, 200 * MS) : roll(m, 20 * SEC));
	} else if (what < 998) {
		m->did[4]++;
		drain(m);
	} else {
		m->did[5]++;
		restart(m);
	}
}

static void make(struct model *m, uint64_t seed)
{
	unsigned i;

	memset(m, 0, sizeof *m);
	m->dice = seed;
	begin(&m->s, WORKERS);
	m->s.conf.trs_paths = PATHS_MAX;
	m->s.conf.trs_path_rate = RATE;
	m->s.conf.trs_node_rate = NODE_RATE;
	for (i = 0; i < PAIRS; i++) {
		pair_make(&m->s, &m->pair[i], (uint8_t)i);
		m->pair[i].node[0] = node_id(i % 4);
		m->pair[i].node[1] = node_id(4 + i / 4 % 3);
	}
}

int main(void)
{
	struct model *m = malloc(sizeof *m);
	unsigned i, steps = scale() > 1 ? 62500 * scale() : 10000;
	size_t heap;

	if (!m)
		return 99;
	make(m, 425);
	/* tables keep their room: they are filled once */
	for (i = 0; i < 2000; i++)
		operate(m);
	pass(m, 700 * SEC);
	heap = mallinfo2().uordblks;
	for (i = 0; i < steps; i++) {
		operate(m);
		if (i % 50 == 0)
			compare(m);
	}
	compare(m);
	ok(!m->differ, "in %u random steps relay and model never differ (%u)", steps, m->differ);
	diag("%u requests, %u bindings, %u bursts of data, %u pauses, %u drains or resumptions, %u restarts",
	     m->did[0], m->did[1], m->did[2], m->did[3], m->did[4], m->did[5]);
	diag("%u times the oldest of five paths of two nodes ended, %u Tunnel Requests had waited",
	     m->did[6], m->did[7]);
	diag("%" PRIu64 " Hole Punchings answered, %" PRIu64 " times an end bound to a new place; %" PRIu64
	     " capsules relayed, %" PRIu64 " beyond quota, %" PRIu64 " not bound, %" PRIu64 " on no path",
	     m->ended_in[V_ANSWERED], m->ended_in[V_CONTROL], m->ended_in[V_RELAYED],
	     m->ended_in[V_DROP_QUOTA], m->ended_in[V_DROP_UNBOUND], m->ended_in[V_DROP_STRANGER]);
	ok(m->ended_in[V_RELAYED] > steps / 2 && m->ended_in[V_DROP_QUOTA] > steps / 100 &&
	   m->ended_in[V_CONTROL] > steps / 100 && m->did[6] && m->did[7], "who met all there is");
	pass(m, 700 * SEC);
	compare(m);
	ok(!m->s.t[0]->paths.n && !m->s.t[1]->paths.n && !m->s.t[2]->paths.n && !m->s.t[0]->members.n &&
	   !m->s.t[1]->members.n && !m->s.t[2]->members.n && !m->differ, "when all is over no path and no node is left");
	heap = mallinfo2().uordblks - heap;
	ok((ssize_t)heap < 65536, "nor any memory of theirs (%zd octets more than after the first 2,000 steps)",
	   (ssize_t)heap);
	for (i = 0; i < PAIRS; i++)
		pair_free(&m->pair[i]);
	end(&m->s);
	free(m);
	return done();
}
