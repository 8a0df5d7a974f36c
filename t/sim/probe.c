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
	p->from = in->from;
	p->to = in->to;
	p->number = in->len >= 4 ? get32(in->buf) : 0;
	p->when = p->process->world->time;
	p->verdicts.count[V_DELIVERED]++;
}

static const struct role role_probe = {
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

void probe_say(struct probe *p, const struct addr *to, uint32_t number)
{
	uint8_t text[4];
	struct out_item item = { .kind = OUT_DATAGRAM, .to = *to, .buf = text, .len = sizeof text };

	put32(text, number);
	world_send(&p->process->seat[0], &item);
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

static void invite(struct party *p, struct napt *n, struct lan *vantage)
{
	struct world *w = n->box.world;
	struct host *a = guest(w, vantage, "198.51.100.1", "2001:db8:fffe::1");
	struct host *b = guest(w, vantage, "198.51.100.2", "2001:db8:fffe::2");
	struct host *c = guest(w, n->box.inside, "192.168.255.254", "2001:db8:ffff::1");
	uint16_t i;

	for (i = 0; i < 2; i++) {
		p->a[i] = probe_new(w, a, (uint16_t)(3478 + i));
		p->b[i] = probe_new(w, b, (uint16_t)(3478 + i));
	}
	/* ports the box knows nothing of from the last time */
	i = (uint16_t)(20000 + n->made % 10000 * 2);
	p->client = probe_new(w, c, i);
	p->other = probe_new(w, c, i + 1);
	p->family = n->box.inside->gate[1] == &n->box ? 6 : 4;
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

static struct behaviour find_out(const struct party *p)
{
	struct addr own = probe_addr(p->client, p->family);
	struct addr a1 = seen_by(p, p->a[0]), b1, b2, other;
	struct behaviour be = { .passes = a1.family, .translates = !addr_equal(&a1, &own) };

	/* filtering first: nothing went to B or to A's other port yet */
	if (probe_reaches(p->b[1], &a1, p->client))
		be.filtering = ENDPOINT_INDEPENDENT;
	else if (probe_reaches(p->a[1], &a1, p->client))
		be.filtering = ADDRESS_DEPENDENT;
	else
		be.filtering = ADDRESS_AND_PORT_DEPENDENT;
	b1 = seen_by(p, p->b[0]);
	b2 = seen_by(p, p->b[1]);
	if (addr_equal(&a1, &b1) && addr_equal(&a1, &b2))
		be.mapping = ENDPOINT_INDEPENDENT;
	else
		be.mapping = addr_equal(&b1, &b2) ? ADDRESS_DEPENDENT : ADDRESS_AND_PORT_DEPENDENT;
	/* each opens its side to the other, or a restricted one would seem to do no hairpin */
	other = probe_addr(p->a[0], p->family);
	if (!be.translates || !probe_reaches(p->other, &other, p->a[0]))
		return be;
	other = p->a[0]->from;
	probe_once(p->client, &other, p->other);
	be.hairpin = probe_reaches(p->other, &a1, p->client);
	return be;
}

struct behaviour probe_box(struct napt *n, struct lan *vantage)
{
	struct party p;
	struct behaviour be;
	unsigned i;

	invite(&p, n, vantage ? vantage : n->box.outside);
	be = find_out(&p);
	for (i = 0; i < 2; i++) {
		dismiss(p.a[i]);
		dismiss(p.b[i]);
	}
	dismiss(p.client);
	dismiss(p.other);
	return be;
}

bool probe_proves(struct napt *n)
{
	struct behaviour be = probe_box(n, NULL);
	/* two mappings that depend on the far end never fit each other's filter */
	bool hairpin = n->hairpin && n->box.translates &&
		       (n->mapping == ENDPOINT_INDEPENDENT ||
			n->filtering == ENDPOINT_INDEPENDENT);

	return be.passes && be.translates == n->box.translates && be.mapping == n->mapping &&
	       be.filtering == n->filtering && be.hairpin == hairpin;
}
