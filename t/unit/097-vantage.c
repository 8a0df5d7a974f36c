/*
 * A node that looks at its NAPT: the machine against a scripted NMS, two TRS and a box, by the
 * same messages as in earnest, with some of them lost, doubled, forged, replayed or late.
 */
#include "t/tap.h"
#include "net/proto/vantage.h"

#define NOW_MS ((uint64_t)1800000000000)
#define LEG (10 * MS)
#define QUEUE 64
#define HOLES 64
#define REMEMBERED (120 * SEC)		/* how long the box lets in whom it let in */

struct letter {
	uint64_t at;			/* 0: free */
	bool in;			/* to the node */
	struct addr from, to;
	size_t n;
	uint8_t p[DATAGRAM_MAX];
};

struct trs {
	bool silent, deaf_elsewhere;
	struct id id;
	struct common_key key;
	struct addr addr;
	struct session session;
};

struct scene {
	struct now now;
	struct outbox out;
	struct cloud cloud;
	struct registrar r;
	struct vantage v;
	unsigned family;
	struct addr host;		/* the node behind its box */
	enum mapping mapping;
	enum filtering filtering;
	uint16_t base;			/* the box's first outer port */
	struct {
		struct addr outer, peer;
		uint64_t at;
	} hole[HOLES];
	unsigned holes;
	struct letter letter[QUEUE];
	/* services */
	struct addr nms;
	struct session nms_session;
	struct trs trs[2];
	unsigned trs_n;
	uint32_t transaction;		/* of the newest Vantage Request */
	struct msg_vantage_report report;
	/* what goes wrong */
	uint8_t lose;			/* this type, the next lose_n of them */
	unsigned lose_n, per_mille;
	uint64_t dice;
	bool twice, refuse;
	/* what is counted */
	unsigned requests, reports, punches, unasked, sent;
	uint64_t verdict[V_COUNT + 1];
	struct letter heard[8];		/* of type 2 and 21, as the node got them; and sent */
	unsigned heard_n;
	struct letter said;
};

static bool lost(struct scene *s, uint8_t type)
{
	s->dice = s->dice * 6364136223846793005u + 1442695040888963407u;
	if (type == s->lose && s->lose_n) {
		s->lose_n--;
		return true;
	}
	return (s->dice >> 33) % 1000 < s->per_mille;
}

static void post(struct scene *s, bool in, const struct addr *from, const struct addr *to,
		 const uint8_t *p, size_t n, uint64_t delay)
{
	unsigned i, copies = s->twice ? 2 : 1;

	if (lost(s, p[6]))
		return;
	for (i = 0; i < QUEUE && copies; i++) {
		struct letter *l = &s->letter[i];

		if (l->at)
			continue;
		*l = (struct letter){ s->now.boot + delay + copies * MS, in, *from, *to, n, { 0 } };
		memcpy(l->p, p, n);
		copies--;
	}
	if (copies)
		exit(99);
}

/* ---- the box ---- */

static struct addr outer(const struct scene *s, const struct addr *to)
{
	struct addr a = s->host;

	if (s->mapping == MAPPING_NONE)
		return a;
	a.ip[3] = 99;
	a.port = s->base;
	if (s->mapping >= MAPPING_ADDRESS_DEPENDENT)
		a.port = (uint16_t)(a.port + (s->family ? to->ip[15] : to->ip[3]) * 100);
	if (s->mapping == MAPPING_PORT_DEPENDENT)
		a.port = (uint16_t)(a.port + to->port % 100);
	return a;
}

static void opens(struct scene *s, const struct addr *out, const struct addr *peer)
{
	unsigned i;

	for (i = 0; i < s->holes; i++)
		if (addr_equal(&s->hole[i].outer, out) && addr_equal(&s->hole[i].peer, peer))
			break;
	if (i == HOLES)
		exit(99);
	s->hole[i].outer = *out;
	s->hole[i].peer = *peer;
	s->hole[i].at = s->now.boot;
	s->holes = MAX(s->holes, i + 1);
}

static bool gets_in(const struct scene *s, const struct addr *from, const struct addr *to)
{
	unsigned i;

	for (i = 0; i < s->holes; i++) {
		const struct addr *peer = &s->hole[i].peer;

		if (!addr_equal(&s->hole[i].outer, to) || s->now.boot - s->hole[i].at > REMEMBERED)
			continue;
		if (s->filtering == FILTERING_ENDPOINT_INDEPENDENT || addr_equal(peer, from) ||
		    (s->filtering == FILTERING_ADDRESS_DEPENDENT && addr_same_ip(peer, from)))
			return true;
	}
	return false;
}

/* ---- NMS and TRS ---- */

static void nms_says(struct scene *s, const struct addr *to, uint32_t transaction, uint8_t type,
		     const void *body, size_t n)
{
	uint8_t p[DATAGRAM_MAX];

	n = session_seal(&s->nms_session, NOW_MS + s->now.boot / MS, transaction, type, 0, body, n, p);
	post(s, true, &s->nms, to, p, n, LEG);
}

static void trs_says(struct scene *s, struct trs *t, bool elsewhere, const struct addr *to,
		     uint32_t transaction, uint8_t type, const struct msg_punch *m)
{
	uint8_t p[DATAGRAM_MAX], body[MSG_SIZE_punch];
	struct addr from = t->addr;
	size_t n = msg_write_punch(body, sizeof body, m);

	n = session_seal(&t->session, NOW_MS + s->now.boot / MS, transaction, type, 0, body, n, p);
	if (elsewhere)
		from.port = 3478;
	post(s, true, &from, to, p, n, LEG);
}

static void probe(struct scene *s, const struct addr *to)
{
	const struct msg_punch m = { .challenge = 0 };
	unsigned i;

	for (i = 0; i < 2 && s->trs_n && !s->trs[0].silent; i++) {
		s->unasked++;
		trs_says(s, &s->trs[0], false, to, 1000 + i, TYPE_HOLE_PUNCHING, &m);
	}
}

static void on_request(struct scene *s, const struct addr *from, uint32_t transaction)
{
	struct msg_vantage_response m = { .points_n = (uint8_t)s->trs_n };
	struct msg_refusal refusal = { .reason = REASON_BUSY, .type = TYPE_VANTAGE_REQUEST };
	uint8_t body[MSG_MAX_vantage_response];
	unsigned i;

	for (i = 0; i < s->trs_n; i++) {
		struct vantage_key key;

		keys_vantage(&key, &s->trs[i].key, &s->r.session.id);
		m.points[i] = (struct msg_vantage_point){ .trs = s->trs[i].id,
			.port = s->trs[i].addr.port, .other_port = 3478 };
		memcpy(m.points[i].key, key.b, 16);
		memcpy(m.points[i].ip, s->trs[i].addr.ip, 16);
	}
	s->requests += s->transaction != transaction;
	if (s->refuse) {
		nms_says(s, from, transaction, TYPE_REFUSAL, body,
			 msg_write_refusal(body, sizeof body, &refusal));
		return;
	}
	if (s->transaction != transaction)
		probe(s, from);
	s->transaction = transaction;
	nms_says(s, from, transaction, TYPE_VANTAGE_RESPONSE, body,
		 msg_write_vantage_response(body, sizeof body, &m));
}

static void to_nms(struct scene *s, struct letter *l, const struct msg_header *h,
		   const struct exts *x)
{
	struct msg_keep_alive_ack ack = { .cloud_time = NOW_MS + s->now.boot / MS };
	uint8_t body[MSG_SIZE_keep_alive_ack];
	struct bytes b;
	uint64_t stamp;

	if (session_open(&s->nms_session, NOW_MS + s->now.boot / MS, l->p, l->n, h, x, &b,
			 &stamp) != V_PASSED)
		return;
	if (h->type == TYPE_VANTAGE_REQUEST)
		on_request(s, &l->from, h->transaction);
	if (h->type == TYPE_VANTAGE_REPORT &&
	    msg_read_vantage_report(&s->report, b.p, b.n) == (long)b.n) {
		s->reports++;
		nms_says(s, &l->from, h->transaction, TYPE_KEEP_ALIVE_ACK, body,
			 msg_write_keep_alive_ack(body, sizeof body, &ack));
	}
}

static void to_trs(struct scene *s, struct trs *t, struct letter *l, const struct msg_header *h,
		   const struct exts *x)
{
	struct msg_punch m, ack = { .family = l->from.family, .port = l->from.port };
	struct bytes b;
	uint64_t stamp;

	if (t->silent ||
	    session_open(&t->session, NOW_MS + s->now.boot / MS, l->p, l->n, h, x, &b, &stamp) != V_PASSED ||
	    msg_read_punch(&m, b.p, b.n) != (long)b.n)
		return;
	memcpy(ack.ip, l->from.ip, 16);
	ack.echo = m.challenge;
	if (!m.other || !t->deaf_elsewhere)
		trs_says(s, t, m.other, &l->from, h->transaction, TYPE_ACK, &ack);
}

/* ---- the network ---- */

static enum verdict give(struct scene *s, const struct letter *l)
{
	uint8_t room[HEADROOM + DATAGRAM_MAX + TAILROOM], *p = room + HEADROOM;
	struct msg_header h;
	struct exts x;
	struct bytes body;
	enum verdict v;

	memcpy(p, l->p, l->n);
	v = gate_check(p, l->n, &h, &x);
	if (v != V_PASSED)
		return v;
	if (h.type == TYPE_ACK || h.type == TYPE_HOLE_PUNCHING)
		return vantage_input(&s->v, s->now, p, l->n, &h, &x, &l->from);
	v = registrar_input(&s->r, s->now, p, l->n, &h, &x, &l->from, &s->host, &body, &s->out);
	return v == V_PASSED ? vantage_answer(&s->v, s->now, &h, body) : v;
}

static void arrive(struct scene *s, struct letter *slot)
{
	struct letter l = *slot;
	struct msg_header h;
	struct exts x;
	unsigned i;

	slot->at = 0;
	if (l.in && gets_in(s, &l.from, &l.to)) {
		if (type_key(l.p[6]) == KEY_TUNNEL && s->heard_n < ARRAY_SIZE(s->heard))
			s->heard[s->heard_n++] = l;
		s->verdict[give(s, &l)]++;
	}
	if (l.in || gate_check(l.p, l.n, &h, &x) != V_PASSED)
		return;
	if (addr_equal(&l.to, &s->nms))
		to_nms(s, &l, &h, &x);
	for (i = 0; i < s->trs_n; i++)
		if (addr_equal(&l.to, &s->trs[i].addr))
			to_trs(s, &s->trs[i], &l, &h, &x);
}

static void flush(struct outbox *out)
{
	struct scene *s = out->owner;
	unsigned i, n = out->n;

	out->n = 0;
	out->used = 0;
	for (i = 0; i < n; i++) {
		const struct out_item *item = &out->item[i];
		struct addr from = outer(s, &item->to);

		s->sent++;
		s->punches += item->buf[6] == TYPE_HOLE_PUNCHING;
		if (item->buf[6] == TYPE_HOLE_PUNCHING) {
			s->said = (struct letter){ .from = item->to, .to = from, .n = item->len };
			memcpy(s->said.p, item->buf, item->len);
		}
		opens(s, &from, &item->to);
		post(s, false, &from, &item->to, item->buf, item->len, LEG);
	}
}

static void run(struct scene *s, uint64_t us)
{
	uint64_t end = s->now.boot + us;
	unsigned i, idle = 0;

	while (idle < 1000) {
		uint64_t at = vantage_expiry(&s->v);
		struct letter *next = NULL;

		for (i = 0; i < QUEUE; i++)
			if (s->letter[i].at && (!next || s->letter[i].at < next->at))
				next = &s->letter[i];
		if (MIN(at, next ? next->at : NEVER) > end)
			break;
		idle = MAX(MIN(at, next ? next->at : NEVER), s->now.boot) == s->now.boot ? idle + 1 : 0;
		if (next && next->at <= at) {
			s->now.boot = MAX(s->now.boot, next->at);
			arrive(s, next);
		} else {
			s->now.boot = MAX(s->now.boot, at);
			vantage_tick(&s->v, s->now, &s->out);
		}
		flush(&s->out);
	}
	if (idle == 1000)
		ok(false, "the machine does not spin");
	s->now.boot = end;
}

/* The registration, as far as this machine sees it. */
static void registered(struct scene *s)
{
	struct way *w = &s->r.way[s->family];

	w->local = s->host;
	w->mapped = outer(s, &s->nms);
	w->napt = s->mapping != MAPPING_NONE;
	w->registered = w->confirmed = true;
}

static void make_trs(struct scene *s, unsigned i, const char *ip)
{
	struct trs *t = &s->trs[i];
	struct vantage_key key;

	memset(t->id.b, 0x70 + (int)i, 16);
	memset(t->key.b, 0x50 + (int)i, 16);
	ip_parse(&t->addr, ip, 4502);
	keys_vantage(&key, &t->key, &s->r.session.id);
	session_free(&t->session);
	session_vantage(&t->session, &key, &s->r.session.id, true);
}

static void begin_family(struct scene *s, unsigned family, enum mapping m, enum filtering f)
{
	struct registrar_setup setup = { .node_id = { { 1, 2, 3 } }, .keepalive = 15 * SEC, .nms_n = 1 };
	uint8_t *scratch = malloc(OUTBOX_SCRATCH);

	if (!scratch)
		exit(99);
	memset(s, 0, sizeof *s);
	s->out = (struct outbox){ .scratch = scratch, .flush = flush, .owner = s };
	s->now.boot = 1000 * SEC;
	s->family = family;
	s->mapping = m;
	s->filtering = f;
	s->base = 20000;
	s->trs_n = 2;
	s->dice = 1;
	cloud_reset(&s->cloud, s->now, s->now.boot, NOW_MS + s->now.boot / MS);
	ip_parse(&s->host, family ? "fd00::5" : "10.0.0.5", 4503);
	ip_parse(&s->nms, family ? "2001:db8::1" : "192.0.2.1", 4501);
	setup.nms[0] = s->nms;
	registrar_start(&s->r, &setup, &s->cloud, s->now);
	session_common(&s->nms_session, &setup.common_key, &setup.node_id, true);
	make_trs(s, 0, family ? "2001:db8::2" : "192.0.2.2");
	make_trs(s, 1, family ? "2001:db8::3" : "192.0.2.3");
	vantage_init(&s->v, &s->r, family);
	registered(s);
}

static void begin(struct scene *s, enum mapping m, enum filtering f)
{
	begin_family(s, 0, m, f);
}

static void end(struct scene *s)
{
	vantage_free(&s->v);
	registrar_free(&s->r);
	session_free(&s->nms_session);
	session_free(&s->trs[0].session);
	session_free(&s->trs[1].session);
	free(s->out.scratch);
}

static bool found(const struct scene *s, enum mapping m, enum filtering f)
{
	return s->v.found.mapping == m && s->v.found.filtering == f;
}

static bool told(const struct scene *s, enum mapping m, enum filtering f)
{
	return s->reports && s->report.mapping == m && s->report.filtering == f;
}

#define NONE MAPPING_NONE, FILTERING_ENDPOINT_INDEPENDENT
#define FIREWALL MAPPING_NONE, FILTERING_PORT_DEPENDENT
#define FULL MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ENDPOINT_INDEPENDENT
#define RESTRICTED MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ADDRESS_DEPENDENT
#define PORT_RESTRICTED MAPPING_ENDPOINT_INDEPENDENT, FILTERING_PORT_DEPENDENT
#define SYMMETRIC MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT

/* ---- stories ---- */

static const struct {
	const char *name;
	enum mapping mapping;
	enum filtering filtering;
} boxes[] = {
	{ "no box", NONE },
	{ "a firewall that lets in known addresses", MAPPING_NONE, FILTERING_ADDRESS_DEPENDENT },
	{ "a stateful firewall", FIREWALL },
	{ "a full cone", FULL },
	{ "a restricted cone", RESTRICTED },
	{ "a port restricted cone", PORT_RESTRICTED },
	{ "a mapping by port that lets everybody in", MAPPING_PORT_DEPENDENT, FILTERING_ENDPOINT_INDEPENDENT },
	{ "a mapping by port that filters by address", MAPPING_PORT_DEPENDENT, FILTERING_ADDRESS_DEPENDENT },
	{ "a symmetric NAPT", SYMMETRIC },
};

static void every_box(struct scene *s)
{
	unsigned i, family;

	for (i = 0; i < ARRAY_SIZE(boxes); i++)
		for (family = 0; family < 2; family++) {
			enum mapping m = boxes[i].mapping;
			enum filtering f = boxes[i].filtering;

			begin_family(s, family, m, f);
			run(s, 10 * SEC);
			ok(found(s, m, f) && told(s, m, f) && s->report.family == (family ? 6 : 4),
			   "IPv%u behind %s: %s, %s, and the NMS knows (%s, %s; %u datagrams)",
			   family ? 6 : 4, boxes[i].name, mapping_name(m), filtering_name(f),
			   mapping_name(s->v.found.mapping), filtering_name(s->v.found.filtering), s->sent);
			ok(s->v.relays == 2 && s->report.rtts_n == 2 && s->v.relay[1].rtt >= 2 * LEG &&
			   s->v.relay[1].rtt < 2 * LEG + 5 * MS && s->report.rtts[1].rtt == s->v.relay[1].rtt &&
			   !s->verdict[V_DROP_STATE] && !s->verdict[V_DROP_TAG] && !s->verdict[V_DROP_REPLAY],
			   "with the distance of both TRS, and nothing dropped");
			end(s);
		}
	begin(s, MAPPING_ADDRESS_DEPENDENT, FILTERING_ADDRESS_DEPENDENT);
	run(s, 10 * SEC);
	ok(found(s, MAPPING_PORT_DEPENDENT, FILTERING_ADDRESS_DEPENDENT),
	   "a mapping by address, seen from three addresses, is taken for one by port");
	end(s);
	begin(s, MAPPING_ADDRESS_DEPENDENT, FILTERING_ADDRESS_DEPENDENT);
	make_trs(s, 0, "192.0.2.1");
	run(s, 10 * SEC);
	ok(found(s, MAPPING_ADDRESS_DEPENDENT, FILTERING_ADDRESS_DEPENDENT),
	   "and known for what it is when a TRS shares the NMS's address");
	end(s);
}

static void when(struct scene *s)
{
	unsigned before, asks;

	begin(s, PORT_RESTRICTED);
	s->r.way[0].confirmed = false;
	run(s, 100 * SEC);
	ok(!s->sent && vantage_expiry(&s->v) == NEVER, "nothing is looked at before the registration");
	s->r.way[0].confirmed = true;
	run(s, 10 * SEC);
	ok(s->requests == 2 && s->punches == 7 && s->reports == 1,
	   "the first look asks twice for the unasked one, and sends 7 Hole Punchings");
	run(s, 280 * SEC);
	asks = s->requests;
	run(s, 60 * SEC);
	ok(asks == 2 && s->requests == 3 && s->punches == 14 && s->reports == 2,
	   "after five minutes comes the next; what was found before is asked for once");
	before = s->sent;
	vantage_hurry(&s->v, s->now);
	vantage_hurry(&s->v, s->now);
	run(s, 10 * SEC);
	ok(s->requests == 4 && s->reports == 3 && s->sent - before < 12, "on demand it comes at once");
	run(s, 3000 * SEC);
	ok(s->requests >= 12 && s->requests <= 15 && found(s, PORT_RESTRICTED),
	   "and so it goes on (%u in an hour)", s->requests);
	s->r.way[0].confirmed = false;
	before = s->sent;
	run(s, 1000 * SEC);
	ok(s->sent == before && found(s, PORT_RESTRICTED), "while it is not registered it is quiet");
	registered(s);
	run(s, 10 * SEC);
	ok(s->requests <= 17 && s->sent > before && told(s, PORT_RESTRICTED),
	   "registered again, it tells the NMS again");
	end(s);
}

static void moved(struct scene *s)
{
	unsigned i, wrong = 0;

	begin(s, FULL);
	run(s, 10 * SEC);
	s->mapping = MAPPING_PORT_DEPENDENT;
	s->filtering = FILTERING_PORT_DEPENDENT;
	s->base = 30000;
	registered(s);
	run(s, 10 * SEC);
	ok(found(s, SYMMETRIC) && told(s, SYMMETRIC), "at a new mapped address all is looked at anew");
	end(s);
	/* the registration lags behind by 200 ms, whenever in the look it happens */
	for (i = 0; i < 60; i++) {
		begin(s, FULL);
		run(s, 10 * SEC + 310 * SEC);
		vantage_hurry(&s->v, s->now);
		run(s, i * 20 * MS);
		s->base = 30000;
		s->holes = 0;
		run(s, 200 * MS);
		registered(s);
		run(s, 400 * SEC);
		if (!found(s, FULL) || !told(s, FULL)) {
			diag("at %u ms: %s, %s", i * 20, mapping_name(s->v.found.mapping),
			     filtering_name(s->v.found.filtering));
			wrong++;
		}
		end(s);
	}
	ok(!wrong, "a mapped address that changes in the midst of a look misleads it for no longer "
	   "than that (%u of %u)", wrong, i);
}

static void new_box(struct scene *s)
{
	begin(s, FULL);
	run(s, 10 * SEC);
	s->filtering = FILTERING_PORT_DEPENDENT;
	run(s, 340 * SEC);
	ok(found(s, PORT_RESTRICTED) && told(s, PORT_RESTRICTED),
	   "a filter that became stricter is found out by the next look");
	s->filtering = FILTERING_ADDRESS_DEPENDENT;
	run(s, 340 * SEC);
	ok(found(s, RESTRICTED), "one that became looser too");
	s->filtering = FILTERING_ENDPOINT_INDEPENDENT;
	run(s, 340 * SEC);
	ok(found(s, FULL) && told(s, FULL), "and one that lets everybody in");
	end(s);
}

static void surprises(struct scene *s)
{
	begin(s, RESTRICTED);
	run(s, 10 * SEC);
	vantage_hurry(&s->v, s->now);
	run(s, 10 * SEC);
	ok(found(s, RESTRICTED), "who was written to in the last look proves nothing by coming in");
	end(s);
	begin(s, RESTRICTED);
	opens(s, &s->r.way[0].mapped, &s->trs[0].addr);
	vantage_wrote(&s->v, s->now, &s->trs[0].addr);
	run(s, 10 * SEC);
	ok(found(s, RESTRICTED), "nor who is written to by others of this node");
	end(s);
	begin(s, PORT_RESTRICTED);
	opens(s, &s->r.way[0].mapped, &s->trs[0].addr);
	run(s, 10 * SEC);
	ok(found(s, PORT_RESTRICTED), "a hole that an earlier run of the node left is seen through");
	end(s);
	begin(s, FULL);
	make_trs(s, 0, "192.0.2.1");
	run(s, 10 * SEC);
	ok(found(s, RESTRICTED), "a TRS at the NMS's address cannot show that all come in");
	end(s);
	begin(s, FULL);
	run(s, 10 * SEC);
	vantage_hurry(&s->v, s->now);
	run(s, 10 * SEC);
	ok(found(s, FULL) && s->requests == 2, "what a look cannot tell stays as it was found before");
	end(s);
}

static void little_to_see(struct scene *s)
{
	begin(s, FULL);
	s->trs_n = 0;
	run(s, 3000 * SEC);
	ok(found(s, MAPPING_UNKNOWN, FILTERING_UNKNOWN) && !s->v.found_at && s->reports == 1 &&
	   s->requests >= 9, "without any TRS nothing is known, and said once");
	s->trs_n = 2;
	run(s, 340 * SEC);
	ok(found(s, FULL) && told(s, FULL), "when there are some it is found out");
	end(s);
	begin(s, NONE);
	s->trs_n = 0;
	run(s, 10 * SEC);
	ok(found(s, MAPPING_NONE, FILTERING_UNKNOWN) && told(s, MAPPING_NONE, FILTERING_UNKNOWN),
	   "but an address of its own is known to be that");
	end(s);
	begin(s, PORT_RESTRICTED);
	s->trs_n = 1;
	run(s, 10 * SEC);
	ok(found(s, PORT_RESTRICTED) && s->v.relays == 1, "one TRS is enough");
	s->trs[0].silent = true;
	run(s, 340 * SEC);
	ok(found(s, PORT_RESTRICTED) && s->v.relays == 0 && told(s, PORT_RESTRICTED) &&
	   s->report.rtts_n == 0, "when it falls silent, what it showed stays, its distance does not");
	end(s);
	begin(s, FULL);
	s->trs[0].silent = true;
	run(s, 10 * SEC);
	ok(s->v.found.mapping == MAPPING_ENDPOINT_INDEPENDENT && !s->v.found.filtering &&
	   s->punches == 7 && s->v.relays == 1, "a first TRS that never answers leaves the filter unknown");
	s->trs[0].silent = false;
	run(s, 430 * SEC);
	ok(found(s, FULL), "until it answers");
	end(s);
	begin(s, PORT_RESTRICTED);
	s->refuse = true;
	run(s, 1000 * SEC);
	ok(s->requests >= 10 && s->requests <= 17 && !s->punches && !s->reports,
	   "an NMS that refuses is asked again each minute or so (%u in 1000 s)", s->requests);
	end(s);
}

/* The n-th datagram of a type is lost, then all that come after the first. */
static void losses(struct scene *s)
{
	static const uint8_t types[] = { TYPE_VANTAGE_REQUEST, TYPE_VANTAGE_RESPONSE,
		TYPE_HOLE_PUNCHING, TYPE_ACK, TYPE_VANTAGE_REPORT, TYPE_KEEP_ALIVE_ACK };
	unsigned i, n, k, wrong, runs = 0, right = 0, late = 0, many = 100 * scale();

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		wrong = 0;
		for (n = 1; n <= 2; n++)
			for (k = 0; k < ARRAY_SIZE(boxes); k++) {
				begin(s, boxes[k].mapping, boxes[k].filtering);
				s->lose = types[i];
				s->lose_n = n;
				run(s, 20 * SEC);
				wrong += !found(s, boxes[k].mapping, boxes[k].filtering) ||
					 !told(s, boxes[k].mapping, boxes[k].filtering);
				end(s);
			}
		ok(!wrong, "the first %s lost, or the first two: the result is the same (%u)",
		   type_name(types[i]), wrong);
	}
	for (i = 0; i < many; i++)
		for (k = 0; k < ARRAY_SIZE(boxes); k++) {
			begin(s, boxes[k].mapping, boxes[k].filtering);
			s->per_mille = 40;
			s->dice = i * 77 + k;
			run(s, 30 * SEC);
			runs++;
			right += found(s, boxes[k].mapping, boxes[k].filtering);
			run(s, 600 * SEC);
			late += found(s, boxes[k].mapping, boxes[k].filtering);
			end(s);
		}
	ok(right * 100 >= runs * 98 && late * 1000 >= runs * 995,
	   "of %u first looks with 4 %% loss each way %u are right, after ten minutes %u", runs, right,
	   late);
	begin(s, RESTRICTED);
	s->twice = true;
	run(s, 20 * SEC);
	ok(found(s, RESTRICTED) && told(s, RESTRICTED), "every datagram doubled changes nothing");
	end(s);
	begin(s, FULL);
	run(s, 20 * SEC);
	s->lose = TYPE_HOLE_PUNCHING;
	s->lose_n = 1000;
	run(s, 340 * SEC);
	ok(found(s, FULL), "when everything is lost, what was found before stays");
	end(s);
}

static enum verdict replay(struct scene *s, struct letter l, bool forge)
{
	if (forge)
		l.p[HEADER_SIZE + 5] ^= 1;
	return give(s, &l);
}

static void enemies(struct scene *s)
{
	struct letter unasked, ack, own;
	unsigned i, sent;

	begin(s, FULL);
	run(s, 15 * MS);
	run(s, 10 * SEC);
	unasked = s->heard[0];
	ack = s->heard[2];		/* of the first TRS, behind two unasked ones */
	own = s->said;
	ok(unasked.p[6] == TYPE_HOLE_PUNCHING && ack.p[6] == TYPE_ACK && s->v.phase == VANTAGE_REST,
	   "an unasked one and an answer were seen");
	sent = s->sent;
	ok(replay(s, unasked, false) == V_DROP_STATE && replay(s, ack, false) == V_DROP_STATE &&
	   replay(s, own, false) == V_DROP_STATE, "between two looks nothing is taken");
	/* the same later, when the filter is closed and the TRS is silent */
	s->filtering = FILTERING_PORT_DEPENDENT;
	s->trs[0].silent = true;
	run(s, 250 * SEC);
	s->v.found.filtering = FILTERING_UNKNOWN;
	vantage_hurry(&s->v, s->now);
	run(s, 25 * MS);
	ok(s->v.phase == VANTAGE_HEAR, "the next look begins");
	ok(replay(s, unasked, true) == V_DROP_TAG && replay(s, unasked, false) == V_DROP_REPLAY &&
	   s->v.unasked == UNASKED_NONE, "a forged one, and one of an earlier look, are no surprise");
	unasked.from.port++;
	ok(replay(s, unasked, false) == V_DROP_REPLAY && s->v.unasked == UNASKED_NONE,
	   "nor from another port");
	unasked.from.ip[3]++;
	unasked.from.port--;
	i = replay(s, unasked, false);
	unasked.from.ip[3] += 100;
	ok(i == V_DROP_TAG && replay(s, unasked, false) == V_DROP_STRANGER,
	   "one TRS cannot speak for another, nor anybody else");
	while (s->v.phase != VANTAGE_LOOK)
		run(s, 100 * MS);
	ok(replay(s, ack, true) == V_DROP_TAG && replay(s, ack, false) == V_DROP_STATE,
	   "an answer to another look is none");
	ok(replay(s, own, false) != V_ANSWERED, "the node's own, thrown back at it, is not taken");
	ok(!s->v.point[0].rtt && !s->v.elsewhere, "and nothing was learnt of all these");
	sent = s->sent - sent;
	run(s, 10 * SEC);
	ok(sent < 10 && !s->v.found.filtering, "or said in answer");
	end(s);

	begin(s, PORT_RESTRICTED);
	vantage_tick(&s->v, s->now, &s->out);
	for (i = 0; i < 20; i++)
		s->verdict[replay(s, unasked, true)]++;
	ok(s->verdict[V_HELD] == 20 && s->v.early_n == VANTAGE_POINTS,
	   "of what comes before its key only the newest are kept");
	run(s, 20 * SEC);
	ok(found(s, PORT_RESTRICTED), "and forged ones lead to nothing");
	end(s);

	begin(s, FULL);
	s->lose = TYPE_VANTAGE_RESPONSE;
	s->lose_n = 3;
	run(s, 20 * SEC);
	ok(found(s, FULL) && s->requests == 1 && s->verdict[V_HELD] == 2,
	   "a true one that comes before its key is opened when that is there");
	end(s);
}

int main(void)
{
	struct scene *s = malloc(sizeof *s);

	if (!s)
		return 99;
	every_box(s);
	when(s);
	moved(s);
	new_box(s);
	surprises(s);
	little_to_see(s);
	losses(s);
	enemies(s);
	free(s);
	return done();
}
