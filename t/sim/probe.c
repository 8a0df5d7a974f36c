/*
 * probe.c - a client behind the box, servers A and B before it, two ports each: where the client
 * seems to be to A1, B1 and B2 is its mapping, who of B2 and A2 may answer what went to A1 its
 * filtering.
 */
#include "t/sim/probe.h"
#include <stdlib.h>

#define WAIT (500 * MS)
#define TRIES 3

/* ---- a role that only listens ---- */

static void *open_probe(const struct role_env *env, char *err)
{
	struct probe *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	return p;
}

static void close_probe(void *self)
{
	free(self);
}

static void tick_probe(void *self, struct now now, struct outbox *out)
{
}

static uint64_t no_expiry(const void *self)
{
	return NEVER;
}

static const struct verdicts *verdicts_of(const void *self)
{
	return &((const struct probe *)self)->verdicts;
}

static void hear(void *self, struct now now, struct batch *in, struct outbox *out)
{
	struct probe *p = self;

	p->heard++;
	p->port = in->port;
	p->from = in->from;
	p->to = in->to;
	p->number = in->len >= 4 ? get32(in->buf) : 0;
	p->when = p->process->world->time;
	p->verdicts.count[V_DELIVERED]++;
}

const struct role role_probe = {
	.name = "probe", .open = open_probe, .close = close_probe, .tick = tick_probe,
	.input = hear, .expiry = no_expiry, .verdicts = verdicts_of,
};

/* ---- sockets ---- */

struct probe *probe_new(struct world *w, struct host *h, uint16_t port)
{
	static const struct config none;
	struct process *process = process_new(h, w, &role_probe, &none, NULL, 1);
	char err[256];
	struct probe *p;

	process->udp = port;
	process_start(process, err);
	p = process->seat[0].self;
	p->process = process;
	return p;
}

struct addr probe_addr(const struct probe *p, unsigned family)
{
	struct addr a = family == 4 ? p->process->host->ip4 : p->process->host->ip6;

	a.port = p->process->udp;
	return a;
}

void probe_say_by(struct probe *p, enum port port, const struct addr *to, uint32_t number)
{
	uint8_t text[4];
	struct out_item item = { .kind = OUT_DATAGRAM, .port = port, .to = *to, .buf = text,
				 .len = sizeof text };

	put32(text, number);
	world_send(&p->process->seat[0], &item);
}

void probe_say(struct probe *p, const struct addr *to, uint32_t number)
{
	probe_say_by(p, PORT_MAIN, to, number);
}

static bool heard(void *arg)
{
	return ((const struct probe *)arg)->heard > 0;
}

bool probe_once(struct probe *from, const struct addr *to, struct probe *at)
{
	at->heard = 0;
	probe_say(from, to, 0);
	return world_until(from->process->world, WAIT, heard, at);
}

bool probe_reaches(struct probe *from, const struct addr *to, struct probe *at)
{
	unsigned tries = 0;

	while (!probe_once(from, to, at))
		if (++tries == TRIES)
			return false;
	return true;
}

/* ---- a box ---- */

struct party {
	struct probe *a[2], *b[2];	/* servers, two ports each */
	struct probe *client, *other;	/* behind the box */
	unsigned family;
};

static struct host *guest(struct world *w, struct lan *lan, const char *ip4, const char *ip6)
{
	struct host *h = host_new(w, NULL, NULL);

	h->line = (struct line){ .delay = MS };
	host_enter(h, lan, ip4, ip6);
	return h;
}

static void invite(struct party *p, struct box *box, struct lan *vantage)
{
	struct world *w = box->world;
	struct host *a = guest(w, vantage, "198.51.100.1", "2001:db8:fffe::1");
	struct host *b = guest(w, vantage, "198.51.100.2", "2001:db8:fffe::2");
	struct host *c = guest(w, box->inside, "192.168.255.254", "2001:db8:ffff::1");
	uint16_t i;

	for (i = 0; i < 2; i++) {
		p->a[i] = probe_new(w, a, (uint16_t)(3478 + i));
		p->b[i] = probe_new(w, b, (uint16_t)(3478 + i));
	}
	/* ports the box knows nothing of from the last time */
	i = (uint16_t)(20000 + box->made % 10000 * 2);
	p->client = probe_new(w, c, i);
	p->other = probe_new(w, c, i + 1);
	p->family = box->inside->gate[1] == box ? 6 : 4;
}

static void dismiss(struct probe *p)
{
	struct host *h = p->process->host;

	process_stop(p->process);
	host_enter(h, h->lan, NULL, NULL);
}

/* Where the client seems to be; family 0: nowhere. */
static struct addr seen_by(const struct party *p, struct probe *server)
{
	struct addr to = probe_addr(server, p->family);

	return probe_reaches(p->client, &to, server) ? server->from : (struct addr){ 0 };
}

static enum filtering find_filtering(const struct party *p, const struct addr *mapped)
{
	if (probe_reaches(p->b[1], mapped, p->client))
		return FILTERING_ENDPOINT_INDEPENDENT;
	return probe_reaches(p->a[1], mapped, p->client) ? FILTERING_ADDRESS_DEPENDENT :
							   FILTERING_PORT_DEPENDENT;
}

static enum mapping find_mapping(const struct party *p, const struct addr *a1)
{
	struct addr own = probe_addr(p->client, p->family);
	struct addr b1 = seen_by(p, p->b[0]), b2 = seen_by(p, p->b[1]);

	if (!b1.family || !b2.family)
		return MAPPING_UNKNOWN;
	if (addr_equal(a1, &b1) && addr_equal(a1, &b2))
		return addr_equal(a1, &own) ? MAPPING_NONE : MAPPING_ENDPOINT_INDEPENDENT;
	return addr_equal(&b1, &b2) ? MAPPING_ADDRESS_DEPENDENT : MAPPING_PORT_DEPENDENT;
}

static bool find_hairpin(const struct party *p, const struct addr *mapped)
{
	struct addr to = probe_addr(p->a[0], p->family);

	/* each opens its side to the other, or one that restricts would seem to do no hairpin */
	if (!probe_reaches(p->other, &to, p->a[0]))
		return false;
	to = p->a[0]->from;
	probe_once(p->client, &to, p->other);
	return probe_reaches(p->other, mapped, p->client);
}

static struct behaviour visit(struct box *b, struct lan *vantage, bool *hairpin)
{
	struct behaviour be = { 0 };
	struct party p;
	struct addr mapped;
	unsigned i;

	invite(&p, b, vantage ? vantage : b->outside);
	mapped = seen_by(&p, p.a[0]);
	if (mapped.family) {
		/* filtering first: nothing went to B or to A's other port yet */
		be.filtering = find_filtering(&p, &mapped);
		be.mapping = find_mapping(&p, &mapped);
		*hairpin = be.mapping != MAPPING_NONE && find_hairpin(&p, &mapped);
	}
	for (i = 0; i < 2; i++) {
		dismiss(p.a[i]);
		dismiss(p.b[i]);
	}
	dismiss(p.client);
	dismiss(p.other);
	return be;
}

struct behaviour probe_box(struct box *b, struct lan *vantage)
{
	bool hairpin;

	return visit(b, vantage, &hairpin);
}

bool probe_proves(struct box *b)
{
	bool hairpin = false;
	struct behaviour be = visit(b, NULL, &hairpin);
	/* two mappings that depend on the far end never fit each other's filter */
	bool fits = b->is.mapping == MAPPING_ENDPOINT_INDEPENDENT ||
		    b->is.filtering == FILTERING_ENDPOINT_INDEPENDENT;

	return be.mapping == b->is.mapping && be.filtering == b->is.filtering &&
	       hairpin == (b->hairpin && b->ip.family && fits);
}
