/* The relay, worker by worker, without sockets: who may bind, what goes on to whom, what ends. */
#include "t/tap.h"
#include "roles/trs.h"
#include "net/proto/stun.h"
#include "store/config.h"
#include <unistd.h>

#define NOW_S ((uint64_t)1800000000)
#define SENT_MAX 512
#define NOTES_MAX 512

struct sent {
	enum port port;
	struct addr from, to;
	uint32_t len;
	uint16_t seg;
	uint8_t ecn;
	uint8_t p[4096];
};

struct letter {
	unsigned from, to;
	size_t n;
	uint8_t p[2048];
};

/* A relay of some workers, its NMS, and what it sent. */
struct scene {
	char dir[32];
	struct config conf;
	struct trs *t[4];
	unsigned workers, acting;
	struct now now;
	struct outbox out;
	struct sent sent[SENT_MAX];
	unsigned sent_n;
	struct letter note[NOTES_MAX];
	unsigned notes, delivered;
	struct id trs_id;
	struct common_key common;
	struct secret_common_value scv;
	struct tokens tokens;
	struct session nms;
	struct addr nms_at, here4, here6, other4;
};

/* One end of a path, as a node is. */
struct end {
	struct session s;
	struct addr at, here;		/* its address, and the relay's that it uses */
	uint64_t echo;
};

struct pair {
	struct id path;
	struct relay_key key;
	struct end end[2];
};

static void flush(struct outbox *out)
{
	struct scene *s = out->owner;
	unsigned i;

	for (i = 0; i < out->n; i++) {
		const struct out_item *item = &out->item[i];

		if (item->kind == OUT_DATAGRAM && s->sent_n < SENT_MAX) {
			struct sent *to = &s->sent[s->sent_n++];

			*to = (struct sent){ .port = item->port, .from = item->from, .to = item->to,
					     .len = item->len, .seg = item->seg, .ecn = item->ecn };
			memcpy(to->p, item->buf, MIN(item->len, sizeof to->p));
		} else if (item->kind == OUT_WORKER && s->notes < NOTES_MAX) {
			struct letter *l = &s->note[s->notes++];

			*l = (struct letter){ .from = s->acting, .to = item->handle, .n = item->len };
			memcpy(l->p, item->buf, MIN(item->len, sizeof l->p));
		}
	}
	out->n = 0;
	out->used = 0;
}

static void deliver(struct scene *s)
{
	flush(&s->out);
	while (s->delivered < s->notes) {
		const struct letter *l = &s->note[s->delivered++];
		struct note n = { NOTE_WORKER, l->from, { l->p, l->n } };

		s->acting = l->to;
		role_trs.note(s->t[l->to], s->now, &n, &s->out);
		flush(&s->out);
	}
	s->notes = s->delivered = 0;
}

static void tick(struct scene *s, uint64_t us)
{
	unsigned w;

	s->now.boot += us;
	s->now.wall += us;
	for (w = 0; w < s->workers; w++) {
		s->acting = w;
		role_trs.tick(s->t[w], s->now, &s->out);
		deliver(s);
	}
	s->sent_n = 0;
}

static uint64_t count(const struct scene *s, enum verdict v)
{
	uint64_t n = 0;
	unsigned w;

	for (w = 0; w < s->workers; w++)
		n += role_trs.verdicts(s->t[w])->count[v];
	return n;
}

static uint64_t ms(const struct scene *s)
{
	return cloud_ms(&s->t[0]->cloud, s->now);
}

/* Gives a run of datagrams to a worker. */
static void give(struct scene *s, unsigned worker, const struct addr *from, const struct addr *to,
		 const void *p, size_t n, size_t seg, uint8_t ecn)
{
	static uint8_t room[HEADROOM + 65536 + TAILROOM];
	struct batch b = { .port = PORT_MAIN, .from = *from, .to = *to, .buf = room + HEADROOM,
			   .len = (uint32_t)n, .seg = (uint16_t)seg, .ecn = ecn };

	memcpy(b.buf, p, n);
	s->acting = worker;
	role_trs.input(s->t[worker], s->now, &b, &s->out);
	deliver(s);
}

/* What `v` counts more than before a datagram was given to the worker it is steered to. */
static bool ends(struct scene *s, const struct addr *from, const struct addr *to, const void *p,
		 size_t n, enum verdict v)
{
	uint64_t before = count(s, v);

	give(s, id_owner(gate_id(p), s->workers), from, to, p, n, n, 0);
	return count(s, v) == before + 1;
}

static void become_known(struct scene *s)
{
	struct trs_agent *a = s->t[0]->agent;
	struct registrar_setup setup = { .node_id = s->trs_id, .common_key = s->common,
					 .scv = s->scv, .keepalive = 15 * SEC, .nms_n = 1,
					 .nms = { s->nms_at } };
	unsigned w;

	registrar_start(&a->registrar, &setup, &s->t[0]->cloud, s->now);
	a->registrar.way[0].confirmed = a->registrar.way[0].registered = true;
	a->registrar.way[0].next = NEVER;
	a->registrar.way[0].local = s->here4;
	a->registering = true;
	a->relogin = NEVER;
	a->report_at = s->now.boot;
	a->key = s->common;
	a->bits4 = 15;
	memcpy(a->net4, (uint8_t[]){ 198, 18, 0, 0 }, 4);
	for (w = 0; w < s->workers; w++) {
		struct trs_note know = { .kind = TRS_KNOW, .id = s->trs_id, .scv = s->scv,
					 .offset = s->t[0]->cloud.offset };
		struct note n = { NOTE_WORKER, 0, { (uint8_t *)&know, sizeof know } };

		role_trs.note(s->t[w], s->now, &n, &s->out);
	}
	deliver(s);
}

static void begin(struct scene *s, unsigned workers)
{
	char err[256] = "";
	unsigned w;

	memset(s, 0, sizeof *s);
	strcpy(s->dir, "/tmp/trs-test.XXXXXX");
	if (!mkdtemp(s->dir))
		exit(99);
	config_defaults(&s->conf);
	strcpy(s->conf.state, s->dir);
	s->conf.roles = ROLE_TRS | ROLE_AS;
	s->workers = workers;
	s->now = (struct now){ .boot = 1000 * SEC, .wall = NOW_S * SEC };
	s->out.scratch = malloc(OUTBOX_SCRATCH);
	s->out.flush = flush;
	s->out.owner = s;
	memset(&s->trs_id, 7, sizeof s->trs_id);
	memset(&s->common, 8, sizeof s->common);
	memset(&s->scv, 9, sizeof s->scv);
	tokens_init(&s->tokens, &s->scv);
	session_common(&s->nms, &s->common, &s->trs_id, true);
	ip_parse(&s->nms_at, "192.0.2.1", 4501);
	ip_parse(&s->here4, "192.0.2.2", 4502);
	ip_parse(&s->other4, "192.0.2.3", 4502);
	ip_parse(&s->here6, "2001:db8::2", 4502);
	for (w = 0; w < workers; w++) {
		struct role_env env = { .conf = &s->conf, .worker = w, .workers = workers,
					.start = s->now };

		s->t[w] = role_trs.open(&env, err);
		if (!s->t[w]) {
			printf("Bail out! %s\n", err);
			exit(99);
		}
	}
	become_known(s);
}

static void end(struct scene *s)
{
	char command[64];
	unsigned w;

	for (w = 0; w < s->workers; w++)
		role_trs.close(s->t[w]);
	session_free(&s->nms);
	free(s->out.scratch);
	snprintf(command, sizeof command, "rm -rf %s", s->dir);
	if (system(command) != 0)
		exit(99);
}

/* ---- the NMS ---- */

static size_t seal_request(struct scene *s, struct session *with, const struct pair *p,
			   uint64_t life, uint32_t transaction, uint8_t out[DATAGRAM_MAX])
{
	struct msg_relay_request m = { .path = p->path, .expiry = ms(s) + life };
	uint8_t body[MSG_SIZE_relay_request];

	memset(m.initiator.b, 1, 16);
	memset(m.responder.b, 2, 16);
	memcpy(m.relay_key, p->key.b, 16);
	return session_seal(with, ms(s), transaction, TYPE_RELAY_REQUEST, 0, body,
			    msg_write_relay_request(body, sizeof body, &m), out);
}

/* The reason in the Relay Response, or -1 when none came. */
static int asked(struct scene *s, const struct pair *p, uint64_t life, uint32_t transaction)
{
	uint8_t q[DATAGRAM_MAX];
	size_t n = seal_request(s, &s->nms, p, life, transaction, q);
	struct msg_relay_response r;
	struct msg_header h;
	struct bytes body;
	struct exts x;
	uint64_t stamp;
	unsigned i;

	s->sent_n = 0;
	give(s, id_owner(&s->trs_id, s->workers), &s->nms_at, &s->here4, q, n, n, 0);
	for (i = 0; i < s->sent_n; i++) {
		struct sent *a = &s->sent[i];

		if (gate_check(a->p, a->len, &h, &x) == V_PASSED && h.type == TYPE_RELAY_RESPONSE &&
		    h.transaction == transaction && addr_equal(&a->to, &s->nms_at) &&
		    session_open(&s->nms, ms(s), a->p, a->len, &h, &x, &body, &stamp) == V_PASSED &&
		    msg_read_relay_response(&r, body.p, body.n) == (long)body.n &&
		    id_equal(&r.path, &p->path))
			return r.result;
	}
	return -1;
}

static void pair_make(struct scene *s, struct pair *p, uint8_t number)
{
	unsigned i;
	char ip[32];

	memset(p, 0, sizeof *p);
	memset(p->path.b, 0x50, 16);
	p->path.b[15] = number;
	memset(p->key.b, number + 1, 16);
	for (i = 0; i < 2; i++) {
		session_relay(&p->end[i].s, &p->key, &p->path, i == 0, false);
		snprintf(ip, sizeof ip, "198.51.100.%u", 2u * number + i + 1);
		ip_parse(&p->end[i].at, ip, 4503);
		p->end[i].here = s->here4;
	}
}

static void pair_free(struct pair *p)
{
	session_free(&p->end[0].s);
	session_free(&p->end[1].s);
}

/* ---- the ends ---- */

static size_t punch(struct scene *s, struct end *e, uint64_t challenge, uint64_t echo, bool other,
		    uint8_t out[DATAGRAM_MAX])
{
	struct msg_punch m = { .challenge = challenge, .echo = echo, .other = other };
	uint8_t body[MSG_SIZE_punch];

	return session_seal(&e->s, ms(s), 77, TYPE_HOLE_PUNCHING, tokens_at(&s->tokens, ms(s)), body,
			    msg_write_punch(body, sizeof body, &m), out);
}

/* The i-th thing sent as an ACK for this end; false if it is none. */
static bool read_ack(struct scene *s, struct end *e, unsigned i, struct msg_punch *m)
{
	struct msg_header h;
	struct bytes body;
	struct exts x;
	uint64_t stamp;

	return i < s->sent_n && gate_check(s->sent[i].p, s->sent[i].len, &h, &x) == V_PASSED &&
	       h.type == TYPE_ACK && h.transaction == 77 &&
	       session_open(&e->s, ms(s), s->sent[i].p, s->sent[i].len, &h, &x, &body, &stamp) ==
		       V_PASSED && msg_read_punch(m, body.p, body.n) == (long)body.n;
}

/* One Hole Punching and its ACK; echoes what came before. */
static bool knock(struct scene *s, struct end *e, struct msg_punch *m)
{
	uint8_t p[DATAGRAM_MAX];
	size_t n = punch(s, e, 4242, e->echo, false, p);

	s->sent_n = 0;
	memset(m, 0, sizeof *m);
	if (!ends(s, &e->at, &e->here, p, n, V_ANSWERED) || !read_ack(s, e, 0, m) || m->echo != 4242)
		return false;
	e->echo = m->challenge;
	return s->sent[0].len == n;
}

static bool bind_end(struct scene *s, struct end *e)
{
	struct msg_punch m;

	return knock(s, e, &m) && knock(s, e, &m) && m.bound;
}

static bool ready(struct scene *s, struct pair *p)
{
	return asked(s, p, 3600000, random_u32()) == 0 && bind_end(s, &p->end[0]) &&
	       bind_end(s, &p->end[1]);
}

/* A capsule nobody here can open, of n octets in all. */
static size_t capsule(struct scene *s, const struct pair *p, unsigned end, size_t n, uint8_t *out)
{
	struct msg_header h = { .transaction = 1, .version = PROTO_VERSION, .type = TYPE_CAPSULE,
				.flags = end ? FLAG_DIRECTION : 0, .length = (uint16_t)n,
				.token = tokens_at(&s->tokens, ms(s)), .id = p->path };

	memset(out, 0x5a, n);
	msg_write_header(out, HEADER_SIZE, &h);
	return n;
}

static bool goes_on(struct scene *s, struct pair *p, unsigned end)
{
	uint8_t c[1000];
	size_t n = capsule(s, p, end, sizeof c, c);
	struct end *from = &p->end[end], *to = &p->end[!end];

	s->sent_n = 0;
	return ends(s, &from->at, &from->here, c, n, V_RELAYED) && s->sent_n == 1 &&
	       addr_equal(&s->sent[0].to, &to->at) && addr_equal(&s->sent[0].from, &to->here) &&
	       s->sent[0].len == n && memcmp(s->sent[0].p, c, n) == 0;
}

/* ---- the tests ---- */

static void test_binding(struct scene *s)
{
	struct msg_punch m;
	struct pair p;
	uint8_t q[DATAGRAM_MAX];
	size_t n;

	begin(s, 1);
	pair_make(s, &p, 1);
	n = punch(s, &p.end[0], 1, 0, false, q);
	ok(ends(s, &p.end[0].at, &s->here4, q, n, V_DROP_TAG) && !s->sent_n,
	   "a Hole Punching for a path that nobody asked for gets no answer");
	ok(asked(s, &p, 60000, 1) == 0, "the NMS asks for a path and is told that it is ready");
	ok(asked(s, &p, 60000, 1) == 0 && asked(s, &p, 60000, 2) == 0 && s->t[0]->paths.n == 1,
	   "asked again, it says the same and has one path");
	ok(knock(s, &p.end[0], &m) && !m.bound && m.challenge && m.family == 4 && m.port == 4503,
	   "the first Hole Punching gets a challenge, the address as seen, and as many octets");
	ok(s->t[0]->bound == 0, "nothing is bound by it");
	n = capsule(s, &p, 0, 500, q);
	ok(ends(s, &p.end[0].at, &s->here4, q, n, V_DROP_UNBOUND), "nor may it send");
	ok(knock(s, &p.end[0], &m) && m.bound, "the second brings the challenge back: bound");
	ok(ends(s, &p.end[0].at, &s->here4, q, n, V_DROP_UNBOUND),
	   "while the other end is not bound, nothing goes on");
	ok(bind_end(s, &p.end[1]) && s->t[0]->bound == 1, "the other end binds");
	ok(goes_on(s, &p, 0) && goes_on(s, &p, 1), "then capsules go on in both directions, unchanged");
	pair_free(&p);
	end(s);
}

static void test_early(struct scene *s)
{
	uint8_t request[TRS_REQUEST], second[TRS_REQUEST], q[DATAGRAM_MAX];
	struct pair p;
	struct end *i, *r;
	size_t n;

	begin(s, 1);
	pair_make(s, &p, 1);
	i = &p.end[0];
	r = &p.end[1];
	n = capsule(s, &p, 0, sizeof request, request);
	request[6] = TYPE_TUNNEL_REQUEST;
	memcpy(second, request, n);
	second[n - 1] ^= 1;
	asked(s, &p, 60000, 1);
	ok(ends(s, &i->at, &i->here, request, n, V_DROP_UNBOUND) && bind_end(s, i),
	   "a Tunnel Request from an end that is not bound is not kept");
	ok(ends(s, &i->at, &i->here, request, n, V_HELD) && ends(s, &i->at, &i->here, second, n, V_HELD) &&
	   ends(s, &r->at, &r->here, request, n, V_DROP_UNBOUND),
	   "one that comes before the other end is, and the newest counts");
	memcpy(q, request, n);
	put16(q + 12, (uint16_t)(n + 1));
	ok(ends(s, &i->at, &i->here, q, n + 1, V_DROP_UNBOUND), "none of another length");
	ok(bind_end(s, r) && s->sent_n == 2 && addr_equal(&s->sent[1].to, &r->at) &&
	   addr_equal(&s->sent[1].from, &r->here) && s->sent[1].len == n &&
	   memcmp(s->sent[1].p, second, n) == 0, "it goes on when the other has come, behind the ACK");
	ok(bind_end(s, r) && s->sent_n == 1, "once");
	pair_free(&p);
	end(s);
}

static void test_strangers(struct scene *s)
{
	struct pair p;
	struct addr third;
	struct msg_punch m;
	uint8_t q[DATAGRAM_MAX], copy[DATAGRAM_MAX];
	size_t n;

	begin(s, 1);
	pair_make(s, &p, 1);
	ip_parse(&third, "203.0.113.66", 4503);
	ok(ready(s, &p), "a path with two ends");
	n = capsule(s, &p, 0, 500, q);
	s->sent_n = 0;
	ok(ends(s, &third, &s->here4, q, n, V_DROP_UNBOUND) && !s->sent_n,
	   "a third address may send nothing on the path");
	q[15] ^= 0x55;
	ok(ends(s, &p.end[0].at, &s->here4, q, n, V_DROP_TOKEN), "nor an end without the token");
	n = capsule(s, &p, 0, 500, q);
	q[31] ^= 0x55;
	ok(ends(s, &p.end[0].at, &s->here4, q, n, V_DROP_STRANGER), "nor anybody on a path of no one");

	n = punch(s, &p.end[0], 9, p.end[0].echo, false, q);
	memcpy(copy, q, n);
	ok(ends(s, &p.end[0].at, &s->here4, q, n, V_ANSWERED), "a Hole Punching of a bound end");
	s->sent_n = 0;
	ok(ends(s, &p.end[0].at, &s->here4, copy, n, V_DROP_REPLAY) && !s->sent_n &&
	   ends(s, &third, &s->here4, copy, n, V_DROP_REPLAY) && !s->sent_n,
	   "replayed from its address or another it is dropped without an answer");

	tick(s, 100 * MS);
	p.end[0].at.port = 5000;
	n = punch(s, &p.end[0], 9, p.end[0].echo, false, q);
	memcpy(copy, q, n);
	s->sent_n = 0;
	ok(ends(s, &third, &s->here4, copy, n, V_ANSWERED) && s->sent[0].len == n &&
	   addr_equal(&third, &s->sent[0].to),
	   "a copy that is quicker than the original is answered where it came from, at its length");
	ok(ends(s, &p.end[0].at, &s->here4, q, n, V_ANSWERED) && read_ack(s, &p.end[0], 1, &m) &&
	   !m.bound, "the original is answered all the same");
	p.end[0].echo = m.challenge;
	ok(knock(s, &p.end[0], &m) && m.bound && goes_on(s, &p, 1),
	   "and with its own challenge the end moves to its new address");
	ok(ends(s, &third, &s->here4, copy, n, V_DROP_REPLAY), "the copy again: too late");
	pair_free(&p);
	end(s);
}

static void test_challenges(struct scene *s)
{
	struct msg_punch m;
	struct pair p;
	struct addr old;
	uint64_t echo;

	begin(s, 1);
	pair_make(s, &p, 1);
	ok(ready(s, &p), "a path with two ends");
	old = p.end[0].at;
	p.end[0].at.port++;
	ok(knock(s, &p.end[0], &m) && !m.bound, "a challenge for one address is worth nothing at another");
	echo = m.challenge;
	tick(s, 9 * SEC);
	ok(knock(s, &p.end[0], &m) && m.bound, "it can be brought back for some seconds");
	p.end[0].at = old;
	ok(knock(s, &p.end[0], &m) && !m.bound, "back at the old address it must be proved anew");
	tick(s, 17 * SEC);
	ok(knock(s, &p.end[0], &m) && !m.bound, "but not with a challenge of long ago");
	p.end[1].echo = echo;
	p.end[1].at.port++;
	ok(knock(s, &p.end[1], &m) && !m.bound, "nor with the other end's");
	p.end[0].at.port++;
	p.end[0].echo = 0;
	tick(s, 100 * SEC);
	ok(knock(s, &p.end[0], &m) && m.bound, "who stays where it is bound only shows that it lives");
	p.end[0].here = s->other4;
	ok(knock(s, &p.end[0], &m) && !m.bound, "another address of the relay is proved by itself");
	pair_free(&p);
	end(s);
}

static void test_forged(struct scene *s)
{
	struct common_key wrong = { { 1 } };
	struct session forger;
	struct pair p;
	struct addr anywhere;
	uint8_t q[DATAGRAM_MAX], copy[DATAGRAM_MAX];
	size_t n;

	begin(s, 1);
	pair_make(s, &p, 1);
	ip_parse(&anywhere, "203.0.113.66", 4501);
	session_common(&forger, &wrong, &s->trs_id, true);
	n = seal_request(s, &forger, &p, 60000, 1, q);
	ok(ends(s, &s->nms_at, &s->here4, q, n, V_DROP_TAG) && !s->t[0]->paths.n,
	   "a forged Relay Request makes no path");
	n = seal_request(s, &s->nms, &p, 60000, 5, q);
	memcpy(copy, q, n);
	ok(ends(s, &s->nms_at, &s->here4, q, n, V_ANSWERED), "a true one does");
	ok(ends(s, &anywhere, &s->here4, copy, n, V_DROP_REPLAY), "replayed it is dropped");
	s->sent_n = 0;
	p.key.b[0] ^= 1;
	ok(asked(s, &p, 60000, 6) == REASON_BAD_REQUEST, "the same path with another key is refused");
	p.path.b[15]++;
	ok(asked(s, &p, (uint64_t)-5, 7) == REASON_BAD_REQUEST, "and one that is over already");
	session_free(&forger);
	pair_free(&p);
	end(s);
}

static void test_families(struct scene *s)
{
	struct pair p;
	uint8_t c[400];
	size_t n;

	begin(s, 1);
	pair_make(s, &p, 1);
	ip_parse(&p.end[1].at, "2001:db8::99", 4503);
	p.end[1].here = s->here6;
	p.end[0].here = s->other4;
	ok(ready(s, &p), "one end binds over IPv4, the other over IPv6");
	ok(goes_on(s, &p, 0) && goes_on(s, &p, 1),
	   "capsules go on from one to the other, from the address each of them uses");
	n = capsule(s, &p, 1, sizeof c, c);
	s->sent_n = 0;
	give(s, 0, &p.end[1].at, &s->here6, c, n, n, 3);
	ok(s->sent_n == 1 && s->sent[0].ecn == 3, "a mark of congestion goes along");
	pair_free(&p);
	end(s);
}

static void test_runs(struct scene *s)
{
	static uint8_t run[8 * 500];
	struct pair p[4];
	uint64_t relayed, handed;
	unsigned i;
	bool good = true;

	begin(s, 3);
	for (i = 0; i < 4; i++) {
		pair_make(s, &p[i], (uint8_t)i);
		good &= ready(s, &p[i]);
	}
	ok(good, "four paths of three workers");
	for (i = 0; i < 4; i++)
		capsule(s, &p[0], 0, 500, run + i * 500);
	capsule(s, &p[0], 0, 300, run + 4 * 500);
	s->sent_n = 0;
	give(s, 0, &p[0].end[0].at, &s->here4, run, 4 * 500 + 300, 500, 0);
	ok(s->sent_n == 1 && s->sent[0].len == 2300 && s->sent[0].seg == 500 &&
	   memcmp(s->sent[0].p, run, 2300) == 0, "a run of one path leaves as one run");

	/* all from one address, as behind one NAPT; and something not ours in between */
	for (i = 1; i < 4; i++) {
		p[i].end[0].at = p[0].end[0].at;
		good &= bind_end(s, &p[i].end[0]);
	}
	ok(good, "several paths' ends at one address");
	for (i = 0; i < 8; i++)
		capsule(s, &p[i % 4], 0, 500, run + i * 500);
	run[5 * 500 + 15] ^= 0x77;
	relayed = count(s, V_RELAYED);
	handed = count(s, V_HANDED);
	s->sent_n = 0;
	give(s, 0, &p[0].end[0].at, &s->here4, run, sizeof run, 500, 0);
	ok(count(s, V_RELAYED) == relayed + 7 && s->sent_n == 7 &&
	   count(s, V_DROP_TOKEN) == 1 && count(s, V_HANDED) == handed + 3,
	   "of a mixed run each goes to its owner and to its own other end, one without the token nowhere");
	for (i = 0; i < s->sent_n; i++) {
		const struct id *path = gate_id(s->sent[i].p);

		good &= addr_equal(&s->sent[i].to, &p[path->b[15]].end[1].at);
	}
	ok(good, "none to another's");
	for (i = 0; i < 4; i++)
		pair_free(&p[i]);
	end(s);
}

static unsigned passes(struct scene *s, struct pair *p, unsigned n)
{
	uint64_t before = count(s, V_RELAYED);
	uint8_t c[1000];
	unsigned i;

	for (i = 0; i < n; i++) {
		capsule(s, p, 0, sizeof c, c);
		give(s, id_owner(&p->path, s->workers), &p->end[0].at, &p->end[0].here, c, sizeof c,
		     sizeof c, 0);
	}
	s->sent_n = 0;
	return (unsigned)(count(s, V_RELAYED) - before);
}

static void test_quotas(struct scene *s)
{
	struct pair p, q;
	unsigned n;

	begin(s, 1);
	pair_make(s, &p, 1);
	pair_make(s, &q, 3);
	ok(ready(s, &p) && ready(s, &q), "two paths of one node");
	n = passes(s, &p, 200);
	ok(n == 200, "without quotas everything passes");
	s->conf.trs_path_rate = 1;
	n = passes(s, &p, 200);
	ok(n == 65, "at 1 Mbit/s a path has 64 KiB at once (%u KB)", n);
	ok(count(s, V_DROP_QUOTA) == 135, "the rest is dropped and counted");
	n = passes(s, &q, 100);
	ok(n == 65, "another path has as much (%u KB)", n);
	tick(s, 80 * MS);
	n = passes(s, &p, 100);
	ok(n == 10 || n == 11, "after 80 ms it is 10 KB more (%u KB)", n);
	s->conf.trs_path_rate = 0;
	s->conf.trs_node_rate = 80;
	tick(s, 10 * SEC);
	ok(bind_end(s, &p.end[0]) && bind_end(s, &q.end[0]), "the ends are still there");
	n = passes(s, &p, 600) + passes(s, &q, 900);
	ok(n == 1000, "at 80 Mbit/s a node has 100 ms' worth on all its paths together (%u KB)", n);
	pair_free(&p);
	pair_free(&q);
	end(s);
	begin(s, 2);
	pair_make(s, &p, 1);
	s->conf.trs_node_rate = 80;
	ok(ready(s, &p), "a path of one of two workers");
	n = passes(s, &p, 900);
	ok(n == 500, "each worker gives a node its part (%u KB)", n);
	pair_free(&p);
	end(s);
}

/* ---- what the operator says over the control socket ---- */

static bool operator_says(struct scene *s, unsigned worker, const char *line)
{
	struct flow_event ev = { .what = FLOW_OPENED, .port = PORT_CTL, .handle = STREAM_ACCEPTED };

	role_trs.flow(s->t[worker], s->now, &ev, &s->out);
	ev.what = FLOW_DATA;
	ev.data = (struct bytes){ (const uint8_t *)line, strlen(line) };
	role_trs.flow(s->t[worker], s->now, &ev, &s->out);
	deliver(s);
	return s->t[worker]->draining;
}

static bool read_report(struct scene *s, struct msg_relay_report *m)
{
	struct msg_header h;
	struct bytes body;
	struct exts x;
	uint64_t stamp;
	unsigned i;

	s->sent_n = 0;
	role_trs.tick(s->t[0], s->now, &s->out);
	flush(&s->out);
	for (i = 0; i < s->sent_n; i++)
		if (gate_check(s->sent[i].p, s->sent[i].len, &h, &x) == V_PASSED &&
		    h.type == TYPE_RELAY_REPORT &&
		    session_open(&s->nms, ms(s), s->sent[i].p, s->sent[i].len, &h, &x, &body,
				 &stamp) == V_PASSED)
			return msg_read_relay_report(m, body.p, body.n) == (long)body.n;
	return false;
}

static void test_drain(struct scene *s)
{
	struct msg_relay_report m;
	struct pair p, q;
	struct role_env env;
	struct trs *again;
	char err[256];

	begin(s, 1);
	pair_make(s, &p, 1);
	pair_make(s, &q, 2);
	strcpy(s->conf.trs_region, "attic");
	ok(read_report(s, &m) && !m.draining && m.other_port == 3478 && !memcmp(m.region, "attic", 6),
	   "a Relay Report says region and second port");
	ok(ready(s, &p), "a path");
	ok(operator_says(s, 0, "{\"cmd\": \"drain\"}\n"), "the operator drains the relay");
	ok(read_report(s, &m) && m.draining && m.paths == 1, "the NMS hears it at once");
	ok(asked(s, &q, 60000, 3) == REASON_BUSY && asked(s, &p, 60000, 4) == 0,
	   "no new path is taken, one that is there stays");
	ok(goes_on(s, &p, 0), "and works");
	env = s->t[0]->env;
	env.restarted = true;
	again = role_trs.open(&env, err);
	ok(again && again->draining, "a worker that takes a dead one's place drains too");
	role_trs.close(again);
	ok(!operator_says(s, 0, "{\"cmd\": \"resume\"}\n") && asked(s, &q, 60000, 5) == 0,
	   "until it is told to resume");
	operator_says(s, 0, "{\"cmd\": \"drain\"}\n");
	env.restarted = false;
	again = role_trs.open(&env, err);
	ok(again && !again->draining, "a new start of the daemon is no longer draining");
	role_trs.close(again);
	pair_free(&p);
	pair_free(&q);
	end(s);
}

static void test_bounds(struct scene *s)
{
	struct pair p, q;
	unsigned i;
	bool good = true;

	begin(s, 1);
	s->conf.trs_paths = 2;
	pair_make(s, &p, 1);
	pair_make(s, &q, 2);
	ok(asked(s, &p, 60000, 1) == 0 && asked(s, &q, 60000, 2) == 0, "two paths, as many as it may have");
	q.path.b[15] = 3;
	ok(asked(s, &q, 60000, 3) == REASON_BUSY && s->t[0]->refused == 1, "a third is refused and counted");
	tick(s, 29 * SEC);
	ok(s->t[0]->paths.n == 2, "for 30 s they wait for their ends");
	tick(s, 2 * SEC);
	ok(s->t[0]->paths.n == 0 && s->t[0]->members.n == 0 && s->t[0]->ended == 2, "then they are gone");
	ok(ready(s, &p), "a path with ends");
	for (i = 0; i < 5; i++) {
		struct msg_punch m;

		tick(s, 100 * SEC);
		good &= knock(s, &p.end[0], &m);
	}
	ok(good && s->t[0]->paths.n == 1, "lives as long as one of them shows up");
	tick(s, 179 * SEC);
	ok(s->t[0]->paths.n == 1, "and three minutes longer");
	tick(s, 2 * SEC);
	ok(s->t[0]->paths.n == 0 && s->t[0]->bound == 0, "no more");
	p.end[0].echo = p.end[1].echo = 0;
	good = ready(s, &p);
	for (i = 0; i < 5; i++) {
		tick(s, 100 * SEC);
		good &= goes_on(s, &p, i & 1);
	}
	tick(s, 81 * SEC);
	ok(good && s->t[0]->paths.n == 1, "one that is used lives, whoever is silent otherwise");
	tick(s, 100 * SEC);
	ok(s->t[0]->paths.n == 0, "as long as it is used");
	ok(asked(s, &p, 5000, 9) == 0, "a path for five seconds");
	p.end[0].echo = p.end[1].echo = 0;
	ok(bind_end(s, &p.end[0]), "bound");
	tick(s, 6 * SEC);
	ok(s->t[0]->paths.n == 0, "ends with its time whoever is there");
	diag("a path takes %zu octets, a node %zu", sizeof(struct trs_path), sizeof(struct trs_member));
	ok(sizeof(struct trs_path) < 512, "a path is small");
	pair_free(&p);
	pair_free(&q);
	end(s);
}

/* One node asks for a path to another again and again, and keeps them all: it knows their keys. */
static void test_greed(struct scene *s)
{
	struct pair p[10];
	unsigned i;

	begin(s, 1);
	s->conf.trs_paths = 8;
	for (i = 0; i < 10; i++)
		pair_make(s, &p[i], (uint8_t)(i + 1));
	for (i = 0; i < 10 && ready(s, &p[i]); i++)
		;
	ok(i == 10 && s->t[0]->paths.n == 4 && s->t[0]->bound == 4 && s->t[0]->pairs.n == 1,
	   "of two nodes four paths stand, however many they ask for (%u)", s->t[0]->paths.n);
	ok(goes_on(s, &p[9], 0) && goes_on(s, &p[6], 1), "the newest");
	tick(s, 200 * SEC);
	ok(s->t[0]->paths.n == 0 && s->t[0]->pairs.n == 0 && s->t[0]->members.n == 0,
	   "and in the end nothing is kept of them");
	for (i = 0; i < 10; i++)
		pair_free(&p[i]);
	end(s);
}

/* ---- a look at a NAPT ---- */

static size_t probe(struct scene *s, const struct id *node, const char *ip, uint8_t *out)
{
	struct msg_probe_request m = { .node_id = *node, .port = 5555 };
	uint8_t body[MSG_SIZE_probe_request];
	struct addr a = { .family = 0 };

	ip_parse(&a, ip, 0);
	m.family = a.family;
	memcpy(m.ip, a.ip, 16);
	return session_seal(&s->nms, ms(s), random_u32(), TYPE_PROBE_REQUEST, 0, body,
			    msg_write_probe_request(body, sizeof body, &m), out);
}

static void test_looks(struct scene *s)
{
	struct vantage_key key;
	struct end node = { .echo = 0 };
	struct msg_punch m;
	struct id id;
	uint8_t q[DATAGRAM_MAX], copy[DATAGRAM_MAX];
	size_t n;

	begin(s, 3);
	memset(&id, 0x44, sizeof id);
	keys_vantage(&key, &s->common, &id);
	session_vantage(&node.s, &key, &id, false);
	ip_parse(&node.at, "203.0.113.9", 61234);
	n = punch(s, &node, 31, 0, false, q);
	s->sent_n = 0;
	ok(ends(s, &node.at, &s->here4, q, n, V_ANSWERED) && s->sent_n == 1 &&
	   read_ack(s, &node, 0, &m) && m.echo == 31 && m.port == 61234 && !m.challenge && !m.bound,
	   "a node without a path is told how it is seen");
	n = punch(s, &node, 32, 0, true, q);
	memcpy(copy, q, n);
	s->sent_n = 0;
	ok(ends(s, &node.at, &s->here4, q, n, V_ANSWERED) && s->sent_n == 1 &&
	   s->sent[0].port == PORT_STUN && s->sent[0].len == n && read_ack(s, &node, 0, &m),
	   "if it asks for that, from the second port, once and no longer");
	node.at.port++;
	s->sent_n = 0;
	ok(ends(s, &node.at, &s->here4, copy, n, V_DROP_REPLAY) && !s->sent_n,
	   "a copy is answered nowhere");
	s->conf.trs_stun_port = 0;
	n = punch(s, &node, 33, 0, true, q);
	ok(ends(s, &node.at, &s->here4, q, n, V_ANSWERED) && s->sent_n == 1,
	   "without a second port there is one answer");
	n = punch(s, &node, 33, 0, false, q);
	q[n - 1] ^= 1;
	ok(ends(s, &node.at, &s->here4, q, n, V_DROP_TAG), "a forged one gets none");
	session_free(&node.s);
	end(s);
}

static void test_probes(struct scene *s)
{
	static const char *const bad[] = {
		"127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "169.254.1.1", "198.18.0.2",
		"::1", "::", "ff02::1", "fe80::1", "::ffff:192.0.2.1"
	};
	struct vantage_key key;
	struct session node;
	struct msg_header h;
	struct bytes body;
	struct exts x;
	uint64_t stamp;
	struct id id;
	uint8_t q[DATAGRAM_MAX];
	unsigned i, sent = 0;
	size_t n;

	begin(s, 2);
	memset(&id, 0x44, sizeof id);
	keys_vantage(&key, &s->common, &id);
	session_vantage(&node, &key, &id, false);
	n = probe(s, &id, "203.0.113.9", q);
	s->sent_n = 0;
	give(s, 1, &s->nms_at, &s->here4, q, n, n, 0);
	ok(s->sent_n == 2 && s->sent[0].to.port == 5555 && s->sent[0].port == PORT_MAIN,
	   "at the NMS's word two Hole Punchings go to a node that asked for none");
	for (i = 0; i < s->sent_n; i++)
		sent += gate_check(s->sent[i].p, s->sent[i].len, &h, &x) == V_PASSED &&
			h.type == TYPE_HOLE_PUNCHING &&
			session_open(&node, ms(s), s->sent[i].p, s->sent[i].len, &h, &x, &body,
				     &stamp) == V_PASSED;
	ok(sent == 2, "which can open them");
	s->sent_n = 0;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		n = probe(s, &id, bad[i], q);
		give(s, 1, &s->nms_at, &s->here4, q, n, n, 0);
	}
	ok(s->sent_n == 0 && count(s, V_DROP_BODY) == ARRAY_SIZE(bad),
	   "never to loopback, multicast, link-local, the virtual range, or nobody");
	session_free(&node);
	end(s);
}

static void test_stun(struct scene *s)
{
	struct stun_message m;
	struct stun_id id = { { 5 } };
	struct addr who;
	uint8_t q[STUN_REQUEST_SIZE];
	struct batch b = { .port = PORT_STUN, .buf = q };
	unsigned i;

	begin(s, 1);
	ip_parse(&who, "203.0.113.9", 61234);
	stun_request(q, &id, 0);
	s->sent_n = 0;
	give(s, 0, &who, &s->here4, q, sizeof q, sizeof q, 0);
	ok(s->sent_n == 1 && s->sent[0].port == PORT_MAIN && s->sent[0].len <= sizeof q &&
	   stun_parse(&m, s->sent[0].p, s->sent[0].len) && addr_equal(&m.mapped, &who) &&
	   m.other.port == 3478, "STUN is answered at the main port, which names the other");
	stun_request(q, &id, STUN_CHANGE_PORT);
	b.from = who;
	b.to = s->here4;
	b.to.port = 3478;
	b.len = b.seg = sizeof q;
	s->sent_n = 0;
	role_trs.input(s->t[0], s->now, &b, &s->out);
	flush(&s->out);
	ok(s->sent_n == 1 && s->sent[0].port == PORT_MAIN &&
	   stun_parse(&m, s->sent[0].p, s->sent[0].len) && m.other.port == 4502,
	   "asked at the second port for an answer from the other it comes from there");
	for (i = 0; i < 1500; i++) {
		stun_request(q, &id, 0);
		role_trs.input(s->t[0], s->now, &b, &s->out);
	}
	ok(count(s, V_DROP_LIMIT) == 502, "a thousand a second are answered, no more");
	tick(s, 1 * SEC);
	role_trs.input(s->t[0], s->now, &b, &s->out);
	ok(count(s, V_ANSWERED) == 1001, "the next second has its own");
	q[0] = 0x77;
	b.len = b.seg = 60;
	role_trs.input(s->t[0], s->now, &b, &s->out);
	memset(q, 0, sizeof q);
	role_trs.input(s->t[0], s->now, &b, &s->out);
	flush(&s->out);
	ok(count(s, V_DROP_MALFORMED) == 1 && count(s, V_DROP_TYPE) == 1,
	   "what is no request, or no STUN, is dropped there");
	end(s);
}

static void test_garbage(struct scene *s)
{
	uint8_t q[DATAGRAM_MAX];
	uint64_t total;
	unsigned i, v, given = 20000 * scale();
	struct pair p;

	begin(s, 2);
	pair_make(s, &p, 1);
	ok(ready(s, &p), "a path with two ends");
	for (total = 0, v = 0; v < V_COUNT; v++)
		total += count(s, v) * (v != V_HANDED);
	for (i = 0; i < given; i++) {
		size_t n = random_u32() % 200;

		capsule(s, &p, 0, MAX(n, HEADER_SIZE), q);
		q[6] = (uint8_t)(random_u32() % 44);
		for (v = random_u32() % 4; v; v--)
			q[random_u32() % MAX(n, 1)] ^= (uint8_t)random_u32();
		give(s, i % 2, &p.end[0].at, &s->here4, q, n, n, 0);
		s->sent_n = 0;
	}
	for (v = 0; v < V_COUNT; v++)
		total -= count(s, v) * (v != V_HANDED);
	ok(-total == given, "each of %u damaged datagrams has one verdict", given);
	ok(goes_on(s, &p, 0) && goes_on(s, &p, 1), "and the path works as before");
	pair_free(&p);
	end(s);
}

int main(void)
{
	struct scene *s = malloc(sizeof *s);

	if (!s)
		return 99;
	test_binding(s);
	test_early(s);
	test_strangers(s);
	test_challenges(s);
	test_forged(s);
	test_families(s);
	test_runs(s);
	test_quotas(s);
	test_drain(s);
	test_bounds(s);
	test_greed(s);
	test_looks(s);
	test_probes(s);
	test_stun(s);
	test_garbage(s);
	free(s);
	return done();
}
