/*
 * 645-families.c - which way a path takes when families differ, when what should work does not,
 * when ways and relays come and go: data finds the best way that works, in bounded time, and
 * every packet comes out once.
 */
#include "t/sim/peek.h"
#include "t/tap.h"

#define LOOKED (5 * SEC)		/* by then a node knows its NAPT */
#define FIRST (1 * SEC)			/* a first ping is answered sooner */
#define SETTLED (3 * SEC)		/* and by then the wanted way is used at both ends */
#define RELAYED_BY (2 * SEC)		/* where the NMS counted on a direct way that is none */
#define BACK (65 * SEC)			/* a way that works again is found by the next burst */
#define FALL_BACK (1500 * MS)		/* a way that died is left */
#define FALL_BACK_ONE (2500 * MS)	/* the same, where only one end can notice */
#define ANEW (12 * SEC)			/* a path that died is made anew */
#define LEG (40 * MS + 200)		/* from a home to a public host */
#define EVERY (10 * MS)			/* a data packet, each way */

struct scene {
	struct lab *l;
	struct computer *a, *b;
	/* of what the two send each other without a relay, this is lost */
	bool cut4, cut6, cut_a;		/* cut_a: only what a sends */
	const struct host *cut_from_a;	/* nothing a sends gets there */
	const struct computer *half;	/* nothing gets from it to the NMS by this family, nor back */
	unsigned half_family;
	uint32_t number;		/* of the next data packet */
};

static bool is_public_service(const struct addr *to)
{
	return to->family == 4 ? memcmp(to->ip, "\xc0\0\2", 3) == 0 :
				 memcmp(to->ip, "\x20\1\x0d\xb8\0\0\0\0", 8) == 0;
}

/* Between it and the NMS?  Behind its NAPT it has that one's address. */
static bool is_half(const struct scene *s, const struct datagram *d)
{
	const struct host *h = s->half->host;

	if (d->sender == s->half->node)
		return addr_same_ip(&d->to, d->to.family == 4 ? &s->l->cloud->ip4 : &s->l->cloud->ip6);
	return d->sender == s->l->nms &&
	       addr_same_ip(&d->to, d->to.family == 4 ? &h->lan->gate[0]->ip : &h->ip6);
}

static enum fate cut(void *arg, const struct datagram *d)
{
	const struct scene *s = arg;
	const struct host *h = s->cut_from_a;

	if (s->half && !d->stream && d->to.family == s->half_family && is_half(s, d))
		return LOSE;
	if (h && !d->stream && d->sender == s->a->node &&
	    addr_same_ip(&d->to, d->to.family == 4 ? &h->ip4 : &h->ip6))
		return LOSE;
	if (d->stream || is_public_service(&d->to) ||
	    (d->sender != s->a->node && d->sender != s->b->node))
		return PASS;
	if (s->cut_a && d->sender != s->a->node)
		return PASS;
	return (d->to.family == 4 ? s->cut4 : s->cut6) ? LOSE : PASS;
}

static void scene_wish(struct scene *s, const struct lab_wish *wish)
{
	memset(s, 0, sizeof *s);
	s->l = lab_new(wish);
	s->a = &s->l->computer[0];
	s->b = &s->l->computer[1];
	s->l->world->spy = cut;
	s->l->world->spy_arg = s;
}

static void scene(struct scene *s, uint64_t seed, unsigned relays)
{
	scene_wish(s, &(struct lab_wish){ .seed = seed, .computers = 2, .relays = relays,
					  .line = { .delay = 20 * MS } });
}

/* Both behind NAPTs of these kinds, by IPv4 alone. */
static void homes(struct scene *s, enum box_kind a, enum box_kind b)
{
	lab_behind(s->a, lab_napt(s->l, a, "203.0.113.1", NULL), "192.168.1.2", NULL);
	lab_behind(s->b, lab_napt(s->l, b, "203.0.113.2", NULL), "192.168.1.2", NULL);
}

/* NAPTs for IPv4, and native IPv6 behind a FIREWALL or ROUTER. */
static void dual_homes(struct scene *s, enum box_kind napt, enum box_kind wall_a,
		       enum box_kind wall_b)
{
	struct box *a = lab_napt(s->l, napt, "203.0.113.1", NULL);
	struct box *b = lab_napt(s->l, napt, "203.0.113.2", NULL);

	lab_wall(s->l, wall_a, a);
	lab_wall(s->l, wall_b, b);
	lab_behind(s->a, a, "192.168.1.2", "2001:db8:a::2");
	lab_behind(s->b, b, "192.168.1.2", "2001:db8:b::2");
}

static bool begin(struct scene *s)
{
	bool good = lab_start_all(s->l, 20 * SEC);

	world_run(s->l->world, LOOKED);
	return good;
}

static void tell_end(const struct computer *c, const struct computer *peer)
{
	const struct tunnel *t = peek_tunnel(c, peer);
	char at[ADDR_TEXT];
	unsigned i;

	diag("%s: %u tunnels, pattern %u", c->fqdn, peek_tunnels(c), t ? t->setup.pattern : 0);
	for (i = 0; t && i < t->routes.n; i++)
		diag("  %s %s %s%s", route_kind_name(t->routes.route[i].kind),
		     addr_text(at, &t->routes.route[i].remote),
		     route_state_name(t->routes.route[i].state),
		     (int)i == t->routes.used ? ", used" : "");
}

static void tell(const struct scene *s)
{
	tell_end(s->a, s->b);
	tell_end(s->b, s->a);
}

/* ---- waiting ---- */

struct ways {
	const struct scene *s;
	int a, b;
};

static bool both_go(void *arg)
{
	const struct ways *w = arg;

	return peek_way(w->s->a, w->s->b) == w->a && peek_way(w->s->b, w->s->a) == w->b;
}

/* Time in us until a's first ping is answered, pinging twice a second; NEVER: not within us. */
static uint64_t first_ping(struct scene *s, uint64_t us)
{
	struct world *w = s->l->world;
	uint64_t began = w->time;

	while (w->time - began < us)
		if (computer_ping(s->a, s->b, 4, 500 * MS))
			return w->time - began;
	return NEVER;
}

/* Data packets both ways, and pings, for that long. */
static void talk(struct scene *s, uint64_t us)
{
	struct world *w = s->l->world;
	uint64_t end = w->time + us;

	while (w->time < end) {
		computer_data(s->a, s->b, 4, s->number, 100);
		computer_data(s->b, s->a, 4, s->number++, 100);
		world_run(w, EVERY);
	}
}

/* Talks until these ways are used: after how many us; NEVER: not within us. */
static uint64_t talk_until(struct scene *s, int a, int b, uint64_t us)
{
	struct world *w = s->l->world;
	struct ways ways = { s, a, b };
	uint64_t began = w->time;

	while (!both_go(&ways)) {
		if (w->time - began >= us)
			return NEVER;
		talk(s, EVERY);
	}
	return w->time - began;
}

static double in_ms(uint64_t us)
{
	return us == NEVER ? -1 : (double)us / MS;
}

/* Of the data so far; what is under way arrives first. */
static uint64_t lost(struct scene *s)
{
	world_run(s->l->world, SEC);
	return 2 * (uint64_t)s->number - (s->a->data - s->a->data_twice) -
	       (s->b->data - s->b->data_twice);
}

static uint64_t twice(const struct scene *s)
{
	return s->a->data_twice + s->b->data_twice;
}

static uint64_t late(const struct scene *s)
{
	return s->a->data_late + s->b->data_late;
}

/* Number of the relay their path may go by, -1: none. */
static int relay_of(const struct scene *s)
{
	const struct tunnel *t = peek_tunnel(s->a, s->b);
	unsigned i;

	for (i = 0; t && i < s->l->relays; i++)
		if (id_equal(&t->setup.relay, &s->l->relay[i].node_id))
			return (int)i;
	return -1;
}

/* ---- families ---- */

static void no_common_family(void)
{
	struct scene s;
	uint64_t first;
	bool good;

	scene(&s, 645, 1);
	host_move(s.l->world, s.a->host, "10.0.0.2", NULL);
	host_move(s.l->world, s.b->host, NULL, "2001:db8:1::9");
	good = begin(&s);
	first = first_ping(&s, 2 * SEC);
	ok(good && first <= FIRST && both_go(&(struct ways){ &s, ROUTE_RELAY4, ROUTE_RELAY6 }) &&
	   computer_ping(s.b, s.a, 6, 500 * MS),
	   "IPv4 alone and IPv6 alone meet by a relay that has both (first ping %.1f ms)",
	   in_ms(first));
	talk(&s, 150 * SEC);
	ok(both_go(&(struct ways){ &s, ROUTE_RELAY4, ROUTE_RELAY6 }) && !lost(&s) && !twice(&s),
	   "and go on so");
	tell(&s);
	lab_free(s.l);
}

static void native6(enum box_kind wall_a, enum box_kind wall_b)
{
	struct scene s;
	uint64_t first, settled;

	scene(&s, 646, 1);
	dual_homes(&s, SYMMETRIC, wall_a, wall_b);
	begin(&s);
	first = first_ping(&s, 2 * SEC);
	settled = talk_until(&s, ROUTE_DIRECT6, ROUTE_DIRECT6, SETTLED);
	talk(&s, 150 * SEC);
	if (!ok(first <= FIRST && settled <= SETTLED && !lost(&s) && !twice(&s) &&
		both_go(&(struct ways){ &s, ROUTE_DIRECT6, ROUTE_DIRECT6 }),
		"behind symmetric NAPTs with native IPv6, %s and %s: direct over IPv6 (first ping "
		"%.1f ms)", box_kind_name(wall_a), box_kind_name(wall_b), in_ms(first)))
		tell(&s);
	lab_free(s.l);
}

static void broken6(enum box_kind napt, enum box_kind wall, int way, uint64_t most)
{
	struct scene s;
	uint64_t first, settled, back;

	scene(&s, 647, 1);
	dual_homes(&s, napt, wall, wall);
	s.cut6 = true;
	begin(&s);
	first = first_ping(&s, 5 * SEC);
	settled = talk_until(&s, way, way, 10 * SEC);
	talk(&s, 100 * SEC);
	if (!ok(first <= most && settled <= SETTLED && both_go(&(struct ways){ &s, way, way }) &&
		!lost(&s) && !twice(&s), "IPv6 that leads nowhere, %s NAPTs, %ss: %s "
		"(first ping %.1f ms)", box_kind_name(napt), box_kind_name(wall),
		route_kind_name((enum route_kind)way), in_ms(first)))
		tell(&s);
	s.cut6 = false;
	back = talk_until(&s, ROUTE_DIRECT6, ROUTE_DIRECT6, 2 * BACK);
	if (!ok(back <= BACK && !lost(&s) && !twice(&s), "repaired, it is used %.1f s later, and "
		"nothing is lost for that", in_ms(back) / 1000))
		tell(&s);
	lab_free(s.l);
}

/* ---- ways that die and come back ---- */

/* Both ways, or only what a sends. */
static void direct_dies(bool only_a)
{
	struct scene s;
	uint64_t at, gone, back, most = only_a ? FALL_BACK_ONE : FALL_BACK;

	scene(&s, 650 + only_a, 1);
	homes(&s, RESTRICTED, PORT_RESTRICTED);
	begin(&s);
	first_ping(&s, 2 * SEC);
	talk(&s, 30 * SEC);
	ok(both_go(&(struct ways){ &s, ROUTE_DIRECT4, ROUTE_DIRECT4 }) && !lost(&s) && !twice(&s),
	   "a direct path carries data");
	s.cut4 = true;
	s.cut_a = only_a;
	at = talk_until(&s, ROUTE_RELAY4, ROUTE_RELAY4, 60 * SEC);
	gone = lost(&s);
	if (!ok(at <= most && gone <= 2 * most / EVERY, "%s: the relay is used at both "
		"ends %.1f s later, %" PRIu64 " packets were lost", only_a ? "it dies in one direction" :
		"it dies", in_ms(at) / 1000, gone))
		tell(&s);
	talk(&s, 30 * SEC);
	ok(lost(&s) == gone && !twice(&s), "from then on nothing is");
	s.cut4 = false;
	back = talk_until(&s, ROUTE_DIRECT4, ROUTE_DIRECT4, 2 * BACK);
	talk(&s, 10 * SEC);
	if (!ok(back <= BACK && lost(&s) == gone && !twice(&s), "it works again, and is used %.1f s "
		"later without losing one", in_ms(back) / 1000))
		tell(&s);
	lab_free(s.l);
}

/* A path that the NMS made without a relay: its end is what brings one. */
static void direct_alone_dies(void)
{
	struct scene s;
	uint64_t at, gone;

	scene(&s, 659, 1);
	homes(&s, FULL_CONE, PORT_RESTRICTED);
	begin(&s);
	first_ping(&s, 2 * SEC);
	talk(&s, 30 * SEC);
	ok(both_go(&(struct ways){ &s, ROUTE_DIRECT4, ROUTE_DIRECT4 }) && relay_of(&s) < 0,
	   "with a full cone no relay is asked for");
	s.cut4 = true;
	at = talk_until(&s, -1, -1, ANEW);
	at = talk_until(&s, ROUTE_RELAY4, ROUTE_RELAY4, 60 * SEC) + (at == NEVER ? 0 : at);
	gone = lost(&s);
	talk(&s, 100 * SEC);
	if (!ok(at <= ANEW && lost(&s) == gone && peek_joined(s.a, s.b), "the direct way dies: a new "
		"path by a relay %.1f s later, %" PRIu64 " packets lost", in_ms(at) / 1000, gone))
		tell(&s);
	lab_free(s.l);
}

static void relay_dies(void)
{
	struct scene s;
	uint64_t gone, at;

	scene(&s, 652, 1);
	homes(&s, RESTRICTED, RESTRICTED);
	begin(&s);
	first_ping(&s, 2 * SEC);
	talk(&s, 10 * SEC);
	process_stop(s.l->relay[0].trs);
	talk(&s, 200 * SEC);
	ok(both_go(&(struct ways){ &s, ROUTE_DIRECT4, ROUTE_DIRECT4 }) && !lost(&s) && !twice(&s),
	   "the relay dies while the direct way is used: nothing is lost");
	process_start(s.l->relay[0].trs, (char[256]){ 0 });
	talk(&s, 100 * SEC);
	ok(!lost(&s), "it comes back: nothing is lost");
	s.cut4 = true;
	at = talk_until(&s, -1, -1, ANEW);
	at = talk_until(&s, ROUTE_RELAY4, ROUTE_RELAY4, 60 * SEC) + (at == NEVER ? 0 : at);
	gone = lost(&s);
	if (!ok(at <= ANEW, "then the direct way dies: a new path by the new relay %.1f s later, "
		"%" PRIu64 " packets lost", in_ms(at) / 1000, gone))
		tell(&s);
	lab_free(s.l);
}

/*
 * A box at home is restarted, or gets another address: what stood goes on by the new mapping.
 * Two that filter by port cannot be punched again by what they were told of the old one.
 */
static void rebound(enum box_kind kind, const char *ip, int way, int after)
{
	struct scene s;
	struct box *box;
	struct id path;
	uint64_t gone, at;

	scene(&s, 658, 1);
	homes(&s, kind, PORT_RESTRICTED);
	box = s.l->world->boxes->next;
	begin(&s);
	first_ping(&s, 2 * SEC);
	talk(&s, 30 * SEC);
	ok(both_go(&(struct ways){ &s, way, way }) && !lost(&s), "%s and port restricted, %s",
	   box_kind_name(kind), route_kind_name((enum route_kind)way));
	path = peek_tunnel(s.a, s.b)->setup.path;
	box_forget(box, ip);
	talk(&s, 4 * SEC);
	at = talk_until(&s, after, after, 2 * BACK);
	gone = lost(&s);
	talk(&s, 20 * SEC);
	if (!ok(peek_tunnel(s.a, s.b) && id_equal(&peek_tunnel(s.a, s.b)->setup.path, &path) &&
		gone <= 2 * FALL_BACK_ONE / EVERY && lost(&s) == gone && !twice(&s),
		"the box at home %s: the path goes on, %" PRIu64 " packets were lost",
		ip ? "gets another address" : "is restarted", gone))
		tell(&s);
	if (!ok(at <= BACK, "%s %.1f s later", route_kind_name((enum route_kind)after),
		in_ms(at) / 1000 + 4))
		tell(&s);
	lab_free(s.l);
}

/* ---- what the NMS cannot know ---- */

static void filtered(void)
{
	struct scene s;
	uint64_t first;

	scene(&s, 653, 1);
	s.cut4 = s.cut6 = true;
	begin(&s);
	first = first_ping(&s, 5 * SEC);
	talk(&s, 150 * SEC);
	if (!ok(first <= RELAYED_BY && !lost(&s) && !twice(&s) && peek_joined(s.a, s.b),
		"two open hosts whose network lets no UDP through between them: relayed (first "
		"ping %.1f ms)", in_ms(first)))
		tell(&s);
	lab_free(s.l);
	scene(&s, 654, 1);
	homes(&s, FULL_CONE, PORT_RESTRICTED);
	s.cut4 = true;
	begin(&s);
	first = first_ping(&s, 5 * SEC);
	talk(&s, 150 * SEC);
	if (!ok(first <= RELAYED_BY && !lost(&s) && !twice(&s) && peek_joined(s.a, s.b),
		"the same with a full cone, where the other end begins (%.1f ms)", in_ms(first)))
		tell(&s);
	lab_free(s.l);
}

static void no_trs(void)
{
	struct scene s;
	uint64_t first;

	scene(&s, 655, 0);
	homes(&s, RESTRICTED, RESTRICTED);
	begin(&s);
	first = first_ping(&s, 5 * SEC);
	talk(&s, 150 * SEC);
	if (!ok(first <= FIRST && both_go(&(struct ways){ &s, ROUTE_DIRECT4, ROUTE_DIRECT4 }) &&
		!lost(&s), "without a TRS two restricted NAPTs are punched (first ping %.1f ms)",
		in_ms(first)))
		tell(&s);
	lab_free(s.l);
	scene(&s, 656, 0);
	homes(&s, SYMMETRIC, SYMMETRIC);
	begin(&s);
	ok(!computer_ping(s.a, s.b, 4, 4 * SEC) && s.a->unreachable == 1,
	   "without one, and without knowing the NAPTs, two symmetric ones are told unreachable "
	   "after trying");
	lab_free(s.l);
}

static bool is_refused(void *arg)
{
	const struct computer *c = arg;

	return c->unreachable > 0;
}

static void no_relay(void)
{
	struct scene s;
	uint64_t began, told;

	scene(&s, 657, 1);
	homes(&s, SYMMETRIC, SYMMETRIC);
	begin(&s);
	process_control(s.l->relay[0].trs, "{\"cmd\": \"drain\"}\n");
	world_run(s.l->world, SEC);
	began = s.l->world->time;
	computer_ping_send(s.a, s.b->ip4, 4, 1);
	world_until(s.l->world, 5 * SEC, is_refused, s.a);
	told = s.l->world->time - began;
	ok(told <= 3 * LEG && strstr(computer_status(s.a, "{\"cmd\":\"status\"}\n"), "no_relay"),
	   "known symmetric NAPTs and no relay to be had: no_relay, told after %.1f ms", in_ms(told));
	process_control(s.l->relay[0].trs, "{\"cmd\": \"resume\"}\n");
	world_run(s.l->world, SEC);
	ok(first_ping(&s, 2 * SEC) <= FIRST + SEC, "when there is one they meet");
	lab_free(s.l);
}

/* A family is dead between one of the two and the cloud, and nobody has noticed yet. */
static void half_dead(unsigned who, unsigned family)
{
	struct scene s;
	uint64_t first;

	scene(&s, 680 + 2 * who + (family == 6), 1);
	dual_homes(&s, SYMMETRIC, FIREWALL, FIREWALL);
	begin(&s);
	s.half = who ? s.b : s.a;
	s.half_family = family;
	first = first_ping(&s, 5 * SEC);
	if (!ok(first <= 2 * FIRST && peek_joined(s.a, s.b), "IPv%u between the node that %s and the "
		"cloud has just died: they meet all the same (first ping %.1f ms)", family,
		who ? "is asked for" : "asks", in_ms(first)))
		tell(&s);
	talk(&s, 60 * SEC);
	ok(!lost(&s) && peek_joined(s.a, s.b), "and stay together");
	lab_free(s.l);
}

/* ---- several relays, and their restarts ---- */

static void two_relays(unsigned near)
{
	struct scene s;
	uint64_t first;

	scene_wish(&s, &(struct lab_wish){ .seed = 660 + near, .computers = 4, .relays = 2,
					   .line = { .delay = 20 * MS } });
	s.l->relay[!near].host->line.delay = 60 * MS;
	homes(&s, SYMMETRIC, SYMMETRIC);
	lab_behind(&s.l->computer[2], lab_napt(s.l, SYMMETRIC, "203.0.113.3", NULL),
		   "192.168.1.2", NULL);
	begin(&s);
	first = first_ping(&s, 2 * SEC);
	ok(first <= FIRST && relay_of(&s) == (int)near, "of two relays the nearer is taken (number "
	   "%u, %.1f ms)", near, in_ms(first));
	process_control(s.l->relay[near].trs, "{\"cmd\": \"drain\"}\n");
	talk(&s, 200 * SEC);
	ok(relay_of(&s) == (int)near && !lost(&s) && !twice(&s),
	   "it is drained: who is there goes on");
	s.b = &s.l->computer[2];
	ok(first_ping(&s, 2 * SEC) <= FIRST + SEC && relay_of(&s) == (int)!near,
	   "others are sent to the second");
	lab_free(s.l);
}

/* Whoever of the two relays is cut off from a. */
static void relay_out_of_reach(unsigned i)
{
	struct scene s;
	uint64_t first;

	scene(&s, 664 + i, 2);
	homes(&s, SYMMETRIC, SYMMETRIC);
	s.cut_from_a = s.l->relay[i].host;
	begin(&s);
	first = first_ping(&s, 30 * SEC);
	if (!ok(first <= FIRST && relay_of(&s) == (int)!i, "a relay that one of the two cannot reach is "
		"not taken (first ping %.1f ms)", in_ms(first)))
		tell(&s);
	lab_free(s.l);
}

/*
 * The nearer one gets out of a's reach while it is used, which no service can see.  A while after
 * the NMS forgot about the path, the next one is tried by it again.
 */
static void relay_gets_lost(uint64_t after, uint64_t most)
{
	struct scene s;
	uint64_t at;
	int first;

	scene(&s, 666, 2);
	s.l->relay[1].host->line.delay = 60 * MS;
	homes(&s, SYMMETRIC, SYMMETRIC);
	begin(&s);
	first_ping(&s, 5 * SEC);
	talk(&s, after);
	first = relay_of(&s);
	s.cut_from_a = s.l->relay[0].host;
	at = first_ping(&s, 60 * SEC);
	if (!ok(first == 0 && relay_of(&s) == 1 && at <= most, "after %.0f s the relay gets out of reach "
		"of one of the two: a path by the other %.1f s later", (double)after / SEC,
		in_ms(at) / 1000))
		tell(&s);
	lab_free(s.l);
}

/* Seconds until a's ping is answered again while it pings each second. */
static unsigned seconds(struct scene *s)
{
	unsigned n;

	for (n = 0; n < 60 && !computer_ping(s->a, s->b, 4, SEC); n++)
		;
	return n;
}

static void relay_restarts(void)
{
	struct scene s;
	unsigned i, n, longest = 0;

	scene_wish(&s, &(struct lab_wish){ .seed = 662, .computers = 2, .relays = 1, .workers = 3,
					   .node_workers = 3, .relay_workers = 3,
					   .line = { .delay = 20 * MS } });
	homes(&s, SYMMETRIC, SYMMETRIC);
	begin(&s);
	n = (unsigned)(first_ping(&s, 2 * SEC) / MS);
	ok(n <= FIRST / MS && both_go(&(struct ways){ &s, ROUTE_RELAY4, ROUTE_RELAY4 }) &&
	   peek_joined(s.a, s.b), "nodes, NMS and TRS of three workers each meet relayed (%u ms)", n);
	for (i = 0; i < 3; i++) {
		worker_restart(s.l->relay[0].trs, i);
		world_run(s.l->world, 100 * MS);
		n = seconds(&s);
		diag("worker %u: %u s", i, n);
		longest = MAX(longest, n);
		talk(&s, 30 * SEC);
	}
	ok(longest <= ANEW / SEC, "each of the relay's workers dies: the path goes on, or is made "
	   "anew (%u s)", longest);
	process_stop(s.l->relay[0].trs);
	world_run(s.l->world, 2 * SEC);
	process_start(s.l->relay[0].trs, (char[256]){ 0 });
	n = seconds(&s);
	ok(n <= ANEW / SEC, "the relay is restarted: a new path %u s later", n);
	talk(&s, 10 * SEC);
	ok(peek_joined(s.a, s.b), "one path is left");
	lab_free(s.l);
}

/* ---- the switch ---- */

static void switched(unsigned workers)
{
	struct scene s;
	uint64_t overtaken = 40 * MS / EVERY + 1, at;

	scene_wish(&s, &(struct lab_wish){ .seed = 670 + workers, .computers = 2, .relays = 1,
					   .workers = workers, .node_workers = workers,
					   .relay_workers = workers,
					   .line = { .delay = 20 * MS } });
	homes(&s, PORT_RESTRICTED, PORT_RESTRICTED);
	s.cut4 = true;
	begin(&s);
	first_ping(&s, 2 * SEC);
	talk(&s, 20 * SEC);
	ok(both_go(&(struct ways){ &s, ROUTE_RELAY4, ROUTE_RELAY4 }) && !lost(&s) && !late(&s),
	   "relayed, in order (%u worker%s)", workers, workers > 1 ? "s" : "");
	s.cut4 = false;
	at = talk_until(&s, ROUTE_DIRECT4, ROUTE_DIRECT4, 2 * BACK);
	ok(at <= BACK, "the direct way is taken %.1f s later", in_ms(at) / 1000);
	talk(&s, 20 * SEC);
	ok(!lost(&s) && !twice(&s) && late(&s) <= 2 * overtaken,
	   "of %u packets none was lost and none came twice; %" PRIu64 " were overtaken at the "
	   "switch", 2 * s.number, late(&s));
	ok(peek_tunnel(s.a, s.b)->routes.changes == 2 && peek_tunnel(s.b, s.a)->routes.changes == 2,
	   "each end switched once");
	lab_free(s.l);
}

int main(void)
{
	no_common_family();
	native6(ROUTER, ROUTER);
	native6(FIREWALL, ROUTER);
	native6(ROUTER, FIREWALL);
	native6(FIREWALL, FIREWALL);
	broken6(RESTRICTED, ROUTER, ROUTE_DIRECT4, RELAYED_BY);
	broken6(RESTRICTED, FIREWALL, ROUTE_DIRECT4, FIRST);
	broken6(SYMMETRIC, ROUTER, ROUTE_RELAY6, RELAYED_BY);
	broken6(SYMMETRIC, FIREWALL, ROUTE_RELAY6, FIRST);
	direct_dies(false);
	direct_dies(true);
	direct_alone_dies();
	relay_dies();
	rebound(SYMMETRIC, NULL, ROUTE_RELAY4, ROUTE_RELAY4);
	rebound(SYMMETRIC, "203.0.113.9", ROUTE_RELAY4, ROUTE_RELAY4);
	rebound(PORT_RESTRICTED, NULL, ROUTE_DIRECT4, ROUTE_RELAY4);
	rebound(PORT_RESTRICTED, "203.0.113.9", ROUTE_DIRECT4, ROUTE_RELAY4);
	filtered();
	no_trs();
	no_relay();
	half_dead(0, 4);
	half_dead(0, 6);
	half_dead(1, 4);
	half_dead(1, 6);
	two_relays(0);
	two_relays(1);
	relay_out_of_reach(0);
	relay_out_of_reach(1);
	relay_gets_lost(10 * SEC, ANEW);
	relay_gets_lost(100 * SEC, 2 * ANEW);
	relay_restarts();
	switched(1);
	switched(3);
	return done();
}
