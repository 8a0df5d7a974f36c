/*
 * dns.c - the node's resolver: who asks whom.
 *
 *   query -> locate() -> answer()                       the zone itself, names nobody can have
 *                     -> look_up() -> ops->lookup() ... dns_answer() -> settle()   devices
 *                     -> forward() -> dnsup_ask() ... upstream_done()     all other names
 *
 * A query that waits keeps its own octets and is read again when the answer is there.  Every
 * message that leaves is made in d->frame.
 */
#include "net/proto/dns.h"
#include "net/proto/dnsmsg.h"
#include "net/proto/dnstcp.h"
#include "net/proto/dnsup.h"
#include "net/proto/timers.h"
#include <stdlib.h>

/* Where an answer goes; all zero: nowhere, the client has left. */
struct client {
	uint32_t flow;			/* TCP: its stream; 0: UDP */
	struct addr from, to;		/* UDP: whose query, and the address it was sent to */
};

/* What a name is to us. */
enum kind {
	FOREIGN,			/* not ours */
	APEX,				/* the domain, or the zone of one of its ranges */
	BETWEEN,			/* part of an address: exists, has no records */
	NOWHERE,			/* in our zones, but nobody can have it */
	NAMED,				/* a device may have it */
	ADDRESS				/* the reverse name of an address in our ranges */
};

struct place {
	enum kind kind;
	size_t zone_at;			/* where in the name its zone's name begins */
	uint8_t family;			/* ADDRESS; 0 for NAMED */
	uint8_t ip[16];			/* ADDRESS */
	char name[NAME_SIZE];		/* NAMED: canonical; else "" */
};

/* A query without an answer yet. */
struct pending {
	struct pending *next;		/* free, or waiting for the same name */
	struct client client;
	enum kind kind;			/* as of struct place */
	size_t zone_at;
	struct dnsup_query up;		/* FOREIGN */
	size_t n;
	uint8_t query[DNS_QUERY_MAX];
};

/* A name or address of the overlay: what is known of it, who waits to hear. */
struct known {
	bool used;
	char name[NAME_SIZE];		/* key, as of struct place */
	uint8_t family, ip[16];
	bool asked;			/* lookup() is out */
	bool told;			/* it said that a path is wanted */
	bool wish;			/* a later query wants one */
	struct timer timer;		/* asked: when to give up */
	struct pending *waiting;
	enum dns_found found;		/* the last word, and until when it is good */
	uint64_t fresh;
	struct dns_record record;	/* and until when it may be said */
	uint64_t stale;
};

struct dns {
	const struct dns_ops *ops;
	void *arg;
	uint8_t zone[DNS_WIRE_NAME];
	size_t zone_n;			/* 0: not known yet */
	struct timers lookups;
	struct dnsup up;		/* the ranges stand there too */
	struct dnstcp tcp;
	struct dns_counters count;
	struct pending *free;		/* those used before and done */
	unsigned used;			/* of pending[], ever: the others stay untouched memory */
	struct known known[DNS_NAMES];
	uint8_t frame[2 + DNS_MESSAGE_MAX];	/* length as for TCP, message */
	struct pending pending[DNS_PENDING];
};

void dns_domain(struct dns *d, const char *domain, const uint8_t net4[4], uint8_t bits4,
		const uint8_t net6[16], uint8_t bits6)
{
	struct dns_ranges r = { .bits4 = MIN(bits4, 32), .bits6 = MIN(bits6, 128) };
	uint8_t zone[DNS_WIRE_NAME];
	size_t n = dnsname_wire(zone, domain);
	struct known *k;

	memcpy(r.net4, net4, 4);
	memcpy(r.net6, net6, 16);
	if (n == d->zone_n && memcmp(zone, d->zone, n) == 0 &&
	    memcmp(&r, &d->up.ranges, sizeof r) == 0)
		return;
	memcpy(d->zone, zone, n);
	d->zone_n = n;
	d->up.ranges = r;
	for (k = d->known; k < d->known + DNS_NAMES; k++)
		if (!k->asked)
			k->used = false;
}

void dns_upstream(struct dns *d, const struct addr *servers, unsigned n)
{
	d->up.servers = MIN(n, DNS_UPSTREAM_MAX);
	if (n)
		memcpy(d->up.server, servers, d->up.servers * sizeof *servers);
}

/* ---- answers leave ---- */

static void count_answer(struct dns_counters *c, int rcode)
{
	if (rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN)
		c->answered++;
	else if (rcode == DNS_SERVFAIL)
		c->servfail++;
	else if (rcode == DNS_FORMERR)
		c->malformed++;
	else
		c->refused++;
}

/* Sends the n octets in the frame, or by UDP as much as says that there are too many. */
static void deliver(struct dns *d, struct now now, const struct client *c,
		    const struct dns_question *q, size_t n, struct outbox *out)
{
	uint8_t *msg = d->frame + 2;
	struct dns_writer w;

	count_answer(&d->count, msg[3] & 15);
	if (c->flow) {
		dnstcp_send(&d->tcp, now, c->flow, d->frame, n, out);
	} else if (c->from.family) {
		if (n > q->size) {
			dnsmsg_begin(&w, msg, DNS_UDP_MIN, q, msg[3] & 15,
				     DNS_TC | (get16(msg + 2) & DNS_AA));
			n = dnsmsg_end(&w, q, 0);
		}
		out_datagram(out, PORT_DNS, &c->from, &c->to, msg, n);
	}
}

/* An answer that is nothing but its rcode. */
static void refuse(struct dns *d, struct now now, const struct client *c,
		   const struct dns_question *q, enum dns_rcode rcode, struct outbox *out)
{
	struct dns_writer w;

	dnsmsg_begin(&w, d->frame + 2, DNS_UDP_MIN, q, rcode, 0);
	deliver(d, now, c, q, dnsmsg_end(&w, q, rcode), out);
}

static bool is_zero(const uint8_t *p, size_t n)
{
	while (n && *p == 0) {
		p++;
		n--;
	}
	return n == 0;
}

/* The records that answer q; false: there are none of that type.  r: NAMED and ADDRESS only. */
static bool add_data(struct dns_writer *w, const struct dns_question *q, enum kind kind,
		     size_t zone_at, const struct dns_record *r)
{
	static const char hinfo[] = "\7RFC8482";	/* its zero is the empty second string */
	uint8_t name[DNS_WIRE_NAME];
	size_t n;

	if (q->type == DNS_ANY) {
		dnsmsg_record(w, DNS_ANSWER, 0, DNS_HINFO, DNS_TTL, hinfo, sizeof hinfo);
	} else if (kind == APEX && q->type == DNS_SOA) {
		dnsmsg_soa(w, DNS_ANSWER, zone_at, DNS_TTL, DNS_NEGATIVE_TTL);
	} else if (kind == APEX && q->type == DNS_NS) {
		dnsmsg_ns(w, zone_at, DNS_TTL);
	} else if (kind == NAMED && q->type == DNS_A && !is_zero(r->ip4, 4)) {
		dnsmsg_record(w, DNS_ANSWER, 0, DNS_A, DNS_TTL, r->ip4, 4);
	} else if (kind == NAMED && q->type == DNS_AAAA && !is_zero(r->ip6, 16)) {
		dnsmsg_record(w, DNS_ANSWER, 0, DNS_AAAA, DNS_TTL, r->ip6, 16);
	} else if (kind == ADDRESS && q->type == DNS_PTR && (n = dnsname_wire(name, r->fqdn))) {
		dnsmsg_record(w, DNS_ANSWER, 0, DNS_PTR, DNS_TTL, name, n);
	} else {
		return false;
	}
	return true;
}

/* The overlay's own answer. */
static void answer(struct dns *d, struct now now, const struct client *c,
		   const struct dns_question *q, enum kind kind, size_t zone_at,
		   const struct dns_record *r, struct outbox *out)
{
	enum dns_rcode rcode = kind == NOWHERE ? DNS_NXDOMAIN : DNS_NOERROR;
	struct dns_writer w;

	dnsmsg_begin(&w, d->frame + 2, DNS_MESSAGE_MAX, q, rcode, DNS_AA);
	if (kind == NOWHERE || !add_data(&w, q, kind, zone_at, r))
		dnsmsg_soa(&w, DNS_AUTHORITY, zone_at, DNS_NEGATIVE_TTL, DNS_NEGATIVE_TTL);
	deliver(d, now, c, q, dnsmsg_end(&w, q, rcode), out);
}

/* ---- queries that wait ---- */

static struct pending *pending_take(struct dns *d, const struct client *c, const uint8_t *msg,
				    size_t n)
{
	struct pending *p = d->free;

	if (p)
		d->free = p->next;
	else if (d->used < DNS_PENDING)
		p = &d->pending[d->used++];
	else
		return NULL;
	memset(p, 0, offsetof(struct pending, query));
	p->client = *c;
	memcpy(p->query, msg, n);
	p->n = n;
	return p;
}

static void pending_release(struct dns *d, struct pending *p)
{
	p->client.flow = 0;
	p->next = d->free;
	d->free = p;
}

/* ---- names of the overlay ---- */

static struct known *known_find(struct dns *d, const char *name, uint8_t family,
				const uint8_t *ip)
{
	struct known *k;

	for (k = d->known; k < d->known + DNS_NAMES; k++)
		if (k->used && k->family == family &&
		    (family ? memcmp(k->ip, ip, family == 4 ? 4 : 16) == 0 :
			      strcmp(k->name, name) == 0))
			return k;
	return NULL;
}

/* In place of the one that is good for the shortest time; NULL: all are being looked up. */
static struct known *known_add(struct dns *d, const struct place *pl)
{
	struct known *k, *best = NULL;

	for (k = d->known; k < d->known + DNS_NAMES; k++) {
		if (k->asked)
			continue;
		if (!k->used) {
			best = k;
			break;
		}
		if (!best || MAX(k->fresh, k->stale) < MAX(best->fresh, best->stale))
			best = k;
	}
	if (!best)
		return NULL;
	memset(best, 0, sizeof *best);
	best->used = true;
	best->family = pl->family;
	memcpy(best->name, pl->name, sizeof best->name);
	memcpy(best->ip, pl->ip, sizeof best->ip);
	return best;
}

static void answer_known(struct dns *d, struct now now, const struct client *c,
			 const struct dns_question *q, enum kind kind, size_t zone_at,
			 const struct known *k, struct outbox *out)
{
	if (k->found == DNS_NO_SUCH_NAME)
		answer(d, now, c, q, NOWHERE, zone_at, NULL, out);
	else if (now.boot < k->stale)
		answer(d, now, c, q, kind, zone_at, &k->record, out);
	else
		refuse(d, now, c, q, DNS_SERVFAIL, out);
}

static void look_up(struct dns *d, struct now now, const struct client *c,
		    const struct dns_question *q, const struct place *pl, const uint8_t *msg,
		    size_t n, struct outbox *out)
{
	bool wanted = pl->kind == NAMED && (q->type == DNS_A || q->type == DNS_AAAA);
	struct known *k = known_find(d, pl->name, pl->family, pl->ip);
	struct pending *p;

	if (k && !k->asked && now.boot < k->fresh) {
		answer_known(d, now, c, q, pl->kind, pl->zone_at, k, out);
		if (wanted && now.boot < k->stale)
			d->ops->wanted(d->arg, now, &k->record, out);
		return;
	}
	if (!k)
		k = known_add(d, pl);
	p = k ? pending_take(d, c, msg, n) : NULL;
	if (!p) {
		refuse(d, now, c, q, DNS_SERVFAIL, out);
		return;
	}
	p->kind = pl->kind;
	p->zone_at = pl->zone_at;
	p->next = k->waiting;
	k->waiting = p;
	k->wish |= wanted;
	if (k->asked)
		return;
	k->asked = true;
	k->told = wanted;
	timer_set(&d->lookups, &k->timer, now.boot + DNS_LOOKUP_WAIT * SEC);
	d->ops->lookup(d->arg, now, k->name, k->family, k->ip, wanted, out);
}

/* The word is here: everybody who waited for it hears. */
static void settle(struct dns *d, struct now now, struct known *k, struct outbox *out)
{
	struct pending *p = k->waiting, *next;
	bool tell = k->wish && !k->told && now.boot < k->stale;
	struct dns_question q;

	timer_clear(&d->lookups, &k->timer);
	k->asked = false;
	k->wish = false;
	k->waiting = NULL;
	for (; p; p = next) {
		next = p->next;
		dnsmsg_query(&q, p->query, p->n);
		answer_known(d, now, &p->client, &q, p->kind, p->zone_at, k, out);
		pending_release(d, p);
	}
	if (tell)
		d->ops->wanted(d->arg, now, &k->record, out);
}

/* No word: what was true a moment ago may stand in, RFC 8767. */
static void lookup_failed(struct dns *d, struct now now, struct known *k, struct outbox *out)
{
	k->found = DNS_FAILED;
	k->fresh = now.boot + DNS_FAILED_TTL * SEC;
	settle(d, now, k, out);
}

void dns_answer(struct dns *d, struct now now, const char *name, uint8_t family,
		const uint8_t *ip, enum dns_found found, const struct dns_record *record,
		struct outbox *out)
{
	struct known *k = known_find(d, name, family, ip);

	if (!k)
		return;
	if (found == DNS_FAILED) {
		lookup_failed(d, now, k, out);
		return;
	}
	k->found = found;
	k->stale = 0;
	k->fresh = now.boot + DNS_NEGATIVE_TTL * SEC;
	if (found == DNS_FOUND) {
		k->record = *record;
		k->fresh = now.boot + DNS_TTL * SEC;
		k->stale = k->fresh + DNS_STALE * SEC;
	}
	settle(d, now, k, out);
}

/* ---- everybody else's names ---- */

static void forward(struct dns *d, struct now now, const struct client *c,
		    const struct dns_question *q, const uint8_t *msg, size_t n,
		    struct outbox *out)
{
	struct pending *p = d->up.servers ? pending_take(d, c, msg, n) : NULL;

	if (!p) {
		refuse(d, now, c, q, d->up.servers ? DNS_SERVFAIL : DNS_REFUSED, out);
		return;
	}
	d->count.forwarded++;
	p->up.msg = p->query;
	p->up.n = n;
	dnsup_ask(&d->up, now, &p->up, out);
}

static void upstream_done(void *arg, struct now now, struct dnsup_query *uq,
			  const struct dns_question *q, size_t n, struct outbox *out)
{
	struct pending *p = (struct pending *)(void *)((char *)uq - offsetof(struct pending, up));
	struct dns *d = arg;

	if (n)
		deliver(d, now, &p->client, q, n, out);
	else
		refuse(d, now, &p->client, q, DNS_SERVFAIL, out);
	pending_release(d, p);
}

/* ---- queries come ---- */

static void locate_reverse(const struct dns *d, const struct dns_question *q, struct place *pl)
{
	struct dns_reverse r;
	unsigned bits;

	if (!dnsname_reverse(&r, q->name))
		return;
	bits = r.family == 4 ? d->up.ranges.bits4 : d->up.ranges.bits6;
	if (!bits || r.bits < bits || !dnsmsg_in_range(&d->up.ranges, r.family, r.ip))
		return;
	pl->zone_at = dnsname_reverse_zone(q->name, r.family, bits);
	if (r.extra)
		pl->kind = NOWHERE;
	else if (r.bits == (r.family == 4 ? 32 : 128))
		pl->kind = ADDRESS;
	else
		pl->kind = pl->zone_at ? BETWEEN : APEX;
	pl->family = r.family;
	memcpy(pl->ip, r.ip, sizeof pl->ip);
}

static void locate(const struct dns *d, const struct dns_question *q, struct place *pl)
{
	int at = dnsname_below(q->name, q->name_len, d->zone, d->zone_n);

	memset(pl, 0, sizeof *pl);
	if (at < 0) {
		locate_reverse(d, q, pl);
		return;
	}
	pl->zone_at = (size_t)at;
	if (at == 0)
		pl->kind = APEX;
	else
		pl->kind = dnsname_text(pl->name, q->name) ? NAMED : NOWHERE;
}

static void query(struct dns *d, struct now now, const struct client *c, const uint8_t *msg,
		  size_t n, struct outbox *out)
{
	struct dns_question q;
	struct place pl;
	int rcode = dnsmsg_query(&q, msg, n);

	d->count.queries++;
	if (rcode < 0) {
		d->count.malformed++;
		return;
	}
	if (rcode == DNS_NOERROR && n > DNS_QUERY_MAX)
		rcode = DNS_FORMERR;
	if (rcode == DNS_NOERROR &&
	    (q.class != DNS_IN || q.type == DNS_AXFR || q.type == DNS_IXFR))
		rcode = DNS_REFUSED;
	if (rcode != DNS_NOERROR) {
		refuse(d, now, c, &q, rcode, out);
		return;
	}
	locate(d, &q, &pl);
	if (pl.kind == FOREIGN) {
		forward(d, now, c, &q, msg, n, out);
		return;
	}
	d->count.overlay++;
	if (pl.kind == NAMED || pl.kind == ADDRESS)
		look_up(d, now, c, &q, &pl, msg, n, out);
	else
		answer(d, now, c, &q, pl.kind, pl.zone_at, NULL, out);
}

void dns_query(struct dns *d, struct now now, const struct addr *from, const struct addr *to,
	       const uint8_t *msg, size_t n, struct outbox *out)
{
	struct client c = { .from = *from, .to = *to };

	query(d, now, &c, msg, n, out);
}

/* ---- clients by TCP ---- */

static void tcp_query(void *arg, struct now now, uint32_t flow, const uint8_t *msg, size_t n,
		      struct outbox *out)
{
	struct client c = { .flow = flow };

	query(arg, now, &c, msg, n, out);
}

static bool tcp_waits(void *arg, uint32_t flow)
{
	const struct dns *d = arg;
	unsigned i;

	for (i = 0; i < d->used; i++)
		if (d->pending[i].client.flow == flow)
			return true;
	return false;
}

/* A name being looked up for a client that left is still worth knowing. */
static void tcp_left(void *arg, uint32_t flow, struct outbox *out)
{
	struct dns *d = arg;
	struct pending *p;

	for (p = d->pending; p < d->pending + d->used; p++) {
		if (p->client.flow != flow)
			continue;
		p->client.flow = 0;
		if (p->kind == FOREIGN) {
			dnsup_stop(&d->up, &p->up, out);
			pending_release(d, p);
		}
	}
}

void dns_flow(struct dns *d, struct now now, const struct flow_event *ev, struct outbox *out)
{
	if (ev->handle < STREAM_ACCEPTED)
		dnsup_flow(&d->up, now, ev, out);
	else
		dnstcp_flow(&d->tcp, now, ev, out);
}

/* ---- life ---- */

struct dns *dns_new(const struct dns_ops *ops, void *arg, uint32_t handle_base)
{
	static const struct dnstcp_ops tcp_ops = { tcp_query, tcp_waits, tcp_left };
	struct dns *d = calloc(1, sizeof *d);

	if (!d)
		abort();
	d->ops = ops;
	d->arg = arg;
	d->up.done = upstream_done;
	d->up.arg = d;
	d->up.frame = d->frame;
	d->up.handle_base = handle_base;
	d->tcp.ops = &tcp_ops;
	d->tcp.arg = d;
	return d;
}

void dns_free(struct dns *d)
{
	if (!d)
		return;
	timers_free(&d->lookups);
	dnsup_free(&d->up);
	dnstcp_free(&d->tcp);
	free(d);
}

void dns_tick(struct dns *d, struct now now, struct outbox *out)
{
	struct timer *t;

	while ((t = timers_due(&d->lookups, now.boot)))
		lookup_failed(d, now, TIMER_OWNER(t, struct known, timer), out);
	dnsup_tick(&d->up, now, out);
	dnstcp_tick(&d->tcp, now, out);
}

uint64_t dns_expiry(const struct dns *d)
{
	uint64_t a = timers_next(&d->lookups), b = timers_next(&d->up.timers),
		 c = timers_next(&d->tcp.timers);

	return MIN(a, MIN(b, c));
}

const struct dns_counters *dns_counters(const struct dns *d)
{
	return &d->count;
}
