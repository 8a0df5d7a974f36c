/*
 * netcheck's protocol half in a world of one NAPT, RFC 5780's server with two addresses and two
 * ports, and a clock of its own.
 */
#include "t/tap.h"
#include "crypto/aead.h"
#include "net/netcheck.h"
#include "net/proto/stun.h"

#define FLYING 256
#define WAY (10 * MS)		/* from here to a server */

enum depends { NOTHING, ON_ADDRESS, ON_PORT, NO_NAPT };

struct world {
	/* set by the case */
	enum depends mapping, filter;
	bool one_address;	/* servers change their port only */
	bool one_port;		/* not even that */
	bool hairpins, dead;
	bool near;		/* 10.1.0.9 is a server on this side of the NAPT */
	const char *lie;	/* where servers say we are, NULL: the truth */
	unsigned lose;		/* of three attempts the first so many are lost */
	/* its state */
	struct now now;
	struct netcheck_plan plan;
	void *half;
	struct outbox out;
	uint8_t scratch[OUTBOX_SCRATCH];
	struct flight {
		uint64_t at;	/* 0: free */
		struct batch b;
		uint8_t octets[HEADROOM + 256];
	} flight[FLYING];
	struct hole {		/* of the NAPT, by sending */
		enum port inner;
		struct addr to;
		uint16_t outer;
	} hole[FLYING];
	unsigned holes, datagrams, connects, misled;
	unsigned octets_out;
};

static struct addr at(const char *ip, uint16_t port)
{
	struct addr a = { 0 };

	ip_parse(&a, ip, port);
	return a;
}

static bool agrees(enum depends on, const struct addr *a, const struct addr *b)
{
	return on == NOTHING || (addr_same_ip(a, b) && (on != ON_PORT || a->port == b->port));
}

static void fly(struct world *w, uint64_t when, enum port port, const struct addr *from, const void *p,
		size_t n)
{
	struct flight *f = w->flight;

	while (f->at)
		f++;
	f->at = when;
	memcpy(f->octets + HEADROOM, p, n);
	f->b = (struct batch){ .port = port, .from = *from, .buf = f->octets + HEADROOM,
			       .len = (uint32_t)n, .seg = (uint16_t)n };
	f->b.to = w->plan.local[NETCHECK_IPV4];
	f->b.to.port += port != PORT_MAIN;
}

/* The port outside for what goes there, made if there is none. */
static uint16_t through(struct world *w, enum port inner, const struct addr *to)
{
	uint16_t outer = 0;
	unsigned i;

	for (i = 0; i < w->holes; i++)
		if (w->hole[i].inner == inner && agrees(w->mapping == NO_NAPT ? NOTHING : w->mapping,
							&w->hole[i].to, to))
			outer = w->hole[i].outer;
	if (!outer)
		outer = (uint16_t)(20000 + w->holes);
	if (w->mapping == NO_NAPT)
		outer = (uint16_t)(w->plan.local[0].port + (inner != PORT_MAIN));
	w->hole[w->holes++] = (struct hole){ inner, *to, outer };
	return outer;
}

/* From outside to that port of the NAPT. */
static void come_in(struct world *w, uint16_t outer, const struct addr *from, const void *p, size_t n)
{
	unsigned i;

	for (i = 0; i < w->holes; i++)
		if (w->hole[i].outer == outer && agrees(w->filter, &w->hole[i].to, from)) {
			fly(w, w->now.boot + 2 * WAY, w->hole[i].inner, from, p, n);
			return;
		}
}

/* RFC 5780's server: stun_answer() is one of one address, so the rest is done here. */
static void serve(struct world *w, const struct out_item *i, const struct addr *seen)
{
	struct addr other = at(i->to.ip[3] == 1 || w->one_address ? "192.0.2.2" : "192.0.2.1",
			       i->to.port == 3478 ? 3479 : 3478), leave = i->to;
	struct stun_server s = { i->to, other };
	struct addr told;
	uint8_t q[STUN_REQUEST_SIZE], a[STUN_REQUEST_SIZE];
	struct stun_message m;
	bool unused;
	size_t n;

	if (w->one_address)
		memcpy(other.ip, i->to.ip, sizeof other.ip);
	s.other = other;
	if (w->one_port)
		s.other.family = 0;
	if (!stun_parse(&m, i->buf, i->len) || m.kind != STUN_REQUEST ||
	    (m.change & STUN_CHANGE_IP && w->one_address))
		return;
	if (m.change & STUN_CHANGE_PORT)
		leave.port = other.port;
	if (m.change & STUN_CHANGE_IP)
		memcpy(leave.ip, other.ip, sizeof leave.ip);
	stun_request(q, &m.id, 0);
	told = w->lie ? at(w->lie, 4242) : *seen;
	n = stun_answer(&s, a, q, sizeof q, &told, &unused);
	come_in(w, seen->port, &leave, a, n);
}

static void serve_near(struct world *w, const struct out_item *i)
{
	struct stun_server s = { i->to, at("10.1.0.9", 3479) };
	struct addr seen = w->plan.local[0];
	uint8_t a[STUN_REQUEST_SIZE];
	bool other;
	size_t n;

	seen.port += i->port != PORT_MAIN;
	n = stun_answer(&s, a, i->buf, i->len, &seen, &other);
	if (n)
		fly(w, w->now.boot + 1, i->port, other ? &s.other : &s.at, a, n);
}

static void go_out(struct world *w, const struct out_item *i)
{
	struct addr seen = at("198.51.100.1", 0);
	struct stun_message m;

	w->datagrams++;
	w->misled += w->lie && i->to.port == 4242;
	w->octets_out += i->len;
	if (!stun_parse(&m, i->buf, i->len) || w->dead || m.id.b[11] < w->lose)
		return;
	if (w->mapping == NO_NAPT)
		seen = w->plan.local[NETCHECK_IPV4];
	if (i->to.ip[0] == 10) {
		if (w->near)
			serve_near(w, i);
		return;
	}
	seen.port = through(w, i->port, &i->to);
	if (addr_same_ip(&i->to, &seen)) {
		if (w->hairpins)
			come_in(w, i->to.port, &seen, i->buf, i->len);
	} else if (i->to.ip[0] == 192) {
		serve(w, i, &seen);
	}
}

static void flush(struct outbox *out)
{
	struct world *w = out->owner;
	unsigned i;

	for (i = 0; i < out->n; i++) {
		if (out->item[i].kind == OUT_DATAGRAM)
			go_out(w, &out->item[i]);
		w->connects += out->item[i].kind == OUT_CONNECT;
	}
	out->n = 0;
	out->used = 0;
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof *w);

	if (!w)
		abort();
	w->now.boot = 1000 * SEC;
	w->out.flush = flush;
	w->out.owner = w;
	w->out.scratch = w->scratch;
	w->plan.start = w->now;
	w->plan.local[NETCHECK_IPV4] = at("10.1.0.5", 50000);
	w->plan.server[0] = at("192.0.2.1", 3478);
	w->plan.servers = 1;
	random_bytes(w->plan.random, sizeof w->plan.random);
	return w;
}

/* Until the half says that it is over. */
static struct netcheck_report run(struct world *w)
{
	const struct netcheck_half *h = &netcheck_protocol;
	struct netcheck_report r;
	struct flight *f, *next;
	uint64_t expiry;

	w->half = h->open(&w->plan);
	h->tick(w->half, w->now, &w->out);
	flush(&w->out);
	while ((expiry = h->expiry(w->half)) != NEVER) {
		for (f = w->flight, next = NULL; f < w->flight + FLYING; f++)
			if (f->at && (!next || f->at < next->at))
				next = f;
		w->now.boot = MAX(w->now.boot, next ? MIN(next->at, expiry) : expiry);
		if (next && next->at <= w->now.boot) {
			h->input(w->half, w->now, &next->b, &w->out);
			next->at = 0;
		} else {
			h->tick(w->half, w->now, &w->out);
		}
		flush(&w->out);
	}
	h->report(w->half, &r);
	h->close(w->half);
	return r;
}

static unsigned took_ms(const struct world *w)
{
	return (unsigned)((w->now.boot - w->plan.start.boot) / MS);
}

static void kinds(void)
{
	static const struct {
		const char *title;
		enum depends mapping, filter;
		const char *m, *f;
		enum netcheck_verdict v;
	} kind[] = {
		{ "no NAPT and no firewall: open", NO_NAPT, NOTHING, "none",
		  "endpoint-independent", VERDICT_OPEN },
		{ "a firewall without NAPT is seen", NO_NAPT, ON_PORT, "none",
		  "address-and-port-dependent", VERDICT_EASY_NAPT },
		{ "full cone", NOTHING, NOTHING, "endpoint-independent",
		  "endpoint-independent", VERDICT_EASY_NAPT },
		{ "restricted cone", NOTHING, ON_ADDRESS, "endpoint-independent",
		  "address-dependent", VERDICT_EASY_NAPT },
		{ "port restricted cone", NOTHING, ON_PORT, "endpoint-independent",
		  "address-and-port-dependent", VERDICT_EASY_NAPT },
		{ "symmetric by address", ON_ADDRESS, ON_ADDRESS, "address-dependent",
		  "address-dependent", VERDICT_HARD_NAPT },
		{ "symmetric", ON_PORT, ON_PORT, "address-and-port-dependent",
		  "address-and-port-dependent", VERDICT_HARD_NAPT },
	};
	unsigned i, lose;

	for (i = 0; i < ARRAY_SIZE(kind); i++)
		for (lose = 0; lose < 3; lose++) {
			struct world *w = world_new();
			struct netcheck_report r;

			w->mapping = kind[i].mapping;
			w->filter = kind[i].filter;
			w->lose = lose;
			r = run(w);
			ok(r.verdict == kind[i].v && !strcmp(r.family[0].mapping, kind[i].m) &&
			   !strcmp(r.family[0].filtering, kind[i].f) && took_ms(w) < 3000,
			   "%s%s: %u ms, %u datagrams", kind[i].title,
			   lose ? lose == 1 ? ", each first attempt lost" : ", each second lost too" : "",
			   took_ms(w), w->datagrams);
			free(w);
		}
}

static void fewer_answers(void)
{
	struct world *w = world_new();
	struct netcheck_report r;

	w->one_address = true;
	w->filter = ON_ADDRESS;
	r = run(w);
	ok(r.verdict == VERDICT_UNKNOWN_NAPT && !strcmp(r.family[0].mapping, "unknown") &&
	   r.family[0].mapping_note && !strcmp(r.family[0].filtering, "address-dependent") &&
	   !strncmp(r.family[0].filtering_note, "or looser", 9),
	   "one server with two ports cannot tell the mapping, and half of the filtering");
	free(w);
	w = world_new();
	w->one_address = true;
	w->filter = ON_PORT;
	w->plan.server[w->plan.servers++] = at("192.0.2.2", 3478);
	r = run(w);
	ok(r.verdict == VERDICT_EASY_NAPT && !strcmp(r.family[0].filtering, "address-and-port-dependent"),
	   "two of them can");
	free(w);
	w = world_new();
	w->one_port = true;
	w->mapping = w->filter = ON_PORT;
	w->plan.server[w->plan.servers++] = at("192.0.2.2", 3478);
	r = run(w);
	ok(!strcmp(r.family[0].mapping, "address-dependent") && r.verdict == VERDICT_HARD_NAPT &&
	   !strncmp(r.family[0].mapping_note, "or stricter", 11) &&
	   !strcmp(r.family[0].filtering, "unknown") && r.family[0].filtering_note,
	   "two plain servers tell a symmetric NAPT, not how strict it is nor what it lets in");
	free(w);
	w = world_new();
	w->dead = true;
	r = run(w);
	ok(r.verdict == VERDICT_UDP_BLOCKED && !r.server[0].answered && took_ms(w) < 3000,
	   "without an answer UDP is blocked, said after %u ms", took_ms(w));
	free(w);
	w = world_new();
	w->plan.local[NETCHECK_IPV4].family = 0;
	w->plan.server[w->plan.servers++] = at("2001:db8::1", 3478);
	r = run(w);
	ok(r.verdict == VERDICT_NO_NETWORK && took_ms(w) == 0 && w->datagrams == 0,
	   "without a way out nothing is sent and that is said at once");
	free(w);
}

static void near_server(void)
{
	struct world *w = world_new();
	struct netcheck_report r;

	w->near = true;
	w->mapping = w->filter = ON_PORT;
	w->plan.server[0] = at("10.1.0.9", 3478);
	w->plan.server[w->plan.servers++] = at("192.0.2.1", 3478);
	r = run(w);
	ok(r.verdict == VERDICT_HARD_NAPT && !strcmp(r.family[0].filtering, "address-and-port-dependent") &&
	   r.server[0].answered, "a server on this side of the NAPT misleads nobody, though it is faster");
	free(w);
}

static void hairpins(void)
{
	struct world *w = world_new();
	struct netcheck_report r;

	w->hairpins = true;
	w->filter = ON_PORT;
	r = run(w);
	ok(r.family[0].hairpin == FACT_YES, "a NAPT that sends back what is for itself is seen");
	ok(r.family[0].port_kept == FACT_NO && r.family[0].mapped.port == 20000 &&
	   r.server[0].answered && r.server[0].rtt == 2 * WAY, "so are port, address and round trip");
	free(w);
	w = world_new();
	r = run(w);
	ok(r.family[0].hairpin == FACT_NO, "and one that does not");
	free(w);
	w = world_new();
	w->lie = "255.255.255.255";
	r = run(w);
	ok(!w->misled && r.family[0].hairpin == FACT_UNKNOWN,
	   "where no host can be nothing is sent, whatever a server says");
	free(w);
}

static void services(void)
{
	const struct netcheck_half *h = &netcheck_protocol;
	struct world *w = world_new();
	struct flow_event ev = { .what = FLOW_OPENED, .handle = 1 };
	struct netcheck_report r;

	w->dead = true;
	w->plan.as_n = 3;
	w->half = h->open(&w->plan);
	h->tick(w->half, w->now, &w->out);
	flush(&w->out);
	ok(w->connects == 3, "every AS is connected to");
	w->now.boot += 5 * MS;
	h->flow(w->half, w->now, &ev, &w->out);
	ev = (struct flow_event){ .what = FLOW_CLOSED, .handle = 2 };
	h->flow(w->half, w->now, &ev, &w->out);
	ev.handle = 77;
	h->flow(w->half, w->now, &ev, &w->out);
	while (h->expiry(w->half) != NEVER) {
		w->now.boot = h->expiry(w->half);
		h->tick(w->half, w->now, &w->out);
		flush(&w->out);
	}
	h->report(w->half, &r);
	ok(r.as[0].reached == FACT_UNKNOWN && r.as[1].reached == FACT_YES && r.as[1].rtt == 5 * MS &&
	   r.as[2].reached == FACT_NO && took_ms(w) < 3000,
	   "one that is silent, one that answers and one that refuses are told apart");
	h->close(w->half);
	free(w);
}

/* Strangers who guess, and a server that lies. */
static void hostile(void)
{
	static const char *const harmful[] = { "127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0" };
	const struct netcheck_half *h = &netcheck_protocol;
	unsigned i, k, rounds = 20000 * scale();
	uint8_t q[STUN_REQUEST_SIZE], a[STUN_REQUEST_SIZE];
	struct netcheck_report r;
	struct stun_id id = { { 0 } };
	bool harmless = true, unused;

	for (i = 0; i < ARRAY_SIZE(harmful); i++) {
		struct world *w = world_new();
		struct stun_server s = { w->plan.server[0], at(harmful[i], 3479) };
		struct addr seen = at("198.51.100.1", 9);

		w->half = h->open(&w->plan);
		w->dead = true;
		h->tick(w->half, w->now, &w->out);
		flush(&w->out);
		memcpy(id.b, w->plan.random, sizeof w->plan.random);
		stun_request(q, &id, 0);
		fly(w, 1, PORT_MAIN, &w->plan.server[0], a, stun_answer(&s, a, q, sizeof q, &seen, &unused));
		h->input(w->half, w->now, &w->flight[0].b, &w->out);
		for (k = 0; k < w->out.n; k++)
			harmless &= addr_equal(&w->out.item[k].to, &w->plan.server[0]);
		h->report(w->half, &r);
		harmless &= r.server[0].answered && !r.server[0].other.family;
		h->close(w->half);
		free(w);
	}
	ok(harmless, "a server cannot send us to loopback, a group or nowhere");

	struct world *w = world_new();

	w->dead = true;
	w->half = h->open(&w->plan);
	h->tick(w->half, w->now, &w->out);
	flush(&w->out);
	memcpy(id.b, w->plan.random, sizeof w->plan.random);
	for (i = 0; i < rounds; i++) {
		struct stun_server s = { w->plan.server[0], at("192.0.2.2", 3479) };
		struct addr from = i & 1 ? at("203.0.113.1", 3478) : w->plan.server[0];
		size_t n;

		id.b[10] = (uint8_t)random_u32();
		id.b[11] = (uint8_t)random_u32();
		id.b[random_u32() % 10] ^= i & 1 ? 0 : 1;
		stun_request(q, &id, 0);
		n = i & 2 ? stun_answer(&s, a, q, sizeof q, &from, &unused) : sizeof q;
		fly(w, 1, i & 4 ? PORT_MAIN : PORT_STUN, &from, i & 2 ? a : q, n);
		h->input(w->half, w->now, &w->flight[0].b, &w->out);
		w->flight[0].at = 0;
		memcpy(id.b, w->plan.random, sizeof w->plan.random);
	}
	ok(w->out.n == 0, "of %u answers by others, or of other ids, none is believed", rounds);
	h->report(w->half, &r);
	ok(!r.server[0].answered && r.family[0].hairpin == FACT_UNKNOWN, "nor do they make anything known");
	h->close(w->half);
	free(w);
}

int main(void)
{
	kinds();
	fewer_answers();
	near_server();
	hairpins();
	services();
	hostile();
	return done();
}
