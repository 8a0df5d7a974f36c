/*
 * 640-matrix.c - the published table: two computers behind NAPTs of the four kinds, in all 16
 * pairs, by 20 ms lines; then with lost datagrams, with a CGNAT before one home or both, behind
 * one NAPT and behind one CGNAT.  Each pair has a way that is wanted, and a reason why it is no
 * better one.
 */
#include "t/sim/peek.h"
#include "t/tap.h"

#define KINDS 4
#define LOOKED (5 * SEC)		/* by then a node knows its NAPT */
#define FIRST (1 * SEC)			/* a first ping is answered sooner */
#define SETTLED (3 * SEC)		/* and by then the wanted way is used at both ends */
#define LOSSY_FIRST (10 * SEC)		/* the same where 2 % of all datagrams are lost */
#define LOSSY_SETTLED (70 * SEC)	/* a burst that failed is made again after a minute */
#define WATCHED (150 * SEC)
#define LEG (40 * MS + 200)		/* from a home to a public host: LAN, uplink, its line */

/*
 * Initiator, responder.  All but the last two rows' last columns can be punched; the published
 * system reaches full cone and symmetric at its second try.
 */
static const enum route_kind wanted[KINDS][KINDS] = {
	{ ROUTE_DIRECT4, ROUTE_DIRECT4, ROUTE_DIRECT4, ROUTE_DIRECT4 },
	{ ROUTE_DIRECT4, ROUTE_DIRECT4, ROUTE_DIRECT4, ROUTE_DIRECT4 },
	{ ROUTE_DIRECT4, ROUTE_DIRECT4, ROUTE_DIRECT4, ROUTE_RELAY4 },
	{ ROUTE_DIRECT4, ROUTE_DIRECT4, ROUTE_RELAY4, ROUTE_RELAY4 },
};

#define OK "direct_ipv4"
#define ONE "symmetric_and_port_restricted"
#define BOTH "both_napts_symmetric"

static const char *const reason[KINDS][KINDS] = {
	{ OK, OK, OK, OK },
	{ OK, OK, OK, OK },
	{ OK, OK, OK, ONE },
	{ OK, OK, ONE, BOTH },
};

/* ---- a meeting ---- */

struct meeting {
	struct lab *l;
	struct computer *a, *b;
	/* what came of it; times since it began, NEVER: not at all */
	uint64_t first;			/* the first answer to a's pings */
	uint64_t settled;		/* since then both use the way */
	uint64_t sent, lost;		/* pings, of both */
};

static struct meeting meeting_new(uint64_t seed, unsigned computers, unsigned loss)
{
	struct meeting m = { .l = lab_new(&(struct lab_wish){
		.seed = seed, .computers = computers, .relays = 1,
		.line = { .delay = 20 * MS, .loss = loss } }) };

	m.a = &m.l->computer[0];
	m.b = &m.l->computer[1];
	return m;
}

static bool both_go(const struct meeting *m, int way)
{
	return peek_way(m->a, m->b) == way && peek_way(m->b, m->a) == way;
}

static bool answered(void *arg)
{
	const struct meeting *m = arg;

	return m->a->replies > 0;
}

/* Online, and each knows its NAPT; then they ping each other twice a second. */
static bool meet(struct meeting *m, int way, uint64_t us)
{
	struct world *w = m->l->world;
	uint64_t began;

	m->first = m->settled = NEVER;
	m->sent = 0;
	if (!lab_start_all(m->l, 30 * SEC))
		return false;
	world_run(w, LOOKED);
	began = w->time;
	while (w->time - began < us) {
		uint64_t before = w->time;

		computer_ping_send(m->a, m->b->ip4, 4, 1);
		if (m->first == NEVER && world_until(w, 500 * MS, answered, m))
			m->first = w->time - began;
		computer_ping_send(m->b, m->a->ip4, 4, 1);
		world_run(w, before + 500 * MS - w->time);
		m->sent += 2;
		if (!both_go(m, way))
			m->settled = NEVER;
		else if (m->settled == NEVER)
			m->settled = w->time - began;
	}
	world_run(w, SEC);
	m->lost = m->sent - (m->a->replies + m->b->replies);
	return m->first != NEVER && m->settled != NEVER;
}

static void tell(const struct meeting *m)
{
	const struct tunnel *t = peek_tunnel(m->a, m->b);
	unsigned i;

	diag("first ping %.1f ms, settled %.1f s, %" PRIu64 " of %" PRIu64 " lost, %d and %d",
	     m->first == NEVER ? -1 : (double)m->first / MS,
	     m->settled == NEVER ? -1 : (double)m->settled / SEC, m->lost, m->sent,
	     peek_way(m->a, m->b), peek_way(m->b, m->a));
	for (i = 0; t && i < t->routes.n; i++)
		diag("  %s %s%s", route_kind_name(t->routes.route[i].kind),
		     route_state_name(t->routes.route[i].state),
		     (int)i == t->routes.used ? ", used" : "");
}

/* `cyphonic why`: does it give this code? */
static bool says(struct computer *c, const struct computer *peer, const char *code)
{
	char request[NAME_SIZE + 64], want[100];

	snprintf(request, sizeof request, "{\"cmd\": \"why\", \"name\": \"%s\"}\n", peer->fqdn);
	snprintf(want, sizeof want, "\"code\":\"%s\"", code);
	if (strstr(computer_status(c, request), want))
		return true;
	diag("%s, wanted %s: %.200s", c->fqdn, code, c->status);
	return false;
}

static bool both_say(const struct meeting *m, const char *code)
{
	return says(m->a, m->b, code) && says(m->b, m->a, code);
}

/* ---- the table ---- */

static void cell(enum box_kind a, enum box_kind b)
{
	struct meeting m = meeting_new(640 + KINDS * a + b, 2, 0);
	enum route_kind way = wanted[a][b];
	bool good;

	lab_behind(m.a, lab_napt(m.l, a, "203.0.113.1", NULL), "192.168.1.2", NULL);
	lab_behind(m.b, lab_napt(m.l, b, "203.0.113.2", NULL), "192.168.1.2", NULL);
	good = meet(&m, way, WATCHED) && m.first <= FIRST && m.settled <= SETTLED &&
	       m.lost <= 1 && both_say(&m, reason[a][b]);
	/* with a full cone nothing has to be tried by a relay first */
	if (good && (a == FULL_CONE || b == FULL_CONE))
		good = peek_tunnel(m.a, m.b)->routes.changes == 1 &&
		       !process_verdict(m.l->relay[0].trs, V_RELAYED);
	ok(good, "%s and %s: %s, %s; first ping %.1f ms", box_kind_name(a), box_kind_name(b),
	   route_kind_name(way), reason[a][b], (double)m.first / MS);
	if (!good)
		tell(&m);
	lab_free(m.l);
}

/* ---- lost datagrams ---- */

static void lossy(void)
{
	unsigned n = 16 * 4 * scale(), i, good = 0;
	uint64_t first = 0, settled = 0;

	for (i = 0; i < n; i++) {
		enum box_kind a = i % KINDS, b = i / KINDS % KINDS;
		struct meeting m = meeting_new(6400 + i, 2, 20);
		bool fine;

		lab_behind(m.a, lab_napt(m.l, a, "203.0.113.1", NULL), "192.168.1.2", NULL);
		lab_behind(m.b, lab_napt(m.l, b, "203.0.113.2", NULL), "192.168.1.2", NULL);
		m.a->host->line.loss = m.b->host->line.loss = 20;
		fine = meet(&m, wanted[a][b], WATCHED) && m.first <= LOSSY_FIRST &&
		       m.settled <= LOSSY_SETTLED;
		if (!fine) {
			diag("seed %u, %s and %s", 6400 + i, box_kind_name(a), box_kind_name(b));
			tell(&m);
		}
		good += fine;
		first = MAX(first, m.first);
		settled = MAX(settled, m.settled);
		lab_free(m.l);
	}
	ok(good == n, "with 2 %% lost on every line: the same ways, later at most (%u of %u)", good, n);
	diag("worst first ping %.1f s, worst time to the wanted way %.1f s", (double)first / SEC,
	     (double)settled / SEC);
}

/* ---- CGNATs ---- */

struct home {
	enum box_kind napt;
	int cgnat;			/* enum box_kind, or -1: none */
};

static enum box_kind as_seen(const struct home *h)
{
	return h->cgnat > (int)h->napt ? (enum box_kind)h->cgnat : h->napt;
}

static struct box *build(struct lab *l, const struct home *h, const char *ip)
{
	if (h->cgnat < 0)
		return lab_napt(l, h->napt, ip, NULL);
	return lab_napt(l, h->napt, "100.64.0.2", lab_napt(l, (enum box_kind)h->cgnat, ip, NULL));
}

static bool homes_meet(uint64_t seed, const struct home *a, const struct home *b)
{
	struct meeting m = meeting_new(seed, 2, 0);
	bool good;

	lab_behind(m.a, build(m.l, a, "203.0.113.1"), "192.168.1.2", NULL);
	lab_behind(m.b, build(m.l, b, "203.0.113.2"), "192.168.1.2", NULL);
	good = meet(&m, wanted[as_seen(a)][as_seen(b)], 10 * SEC) && m.first <= FIRST + 500 * MS &&
	       m.settled <= SETTLED &&
	       both_say(&m, reason[as_seen(a)][as_seen(b)]);
	if (!good) {
		diag("%s behind %d, %s behind %d", box_kind_name(a->napt), a->cgnat,
		     box_kind_name(b->napt), b->cgnat);
		tell(&m);
	}
	lab_free(m.l);
	return good;
}

static void one_cgnat_each(void)
{
	unsigned i, good = 0, n = 64;

	for (i = 0; i < n; i++) {
		struct home a = { i % 4, (int)(i / 4 % 4) }, b = { i / 16, -1 };

		good += i % 2 ? homes_meet(7000 + i, &a, &b) : homes_meet(7000 + i, &b, &a);
	}
	ok(good == n, "a CGNAT before one of the homes: of it and the NAPT the stricter counts "
	   "(%u of %u)", good, n);
	for (i = good = n = 0; i < 256; i++) {
		struct home a = { i % 4, (int)(i / 4 % 4) }, b = { i / 16 % 4, (int)(i / 64) };

		/* all at length; else what one is likely to meet */
		if (scale() == 1 && (a.napt != PORT_RESTRICTED || b.napt != PORT_RESTRICTED))
			continue;
		n++;
		good += homes_meet(7100 + i, &a, &b);
	}
	ok(good == n, "a CGNAT before each of the homes (%u of %u)", good, n);
}

/* ---- both behind the same ---- */

static void one_napt(void)
{
	unsigned i, good = 0;

	for (i = 0; i < 2 * KINDS; i++) {
		struct meeting m = meeting_new(7400 + i, 2, 0);
		struct box *b = lab_napt(m.l, i / 2, "203.0.113.1", NULL);
		bool fine;

		b->hairpin = i % 2;
		lab_behind(m.a, b, "192.168.1.2", NULL);
		lab_behind(m.b, b, "192.168.1.3", NULL);
		fine = meet(&m, ROUTE_LAN, WATCHED) && m.first <= FIRST && m.settled <= SETTLED &&
		       !m.lost && both_say(&m, "direct_lan");
		if (!fine) {
			diag("%s, hairpin %u", box_kind_name(b->kind), b->hairpin);
			tell(&m);
		}
		good += fine;
		lab_free(m.l);
	}
	ok(good == 2 * KINDS, "behind one NAPT of any kind they meet in their LAN, hairpin or not "
	   "(%u of %u)", good, 2 * KINDS);
}

/*
 * Neighbours behind a CGNAT: the NMS sees one address and tells each the other's own, which lead
 * nowhere, or to somebody else of the same home.
 */
static bool neighbours(uint64_t seed, enum box_kind cgnat, enum box_kind home, bool hairpin,
		       const char *ip_b)
{
	struct meeting m = meeting_new(seed, 3, 0);
	struct box *far = lab_napt(m.l, cgnat, "203.0.113.1", NULL), *napt_a;
	enum box_kind seen = MAX(cgnat, home);
	int way = hairpin ? (int)wanted[seen][seen] : ROUTE_RELAY4;
	/* its own address is no place for a to look for b */
	bool lan = strcmp(ip_b, "192.168.1.2") != 0;
	const char *code = lan ? "lan_failed" : way == ROUTE_DIRECT4 ? OK : "lan_unknown";
	uint64_t told;
	bool good;

	far->hairpin = hairpin;
	napt_a = lab_napt(m.l, home, "100.64.0.2", far);
	lab_behind(m.a, napt_a, "192.168.1.2", NULL);
	lab_behind(m.b, lab_napt(m.l, home, "100.64.0.3", far), ip_b, NULL);
	lab_behind(&m.l->computer[2], napt_a, "192.168.1.3", NULL);
	good = meet(&m, way, WATCHED) && m.first <= FIRST && m.settled <= SETTLED && m.lost <= 1 &&
	       both_say(&m, code);
	/* the third hears what is not for it, and says nothing */
	told = process_verdict(m.l->computer[2].node, V_DROP_STRANGER);
	good = good && (told > 0) == (strcmp(ip_b, "192.168.1.3") == 0) &&
	       !peek_tunnels(&m.l->computer[2]);
	if (!good) {
		diag("CGNAT %s, hairpin %u, homes %s, %s, third heard %" PRIu64,
		     box_kind_name(cgnat), hairpin, box_kind_name(home), ip_b, told);
		tell(&m);
	}
	lab_free(m.l);
	return good;
}

static void one_cgnat(void)
{
	static const char *const ip[] = { "192.168.1.2", "192.168.1.3", "192.168.1.4" };
	unsigned i, good = 0, n = 0;

	for (i = 0; i < 32; i++, n++)
		good += neighbours(7500 + i, i / 2 % 4, i / 8, i % 2, ip[i % 3]);
	ok(good == n, "neighbours behind one CGNAT: by its hairpin where it has one, else by the "
	   "relay; no other LAN's addresses mislead them (%u of %u)", good, n);
}

/* ---- how long the first ping takes ---- */

/*
 * The least there is by the protocol when both NAPTs are symmetric, in legs of one datagram one
 * way; what happens beside it is not counted:
 *	 1	Direction Request to the NMS
 *	 1	Route Direction to both (Relay Request to the TRS beside it)
 *	 2	Hole Punching to the TRS, ACK with its challenge (the responder likewise)
 *	 2	the echo, Tunnel Request behind it, on to the responder
 *	 2	Tunnel Response by the TRS
 *	 2	the ping by the TRS
 *	 2	and its answer
 */
static void first_ping(void)
{
	struct meeting m = meeting_new(7700, 2, 0);
	double legs;

	lab_behind(m.a, lab_napt(m.l, SYMMETRIC, "203.0.113.1", NULL), "192.168.1.2", NULL);
	lab_behind(m.b, lab_napt(m.l, SYMMETRIC, "203.0.113.2", NULL), "192.168.1.2", NULL);
	meet(&m, ROUTE_RELAY4, 2 * SEC);
	legs = (double)m.first / LEG;
	ok(m.first != NEVER && legs < 12.5, "the first ping between symmetric NAPTs takes no leg more "
	   "than the 12 it must");
	diag("first ping %.1f ms: %.2f legs of %.1f ms", (double)m.first / MS, legs, (double)LEG / MS);
	lab_free(m.l);
}

int main(void)
{
	enum box_kind a, b;

	for (a = FULL_CONE; a < KINDS; a++)
		for (b = FULL_CONE; b < KINDS; b++)
			cell(a, b);
	lossy();
	one_cgnat_each();
	one_napt();
	one_cgnat();
	first_ping();
	return done();
}
