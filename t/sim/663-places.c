/*
 * 663-places.c - every address of the table, good and bad, by every door at which somebody may
 * name one: a node's registration, the NMS's Route Direction, its Probe Request and its Vantage
 * Response.  Only a host's place in the real network is ever written to.
 */
#include "net/proto/register.h"
#include "net/proto/vantage_point.h"
#include "roles/nms_way.h"
#include "t/sim/mallory.h"
#include "t/sim/peek.h"
#include "t/tap.h"
#include <arpa/inet.h>

#define PORT 4999
#define AT_ONCE 6

static const struct place_named {
	const char *ip;
	bool usable, private, loopback;
} places[] = {
#define PLACE(ip, usable, private, loopback) { ip, usable, private, loopback },
#include "t/unit/places.h"
#undef PLACE
	{ "198.18.0.0", true, false, false }, { "198.19.255.255", true, false, false },
	{ "198.18.0.3", true, false, false },
};

static struct addr parse(const char *text)
{
	struct addr a = { .port = PORT };

	if (inet_pton(AF_INET, text, a.ip) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, text, a.ip) == 1)
		a.family = 6;
	return a;
}

static bool is_virtual(const struct lab *l, const struct addr *a)
{
	return prefix_has(a->family == 4 ? &l->conf.virtual4 : &l->conf.virtual6, a->ip);
}

/* ---- who is written to ---- */

struct written {
	const struct process *by;
	uint8_t at[ARRAY_SIZE(places)];
};

static enum fate follow(void *arg, const struct datagram *d)
{
	struct written *w = arg;
	unsigned i;

	if (d->stream || d->sender != w->by || d->to.port != PORT)
		return PASS;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		struct addr a = parse(places[i].ip);

		if (addr_equal(&a, &d->to))
			w->at[i] = 1;
	}
	return PASS;
}

static unsigned wrong(const struct lab *l, const struct written *w, unsigned *good)
{
	unsigned i, n = 0;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		struct addr a = parse(places[i].ip);
		bool want = places[i].usable && !is_virtual(l, &a);

		*good += want && w->at[i];
		if (want == w->at[i])
			continue;
		n++;
		diag("%s is %s", places[i].ip, w->at[i] ? "written to" : "not written to");
	}
	return n;
}

/* ---- the doors ---- */

static struct session as_nms(struct lab *l, const struct id *id)
{
	struct session s;
	struct device d;

	if (device_by_id(l->store, id, &d) != STORE_OK)
		exit(99);
	session_common(&s, &d.common_key, id, true);
	s.last = cloud_now(l) + 50;		/* none of the NMS's own numbers */
	return s;
}

static void say(struct lab *l, struct session *s, struct process *at, const struct addr *to, uint8_t type,
		const void *body, size_t n)
{
	struct addr nms = { .family = 4, .ip = { 192, 0, 2, 1 }, .port = 4501 };
	uint8_t p[DATAGRAM_MAX];

	n = session_seal(s, cloud_now(l), random_u32(), type, token_now(l), body, n, p);
	world_inject(at, &nms, to, p, n, 0);
	world_run(l->world, 20 * MS);
}

/* Six at a time, in turn as the peer's own, its mapped and the relay's. */
static void route_directions(struct lab *l)
{
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	struct session s = as_nms(l, &a->node_id);
	struct written w = { .by = a->node };
	struct addr to = a->host->ip4;
	struct device d;
	uint8_t body[MSG_MAX_route_direction];
	unsigned i, k, good = 0, bad;

	to.port = 4503;
	l->world->spy = follow;
	l->world->spy_arg = &w;
	device_by_id(l->store, &b->node_id, &d);
	for (i = 0; i < ARRAY_SIZE(places); i += AT_ONCE) {
		struct msg_route_direction m = { .pattern = 3, .expiry = cloud_now(l) + 60000,
			.peer_id = b->node_id, .families = 3, .relay = l->relay[0].node_id,
			.certificate = { d.cert, d.cert_len } };

		put32(m.path.b, i + 1);
		memcpy(m.ip4, b->ip4, 4);
		memcpy(m.ip6, b->ip6, 16);
		for (k = i; k < i + AT_ONCE && k < ARRAY_SIZE(places); k++) {
			struct addr place = parse(places[k].ip);

			m.candidates[m.candidates_n++] = address_part((uint8_t)(1 + k % 3), &place);
		}
		say(l, &s, a->node, &to, TYPE_ROUTE_DIRECTION_R, body,
		    msg_write_route_direction(body, sizeof body, &m));
	}
	bad = wrong(l, &w, &good);
	ok(!bad && good > 40, "of %zu in Route Directions a node writes to the %u that a host can have",
	   ARRAY_SIZE(places), good);
	session_free(&s);
}

static void probe_requests(struct lab *l)
{
	struct session s = as_nms(l, &l->relay[0].node_id);
	struct addr to = { .family = 4, .ip = { 192, 0, 2, 2 }, .port = 4502 };
	struct written w = { .by = l->relay[0].trs };
	uint8_t body[MSG_SIZE_probe_request];
	unsigned i, good = 0, bad;

	l->world->spy = follow;
	l->world->spy_arg = &w;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		struct addr place = parse(places[i].ip);
		struct msg_probe_request m = { .node_id = l->computer[0].node_id, .family = place.family,
					       .port = PORT };

		memcpy(m.ip, place.ip, sizeof m.ip);
		say(l, &s, l->relay[0].trs, &to, TYPE_PROBE_REQUEST, body,
		    msg_write_probe_request(body, sizeof body, &m));
	}
	bad = wrong(l, &w, &good);
	ok(!bad && good > 40, "nor does a relay that is to probe them");
	session_free(&s);
}

static bool names(const struct msg_address *out, unsigned n, const struct addr *a)
{
	while (n--) {
		struct addr b = address_of(&out[n]);

		if (addr_equal(&b, a))
			return true;
	}
	return false;
}

/* As a node's own beside us behind one NAPT, and as the one it is seen at. */
static void registrations(struct lab *l)
{
	struct registration to = { .confirmed = { 1, 1 }, .napt = { 1, 1 } }, peer, seen;
	struct msg_address out[CANDIDATES];
	unsigned i, own = 0, mapped = 0;

	ip_parse(&to.mapped[0], "203.0.113.50", 1);
	ip_parse(&to.mapped[1], "2001:db8:5::5", 1);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		struct addr a = parse(places[i].ip);
		bool host = places[i].usable && !is_virtual(l, &a);

		peer = seen = to;
		peer.real[peer.real_n++] = a;
		peer.mapped[0].port = peer.mapped[1].port = 2;
		seen.mapped[a.family == 6] = a;
		own += names(out, way_candidates(&l->conf, &to, &peer, NULL, out), &a) !=
		       (host && places[i].private);
		mapped += names(out, way_candidates(&l->conf, &to, &seen, NULL, out), &a) != host;
	}
	ok(!own, "the NMS tells of a node's own addresses those that mean something behind a NAPT");
	ok(!mapped, "and of those it is seen at none that is not a host's");
}

static void points(struct lab *l)
{
	unsigned i, bad = 0;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		struct addr a = parse(places[i].ip);
		struct msg_vantage_point m = { .port = PORT };
		struct vantage_point p;
		bool set;

		memcpy(m.ip, a.ip, sizeof m.ip);
		set = point_set(&p, &m, &l->computer[0].node_id, a.family);
		point_free(&p);
		if (set != (places[i].usable || places[i].loopback))
			diag("%s", places[i].ip);
		bad += set != (places[i].usable || places[i].loopback);
	}
	ok(!bad, "a node looks at its NAPT from a host's address, or its own host's");
}

int main(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 663, .computers = 2, .relays = 1 });

	ok(lab_start_all(l, 10 * SEC), "a domain");
	world_run(l->world, 3 * SEC);
	route_directions(l);
	probe_requests(l);
	registrations(l);
	points(l);
	lab_free(l);
	return done();
}
