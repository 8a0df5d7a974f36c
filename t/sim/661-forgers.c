/*
 * 661-forgers.c - a member of the domain who forges: what only an NMS or a TRS says, addresses of
 * her own that are nobody's or a victim's, Hole Punchings from a victim's address.  What others
 * send because of her is counted.
 */
#include "net/proto/capsule.h"
#include "net/proto/ip.h"
#include "roles/nms.h"
#include "t/sim/mallory.h"
#include "t/sim/peek.h"
#include "t/tap.h"

static struct lab *start(uint64_t seed, unsigned computers)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = seed, .computers = computers, .relays = 1 });
	unsigned i;

	for (i = 0; i < computers; i++) {
		char ip[32];

		snprintf(ip, sizeof ip, "203.0.113.%u", i + 1);
		host_move(l->world, l->computer[i].host, ip, NULL);
	}
	return l;
}

static const struct addr trs_at = { .family = 4, .ip = { 192, 0, 2, 2 }, .port = 4502 };

/* ---- words of others ---- */

/* A message under that key, to that service; what verdict it ended in more often than before. */
static enum verdict ends_in(struct lab *l, struct process *at, const struct addr *to,
			    struct session *s, uint8_t type, const void *body, size_t n)
{
	struct addr from = { .family = 4, .ip = { 203, 0, 113, 66 }, .port = 4501 };
	uint64_t before[V_COUNT];
	uint8_t p[DATAGRAM_MAX];
	enum verdict v;
	size_t len = session_seal(s, cloud_now(l), random_u32(), type, token_now(l), body, n, p);

	for (v = 0; v < V_COUNT; v++)
		before[v] = process_verdict(at, v);
	world_inject(at, &from, to, p, len, 0);
	for (v = 0; v < V_COUNT; v++)
		if (process_verdict(at, v) != before[v])
			return v;
	return V_COUNT;
}

static unsigned to_relay(struct lab *l, const struct common_key *key, const struct id *id,
			 enum verdict want)
{
	struct process *trs = l->relay[0].trs;
	struct msg_relay_request q = { .expiry = cloud_now(l) + 60000 };
	struct msg_probe_request probe = { .family = 4, .port = 53, .ip = { 203, 0, 113, 99 } };
	uint8_t body[DATAGRAM_MAX];
	struct session s;
	unsigned good;

	q.path.b[0] = q.initiator.b[0] = 1;
	probe.node_id = *id;
	session_common(&s, key, id, true);
	good = ends_in(l, trs, &trs_at, &s, TYPE_RELAY_REQUEST, body,
		       msg_write_relay_request(body, sizeof body, &q)) == want;
	good += ends_in(l, trs, &trs_at, &s, TYPE_PROBE_REQUEST, body,
			msg_write_probe_request(body, sizeof body, &probe)) == want;
	session_free(&s);
	return good;
}

static unsigned to_nms(struct lab *l, const struct common_key *key, const struct id *id,
		       enum verdict want)
{
	static const uint8_t types[] = { TYPE_REGISTRATION_REQUEST, TYPE_KEEP_ALIVE, TYPE_RELAY_REPORT,
					 TYPE_RELAY_RESPONSE, TYPE_VANTAGE_REPORT, TYPE_DIRECTION_REQUEST,
					 TYPE_ROUTE_CONFIRMATION, TYPE_VANTAGE_REQUEST };
	struct addr nms = { .family = 4, .ip = { 192, 0, 2, 1 }, .port = 4501 };
	uint8_t body[64] = { 0 };
	struct session s;
	unsigned i, good = 0;

	session_common(&s, key, id, false);
	for (i = 0; i < ARRAY_SIZE(types); i++)
		good += ends_in(l, l->nms, &nms, &s, types[i], body, sizeof body) == want;
	session_free(&s);
	return good;
}

static unsigned to_node(struct lab *l, struct computer *c, const struct common_key *key)
{
	static const uint8_t types[] = { TYPE_ROUTE_DIRECTION_R, TYPE_ROUTE_DIRECTION_I, TYPE_PATH_LOST,
					 TYPE_REFUSAL, TYPE_NODE_INFO_RESPONSE, TYPE_VANTAGE_RESPONSE,
					 TYPE_REGISTRATION_RESPONSE, TYPE_KEEP_ALIVE_ACK };
	struct addr to = c->host->ip4;
	uint8_t body[200] = { 0 };
	struct session s;
	unsigned i, good = 0;

	to.port = 4503;
	session_common(&s, key, &c->node_id, true);
	for (i = 0; i < ARRAY_SIZE(types); i++)
		good += ends_in(l, c->node, &to, &s, types[i], body, sizeof body) == V_DROP_TAG;
	session_free(&s);
	return good;
}

static void words_of_others(void)
{
	struct lab *l = start(661, 3);
	struct computer *a = &l->computer[0], *b = &l->computer[1], *m = &l->computer[2];
	struct common_key wrong = { { 6, 6, 6 } }, own;
	struct registration before[2], after[2];
	struct insider her;
	struct device d;
	struct nms *nms = l->nms->seat[0].self;
	unsigned sent, relays;
	uint8_t body[DATAGRAM_MAX];
	struct msg_relay_report report = { .other_port = 3478 };
	struct msg_relay_response response = { .result = 0 };
	struct addr at;

	ok(lab_start_all(l, 10 * SEC) && computer_ping(a, b, 4, 3 * SEC), "two talk, and a third is a member");
	world_run(l->world, 5 * SEC);
	insider_open(&her, m);
	device_by_id(l->store, &m->node_id, &d);
	own = d.common_key;
	registration_get(l->store, &a->node_id, &before[0]);
	registration_get(l->store, &l->relay[0].node_id, &before[1]);
	sent = l->world->sent;
	ok(to_relay(l, &wrong, &l->relay[0].node_id, V_DROP_TAG) == 2 &&
	   to_relay(l, &own, &l->relay[0].node_id, V_DROP_TAG) == 2 &&
	   to_relay(l, &own, &m->node_id, V_DROP_STRANGER) == 2,
	   "a relay takes no Relay Request and no Probe Request under another key, nor under a member's");
	ok(to_nms(l, &wrong, &a->node_id, V_DROP_TAG) == 8 &&
	   to_nms(l, &wrong, &l->relay[0].node_id, V_DROP_TAG) == 8 &&
	   to_nms(l, &own, &l->relay[0].node_id, V_DROP_TAG) == 8 &&
	   to_nms(l, &own, &a->node_id, V_DROP_TAG) == 8,
	   "the NMS takes nothing in the name of a node or a relay under another key, nor under a member's");
	ok(to_node(l, a, &wrong) == 8 && to_node(l, a, &own) == 8,
	   "a node takes no word of the NMS under another key, nor under a member's");
	at = m->host->ip4;
	at.port = 4503;
	relays = nms->relays.n;
	insider_says(&her, &at, TYPE_RELAY_REPORT, body, msg_write_relay_report(body, sizeof body, &report), 0);
	insider_says(&her, &at, TYPE_RELAY_RESPONSE, body,
		     msg_write_relay_response(body, sizeof body, &response), 0);
	ok(nms->relays.n == relays && !her.len && process_verdict(l->nms, V_DROP_STATE) >= 2,
	   "under her own name she is no relay");
	ok(l->world->sent == sent, "and nobody has answered any of it");
	world_run(l->world, 100 * MS);
	registration_get(l->store, &a->node_id, &after[0]);
	registration_get(l->store, &l->relay[0].node_id, &after[1]);
	ok(!memcmp(before, after, sizeof before) && computer_ping(b, a, 6, SEC), "nothing has changed");
	insider_close(&her);
	lab_free(l);
}

/* ---- addresses that are not hers ---- */

#define PLACES 64

/* Whom computer a writes to, the services aside. */
struct calls {
	const struct process *by;
	unsigned n;
	struct toll toll[PLACES];
};

static struct calls calls;

static enum fate follow(void *arg, const struct datagram *d)
{
	struct calls *c = &calls;
	unsigned i;

	if (d->stream || d->sender != c->by)
		return PASS;
	for (i = 0; i < c->n && !addr_equal(&c->toll[i].at, &d->to); i++)
		;
	if (i == PLACES)
		return PASS;
	if (i == c->n)
		c->toll[c->n++] = (struct toll){ .at = d->to, .by_port = true };
	toll_take(&c->toll[i], d);
	return PASS;
}

/* The insider's ear stays at the line. */
static struct insider *ear;
static spy_fn *ear_fn;

static enum fate both(void *arg, const struct datagram *d)
{
	follow(arg, d);
	return ear_fn(ear, d);
}

static const struct toll *called(const char *text)
{
	char ip[ADDR_TEXT];
	const char *hash = strrchr(text, '#');
	struct addr a;
	unsigned i;

	snprintf(ip, sizeof ip, "%.*s", (int)(hash - text), text);
	ip_parse(&a, ip, (uint16_t)atoi(hash + 1));
	for (i = 0; i < calls.n; i++)
		if (addr_equal(&calls.toll[i].at, &a))
			return &calls.toll[i];
	return NULL;
}

static const char *const nobody[][4] = {
	{ "127.0.0.1#53", "224.0.0.1#5353", "198.18.0.3#80", "0.0.0.0#1" },
	{ "255.255.255.255#67", "169.254.1.1#80", "::1#53", "ff02::1#5353" },
	{ "fe80::1#53", "64:ff9b::7f00:1#53", "2002:7f00:1::1#53", "::#53" },
	{ "240.0.0.1#53", "239.255.255.250#1900", "198.19.255.255#9", "127.255.0.9#4501" },
};
static const char *const victims[4] = { "203.0.113.99#53", "192.0.2.1#4501", "8.8.8.8#53",
					"2001:db8:9::9#53" };
static const char *const lan[4] = { "192.168.1.77#53", "192.168.1.78#80", "192.168.1.1#1900",
				    "10.9.9.9#53" };

/* The computer is behind a NAPT; she is seen at its address, or elsewhere. */
struct ambush {
	struct lab *l;
	struct computer *a;
	struct insider her;
	struct addr at;
};

static bool ambush(struct ambush *x, uint64_t seed, bool same)
{
	struct lab *l = x->l = start(seed, 2);
	bool good;

	x->a = &l->computer[0];
	lab_behind(x->a, lab_napt(l, PORT_RESTRICTED, "203.0.113.50", NULL), "192.168.1.2", NULL);
	good = lab_start_all(l, 10 * SEC);
	world_run(l->world, 5 * SEC);
	insider_open(&x->her, &l->computer[1]);
	ip_parse(&x->at, same ? "203.0.113.50" : "203.0.113.2", 5555);
	memset(&calls, 0, sizeof calls);
	calls.by = x->a->node;
	ear = &x->her;
	ear_fn = l->world->spy;
	l->world->spy = both;
	x->her.spent = 0;
	return good;
}

/* Registers these, and has a path made; for a minute computer a wants to talk to her. */
static bool lure(struct ambush *x, const char *const real[4], bool asks)
{
	unsigned i;
	bool good = insider_registers(&x->her, &x->at, real, true);

	if (asks)
		insider_asks(&x->her, &x->at, x->a);
	for (i = 0; i < 60; i++) {
		computer_ping_send(x->a, x->l->computer[1].ip4, 4, 1);
		world_run(x->l->world, SEC);
		if (i % 15 == 14)
			good &= insider_registers(&x->her, &x->at, real, false);
	}
	return good;
}

static void not_hers(bool same)
{
	struct ambush x;
	unsigned i, k, bad = 0, tried = 0, paths = 0;
	bool good = ambush(&x, 670 + same, same);

	for (i = 0; i < ARRAY_SIZE(nobody); i++) {
		good &= lure(&x, nobody[i], i & 1);
		paths += any_tunnel(x.a) != NULL;
	}
	good &= lure(&x, victims, true);
	for (i = 0; i < ARRAY_SIZE(nobody); i++)
		for (k = 0; k < 4; k++, tried++)
			if (called(nobody[i][k])) {
				bad++;
				diag("called: %s", nobody[i][k]);
			}
	ok(good, "%s, she registers %u addresses that are nobody's, and %zu victims'",
	   same ? "seen behind the same NAPT as another" : "seen elsewhere", tried, ARRAY_SIZE(victims));
	ok(!bad, "nobody is called at loopback, multicast, broadcast, link-local, the virtual range");
	for (i = bad = 0; i < 4; i++)
		bad += i != 1 && called(victims[i]);
	ok(!bad, "nor at a victim's public address");
	for (i = 0; i < calls.n; i++) {
		char text[ADDR_TEXT];

		diag("called in %u minutes: %s, %u datagrams, %u octets", 5, addr_text(text, &calls.toll[i].at),
		     calls.toll[i].datagrams, calls.toll[i].octets);
	}
	insider_close(&x.her);
	lab_free(x.l);
}

static void in_the_lan(bool same)
{
	struct ambush x;
	unsigned i, datagrams = 0, octets = 0, most = 0;
	bool good = ambush(&x, 680 + same, same);

	good &= lure(&x, lan, true);
	for (i = 0; i < 4; i++) {
		const struct toll *t = called(lan[i]);

		datagrams += t ? t->datagrams : 0;
		octets += t ? t->octets : 0;
		most = MAX(most, t ? t->datagrams : 0);
	}
	diag("four in the LAN are named, %s: %u datagrams and %u octets to them in a minute; she spent %"
	     PRIu64, same ? "behind the same NAPT" : "from elsewhere", datagrams, octets, x.her.spent);
	if (same)
		ok(good && most <= 200, "to one that she names in the other's LAN come %u datagrams a minute at most",
		   most);
	else
		ok(good && !datagrams, "from elsewhere she can name nobody in the other's LAN");
	insider_close(&x.her);
	lab_free(x.l);
}

/* Again and again: each time it is a path that begins, which the other does not want. */
static void over_and_over(uint64_t gap, bool dear)
{
	struct ambush x;
	unsigned i, octets = 0, datagrams = 0;
	bool good = ambush(&x, 690, true);

	for (i = 0; i < 60 * SEC / gap; i++) {
		good &= insider_registers(&x.her, &x.at, lan, true);
		insider_asks(&x.her, &x.at, x.a);
		world_run(x.l->world, gap);
	}
	for (i = 0; i < 4; i++) {
		const struct toll *t = called(lan[i]);

		datagrams += t ? t->datagrams : 0;
		octets += t ? t->octets : 0;
	}
	ok(good && (dear ? octets <= x.her.spent : datagrams <= 3 * 120),
	   "who asks every %.1f s for a minute spends %" PRIu64 " octets; those in the LAN get %u datagrams, "
	   "%u octets: %s", (double)gap / SEC, x.her.spent, datagrams, octets,
	   dear ? "less" : "120 datagrams each at most");
	insider_close(&x.her);
	lab_free(x.l);
}

/* ---- Hole Punchings from a victim's address ---- */

static void spoofed(const char *what, unsigned n, unsigned victims_n, uint64_t gap, unsigned per,
		    unsigned more)
{
	struct lab *l = start(695, 2);
	struct computer *a = &l->computer[0], *m = &l->computer[1];
	struct msg_punch punch = { .challenge = 66 };
	struct addr at, v = { .family = 4, .ip = { 198, 51, 100 }, .port = 53 };
	uint8_t body[MSG_SIZE_punch], p[DATAGRAM_MAX];
	unsigned i, octets = 0, datagrams = 0, spent = 0;
	struct session s;

	lab_start_all(l, 10 * SEC);
	computer_ping(m, a, 4, 3 * SEC);
	world_run(l->world, SEC);
	memset(&calls, 0, sizeof calls);
	calls.by = a->node;
	l->world->spy = follow;
	at = a->host->ip4;
	at.port = 4503;
	for (i = 0; i < n; i++) {
		size_t len;

		s = any_tunnel(m)->signal;
		len = session_seal(&s, cloud_now(l), random_u32(), TYPE_HOLE_PUNCHING, 0, body,
				   msg_write_punch(body, sizeof body, &punch), p);
		any_tunnel(m)->signal.last = s.last;
		v.ip[3] = (uint8_t)(1 + i % victims_n);
		spent += (unsigned)len;
		mallory_says(l, &v, &at, p, len);
		world_run(l->world, gap);
	}
	world_run(l->world, 30 * SEC);
	for (i = 0; i < calls.n; i++)
		if (memcmp(calls.toll[i].at.ip, v.ip, 3) == 0) {
			datagrams += calls.toll[i].datagrams;
			octets += calls.toll[i].octets;
		}
	ok(datagrams >= n && datagrams <= per * n + more && computer_ping(m, a, 4, SEC),
	   "%s: %u datagrams for %u spoofed, %u octets for %u (%.2f times), at most %u each and %u more", what,
	   datagrams, n, octets, spent, (double)octets / spent, per, more);
	lab_free(l);
}

int main(void)
{
	words_of_others();
	not_hers(true);
	not_hers(false);
	in_the_lan(true);
	in_the_lan(false);
	over_and_over(100 * MS, true);
	over_and_over(SEC, false);
	over_and_over(15 * SEC, false);
	spoofed("one Hole Punching from a victim's address", 1, 1, SEC, 5, 0);
	spoofed("a hundred a second from one victim's", 1000, 1, 10 * MS, 2, 5);
	spoofed("a hundred a second from fifty victims'", 1000, 50, 10 * MS, 2, 5);
	spoofed("one a second from fifty victims'", 50, 50, SEC, 5, 0);
	return done();
}
