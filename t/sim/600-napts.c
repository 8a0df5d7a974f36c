/*
 * 600-napts.c - the boxes of the simulator keep what their names promise: mapping and filtering
 * as a probe sees them from both sides, in front of each other too, with their clocks.
 */
#include "t/sim/lab.h"
#include "t/sim/probe.h"
#include "t/tap.h"

static struct host *host_at(struct world *w, struct lan *lan, const char *ip4, const char *ip6)
{
	struct host *h = host_new(w, NULL, NULL);

	if (lan)
		h->line = (struct line){ .delay = 200 };
	host_enter(h, lan ? lan : &w->net, ip4, ip6);
	return h;
}

static struct probe *socket_at(struct world *w, struct lan *lan, const char *ip, uint16_t port)
{
	return probe_new(w, host_at(w, lan, ip, NULL), port);
}

static struct addr addr_of(const char *ip, uint16_t port)
{
	struct addr a = { 0 };

	ip_parse(&a, ip, port);
	return a;
}

/* Where `from` seems to be to `to`. */
static struct addr mapped(struct probe *from, struct probe *to)
{
	struct addr a = probe_addr(to, 4);

	return probe_reaches(from, &a, to) ? to->from : (struct addr){ 0 };
}

/* ---- kinds ---- */

static void tell(const char *who, const struct behaviour *be)
{
	diag("%s: mapping %s, filtering %s", who, mapping_name(be->mapping),
	     filtering_name(be->filtering));
}

static void each_kind(void)
{
	static const struct {
		const char *name;
		enum box_kind kind;
		struct behaviour is;
	} want[] = {
		{ "full cone", FULL_CONE,
		  { MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ENDPOINT_INDEPENDENT } },
		{ "restricted", RESTRICTED,
		  { MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ADDRESS_DEPENDENT } },
		{ "port restricted", PORT_RESTRICTED,
		  { MAPPING_ENDPOINT_INDEPENDENT, FILTERING_PORT_DEPENDENT } },
		{ "symmetric", SYMMETRIC, { MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT } },
	};
	struct world *w = world_new(600);
	unsigned i;

	w->line = (struct line){ .delay = 20 * MS, .jitter = 5 * MS };
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		char ip[ADDR_TEXT];
		struct box *b;
		struct behaviour be;

		snprintf(ip, sizeof ip, "203.0.113.%u", i + 1);
		b = box_napt(w, want[i].kind, ip, NULL);
		be = probe_box(b, NULL);
		tell(want[i].name, &be);
		ok(be.mapping == want[i].is.mapping && be.filtering == want[i].is.filtering,
		   "a %s NAPT maps and filters as it is called", want[i].name);
		ok(probe_proves(b), "and nothing comes in again by its own address");
		b->hairpin = true;
		ok(probe_proves(b), want[i].kind == SYMMETRIC ?
		   "nor with hairpinning: it maps the sender anew, which fits no filter" :
		   "else with hairpinning");
	}
	world_free(w);
}

static void found_out(void)
{
	struct world *w = world_new(601);
	struct box *b = box_napt(w, FULL_CONE, "203.0.113.1", NULL), *lossy;

	b->is.filtering = FILTERING_ADDRESS_DEPENDENT;
	ok(probe_proves(b), "a behaviour of its own is proved too");
	b->is.mapping = MAPPING_ADDRESS_DEPENDENT;
	ok(probe_proves(b), "be it an address-dependent mapping");
	b->kind = ROUTER;
	ok(!probe_proves(b), "a box that does what it should not is found out");
	b->kind = FULL_CONE;
	b->line.loss = 1000;
	ok(!probe_proves(b), "and so is one that lets nothing pass");
	lossy = box_napt(w, SYMMETRIC, "203.0.113.2", NULL);
	lossy->line.loss = 100;
	ok(probe_proves(lossy), "a tenth lost on the line does not mislead the probe");
	world_free(w);
}

/* ---- time ---- */

static void clocks(void)
{
	struct world *w = world_new(602);
	struct box *n = box_napt(w, FULL_CONE, "203.0.113.1", NULL);
	struct probe *c = socket_at(w, n->inside, "192.168.1.2", 40000);
	struct probe *a = socket_at(w, NULL, "198.51.100.1", 3478);
	struct probe *b = socket_at(w, NULL, "198.51.100.2", 3478);
	struct addr first = mapped(c, a), at;
	unsigned i, heard = 0;

	world_run(w, 29 * SEC);
	ok(probe_once(a, &first, c), "an unanswered mapping stands for 29 s");
	world_run(w, 118 * SEC);
	ok(probe_once(a, &first, c), "an answered one for 118 s");
	world_run(w, 121 * SEC);
	ok(!probe_once(a, &first, c) && !box_mappings(n), "after 121 s it is gone");
	at = mapped(c, a);
	ok(!addr_equal(&at, &first), "and the next is another");
	world_run(w, 31 * SEC);
	ok(!probe_once(a, &at, c), "after 31 s without an answer that one is gone too");

	at = mapped(c, a);
	for (i = 0; i < 6; i++) {
		heard += probe_once(b, &at, c);
		world_run(w, 9 * SEC);
	}
	ok(heard > 2 && heard < 5, "a stranger who is let in keeps no mapping alive (%u of 6)", heard);
	at = mapped(c, a);
	probe_once(a, &at, c);
	for (i = 0, heard = 0; i < 30; i++) {
		struct addr now;

		world_run(w, 100 * SEC);
		now = mapped(c, a);
		heard += addr_equal(&now, &at);
	}
	ok(heard == 30, "used every 100 s it stands for 50 minutes");
	n->answered = n->unanswered = 10 * SEC;
	at = mapped(c, a);
	world_run(w, 11 * SEC);
	ok(!probe_once(a, &at, c), "the times are settings");
	world_free(w);
}

static void rebinding(void)
{
	struct world *w = world_new(603);
	struct box *n = box_napt(w, FULL_CONE, "203.0.113.1", NULL);
	struct probe *c = socket_at(w, n->inside, "192.168.1.2", 40000);
	struct probe *a = socket_at(w, NULL, "198.51.100.1", 3478);
	struct addr old = mapped(c, a), new, third;

	box_forget(n, NULL);
	ok(!probe_once(a, &old, c), "a box that forgot lets nothing in by the old mapping");
	new = mapped(c, a);
	ok(addr_same_ip(&new, &old) && new.port != old.port && probe_once(a, &new, c),
	   "and makes another with the next datagram out");
	box_forget(n, "203.0.113.77");
	ok(!probe_once(a, &new, c), "with a new address the old one is nobody's");
	third = mapped(c, a);
	new = addr_of("203.0.113.77", third.port);
	ok(addr_equal(&third, &new) && probe_once(a, &third, c), "and the new one works");
	world_free(w);
}

/* ---- ports ---- */

static void ports(void)
{
	struct world *w = world_new(604);
	struct box *n = box_napt(w, PORT_RESTRICTED, "203.0.113.1", NULL);
	struct host *h = host_at(w, n->inside, "192.168.1.2", NULL);
	struct probe *a = socket_at(w, NULL, "198.51.100.1", 3478), *c[2];
	bool used[65536] = { false };
	unsigned i, twice = 0, rising = 0;
	struct addr at, before = { 0 };

	for (i = 0; i < 100; i++) {
		at = mapped(probe_new(w, h, (uint16_t)(41000 + i)), a);
		twice += used[at.port];
		used[at.port] = true;
		rising += at.port > before.port;
		before = at;
	}
	ok(!twice && rising > 25 && rising < 75,
	   "100 sockets have 100 ports outside, in no order (%u of 100 rise)", rising);
	n = box_napt(w, PORT_RESTRICTED, "203.0.113.2", NULL);
	n->keeps_port = true;
	c[0] = socket_at(w, n->inside, "192.168.1.2", 4503);
	c[1] = socket_at(w, n->inside, "192.168.1.3", 4503);
	at = mapped(c[0], a);
	before = mapped(c[1], a);
	ok(at.port == 4503 && before.port && before.port != 4503,
	   "a box that keeps ports gives the second who wants it another");
	world_free(w);
}

/* ---- LANs ---- */

static void lans(void)
{
	struct world *w = world_new(605);
	struct box *one = box_napt(w, PORT_RESTRICTED, "203.0.113.1", NULL);
	struct box *two = box_napt(w, PORT_RESTRICTED, "203.0.113.2", NULL);
	struct probe *a = socket_at(w, one->inside, "192.168.1.2", 4503);
	struct probe *b = socket_at(w, one->inside, "192.168.1.3", 4503);
	struct probe *c = socket_at(w, two->inside, "192.168.1.3", 4503);
	struct probe *far = socket_at(w, NULL, "198.51.100.1", 3478);
	struct addr to = probe_addr(b, 4), at;
	uint64_t began = w->time;

	probe_once(a, &to, b);
	ok(b->heard && b->when - began < MS,
	   "two hosts of one LAN reach each other past the uplink (%.1f ms)",
	   (double)(b->when - began) / MS);
	at = probe_addr(a, 4);
	ok(addr_equal(&b->from, &at) && !one->made, "untranslated");
	ok(!c->heard, "who has the same address on another LAN hears nothing");
	ok(!probe_once(far, &to, b) && !c->heard, "from outside a private address leads nowhere");
	to = addr_of("192.168.1.99", 4503);
	ok(!probe_once(a, &to, c), "one that nobody has here leads nowhere from inside");
	began = w->time;
	at = mapped(a, far);
	ok(far->when - began > 10 * MS && far->when - began < 11 * MS,
	   "what leaves the LAN pays the LAN, the uplink and the far line (%.1f ms)",
	   (double)(far->when - began) / MS);
	one->hairpin = true;
	to = mapped(b, far);
	probe_once(b, &at, a);		/* opens b to a */
	began = w->time;
	probe_once(a, &to, b);
	ok(b->heard && addr_equal(&b->from, &at) && b->when - began < MS,
	   "a hairpin turns in the box, not at the provider (%.1f ms)",
	   (double)(b->when - began) / MS);
	world_free(w);
}

/* ---- one before the other ---- */

/* Seen from the public network the stricter of the two counts, whichever is the outer. */
static void nested(void)
{
	struct world *w = world_new(606);
	unsigned inner, outer, good = 0;

	for (outer = FULL_CONE; outer <= SYMMETRIC; outer++)
		for (inner = FULL_CONE; inner <= SYMMETRIC; inner++) {
			char ip[ADDR_TEXT];
			struct box *cgnat, *home;
			struct behaviour be;

			snprintf(ip, sizeof ip, "203.0.113.%u", 10 * outer + inner + 1);
			cgnat = box_napt(w, outer, ip, NULL);
			home = box_napt(w, inner, "100.64.0.2", cgnat->inside);
			be = probe_box(home, &w->net);
			if (be.mapping == MAX(home->is.mapping, cgnat->is.mapping) &&
			    be.filtering == MAX(home->is.filtering, cgnat->is.filtering) &&
			    probe_proves(home) && probe_proves(cgnat))
				good++;
			else
				tell(box_kind_name(inner), &be);
		}
	ok(good == 16, "of a NAPT behind a CGNAT the stricter counts, in 16 pairs (%u)", good);
	world_free(w);
}

static void one_provider(void)
{
	struct world *w = world_new(607);
	struct box *cgnat = box_napt(w, FULL_CONE, "203.0.113.1", NULL);
	struct box *one = box_napt(w, FULL_CONE, "100.64.0.2", cgnat->inside);
	struct box *two = box_napt(w, FULL_CONE, "100.64.0.3", cgnat->inside);
	struct probe *a = socket_at(w, one->inside, "192.168.1.2", 4503);
	struct probe *b = socket_at(w, two->inside, "192.168.1.2", 4503);
	struct probe *far = socket_at(w, NULL, "198.51.100.1", 3478);
	struct probe *near = socket_at(w, cgnat->inside, "100.64.0.99", 3478);
	struct addr at, inside;

	at = mapped(b, far);
	inside = mapped(b, near);
	ok(addr_same_ip(&at, &cgnat->ip) && addr_same_ip(&inside, &two->ip),
	   "a home behind a CGNAT has an address of its own there, and the CGNAT's outside");
	ok(probe_reaches(a, &inside, b) && addr_same_ip(&b->from, &one->ip),
	   "its neighbour reaches it by the one");
	ok(!probe_once(a, &at, b), "and not by the other while the CGNAT does no hairpin");
	cgnat->hairpin = true;
	ok(probe_reaches(a, &at, b) && addr_same_ip(&b->from, &cgnat->ip),
	   "else by that too, from the CGNAT's address");
	box_forget(cgnat, NULL);
	ok(!probe_once(far, &at, b), "a CGNAT that forgets cuts off the homes behind it");
	world_free(w);
}

/* ---- IPv6 ---- */

static struct addr addr6(const struct probe *p)
{
	return probe_addr(p, 6);
}

static void firewall(void)
{
	struct world *w = world_new(608);
	struct box *n = box_napt(w, SYMMETRIC, "203.0.113.1", NULL);
	struct host *h = host_at(w, n->inside, "192.168.1.2", "2001:db8:a::2");
	struct box *wall = box_wall(w, FIREWALL, 6, n->inside, NULL);
	struct host *out = host_at(w, NULL, "198.51.100.1", "2001:db8:b::1");
	struct probe *c = probe_new(w, h, 4503), *second = probe_new(w, h, 4504);
	struct probe *a = probe_new(w, out, 3478), *a2 = probe_new(w, out, 3479);
	struct addr own = addr6(c), other = addr6(second), far = addr6(a), at;
	struct behaviour be;

	ok(!probe_once(a, &own, c) && wall->filtered == 1,
	   "a stateful IPv6 firewall lets nothing in that nobody asked for");
	ok(probe_reaches(c, &far, a) && addr_equal(&a->from, &own), "what goes out is not translated");
	ok(probe_once(a, &own, c), "and is answered");
	ok(!probe_once(a2, &own, c) && !probe_once(a, &other, second),
	   "no other port of either side gets through by that");
	world_run(w, 118 * SEC);
	ok(probe_once(a, &own, c), "118 s later the answer still passes");
	world_run(w, 121 * SEC);
	ok(!probe_once(a, &own, c), "after 121 s of silence it does not");
	at = mapped(c, a);
	ok(addr_same_ip(&at, &n->ip), "over IPv4 the same host is translated");
	be = probe_box(wall, NULL);
	tell("firewall", &be);
	ok(be.mapping == MAPPING_NONE && be.filtering == FILTERING_PORT_DEPENDENT &&
	   probe_proves(wall), "the probe finds no mapping, and filtering by address and port");
	world_free(w);
}

static void two_firewalls(void)
{
	struct world *w = world_new(609);
	struct box *one = box_wall(w, FIREWALL, 6, NULL, NULL);
	struct box *two = box_wall(w, FIREWALL, 6, NULL, NULL);
	struct box *plain = box_wall(w, ROUTER, 6, NULL, NULL);
	struct host *ha = host_at(w, one->inside, NULL, "2001:db8:a::2"), *far;
	struct probe *a = probe_new(w, ha, 4503);
	struct probe *a2 = probe_new(w, host_at(w, one->inside, NULL, "2001:db8:a::3"), 4503);
	struct probe *b = probe_new(w, host_at(w, two->inside, NULL, "2001:db8:b::2"), 4503);
	struct probe *c = probe_new(w, host_at(w, plain->inside, NULL, "2001:db8:c::2"), 4503);
	struct addr at_a = addr6(a), at_b = addr6(b), at_c = addr6(c), neighbour = addr6(a2);
	uint64_t began = w->time;

	ok(!probe_once(a, &at_b, b) && probe_once(b, &at_a, a) && probe_once(a, &at_b, b),
	   "two firewalls are punched from both sides");
	ok(probe_once(a, &at_c, c), "a router without a firewall lets everything pass");
	ok(probe_proves(plain), "as the probe finds too");
	began = w->time;
	ok(probe_once(a2, &at_a, a) && a->when - began < MS && addr_equal(&a->from, &neighbour),
	   "behind the firewall the LAN is open");
	far = host_at(w, NULL, NULL, "2001:db8:d::1");
	host_enter(ha, &w->net, NULL, "2001:db8:d::2");
	at_a = addr6(a);
	ok(probe_once(probe_new(w, far, 1), &at_a, a), "who leaves the LAN is reached where it went");
	at_b = addr6(b);
	host_enter(ha, one->inside, NULL, "2001:db8:a::2");
	ok(!probe_once(probe_new(w, far, 2), &at_a, a), "and no longer when it is back");
	world_free(w);
}

/* ---- streams ---- */

struct guard {
	struct lab *l;
	struct addr seen;
	unsigned pieces;
	struct box *forgets;		/* with the second piece */
};

static enum fate look(void *arg, const struct datagram *d)
{
	struct guard *g = arg;

	if (!d->stream)
		return PASS;
	if (g->l->as->seat[0].flows)
		g->seen = g->l->as->seat[0].flows->to;
	if (++g->pieces == 2 && g->forgets)
		box_forget(g->forgets, NULL);
	return PASS;
}

static void streams(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 610, .computers = 4 });
	struct box *cgnat = lab_napt(l, SYMMETRIC, "203.0.113.1", NULL);
	struct box *home = lab_napt(l, PORT_RESTRICTED, "100.64.0.2", cgnat);
	struct box *wall = lab_wall(l, FIREWALL, home);
	struct computer *c = l->computer;
	struct guard g = { .l = l };
	unsigned i;

	l->world->spy = look;
	l->world->spy_arg = &g;
	lab_behind(&c[0], home, "192.168.1.2", NULL);
	lab_behind(&c[1], home, "192.168.1.3", "2001:db8:a::3");
	lab_behind(&c[2], home, NULL, "2001:db8:a::4");
	computer_start(&c[0]);
	ok(computer_wait_online(&c[0], 5 * SEC) && addr_same_ip(&g.seen, &cgnat->ip),
	   "a login passes a NAPT and a CGNAT, and comes from that one's address");
	computer_start(&c[1]);
	ok(computer_wait_online(&c[1], 5 * SEC), "so does one of both families");
	computer_start(&c[2]);
	ok(computer_wait_online(&c[2], 5 * SEC) && addr_same_ip(&g.seen, &c[2].host->ip6) &&
	   wall->made > 0, "and one by IPv6 through the firewall");
	for (i = 0; i < 600; i++)
		world_run(l->world, SEC);
	ok(computer_online(&c[0]) && computer_online(&c[1]) && computer_online(&c[2]),
	   "Keep Alives hold their mappings for ten minutes");

	lab_behind(&c[3], home, "192.168.1.4", NULL);
	g.pieces = 0;
	g.forgets = cgnat;
	computer_start(&c[3]);
	world_run(l->world, 500 * MS);
	ok(g.pieces >= 2 && !computer_online(&c[3]), "a box that forgets breaks the login under way");
	g.forgets = NULL;
	ok(computer_wait_online(&c[3], 60 * SEC), "which is tried again");
	lab_free(l);
}

/* ---- a process with two ports, where relays will stand ---- */

static void relays(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 611, .computers = 1, .relays = 2,
						    .trs = &role_probe });
	struct box *home = lab_napt(l, PORT_RESTRICTED, "203.0.113.1", NULL);
	struct probe *c = socket_at(l->world, home->inside, "192.168.1.2", 4503), *trs[2];
	struct addr at, to;
	unsigned i;

	for (i = 0; i < 2; i++) {
		process_start(l->relay[i].trs, (char[256]){ 0 });
		trs[i] = l->relay[i].trs->seat[0].self;
		trs[i]->process = l->relay[i].trs;
	}
	at = mapped(c, trs[0]);
	ok(trs[0]->port == PORT_MAIN && trs[0]->to.port == 4502, "a relay is spoken to by its port");
	ok(!addr_same_ip(&l->relay[0].host->ip4, &l->relay[1].host->ip4) &&
	   !probe_once(trs[1], &at, c), "and another has another address");
	to = probe_addr(trs[0], 4);
	to.port = 3478;
	ok(probe_once(c, &to, trs[0]) && trs[0]->port == PORT_STUN && addr_equal(&trs[0]->from, &at),
	   "its second port is told from the first");
	c->heard = 0;
	probe_say_by(trs[0], PORT_STUN, &at, 7);
	world_run(l->world, SEC);
	ok(c->heard && c->number == 7 && addr_equal(&c->from, &to), "and answers leave by it");
	lab_free(l);
}

int main(void)
{
	each_kind();
	found_out();
	clocks();
	rebinding();
	ports();
	lans();
	nested();
	one_provider();
	firewall();
	two_firewalls();
	streams();
	relays();
	return done();
}
