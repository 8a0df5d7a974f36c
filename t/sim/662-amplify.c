/*
 * 662-amplify.c - what comes back to an address that nobody has proved: every message type, every
 * length, of strangers and of members, to NMS, TRS (both ports) and node.  No more octets than
 * came; no two services kept talking to each other; nothing remembered of who is no one.
 */
#include "net/proto/stun.h"
#include "roles/nms.h"
#include "t/sim/mallory.h"
#include "t/sim/peek.h"
#include "t/tap.h"
#include <malloc.h>

#define LENGTHS 600
#define TYPES 64

static const struct addr nms_at = { .family = 4, .ip = { 192, 0, 2, 1 }, .port = 4501 };
static const struct addr trs_at = { .family = 4, .ip = { 192, 0, 2, 2 }, .port = 4502 };
static const struct addr stun_at = { .family = 4, .ip = { 192, 0, 2, 2 }, .port = 3478 };
static struct addr victim = { .family = 4, .ip = { 198, 51, 100, 9 }, .port = 53 };

struct scene {
	struct lab *l;
	struct computer *a, *m, *c;	/* a and m have a relayed path, c is she */
	struct toll toll;
	struct { unsigned said, answered; double worst; } row[TYPES];
	unsigned told;			/* octets of answers to all */
};

static enum fate tally(void *arg, const struct datagram *d)
{
	toll_take(&((struct scene *)arg)->toll, d);
	return PASS;
}

static void scene_make(struct scene *s, uint64_t seed)
{
	unsigned i;

	memset(s, 0, sizeof *s);
	s->l = lab_new(&(struct lab_wish){ .seed = seed, .computers = 3, .relays = 2 });
	s->a = &s->l->computer[0];
	s->m = &s->l->computer[1];
	s->c = &s->l->computer[2];
	for (i = 0; i < 2; i++) {
		char ip[32];

		snprintf(ip, sizeof ip, "203.0.113.%u", i + 1);
		lab_behind(&s->l->computer[i], lab_napt(s->l, SYMMETRIC, ip, NULL), "192.168.1.2", NULL);
	}
	if (!lab_start_all(s->l, 10 * SEC) || !computer_ping(s->a, s->m, 4, 3 * SEC))
		exit(99);
	world_run(s->l->world, 2 * SEC);
	s->l->world->spy = tally;
	s->l->world->spy_arg = s;
	s->toll.at = victim;
}

/* One datagram from the victim's address; what it gets at once is that type's. */
static void say(struct scene *s, const struct addr *to, struct process *at, const uint8_t *p, size_t n,
		unsigned type)
{
	unsigned octets = s->toll.octets;

	world_inject(at, &victim, to, p, n, 0);
	octets = s->toll.octets - octets;
	s->row[type].said++;
	s->row[type].answered += octets > 0;
	s->told += octets;
	if ((double)octets / n > s->row[type].worst)
		s->row[type].worst = (double)octets / n;
}

/* The table so far, of those that are answered at all. */
static double told(struct scene *s, const char *who, const char *where)
{
	double worst = 0;
	unsigned i, said = 0, types = 0;

	for (i = 0; i < TYPES; i++) {
		said += s->row[i].said;
		types += s->row[i].said > 0;
		worst = s->row[i].worst > worst ? s->row[i].worst : worst;
		if (s->row[i].answered)
			diag("%-10s %-14s %-22s %5u said %5u answered, octets out/in at most %.2f", who, where,
			     type_name((uint8_t)i), s->row[i].said, s->row[i].answered, s->row[i].worst);
	}
	diag("%-10s %-14s all %u types: %u said, at most %.2f", who, where, types, said, worst);
	memset(s->row, 0, sizeof s->row);
	return worst;
}

/* ---- strangers ---- */

static void strangers(struct scene *s)
{
	const struct tunnel *t = any_tunnel(s->a);
	struct { const char *name; struct process *at; struct addr to; struct id id[3]; } who[] = {
		{ "NMS", s->l->nms, nms_at, { s->a->node_id, s->l->relay[0].node_id } },
		{ "TRS", s->l->relay[0].trs, trs_at, { s->l->relay[0].node_id, t->setup.path,
						       s->a->node_id } },
		{ "TRS, 2nd port", s->l->relay[0].trs, stun_at, { s->l->relay[0].node_id, t->setup.path } },
		{ "node", s->a->node, { .family = 4, .port = 4503, .ip = { 192, 168, 1, 2 } },
		  { s->a->node_id, t->setup.path } },
	};
	uint8_t p[2048];
	unsigned i, k, type, n;
	double worst = 0, here;

	for (i = 0; i < ARRAY_SIZE(who); i++) {
		for (type = 0; type < TYPES; type++)
			for (n = 0; n < LENGTHS; n += 7)
				for (k = 0; k < 3; k++)
					say(s, &who[i].to, who[i].at, p,
					    forge(s->l, (uint8_t)type, k & n & 1 ? FLAG_DIRECTION : 0,
						  &who[i].id[k], n, p), type);
		here = told(s, "stranger", who[i].name);
		worst = here > worst ? here : worst;
	}
	ok(worst == 0, "no stranger gets an answer, whatever the type, wherever he asks");
}

/* Anybody may ask by STUN. */
static void stun(struct scene *s)
{
	struct process *trs = s->l->relay[0].trs;
	struct dice dice;
	uint8_t p[STUN_REQUEST_SIZE];
	struct stun_id id = { { 1 } };
	double worst;
	unsigned i, k;

	dice_seed(&dice, 662);
	for (i = 0; i < 4000 * scale(); i++) {
		size_t n = i & 1 ? sizeof p : dice_below(&dice, sizeof p + 1);

		stun_request(p, &id, (unsigned)dice_below(&dice, 8));
		for (k = (unsigned)dice_below(&dice, 4); k; k--)
			p[dice_below(&dice, sizeof p)] = (uint8_t)dice_roll(&dice);
		if (n != sizeof p && n >= STUN_HEADER)
			put16(p + 2, (uint16_t)(n - STUN_HEADER));
		if (n)
			say(s, i & 2 ? &trs_at : &stun_at, trs, p, n, 0);
		if (i % 100 == 0)
			world_run(s->l->world, 100 * MS);
	}
	i = s->row[0].answered;
	worst = told(s, "anybody", "TRS, STUN");
	ok(i > 100 && worst <= 1, "STUN is answered with no more than was asked with (%u answers)", i);
}

/* ---- members ---- */

/* Bodies a member may send, the laws obeyed or not. */
static size_t body_of(const struct scene *s, uint8_t type, unsigned n, uint8_t *body)
{
	struct msg_direction_request q = { .family = 0 };
	struct msg_registration_request r = { .boot = 5 };

	memset(body, 0, DATAGRAM_MAX);
	if (n == 1 && (type == TYPE_DIRECTION_REQUEST || type == TYPE_NODE_INFO_REQUEST)) {
		strcpy(q.name, s->a->fqdn);
		return msg_write_direction_request(body, DATAGRAM_MAX, &q);
	}
	if (n == 1 && type == TYPE_REGISTRATION_REQUEST)
		return msg_write_registration_request(body, DATAGRAM_MAX, &r);
	if (type == TYPE_VANTAGE_REPORT && n)
		body[0] = 4;
	return n;
}

static void member_at_nms(struct scene *s, bool stale)
{
	struct insider her;
	uint8_t body[DATAGRAM_MAX], p[DATAGRAM_MAX];
	unsigned type, n, refused;
	uint64_t late = 0;
	double worst;

	insider_open(&her, s->c);
	s->l->world->spy = tally;
	s->l->world->spy_arg = s;
	if (stale) {
		cloud_stop(s->l);
		cloud_start(s->l);
		world_run(s->l->world, 10 * MS);
		late = 80000;
	}
	for (type = 0; type < TYPES; type++) {
		for (n = 0; n < LENGTHS; n++) {
			size_t len = session_seal(&her.s, cloud_now(s->l) - late, random_u32(), (uint8_t)type,
						  token_now(s->l), body, body_of(s, (uint8_t)type, n, body), p);

			say(s, &nms_at, s->l->nms, p, len, type);
			if (!stale)
				world_run(s->l->world, MS);
		}
	}
	refused = s->row[TYPE_REFUSAL].answered + s->row[TYPE_KEEP_ALIVE_ACK].answered +
		  s->row[TYPE_ROUTE_DIRECTION_R].answered + s->row[TYPE_REGISTRATION_RESPONSE].answered;
	worst = told(s, "member", stale ? "NMS, too old" : "NMS");
	ok(!refused, "no refusal, and nothing else that only an NMS says, is answered");
	ok(s->toll.datagrams > 0 && worst <= 1,
	   stale ? "stamped before the NMS's start: no refusal is longer than what it refuses" :
		   "a member gets no more octets of the NMS, at an address not proved, than she said");
	insider_close(&her);
	s->l->world->spy = tally;
}

/* As an end of a path, and as one who looks at her NAPT. */
static void member_at_trs(struct scene *s)
{
	struct process *trs = s->l->relay[0].trs;
	struct tunnel *t = any_tunnel(s->m);
	struct session *relay = &t->routes.relay, look;
	struct msg_punch m = { .challenge = 9 };
	uint8_t body[DATAGRAM_MAX], p[DATAGRAM_MAX];
	struct vantage_key key;
	struct device d;
	unsigned n, i, answered;
	double worst;

	if (!id_equal(&t->setup.relay, &s->l->relay[0].node_id))
		trs = s->l->relay[1].trs;
	for (n = 0; n < LENGTHS; n++) {
		memset(body, 0, sizeof body);
		say(s, &trs_at, trs, p, session_seal(relay, cloud_now(s->l), 1, TYPE_HOLE_PUNCHING,
						     token_now(s->l), body, n, p), TYPE_HOLE_PUNCHING);
		world_run(s->l->world, MS);
	}
	answered = s->row[TYPE_HOLE_PUNCHING].answered;
	worst = told(s, "member", "TRS, her path");
	ok(answered && worst <= 1, "an end of a path gets what it said, at most");
	device_by_id(s->l->store, &s->l->relay[0].node_id, &d);
	keys_vantage(&key, &d.common_key, &s->c->node_id);
	session_vantage(&look, &key, &s->c->node_id, false);
	for (i = 0; i < 256; i++) {
		m.other = (uint8_t)i;
		n = (unsigned)msg_write_punch(body, sizeof body, &m);
		say(s, &trs_at, s->l->relay[0].trs, p,
		    session_seal(&look, cloud_now(s->l), 1, TYPE_HOLE_PUNCHING, token_now(s->l), body, n, p),
		    TYPE_HOLE_PUNCHING);
		world_run(s->l->world, MS);
	}
	answered = s->row[TYPE_HOLE_PUNCHING].answered;
	worst = told(s, "member", "TRS, her NAPT");
	ok(answered == 256 && worst <= 1, "who has her NAPT looked at too, whichever port she wants it from");
	session_free(&look);
}

/* The other end of a path: each message from another address of the victim's. */
static void member_at_node(struct scene *s)
{
	static const uint8_t types[] = { TYPE_HOLE_PUNCHING, TYPE_ACK, TYPE_TUNNEL_REQUEST,
					 TYPE_TUNNEL_RESPONSE, TYPE_CAPSULE };
	struct tunnel *t = any_tunnel(s->m);
	uint8_t room[HEADER_SIZE + 200 + TAG_SIZE], *p;
	struct addr from = victim, to = s->a->host->ip4;
	unsigned i, worst = 0;

	to.port = 4503;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct msg_probe probe = { .control = 4, .value = 66 };
		struct msg_punch m = { .challenge = 9 };
		uint8_t body[200] = { 0 };
		size_t n = types[i] == TYPE_TUNNEL_REQUEST ? MSG_SIZE_tunnel_request :
			   types[i] == TYPE_TUNNEL_RESPONSE ? MSG_SIZE_tunnel_response :
			   (size_t)msg_write_punch(body, sizeof body, &m);

		from.ip[3]++;
		s->toll = (struct toll){ .at = from };
		p = room;
		if (types[i] == TYPE_CAPSULE) {
			n = msg_write_probe(room + HEADER_SIZE, 200, &probe);
			p = capsule_seal(&t->keys, FLAG_CONTROL, 0, room + HEADER_SIZE, n);
			n += CAPSULE_OVERHEAD;
		} else {
			n = session_seal(&t->signal, cloud_now(s->l), 1, types[i], 0, body, n, p);
		}
		world_inject(s->a->node, &from, &to, p, n, 0);
		world_run(s->l->world, 30 * SEC);
		diag("%-10s %-14s %-22s 1 said, %u datagrams to the victim in 30 s, octets out/in %.2f", "peer", "node",
		     type_name(types[i]), s->toll.datagrams, (double)s->toll.octets / n);
		worst = MAX(worst, s->toll.datagrams);
	}
	ok(worst <= 6, "the other end of a path can have a victim written to, six times at most");
	s->toll.at = victim;
}

/* ---- services that hear each other ---- */

struct loop {
	struct scene *s;
	unsigned between;		/* datagrams of services to services about nobody of theirs */
};

static bool is_service(const struct addr *a)
{
	return a->family == 4 && memcmp(a->ip, nms_at.ip, 3) == 0;
}

static enum fate between(void *arg, const struct datagram *d)
{
	struct loop *x = arg;
	const struct lab *l = x->s->l;

	if (!d->stream && is_service(&d->from) && is_service(&d->to) &&
	    memcmp(d->p + 16, l->relay[0].node_id.b, 16) && memcmp(d->p + 16, l->relay[1].node_id.b, 16))
		x->between++;
	return PASS;
}

/* One datagram at a service, as if of another. */
static unsigned echoes(struct loop *x, const struct addr *from, const struct addr *to, const uint8_t *p,
		       size_t n)
{
	x->between = 0;
	mallory_says(x->s->l, from, to, p, n);
	world_run(x->s->l->world, 60 * MS);
	return x->between;
}

static size_t authentic(struct scene *s, struct session *nms, struct session *look, bool at_nms,
			uint8_t type, uint8_t *p)
{
	struct session *with = at_nms ? nms : look;
	struct msg_punch m = { .challenge = 9, .other = type & 1 };
	uint8_t body[DATAGRAM_MAX];
	size_t n = at_nms ? body_of(s, type, 1, body) : (size_t)msg_write_punch(body, sizeof body, &m);

	if (at_nms && type == TYPE_KEEP_ALIVE)
		n = MSG_SIZE_keep_alive;
	if (at_nms && type == TYPE_VANTAGE_REQUEST)
		n = MSG_SIZE_vantage_request;
	return session_seal(with, cloud_now(s->l), random_u32(), at_nms ? type : TYPE_HOLE_PUNCHING,
			    token_now(s->l), body, n, p);
}

static void loops(struct scene *s)
{
	static const struct addr services[] = {
		{ .family = 4, .ip = { 192, 0, 2, 1 }, .port = 4501 },
		{ .family = 4, .ip = { 192, 0, 2, 2 }, .port = 4502 },
		{ .family = 4, .ip = { 192, 0, 2, 2 }, .port = 3478 },
		{ .family = 4, .ip = { 192, 0, 2, 3 }, .port = 4502 },
		{ .family = 4, .ip = { 192, 0, 2, 3 }, .port = 3478 },
	};
	struct loop x = { .s = s };
	struct session look;
	struct vantage_key key;
	struct insider her;
	struct stun_id id = { { 2 } };
	struct device d;
	uint8_t p[DATAGRAM_MAX];
	unsigned i, k, type, n, forged = 0, most = 0, tried = 0, answered = 0, change;

	insider_open(&her, s->c);
	s->l->world->spy = between;
	s->l->world->spy_arg = &x;
	device_by_id(s->l->store, &s->l->relay[0].node_id, &d);
	keys_vantage(&key, &d.common_key, &s->c->node_id);
	session_vantage(&look, &key, &s->c->node_id, false);
	for (i = 0; i < ARRAY_SIZE(services); i++)
		for (k = 0; k < ARRAY_SIZE(services); k++) {
			for (type = 1; type < 40; type++, tried += 2) {
				size_t len = forge(s->l, (uint8_t)type, 0, &s->c->node_id, 60, p);

				forged += echoes(&x, &services[i], &services[k], p, len);
				len = authentic(s, &her.s, &look, k == 0, (uint8_t)type, p);
				n = echoes(&x, &services[i], &services[k], p, len);
				most = MAX(most, n);
				answered += n > 0;
			}
			for (change = 0; change < 8; change++, tried++) {
				stun_request(p, &id, change);
				n = echoes(&x, &services[i], &services[k], p, STUN_REQUEST_SIZE);
				most = MAX(most, n);
				answered += n > 0;
			}
		}
	ok(!forged, "a service says nothing to a forgery that seems to be another service's");
	ok(answered > 50 && most <= 1, "of %u messages that seem to be a service's, to itself too, %u get one answer, "
	   "none gets two (%u)", tried, answered, most);
	session_free(&look);
	insider_close(&her);
}

/* ---- nothing is kept ---- */

static long rss(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size = 0, pages = 0;

	if (!f || fscanf(f, "%ld %ld", &size, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return pages * 4;
}

static void flood(struct scene *s, const struct addr *to, struct process *at, const struct id *ids,
		  unsigned ids_n, unsigned count, struct dice *dice)
{
	struct addr from = { .family = 4 };
	uint8_t p[DATAGRAM_MAX];
	struct id id;
	size_t n;

	while (count--) {
		put32(from.ip, (uint32_t)dice_roll(dice));
		from.port = (uint16_t)dice_roll(dice);
		put64(id.b, dice_roll(dice));
		put64(id.b + 8, dice_roll(dice));
		if (dice_below(dice, 2))
			id = ids[dice_below(dice, ids_n)];
		n = forge(s->l, (uint8_t)dice_below(dice, 40), 0, &id, dice_below(dice, 300), p);
		world_inject(at, &from, to, p, n, 0);
	}
}

static void nothing_kept(void)
{
	struct scene s;
	struct dice dice;
	struct id ids[4];
	size_t heap, grown;
	struct nms *nms;
	unsigned count = 50000 * scale(), nodes, sent;
	long before, after;

	dice_seed(&dice, 8);
	scene_make(&s, 663);
	ids[0] = s.a->node_id;
	ids[1] = s.c->node_id;
	ids[2] = any_tunnel(s.a)->setup.path;
	ids[3] = s.l->relay[0].node_id;
	computer_leave(s.c);
	world_run(s.l->world, 120 * SEC);	/* the NMS has forgotten her; her key is still good */
	nms = s.l->nms->seat[0].self;
	flood(&s, &nms_at, s.l->nms, ids, 4, 1000, &dice);
	flood(&s, &trs_at, s.l->relay[0].trs, ids, 4, 1000, &dice);
	nodes = nms->nodes.n;
	sent = s.l->world->sent;
	heap = mallinfo2().uordblks;
	before = rss();
	flood(&s, &nms_at, s.l->nms, ids, 4, count, &dice);
	flood(&s, &trs_at, s.l->relay[0].trs, ids, 4, count, &dice);
	grown = mallinfo2().uordblks - heap;
	after = rss();
	ok(grown == 0 || (long)grown < 0, "%u spoofed datagrams with good tokens and known names at NMS and TRS: "
	   "%zd octets more in use, %ld KiB of memory more", 2 * count, (ssize_t)grown, after - before);
#ifdef __SANITIZE_ADDRESS__
	before = after;		/* what was freed is kept aside */
#endif
	ok(after - before < 1024, "less than a MiB in any case");
	ok(nms->nodes.n == nodes && nodes == 4 && s.l->world->sent == sent,
	   "the NMS knows as many nodes as before (%u), and nobody was answered", nodes);
	lab_free(s.l);
}

int main(void)
{
	struct scene s;

	scene_make(&s, 662);
	strangers(&s);
	stun(&s);
	member_at_nms(&s, false);
	member_at_trs(&s);
	member_at_node(&s);
	loops(&s);
	member_at_nms(&s, true);
	lab_free(s.l);
	nothing_kept();
	return done();
}
