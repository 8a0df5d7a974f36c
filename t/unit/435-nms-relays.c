/*
 * The NMS with nodes and TRS that say what each story wants, word by word: who is told what in
 * which order, which TRS is chosen, and what comes of those that lie.
 */
#include "t/unit/store.h"
#include "net/proto/ext.h"
#include "net/proto/napt.h"
#include "roles/nms.h"

#define START ((uint64_t)1800000000 * SEC)
#define PEERS 8
#define WORKERS 3
#define WORDS 64

/* A node or TRS, as far as the NMS sees one. */
struct peer {
	char fqdn[NAME_SIZE];
	struct id id;
	struct common_key key;
	struct session session;
	struct addr at;			/* where it is seen */
	struct addr own;		/* family 0: there */
	uint64_t challenge;
	bool mute;			/* confirms nothing */
	uint16_t result;		/* what it confirms with */
	struct word {			/* the newest of each type */
		unsigned n;
		uint32_t transaction;
		size_t len;
		uint8_t body[DATAGRAM_MAX];
	} heard[64];
};

/* Waits until nobody is in a call any more. */
struct waiting {
	unsigned worker, from;
	size_t n;
	uint8_t data[4096];
};

struct scene {
	char dir[64];
	struct config conf;
	struct store *store;
	struct tokens tokens;
	struct addr service;
	void *nms[WORKERS];
	unsigned workers;
	struct now now;
	struct outbox out;
	struct waiting waiting[512];
	unsigned waits;
	struct peer peer[PEERS];
	unsigned peers;
	char order[512];		/* "trs:17 b:12 a:14 " */
	unsigned said;			/* datagrams of the NMS */
	unsigned in_call;		/* worker */
};

/* ---- the world ---- */

static struct peer *peer_at(struct scene *s, const struct addr *a)
{
	unsigned i;

	for (i = 0; i < s->peers; i++)
		if (addr_equal(&s->peer[i].at, a))
			return &s->peer[i];
	return NULL;
}

static void enter(struct scene *s, unsigned worker)
{
	s->store->worker = worker;
	s->in_call = worker;
	if (!s->store->live[worker].env && live_open(s->store) != STORE_OK)
		exit(99);
}

static enum verdict say(struct scene *s, struct peer *p, uint8_t type, uint32_t transaction,
			const void *body, size_t n);

/* Confirms as its story says. */
static void confirm(struct scene *s, struct peer *p, uint8_t type, const struct word *w)
{
	struct msg_route_confirmation m = { .result = p->result };
	uint8_t body[MSG_SIZE_route_confirmation];
	size_t n;

	if (p->mute || (type != TYPE_RELAY_REQUEST && type != TYPE_ROUTE_DIRECTION_I &&
			type != TYPE_ROUTE_DIRECTION_R))
		return;
	memcpy(m.path.b, w->body, 16);
	n = msg_write_route_confirmation(body, sizeof body, &m);
	say(s, p, type == TYPE_RELAY_REQUEST ? TYPE_RELAY_RESPONSE : TYPE_ROUTE_CONFIRMATION,
	    w->transaction, body, n);
}

static void hear(struct scene *s, struct peer *p, uint8_t *d, size_t n)
{
	struct bytes body;
	struct msg_header h;
	struct exts x;
	struct word *w;
	uint64_t stamp;
	size_t at = strlen(s->order);

	s->said++;
	if (gate_check(d, n, &h, &x) != V_PASSED ||
	    session_open(&p->session, s->now.wall / MS, d, n, &h, &x, &body, &stamp) != V_PASSED) {
		ok(false, "%s understands what it is told", p->fqdn);
		return;
	}
	w = &p->heard[h.type & 63];
	w->n++;
	w->transaction = h.transaction;
	w->len = body.n;
	memcpy(w->body, body.p, body.n);
	snprintf(s->order + at, sizeof s->order - at, "%.*s:%u ", (int)strcspn(p->fqdn, "."),
		 p->fqdn, h.type);
	confirm(s, p, h.type, w);
}

static void wait_for_turn(struct scene *s, unsigned worker, unsigned from, const void *p, size_t n)
{
	struct waiting *w = &s->waiting[s->waits++];

	if (s->waits > ARRAY_SIZE(s->waiting) || n > sizeof w->data)
		exit(99);
	w->worker = worker;
	w->from = from;
	w->n = n;
	memcpy(w->data, p, n);
}

static void flush(struct outbox *out)
{
	struct scene *s = out->owner;
	unsigned i;

	for (i = 0; i < out->n; i++) {
		const struct out_item *item = &out->item[i];
		struct peer *p = item->kind == OUT_DATAGRAM ? peer_at(s, &item->to) : NULL;

		if (item->kind == OUT_WORKER)
			wait_for_turn(s, item->handle, s->in_call, item->buf, item->len);
		else if (p)
			hear(s, p, item->buf, item->len);
	}
	out->n = 0;
	out->used = 0;
}

/* Datagrams wait too: from == WORKERS. */
static void settle(struct scene *s)
{
	unsigned i;

	for (i = 0; i < s->waits; i++) {
		struct waiting w = s->waiting[i];
		struct note note = { NOTE_WORKER, w.from, { w.data, w.n } };

		if (!s->nms[w.worker])
			continue;
		enter(s, w.worker);
		if (w.from == WORKERS) {
			struct batch in = { .to = s->service, .len = (uint32_t)w.n - sizeof in.from };
			uint8_t room[HEADROOM + 4096];

			memcpy(&in.from, w.data, sizeof in.from);
			in.buf = memcpy(room + HEADROOM, w.data + sizeof in.from, in.len);
			in.seg = (uint16_t)in.len;
			role_nms.input(s->nms[w.worker], s->now, &in, &s->out);
		} else {
			role_nms.note(s->nms[w.worker], s->now, &note, &s->out);
		}
		flush(&s->out);
	}
	s->waits = 0;
}

static uint64_t verdicts(const struct scene *s, enum verdict v)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < s->workers; i++)
		n += s->nms[i] ? role_nms.verdicts(s->nms[i])->count[v] : 0;
	return n;
}

static uint64_t before[V_COUNT];

/* Sends, and once nobody is in a call also carries out.  The verdict it got. */
static enum verdict say(struct scene *s, struct peer *p, uint8_t type, uint32_t transaction,
			const void *body, size_t n)
{
	uint64_t ms = s->now.wall / MS;
	uint8_t d[sizeof p->at + DATAGRAM_MAX];
	bool first = s->waits == 0;
	enum verdict v;
	size_t len;

	memcpy(d, &p->at, sizeof p->at);
	len = session_seal(&p->session, ms, transaction, type, tokens_at(&s->tokens, ms), body, n,
			   d + sizeof p->at);
	for (v = 0; first && v < V_COUNT; v++)
		before[v] = verdicts(s, v);
	wait_for_turn(s, id_owner(&p->id, s->workers), WORKERS, d, len + sizeof p->at);
	if (!first || s->out.n)
		return V_PASSED;
	settle(s);
	for (v = 0; v < V_COUNT; v++)
		if (v != V_HANDED && verdicts(s, v) > before[v])
			return v;
	return V_PASSED;
}

static void run(struct scene *s, uint64_t us)
{
	uint64_t end = s->now.boot + us, at;
	unsigned i;

	for (;;) {
		for (at = NEVER, i = 0; i < s->workers; i++)
			at = MIN(at, role_nms.expiry(s->nms[i]));
		at = MIN(MAX(at, s->now.boot), end);
		s->now.wall += at - s->now.boot;
		s->now.boot = at;
		for (i = 0; i < s->workers; i++)
			if (role_nms.expiry(s->nms[i]) <= at && at < end) {
				enter(s, i);
				role_nms.tick(s->nms[i], s->now, &s->out);
				flush(&s->out);
			}
		settle(s);
		if (at == end)
			return;
	}
}

/* ---- the cast ---- */

static void start_worker(struct scene *s, unsigned i)
{
	struct role_env env = { .conf = &s->conf, .store = s->store, .worker = i,
				.workers = s->workers, .start = s->now };
	char err[256];

	enter(s, i);
	s->nms[i] = role_nms.open(&env, err);
	if (!s->nms[i])
		exit(99);
	role_nms.tick(s->nms[i], s->now, &s->out);
	flush(&s->out);
}

static void scene_make(struct scene *s, unsigned workers)
{
	struct secret_common_value scv = { { 3 } };
	struct account a = { .id = "user0" };
	unsigned i;

	memset(s, 0, sizeof *s);
	scratch_make(s->dir);
	config_defaults(&s->conf);
	snprintf(s->conf.state, sizeof s->conf.state, "%s", s->dir);
	s->workers = workers;
	s->now = (struct now){ 1000 * SEC, START };
	s->store = must_open(s->dir, STORE_ALL, 0, workers, boot_one);
	meta_put(s->store, "secret-common-value", &scv, sizeof scv);
	account_put(s->store, &a, true);
	tokens_init(&s->tokens, &scv);
	ip_parse(&s->service, "198.51.100.1", 4501);
	s->out.scratch = malloc(OUTBOX_SCRATCH);
	s->out.flush = flush;
	s->out.owner = s;
	for (i = 0; i < workers; i++)
		start_worker(s, i);
	settle(s);
}

static void scene_free(struct scene *s)
{
	unsigned i;

	for (i = 0; i < s->workers; i++) {
		enter(s, i);
		role_nms.close(s->nms[i]);
	}
	for (i = 0; i < s->peers; i++)
		session_free(&s->peer[i].session);
	store_close(s->store);
	scratch_remove(s->dir);
	free(s->out.scratch);
}

/* In the store, logged in, not registered.  own: "" when it is at `at` itself. */
static struct peer *peer_new(struct scene *s, enum device_kind kind, const char *label,
			     const char *at, const char *own)
{
	struct peer *p = &s->peer[s->peers];
	struct device d = { .owner = "user0", .kind = kind, .cert_len = 300,
			    .key_expiry = START / MS + 86400000,
			    .ip4 = { 198, 18, 0, (uint8_t)(2 + s->peers) },
			    .ip6 = { 0xfd, [15] = (uint8_t)(2 + s->peers) } };

	snprintf(d.fqdn, sizeof d.fqdn, "%s.cyphonic.internal", label);
	node_id_of(&d.node_id, d.fqdn);
	memset(d.common_key.b, 7 + (int)s->peers++, sizeof d.common_key.b);
	if (device_put(s->store, &d, true) != STORE_OK)
		exit(99);
	strcpy(p->fqdn, d.fqdn);
	p->id = d.node_id;
	p->key = d.common_key;
	session_common(&p->session, &p->key, &p->id, false);
	ip_parse(&p->at, at, kind == DEVICE_TRS ? 4502 : *own ? 40000 : 4503);
	if (*own)
		ip_parse(&p->own, own, 4503);
	return p;
}

static uint32_t number(void)
{
	static uint32_t n = 1;		/* a test's own */

	return n++;
}

static void enrol(struct scene *s, struct peer *p)
{
	struct msg_registration_request m = { .boot = 9, .port = 4503, .real_n = 1 };
	struct msg_registration_response r;
	struct msg_keep_alive k = { 0 };
	uint8_t body[DATAGRAM_MAX];

	m.real[0] = address_part(ADDRESS_REAL, p->own.family ? &p->own : &p->at);
	say(s, p, TYPE_REGISTRATION_REQUEST, number(), body,
	    msg_write_registration_request(body, sizeof body, &m));
	msg_read_registration_response(&r, p->heard[TYPE_REGISTRATION_RESPONSE].body,
				       p->heard[TYPE_REGISTRATION_RESPONSE].len);
	k.challenge = p->challenge = r.challenge;
	say(s, p, TYPE_KEEP_ALIVE, number(), body, msg_write_keep_alive(body, sizeof body, &k));
}

static enum verdict report(struct scene *s, struct peer *p, unsigned load, bool draining)
{
	struct msg_relay_report m = { .draining = draining, .load = (uint16_t)load, .paths = 7,
				      .other_port = 4512, .region = "east" };
	uint8_t body[MSG_SIZE_relay_report];

	return say(s, p, TYPE_RELAY_REPORT, number(), body,
		   msg_write_relay_report(body, sizeof body, &m));
}

static struct peer *node_new(struct scene *s, const char *label, const char *at, const char *own)
{
	struct peer *p = peer_new(s, DEVICE_NODE, label, at, own);

	enrol(s, p);
	return p;
}

static struct peer *trs_new(struct scene *s, const char *label, const char *at)
{
	struct peer *p = peer_new(s, DEVICE_TRS, label, at, "");

	enrol(s, p);
	report(s, p, 0, false);
	return p;
}

/* How its NAPT behaves, and how far (ms) up to two TRS are. */
static enum verdict look(struct scene *s, struct peer *p, enum mapping mapping,
			 enum filtering filtering, const struct peer *x, unsigned x_ms,
			 const struct peer *y, unsigned y_ms)
{
	struct msg_vantage_report m = { .family = 4, .mapping = (uint8_t)mapping,
					.filtering = (uint8_t)filtering };
	uint8_t body[MSG_MAX_vantage_report];

	if (x)
		m.rtts[m.rtts_n++] = (struct msg_vantage_rtt){ x->id, x_ms * 1000 };
	if (y)
		m.rtts[m.rtts_n++] = (struct msg_vantage_rtt){ y->id, y_ms * 1000 };
	return say(s, p, TYPE_VANTAGE_REPORT, number(), body,
		   msg_write_vantage_report(body, sizeof body, &m));
}

/* The Transaction ID of the Direction Request. */
static uint32_t ask(struct scene *s, struct peer *p, const struct peer *whom, bool relay)
{
	struct msg_direction_request m = { .relay = relay };
	uint8_t body[MSG_MAX_direction_request];
	uint32_t t = number();

	strcpy(m.name, whom->fqdn);
	s->order[0] = '\0';
	say(s, p, TYPE_DIRECTION_REQUEST, t, body,
	    msg_write_direction_request(body, sizeof body, &m));
	return t;
}

static bool heard_order(const struct scene *s, const char *expected)
{
	if (strcmp(s->order, expected) == 0)
		return true;
	diag("told: %s\n# expected: %s", s->order, expected);
	return false;
}

static uint16_t refused(const struct peer *p, uint32_t transaction)
{
	const struct word *w = &p->heard[TYPE_REFUSAL];
	struct msg_refusal m;

	if (!w->n || w->transaction != transaction || msg_read_refusal(&m, w->body, w->len) < 0)
		return 0;
	return m.reason;
}

static struct msg_route_direction direction(const struct peer *p, uint8_t type)
{
	struct msg_route_direction m;

	memset(&m, 0, sizeof m);
	msg_read_route_direction(&m, p->heard[type].body, p->heard[type].len);
	return m;
}

static struct msg_relay_request request(const struct peer *p)
{
	struct msg_relay_request m;

	memset(&m, 0, sizeof m);
	msg_read_relay_request(&m, p->heard[TYPE_RELAY_REQUEST].body,
			       p->heard[TYPE_RELAY_REQUEST].len);
	return m;
}

/* Which TRS relays the newest path of this end; "" none. */
static const char *relayed_by(struct scene *s, const struct peer *p, uint8_t type)
{
	struct msg_route_direction m = direction(p, type);
	unsigned i;

	for (i = 0; i < s->peers; i++)
		if (id_equal(&s->peer[i].id, &m.relay))
			return s->peer[i].fqdn;
	return "";
}

/* a asks for b until another path is there: by which TRS?  "t1". */
static bool goes_by(struct scene *s, struct peer *a, struct peer *b, const char *label)
{
	const char *fqdn;

	run(s, SEC);
	memset(&a->heard[TYPE_ROUTE_DIRECTION_I], 0, sizeof a->heard[0]);
	ask(s, a, b, false);
	fqdn = relayed_by(s, a, TYPE_ROUTE_DIRECTION_I);
	if (strncmp(fqdn, label, strlen(label)) == 0 && fqdn[strlen(label)] == (*label ? '.' : '\0'))
		return true;
	diag("by '%s', expected '%s'", fqdn, label);
	return false;
}

/* ---- stories ---- */

static void a_relayed_path(unsigned workers)
{
	struct scene *s = calloc(1, sizeof *s);
	struct peer *t, *a, *b;
	struct msg_route_direction r, i;
	struct msg_relay_request q;
	struct relay_key key;
	struct tunnel_key tunnel_key;

	diag("%u workers", workers);
	scene_make(s, workers);
	t = trs_new(s, "trs", "198.51.100.9");
	a = node_new(s, "a", "203.0.113.1", "192.168.1.2");
	b = node_new(s, "b", "203.0.113.2", "192.168.2.2");
	ask(s, a, b, false);
	ok(strstr(s->order, "trs:17 ") && strstr(s->order, "b:12 ") && strstr(s->order, "a:14 ") &&
	   strlen(s->order) == strlen("a:16 trs:17 b:12 a:14 "),
	   "TRS, responder and initiator are told, once each: %s", s->order);
	r = direction(b, TYPE_ROUTE_DIRECTION_R);
	i = direction(a, TYPE_ROUTE_DIRECTION_I);
	q = request(t);
	ok(r.pattern == 3 && i.pattern == 3 && !r.initiator && i.initiator &&
	   id_equal(&r.path, &i.path) && id_equal(&r.path, &q.path) &&
	   id_equal(&r.relay, &t->id) && id_equal(&i.relay, &t->id),
	   "of one path in pattern 3 by that TRS");
	ok(id_equal(&q.initiator, &a->id) && id_equal(&q.responder, &b->id) &&
	   q.expiry == r.expiry, "the TRS knows the two Node IDs and how long");
	memcpy(tunnel_key.b, r.tunnel_key, 16);
	keys_relay(&key, &tunnel_key, &t->id);
	ok(memcmp(key.b, q.relay_key, 16) == 0 && memcmp(r.tunnel_key, i.tunnel_key, 16) == 0 &&
	   memcmp(q.relay_key, r.tunnel_key, 16) && memcmp(q.relay_key, r.temporary_key, 16),
	   "and a key made for it of the Tunnel Key, not that key");
	ok(r.candidates_n == 2 && r.candidates[0].kind == ADDRESS_MAPPED && r.candidates[0].port == 40000 &&
	   r.candidates[1].kind == ADDRESS_SERVICE && r.candidates[1].port == 4502,
	   "both are told of the other's mapped address and of the TRS's");
	ok(goes_by(s, a, b, "trs") && goes_by(s, b, a, "trs"), "so again, whoever asks");
	scene_free(s);
	free(s);
}

static void behaviours(struct scene *s)
{
	struct peer *t, *a, *b;
	struct msg_route_direction m;

	scene_make(s, 1);
	t = trs_new(s, "trs", "198.51.100.9");
	a = node_new(s, "a", "203.0.113.1", "192.168.1.2");
	b = node_new(s, "b", "203.0.113.2", "192.168.2.2");
	ok(look(s, a, MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ENDPOINT_INDEPENDENT, t, 20, NULL, 0) ==
	   V_ANSWERED && a->heard[TYPE_KEEP_ALIVE_ACK].n == 2, "a node says how its NAPT behaves");
	look(s, b, MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT, t, 30, NULL, 0);
	ask(s, a, b, false);
	ok(heard_order(s, "a:16 a:12 b:14 "), "a full cone that asks for a symmetric one is called "
	   "by it: no TRS, and the asker is the responder");
	m = direction(b, TYPE_ROUTE_DIRECTION_I);
	ok(m.pattern == 2 && id_is_zero(&m.relay) && m.behaviour4 == 0x21 && m.families == 1 &&
	   m.candidates_n == 1 && m.behaviour6 == 0x10,
	   "which is told how the other's NAPT behaves");
	run(s, SEC);
	ask(s, a, b, true);
	ok(heard_order(s, "a:16 trs:17 b:12 a:14 "), "a relayed one that is wanted is given");
	look(s, b, MAPPING_UNKNOWN, FILTERING_UNKNOWN, NULL, 0, NULL, 0);
	look(s, a, MAPPING_ENDPOINT_INDEPENDENT, FILTERING_PORT_DEPENDENT, NULL, 0, NULL, 0);
	ok(goes_by(s, a, b, "trs"), "what is looked at anew counts from then on");
	look(s, a, MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ENDPOINT_INDEPENDENT, t, 20, NULL, 0);
	ok(goes_by(s, b, a, ""), "once more");
	ip_parse(&a->at, "203.0.113.77", 40000);
	enrol(s, a);
	ok(goes_by(s, b, a, "trs"), "on another network a node is behind another NAPT");
	scene_free(s);
}

static void refusing_relays(struct scene *s)
{
	struct peer *t[4], *a, *b;
	struct msg_relay_request first, second;
	uint32_t q;

	scene_make(s, 1);
	t[0] = trs_new(s, "t0", "198.51.100.10");
	t[1] = trs_new(s, "t1", "198.51.100.11");
	a = node_new(s, "a", "203.0.113.1", "192.168.1.2");
	b = node_new(s, "b", "203.0.113.2", "192.168.2.2");
	look(s, a, MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT, t[0], 10, t[1], 20);
	look(s, b, MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT, t[0], 10, t[1], 20);
	t[0]->result = REASON_BUSY;
	ask(s, a, b, false);
	ok(heard_order(s, "a:16 t0:17 b:12 a:14 t1:17 b:12 a:14 "),
	   "all three at once; a TRS that refuses is followed by the next");
	first = request(t[0]);
	second = request(t[1]);
	ok(!id_equal(&first.path, &second.path) && memcmp(first.relay_key, second.relay_key, 16),
	   "for another path, under another key");
	t[1]->result = REASON_BUSY;
	run(s, SEC);
	q = ask(s, a, b, false);
	ok(heard_order(s, "a:16 t0:17 b:12 a:14 t1:17 b:12 a:14 a:33 ") && refused(a, q) == REASON_NO_RELAY,
	   "when all do, the asker learns that there is none");
	t[2] = trs_new(s, "t2", "198.51.100.12");
	t[3] = trs_new(s, "t3", "198.51.100.13");
	t[2]->result = t[3]->result = REASON_BUSY;
	run(s, SEC);
	q = ask(s, a, b, false);
	ok(refused(a, q) == REASON_NO_RELAY && t[2]->heard[TYPE_RELAY_REQUEST].n +
	   t[3]->heard[TYPE_RELAY_REQUEST].n == 1, "three are asked at most");
	look(s, b, MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ADDRESS_DEPENDENT, NULL, 0, NULL, 0);
	run(s, SEC);
	ask(s, b, a, false);
	ok(direction(a, TYPE_ROUTE_DIRECTION_I).pattern == 2,
	   "where two NAPTs let a hole be punched, that is told instead");
	scene_free(s);
}

static void silent_relays(struct scene *s)
{
	struct peer *near, *far, *a, *b;
	uint64_t began;
	uint32_t q;

	scene_make(s, 1);
	near = trs_new(s, "near", "198.51.100.10");
	far = trs_new(s, "far", "198.51.100.11");
	a = node_new(s, "a", "203.0.113.1", "192.168.1.2");
	b = node_new(s, "b", "203.0.113.2", "192.168.2.2");
	look(s, a, MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT, near, 10, far, 20);
	near->mute = true;
	ask(s, a, b, false);
	ok(heard_order(s, "a:16 near:17 b:12 a:14 "), "a TRS is silent");
	began = s->now.boot;
	while (!far->heard[TYPE_RELAY_REQUEST].n && s->now.boot - began < 5 * SEC)
		run(s, 10 * MS);
	ok(s->now.boot - began > 900 * MS && s->now.boot - began <= 1100 * MS &&
	   near->heard[TYPE_RELAY_REQUEST].n == 3 && direction(a, TYPE_ROUTE_DIRECTION_I).pattern == 3,
	   "it is asked thrice within a second, then the next one (%" PRIu64 " ms)",
	   (s->now.boot - began) / MS);
	ok(goes_by(s, a, b, "far"), "the next path spares it");
	near->mute = false;
	report(s, near, 0, false);
	ok(goes_by(s, a, b, "near"), "until it is heard of again");
	ip_parse(&near->at, "198.51.100.99", 4502);
	b->mute = true;
	run(s, SEC);
	q = ask(s, a, b, false);
	run(s, 15 * SEC);
	ok(refused(a, q) == REASON_OFFLINE, "when the responder is silent, the asker learns it");
	scene_free(s);
}

/* A TRS the NMS may not talk to is known to be gone while the first of three is being told. */
static void a_disabled_relay(struct scene *s)
{
	struct peer *near, *far, *a, *b;
	struct msg_route_direction r, i;
	struct msg_relay_request q;
	struct device d;

	scene_make(s, 1);
	near = trs_new(s, "near", "198.51.100.10");
	far = trs_new(s, "far", "198.51.100.11");
	a = node_new(s, "a", "203.0.113.1", "192.168.1.2");
	b = node_new(s, "b", "203.0.113.2", "192.168.2.2");
	look(s, a, MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT, near, 10, far, 20);
	if (device_by_fqdn(s->store, near->fqdn, &d) != STORE_OK)
		exit(99);
	d.disabled = 1;
	device_put(s->store, &d, false);
	run(s, 6 * SEC);
	ask(s, a, b, false);
	ok(heard_order(s, "a:16 far:17 b:12 a:14 "),
	   "when the nearest TRS was disabled, the next one's path is told, and each told once");
	r = direction(b, TYPE_ROUTE_DIRECTION_R);
	i = direction(a, TYPE_ROUTE_DIRECTION_I);
	q = request(far);
	ok(!id_is_zero(&r.path) && id_equal(&r.path, &q.path) && id_equal(&i.path, &q.path) &&
	   r.certificate.n == 300, "it is a whole one");
	scene_free(s);
}

/* Both TRS are dead, and many ask in one moment: in one moment all of them ask the other one. */
static void a_crowd_at_dead_relays(struct scene *s)
{
	static const char *const label[] = { "a", "b", "c", "d", "e", "f" };
	struct peer *x, *y, *n[6];
	unsigned i, k, told = 0;
	char at[32];

	scene_make(s, 1);
	x = trs_new(s, "x", "198.51.100.10");
	y = trs_new(s, "y", "198.51.100.11");
	for (i = 0; i < 6; i++) {
		snprintf(at, sizeof at, "203.0.113.%u", i + 1);
		n[i] = node_new(s, label[i], at, "192.168.1.2");
		look(s, n[i], MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT,
		     i < 3 ? x : y, 10, i < 3 ? y : x, 400);
	}
	x->mute = y->mute = true;
	for (i = 0; i < 6; i++)
		for (k = 0; k < i; k++)
			ask(s, n[i], n[k], false);
	ok(x->heard[TYPE_RELAY_REQUEST].n && y->heard[TYPE_RELAY_REQUEST].n &&
	   x->heard[TYPE_RELAY_REQUEST].n + y->heard[TYPE_RELAY_REQUEST].n == 15,
	   "fifteen pairs ask by two dead TRS in one moment");
	for (i = 0; i < 6; i++)
		n[i]->heard[TYPE_REFUSAL].n = 0;
	run(s, 10 * SEC);
	for (i = 0; i < 6; i++)
		told += n[i]->heard[TYPE_REFUSAL].n;
	ok(told == 15, "each learns that there is none when it has tried both (%u)", told);
	scene_free(s);
}

/* Relays that refuse, die, drain, are disabled and come back, while all ask for all. */
static void dice(struct scene *s, unsigned workers)
{
	static const char *const label[] = { "t", "u", "v", "a", "b", "c", "d", "e" };
	struct peer *n[8];
	struct device d;
	unsigned i, k, whole = 0, bad = 0, rounds = 3000 * scale();
	char at[32];

	diag("%u workers", workers);
	scene_make(s, workers);
	for (i = 0; i < 8; i++) {
		snprintf(at, sizeof at, i < 3 ? "198.51.100.%u" : "203.0.113.%u", 10 + i);
		n[i] = i < 3 ? trs_new(s, label[i], at) : node_new(s, label[i], at, "192.168.1.2");
		if (i >= 3)
			look(s, n[i], MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT, n[i % 3],
			     1 + random_u32() % 40, n[(i + 1) % 3], 1 + random_u32() % 40);
	}
	for (i = 0; i < rounds; i++) {
		struct peer *p = n[random_u32() % 8], *t = n[random_u32() % 3];

		switch (random_u32() % 12) {
		case 0:
			t->mute = !t->mute;
			break;
		case 1:
			t->result = random_u32() % 2 ? REASON_BUSY : 0;
			break;
		case 2:
			if (device_by_fqdn(s->store, t->fqdn, &d) != STORE_OK)
				exit(99);
			d.disabled = random_u32() % 3 == 0;
			device_put(s->store, &d, false);
			break;
		case 3:
			enrol(s, p);
			if (p == n[0] || p == n[1] || p == n[2])
				report(s, p, random_u32() % 1000, random_u32() % 5 == 0);
			break;
		case 4:
			run(s, random_u32() % (8 * SEC));
			break;
		case 5:
			p->mute = p != n[0] && p != n[1] && p != n[2] && random_u32() % 4 == 0;
			break;
		default:
			k = 3 + random_u32() % 5;
			ask(s, n[k], n[3 + (k - 2 + random_u32() % 4) % 5], random_u32() % 3);
			run(s, random_u32() % 5 ? 0 : random_u32() % (2 * SEC));
		}
		for (k = 3; k < 8; k++) {
			uint8_t type = random_u32() % 2 ? TYPE_ROUTE_DIRECTION_I : TYPE_ROUTE_DIRECTION_R;
			struct msg_route_direction m = direction(n[k], type);

			whole += n[k]->heard[type].n && !id_is_zero(&m.path);
			bad += n[k]->heard[type].n && (id_is_zero(&m.path) || m.certificate.n != 300);
		}
		s->order[0] = '\0';
	}
	ok(whole && !bad, "whatever becomes of relays, no path is told of that is none (%u, %u)", whole, bad);
	scene_free(s);
}

static void choices(struct scene *s)
{
	struct peer *x, *y, *a, *b;

	scene_make(s, 1);
	x = trs_new(s, "x", "198.51.100.10");
	y = trs_new(s, "y", "198.51.100.11");
	a = node_new(s, "a", "203.0.113.1", "192.168.1.2");
	b = node_new(s, "b", "203.0.113.2", "192.168.2.2");
	look(s, a, MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT, x, 10, y, 40);
	look(s, b, MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT, x, 60, y, 20);
	ok(goes_by(s, a, b, "y") && goes_by(s, b, a, "y"),
	   "the TRS with the least sum of both legs is taken, whoever asks");
	report(s, y, 300, false);
	ok(goes_by(s, a, b, "x"), "unless it is that much busier");
	report(s, y, 100, false);
	ok(goes_by(s, a, b, "y"), "and again when it is not");
	report(s, y, 100, true);
	ok(goes_by(s, a, b, "x"), "one that drains gets no new path");
	report(s, x, 0, true);
	ok(goes_by(s, a, b, ""), "and never does, though it is the last");
	report(s, y, 65535, false);
	ok(goes_by(s, a, b, "y"), "a load beyond all bounds is the highest");
	report(s, x, 0, false);
	look(s, a, MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT, y, 1, NULL, 0);
	look(s, b, MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT, x, 1000, NULL, 0);
	ok(goes_by(s, a, b, "y"), "of each TRS the newest measurement counts");
	scene_free(s);
}

static void coming_and_going(struct scene *s)
{
	struct msg_registration_request m = { .boot = 9, .leaving = 1 };
	uint8_t body[DATAGRAM_MAX];
	struct peer *t, *a, *b;
	unsigned i;

	scene_make(s, WORKERS);
	t = trs_new(s, "t", "198.51.100.10");
	a = node_new(s, "a", "203.0.113.1", "192.168.1.2");
	b = node_new(s, "b", "203.0.113.2", "192.168.2.2");
	for (i = 0; i < WORKERS; i++) {
		enter(s, i);
		role_nms.close(s->nms[i]);
		start_worker(s, i);
		settle(s);
	}
	ok(goes_by(s, a, b, "t"), "after every worker was started anew, one by one, the TRS is known");
	for (i = 0; i < WORKERS; i++) {
		enter(s, i);
		role_nms.close(s->nms[i]);
		s->nms[i] = NULL;
	}
	for (i = 0; i < WORKERS; i++)
		start_worker(s, i);
	settle(s);
	ok(goes_by(s, a, b, "t"), "also after all were at once, without a new report");
	say(s, t, TYPE_REGISTRATION_REQUEST, number(), body,
	    msg_write_registration_request(body, sizeof body, &m));
	ok(goes_by(s, a, b, ""), "a TRS that leaves is gone");
	enrol(s, t);
	ok(goes_by(s, a, b, ""), "one that is back has yet to report");
	report(s, t, 0, false);
	ok(goes_by(s, a, b, "t"), "then it is chosen");
	for (i = 0; i < 6; i++) {
		run(s, 10 * SEC);
		enrol(s, a);
		enrol(s, b);
	}
	ok(goes_by(s, a, b, ""), "one that is silent for a minute is gone too");
	scene_free(s);
}

/* ---- who may say what ---- */

static void out_of_place(struct scene *s)
{
	struct msg_relay_response rr = { .result = 0 };
	struct msg_keep_alive k = { 0 };
	struct peer *t, *a, *b, *late;
	uint8_t body[DATAGRAM_MAX];
	unsigned i;
	size_t n;

	scene_make(s, 1);
	t = trs_new(s, "trs", "198.51.100.9");
	a = node_new(s, "a", "203.0.113.1", "192.168.1.2");
	b = node_new(s, "b", "203.0.113.2", "192.168.2.2");
	ok(report(s, a, 0, false) == V_DROP_STATE && goes_by(s, a, b, "trs"),
	   "a node that reports as a TRS is none");
	n = msg_write_relay_response(body, sizeof body, &rr);
	ok(say(s, a, TYPE_RELAY_RESPONSE, number(), body, n) == V_DROP_STATE &&
	   say(s, t, TYPE_RELAY_RESPONSE, number(), body, n) == V_DROP_STATE,
	   "Relay Responses nobody waits for are dropped");
	n = msg_write_keep_alive(body, sizeof body, &k);
	i = a->heard[TYPE_NODE_INFO_RESPONSE].n;
	say(s, a, TYPE_KEEP_ALIVE, ask(s, a, b, false), body, n);
	ok(a->heard[TYPE_NODE_INFO_RESPONSE].n == i + 1,
	   "a short request with a long one's Transaction ID does not get its answer again");
	ask(s, t, b, false);
	ok(!t->heard[TYPE_NODE_INFO_RESPONSE].n && look(s, t, 1, 1, NULL, 0, NULL, 0) == V_DROP_STATE,
	   "a TRS asks for no path, and is behind no NAPT");
	ask(s, a, t, false);
	ok(heard_order(s, "a:16 "), "who asks for a TRS is told that there is no such node");
	late = peer_new(s, DEVICE_TRS, "late", "198.51.100.77", "");
	ok(report(s, late, 0, false) == V_ANSWERED && late->heard[TYPE_REFUSAL].n == 1 &&
	   goes_by(s, a, b, "trs"), "one that is not registered is refused");
	t->mute = true;
	run(s, SEC);
	ask(s, a, b, false);
	rr.path.b[0] = 99;
	n = msg_write_relay_response(body, sizeof body, &rr);
	ok(say(s, t, TYPE_RELAY_RESPONSE, t->heard[TYPE_RELAY_REQUEST].transaction, body, n) ==
	   V_DROP_STATE, "a Relay Response about another path confirms nothing");
	memcpy(rr.path.b, t->heard[TYPE_RELAY_REQUEST].body, 16);
	n = msg_write_relay_response(body, sizeof body, &rr);
	ok(say(s, t, TYPE_ROUTE_CONFIRMATION, t->heard[TYPE_RELAY_REQUEST].transaction, body, n) ==
	   V_DROP_STATE && say(s, t, TYPE_RELAY_RESPONSE, t->heard[TYPE_RELAY_REQUEST].transaction,
			       body, n) == V_ANSWERED, "nor does a Route Confirmation");
	scene_free(s);
}

static void hostile_reports(struct scene *s)
{
	static const char odd[][4] = { "a b", "\x80", "\n", "a\0b" };
	struct msg_relay_report m = { .other_port = 1 };
	struct peer *t, *a, *b;
	uint8_t body[DATAGRAM_MAX];
	unsigned i, good = 0;
	size_t n;

	scene_make(s, 1);
	t = trs_new(s, "trs", "198.51.100.9");
	a = node_new(s, "a", "203.0.113.1", "192.168.1.2");
	b = node_new(s, "b", "203.0.113.2", "192.168.2.2");
	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		memcpy(m.region, odd[i], 4);
		n = msg_write_relay_report(body, sizeof body, &m);
		good += say(s, t, TYPE_RELAY_REPORT, number(), body, n) == V_DROP_BODY;
	}
	ok(good == i, "a region that is no word is no report");
	ok(look(s, a, MAPPINGS, 0, NULL, 0, NULL, 0) == V_DROP_BODY &&
	   look(s, a, 0, FILTERINGS, NULL, 0, NULL, 0) == V_DROP_BODY,
	   "nor are behaviours that do not exist");
	look(s, a, MAPPING_NONE, FILTERING_ENDPOINT_INDEPENDENT, t, 4000000, t, 0);
	ok(goes_by(s, b, a, "trs"), "who is seen behind a NAPT is behind one, whatever he says");
	for (i = 0; i < n; i++)
		good += say(s, t, TYPE_RELAY_REPORT, number(), body, i) == V_DROP_BODY;
	ok(good == 4 + n, "nothing shorter than a report is one");
	for (i = 0; i < 3000 * scale(); i++) {
		random_bytes(body, 100);
		say(s, i & 1 ? a : t, (uint8_t)(35 + i % 5), number(), body, random_u32() % 100);
	}
	report(s, t, 0, false);
	ok(goes_by(s, b, a, "trs"), "random ones change nothing either");
	scene_free(s);
}

/* ---- looking at NAPTs ---- */

static struct msg_vantage_response points(struct scene *s, struct peer *p)
{
	struct msg_vantage_request m = { 0 };
	struct msg_vantage_response r;
	uint8_t body[MSG_SIZE_vantage_request];
	struct word *w = &p->heard[TYPE_VANTAGE_RESPONSE];

	memset(&r, 0, sizeof r);
	memset(w, 0, sizeof *w);
	say(s, p, TYPE_VANTAGE_REQUEST, number(), body,
	    msg_write_vantage_request(body, sizeof body, &m));
	msg_read_vantage_response(&r, w->body, w->len);
	return r;
}

static void vantage(unsigned workers)
{
	struct scene *s = calloc(1, sizeof *s);
	struct msg_vantage_response r;
	struct msg_probe_request q;
	struct vantage_key key;
	struct peer *x, *y, *home, *a;
	unsigned i;

	diag("%u workers", workers);
	scene_make(s, workers);
	a = node_new(s, "a", "203.0.113.1", "192.168.1.2");
	ok(points(s, a).points_n == 0 && a->heard[TYPE_VANTAGE_RESPONSE].n == 1,
	   "without TRS there is nothing to look from, and that is said");
	home = trs_new(s, "home", "198.51.100.1");
	x = trs_new(s, "x", "198.51.100.10");
	y = trs_new(s, "y", "198.51.100.11");
	trs_new(s, "v6", "2001:db8::9");
	look(s, a, 0, 0, y, 10, x, 20);
	look(s, a, 0, 0, home, 1, NULL, 0);
	run(s, SEC);
	r = points(s, a);
	ok(r.points_n == 3 && id_equal(&r.points[0].trs, &y->id) && id_equal(&r.points[1].trs, &x->id) &&
	   id_equal(&r.points[2].trs, &home->id),
	   "the TRS of that family, the nearest first, that on the NMS's own address last");
	keys_vantage(&key, &y->key, &a->id);
	ok(memcmp(r.points[0].key, key.b, 16) == 0 && memcmp(r.points[1].key, key.b, 16) &&
	   r.points[0].port == 4502 && r.points[0].other_port == 4512,
	   "each with its own key for this node alone, and both ports");
	memset(&q, 0, sizeof q);
	msg_read_probe_request(&q, y->heard[TYPE_PROBE_REQUEST].body, y->heard[TYPE_PROBE_REQUEST].len);
	ok(y->heard[TYPE_PROBE_REQUEST].n == 2 && id_equal(&q.node_id, &a->id) && q.family == 4 &&
	   q.port == 40000 && memcmp(q.ip, a->at.ip, 16) == 0,
	   "the first one is asked to write to the node's mapped address");
	ok(!x->heard[TYPE_PROBE_REQUEST].n && s->peer[s->peers - 1].heard[TYPE_PROBE_REQUEST].n == 0,
	   "no other is");
	run(s, SEC);
	for (i = 0; i < 100; i++)
		points(s, a);
	ok(y->heard[TYPE_PROBE_REQUEST].n == 4, "who asks a hundred times at once gets one look");
	run(s, SEC);
	ip_parse(&a->at, "203.0.113.66", 666);
	r = points(s, a);
	ok(r.points_n == 0 && a->heard[TYPE_REFUSAL].n == 1 && y->heard[TYPE_PROBE_REQUEST].n == 4,
	   "nobody is written to at an address that was never confirmed");
	scene_free(s);
	free(s);
}

int main(void)
{
	struct scene *s = calloc(1, sizeof *s);

	a_relayed_path(1);
	a_relayed_path(WORKERS);
	behaviours(s);
	refusing_relays(s);
	silent_relays(s);
	a_disabled_relay(s);
	a_crowd_at_dead_relays(s);
	dice(s, 1);
	dice(s, WORKERS);
	choices(s);
	coming_and_going(s);
	out_of_place(s);
	hostile_reports(s);
	vantage(1);
	vantage(WORKERS);
	free(s);
	return done();
}
