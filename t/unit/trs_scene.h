/*
 * trs_scene.h - for 420-trs.c and 425-trs-model.c: the workers of a relay, its NMS, and the ends
 * of paths, without sockets; a note between workers arrives at once.
 */
#ifndef TRS_SCENE_H
#define TRS_SCENE_H

#include "t/tap.h"
#include "roles/trs.h"
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
	struct id path, node[2];
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

	m.initiator = p->node[0];
	m.responder = p->node[1];
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
	memset(p->node[0].b, 1, 16);
	memset(p->node[1].b, 2, 16);
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

__attribute__((unused))
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

__attribute__((unused))
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

#endif
