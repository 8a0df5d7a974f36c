/* A node whose NMS lies: names, addresses and paths are believed as far as certificates go. */
#include "t/tap.h"
#include "roles/node.h"
#include <unistd.h>

#define NOW_S ((uint64_t)1800000000)
#define DOMAIN "lab.internal"

struct device {
	char fqdn[NAME_SIZE];
	struct identity who;
	uint8_t ip4[4], ip6[16], cert[CERT_MAX];
	size_t cert_len;
	struct id id;
};

struct scene {
	char dir[32], err[256];
	struct ca *ca;
	struct trust *trust;
	struct device self, x, y;
	struct node *n;
	struct now now;
	struct outbox out;
	unsigned unreachable;		/* ICMP to our own programs */
	unsigned requests;		/* to the NMS, and to candidates */
	uint8_t candidate[4][16];	/* for route(): others than the usual */
	uint8_t candidates_n;
};

static void flush(struct outbox *out)
{
	struct scene *s = out->owner;
	unsigned i;

	for (i = 0; i < out->n; i++) {
		s->unreachable += out->item[i].kind == OUT_TUN;
		s->requests += out->item[i].kind == OUT_DATAGRAM;
	}
	out->n = 0;
	out->used = 0;
}

static void device_make(struct scene *s, struct device *d, const char *label, uint8_t number)
{
	uint8_t csr[2048];
	size_t n;

	snprintf(d->fqdn, sizeof d->fqdn, "%s." DOMAIN, label);
	node_id_of(&d->id, d->fqdn);
	memcpy(d->ip4, (uint8_t[]){ 198, 18, 0, number }, 4);
	memset(d->ip6, 0xfd, 15);
	d->ip6[15] = number;
	identity_make(&d->who);
	n = identity_csr(&d->who, d->fqdn, csr, sizeof csr);
	d->cert_len = ca_issue(s->ca, (struct bytes){ csr, n }, d->fqdn, d->ip4, d->ip6, false,
			       NOW_S - 60, NOW_S + 86400, d->cert, s->err);
}

/* One CA and three devices serve all tests; each has a node of its own. */
static void scene_make(struct scene *s)
{
	strcpy(s->dir, "/tmp/nms-test.XXXXXX");
	if (!mkdtemp(s->dir) || !(s->ca = ca_open(s->dir, DOMAIN, NOW_S, s->err)))
		exit(99);
	device_make(s, &s->self, "self", 1);
	device_make(s, &s->x, "x", 2);
	device_make(s, &s->y, "y", 3);
	s->trust = trust_new(ca_root(s->ca), ca_issuer(s->ca), s->err);
	s->out.scratch = malloc(OUTBOX_SCRATCH);
	s->out.flush = flush;
	s->out.owner = s;
	if (!s->self.cert_len || !s->x.cert_len || !s->y.cert_len || !s->trust || !s->out.scratch)
		exit(99);
}

static void scene_free(struct scene *s)
{
	char command[64];

	snprintf(command, sizeof command, "rm -rf %s", s->dir);
	ok(system(command) == 0, "the CA's directory is removed");
	trust_free(s->trust);
	ca_free(s->ca);
	free(s->out.scratch);
}

/* Logged in and registered. */
static void node_begin(struct scene *s)
{
	static const struct tunnel_rules rules = {
		.suites = 1 << AEAD_AES128_GCM, .preferred = AEAD_AES128_GCM, .mtu = 1404,
		.rekey_after = 120 * SEC, .rekey_packets = 1 << 27, .idle = 300 * SEC,
		.punch = 60 * SEC,
	};
	struct registrar_setup setup = { .node_id = s->self.id, .keepalive = 15 * SEC, .nms_n = 1 };
	struct node *n = calloc(1, sizeof *n);

	if (!n)
		exit(99);
	s->n = n;
	s->now = (struct now){ .boot = 1000 * SEC, .wall = NOW_S * SEC };
	n->env.workers = 1;
	n->rules = rules;
	n->identity = s->self.who;
	n->known = n->registering = true;
	n->trust = s->trust;
	n->node_id = n->self.node_id = s->self.id;
	memcpy(n->self.ip4, s->self.ip4, 4);
	memcpy(n->self.ip6, s->self.ip6, 16);
	cloud_guess(&n->cloud, s->now, 0);
	table_init(&n->peers4);
	table_init(&n->peers6);
	table_init(&n->paths);
	ip_parse(&setup.nms[0], "192.0.2.1", 4501);
	registrar_start(&n->registrar, &setup, &n->cloud, s->now);
	n->registrar.way[0].confirmed = true;
	s->unreachable = s->requests = 0;
}

static void node_end(struct scene *s)
{
	struct node *n = s->n;

	flush(&s->out);
	paths_close_all(n, s->now, false, NULL);
	peers_close(n);
	table_free(&n->peers4);
	table_free(&n->peers6);
	table_free(&n->paths);
	registrar_free(&n->registrar);
	timers_free(&n->timers);
	free(n);
}

/* ---- what happens to the node ---- */

static enum verdict packet_to(struct scene *s, const struct device *d, unsigned family)
{
	static uint8_t room[HEADROOM + 60 + TAILROOM];
	uint8_t *p = room + HEADROOM;
	size_t n = family == 4 ? 4 : 16;
	enum verdict v;

	memset(p, 0, 60);
	p[0] = family == 4 ? 0x45 : 0x60;
	p[family == 4 ? 3 : 5] = 20;
	p[6] = family == 4 ? 0 : 59;
	memcpy(p + (family == 4 ? 12 : 8), family == 4 ? s->self.ip4 : s->self.ip6, n);
	memcpy(p + (family == 4 ? 16 : 24), family == 4 ? d->ip4 : d->ip6, n);
	v = peers_packet(s->n, s->now, p, family == 4 ? 20 : 60, &s->out);
	flush(&s->out);
	return v;
}

static enum verdict signal(struct scene *s, uint8_t type, uint32_t transaction, const void *body,
			   size_t n)
{
	struct msg_header h = { .type = type, .transaction = transaction };
	enum verdict v = peers_signal(s->n, s->now, &h, (struct bytes){ body, n }, &s->out);

	flush(&s->out);
	return v;
}

/* The transaction of the question about this address (family 0: name) that is out. */
static uint32_t question(const struct scene *s, uint8_t family, const void *what)
{
	const struct query *q;

	for (q = s->n->queries; q; q = q->next)
		if (q->family == family && (family ? !memcmp(q->ip, what, family == 4 ? 4 : 16) :
						     !strcmp(q->name, what)))
			return q->exchange.transaction;
	return 0;
}

static enum verdict info(struct scene *s, uint32_t transaction, const char *fqdn,
			 const uint8_t *ip4, const uint8_t *ip6)
{
	struct msg_node_info_response m;
	uint8_t body[MSG_MAX_node_info_response];

	memset(&m, 0, sizeof m);
	strcpy(m.fqdn, fqdn);
	node_id_of(&m.node_id, fqdn);
	memcpy(m.ip4, ip4, 4);
	memcpy(m.ip6, ip6, 16);
	return signal(s, TYPE_NODE_INFO_RESPONSE, transaction, body,
		      msg_write_node_info_response(body, sizeof body, &m));
}

static enum verdict route(struct scene *s, bool initiator, uint8_t path, const struct device *d)
{
	struct msg_route_direction m;
	uint8_t body[DATAGRAM_MAX];
	unsigned i;

	memset(&m, 0, sizeof m);
	memset(m.path.b, path, 16);
	m.pattern = 1;
	m.initiator = initiator;
	m.expiry = NOW_S * 1000 + 86400000;
	m.peer_id = d->id;
	memcpy(m.ip4, d->ip4, 4);
	memcpy(m.ip6, d->ip6, 16);
	m.certificate = (struct bytes){ d->cert, d->cert_len };
	m.candidates_n = 1;
	m.candidates[0] = (struct msg_address){ .kind = 2, .family = 4, .port = 4503,
						.ip = { 10, 0, 0, 9 } };
	for (i = 0; i < s->candidates_n; i++) {
		m.candidates[i] = m.candidates[0];
		memcpy(m.candidates[i].ip, s->candidate[i], 16);
	}
	m.candidates_n = MAX(m.candidates_n, s->candidates_n);
	return signal(s, initiator ? TYPE_ROUTE_DIRECTION_I : TYPE_ROUTE_DIRECTION_R, 77, body,
		      msg_write_route_direction(body, sizeof body, &m));
}

static enum peer_state state_of(const struct scene *s, const struct device *d)
{
	const struct peer *p = peer_by_ip(s->n, 4, d->ip4);

	return p ? p->state : PEER_IDLE;
}

static void wait(struct scene *s, uint64_t us)
{
	uint64_t end = s->now.boot + us;
	struct timer *t;

	while (timers_next(&s->n->timers) <= end) {
		s->now.boot = timers_next(&s->n->timers);
		while ((t = timers_due(&s->n->timers, s->now.boot))) {
			struct alarm *a = TIMER_OWNER(t, struct alarm, timer);

			if (a->kind == ALARM_PEER)
				peers_alarm(s->n, s->now, TIMER_OWNER(a, struct peer, alarm), &s->out);
			else if (a->kind == ALARM_QUERY)
				peers_query_alarm(s->n, s->now, TIMER_OWNER(a, struct query, alarm),
						  &s->out);
			else
				paths_alarm(s->n, s->now, TIMER_OWNER(a, struct path, alarm), &s->out);
			flush(&s->out);
		}
	}
	s->now.boot = end;
}

/* As the path's owner would, had the other end answered. */
static void path_up(struct scene *s, uint8_t path)
{
	struct node_note note = { .kind = NODE_UP };

	memset(note.path.b, path, 16);
	peers_note(s->n, s->now, 0, &note, &s->out);
	flush(&s->out);
}

static void connect_to(struct scene *s, const struct device *d, uint8_t path)
{
	packet_to(s, d, 4);
	info(s, question(s, 4, d->ip4), d->fqdn, d->ip4, d->ip6);
	route(s, true, path, d);
}

/* ---- stories ---- */

static void one_device_two_addresses(struct scene *s)
{
	struct peer *p;

	node_begin(s);
	packet_to(s, &s->x, 4);
	packet_to(s, &s->x, 6);
	ok(s->n->queries_n == 2 && peer_by_ip(s->n, 4, s->x.ip4) != peer_by_ip(s->n, 6, s->x.ip6),
	   "packets to two unknown addresses are two questions");
	info(s, question(s, 6, s->x.ip6), s->x.fqdn, s->x.ip4, s->x.ip6);
	p = peer_by_ip(s->n, 4, s->x.ip4);
	ok(p && p == peer_by_ip(s->n, 6, s->x.ip6) && p->held_n == 2 && p->state == PEER_ASKING,
	   "the answer to one makes them one peer, which holds both packets");
	info(s, question(s, 4, s->x.ip4), s->x.fqdn, s->x.ip4, s->x.ip6);
	ok(route(s, true, 1, &s->x) == V_ANSWERED && state_of(s, &s->x) == PEER_OPENING,
	   "and the Route Direction brings its path");
	node_end(s);
}

static void false_answers(struct scene *s)
{
	uint32_t t;

	node_begin(s);
	nms_ask(s->n, s->now, s->y.fqdn, 0, NULL, true, &s->out);
	t = question(s, 0, s->y.fqdn);
	ok(info(s, t, s->x.fqdn, s->x.ip4, s->x.ip6) == V_DROP_BODY && s->n->queries_n == 1,
	   "an answer about another name is none");
	ok(info(s, t, s->y.fqdn, s->x.ip4, s->x.ip6) == V_ANSWERED && state_of(s, &s->x) == PEER_ASKING,
	   "a name may be given another's address as long as nobody proved it his");
	ok(route(s, true, 1, &s->x) == V_ANSWERED && state_of(s, &s->x) == PEER_IDLE &&
	   s->n->paths.n == 0, "but a path to the other, though certified, is not taken for it");
	node_end(s);

	node_begin(s);
	packet_to(s, &s->y, 4);
	ok(info(s, question(s, 4, s->y.ip4), s->x.fqdn, s->x.ip4, s->x.ip6) == V_DROP_BODY,
	   "an answer about another address is none either");
	connect_to(s, &s->x, 1);
	nms_ask(s->n, s->now, s->y.fqdn, 0, NULL, true, &s->out);
	ok(info(s, question(s, 0, s->y.fqdn), s->y.fqdn, s->x.ip4, s->x.ip6) == V_DROP_BODY,
	   "a certified address is given to no other name");
	node_end(s);
}

static void stolen_traffic(struct scene *s)
{
	struct peer *p;

	node_begin(s);
	packet_to(s, &s->x, 4);
	info(s, question(s, 4, s->x.ip4), s->x.fqdn, s->x.ip4, s->y.ip6);
	route(s, true, 1, &s->x);
	p = peer_by_ip(s->n, 6, s->x.ip6);
	ok(p && p == peer_by_ip(s->n, 4, s->x.ip4) && !peer_by_ip(s->n, 6, s->y.ip6),
	   "a peer is found by the addresses of its certificate, whatever was said before");
	path_up(s, 1);
	p = peer_by_ip(s->n, 4, s->x.ip4);
	peer_link(s->n, p, s->y.ip4, NULL);
	ok(packet_to(s, &s->y, 4) == V_DROP_SOURCE,
	   "even if it were not, what is for one peer is not sealed for another");
	node_end(s);
}

static void reused_paths(struct scene *s)
{
	node_begin(s);
	connect_to(s, &s->x, 1);
	packet_to(s, &s->y, 4);
	info(s, question(s, 4, s->y.ip4), s->y.fqdn, s->y.ip4, s->y.ip6);
	ok(route(s, true, 1, &s->y) == V_DROP_STATE && s->n->paths.n == 1 &&
	   state_of(s, &s->y) == PEER_ASKING, "the Path ID of one peer is not taken for another");
	ok(route(s, true, 0, &s->y) == V_DROP_BODY, "nor a Path ID of zeros");
	ok(route(s, true, 1, &s->x) == V_ANSWERED && s->n->paths.n == 1,
	   "the same Route Direction again is confirmed again");
	ok(route(s, true, 2, &s->y) == V_ANSWERED && s->n->paths.n == 2, "a path of its own is taken");
	node_end(s);
}

static void wrong_people(struct scene *s)
{
	struct device d = s->x;

	node_begin(s);
	ok(route(s, true, 1, &s->x) == V_DROP_STATE && !s->n->peers4.n,
	   "nobody is called who was not asked for");
	memcpy(d.cert, s->y.cert, s->y.cert_len);
	d.cert_len = s->y.cert_len;
	ok(route(s, false, 1, &d) == V_ANSWERED && s->n->bad_peers == 1, "another's certificate is refused");
	d = s->x;
	d.ip6[15] ^= 1;
	route(s, false, 1, &d);
	d = s->x;
	memset(d.ip4, 0, 4);
	route(s, false, 1, &d);
	d = s->x;
	d.id = s->y.id;
	route(s, false, 1, &d);
	route(s, false, 1, &s->self);
	ok(s->n->bad_peers == 5 && !s->n->peers4.n && !s->n->peers6.n && !s->n->paths.n,
	   "so are other addresses, no address, another's Node ID, and one's own certificate");
	ok(route(s, false, 1, &s->x) == V_ANSWERED && state_of(s, &s->x) == PEER_OPENING,
	   "the true one is let in");
	node_end(s);
}

static void odd_places(struct scene *s)
{
	static const char *const odd[] = { "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.9" };
	struct addr a;
	unsigned i;

	node_begin(s);
	memcpy(s->n->net4, s->self.ip4, 4);
	s->n->bits4 = 15;
	packet_to(s, &s->x, 4);
	info(s, question(s, 4, s->x.ip4), s->x.fqdn, s->x.ip4, s->x.ip6);
	s->candidates_n = 0;
	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		ip_parse(&a, odd[i], 4503);
		memcpy(s->candidate[s->candidates_n++], a.ip, 16);
	}
	s->requests = 0;
	route(s, true, 1, &s->x);
	ok(s->requests == 1, "nobody is called at a crowd's, or at a virtual address");
	s->candidates_n = 0;
	node_end(s);
}

static void failed_look(struct scene *s)
{
	struct msg_node_info_response m = { .result = REASON_INTERNAL };
	uint8_t body[MSG_MAX_node_info_response];
	size_t n = msg_write_node_info_response(body, sizeof body, &m);

	node_begin(s);
	connect_to(s, &s->x, 1);
	path_up(s, 1);
	nms_ask(s->n, s->now, "", 4, s->x.ip4, false, &s->out);
	ok(signal(s, TYPE_NODE_INFO_RESPONSE, question(s, 4, s->x.ip4), body, n) == V_ANSWERED &&
	   state_of(s, &s->x) == PEER_UP, "a failed look at the directory does not end a path");
	node_end(s);
}

static void lost_words(struct scene *s)
{
	node_begin(s);
	connect_to(s, &s->x, 1);
	path_up(s, 1);
	paths_close_all(s->n, s->now, false, NULL);
	wait(s, 2 * SEC);
	ok(state_of(s, &s->x) == PEER_UP && packet_to(s, &s->x, 4) == V_DROP_STATE &&
	   state_of(s, &s->x) == PEER_ASKING,
	   "when the word of a path's end was lost, the next packet asks for a new one");
	route(s, true, 2, &s->x);
	paths_close_all(s->n, s->now, false, NULL);
	wait(s, OPEN_TIMEOUT + SEC);
	ok(state_of(s, &s->x) == PEER_IDLE, "a path nobody makes is not waited for for ever");
	node_end(s);
}

static void crowds(struct scene *s)
{
	struct device d = s->x;
	unsigned i;

	node_begin(s);
	s->n->registering = false;
	for (i = 0; i < PEERS_MAX; i++) {
		put32(d.ip4, 0xc6130000u + i);
		packet_to(s, &d, 4);
	}
	ok(s->n->peers4.n == PEERS_MAX && packet_to(s, &s->y, 4) == V_DROP_LIMIT,
	   "while the NMS cannot be asked, only so many addresses are remembered");
	wait(s, 4 * SEC);
	ok(s->n->peers4.n == 0 && s->unreachable == PEERS_MAX, "for as long as their packets are held");
	s->n->registering = true;
	for (i = 0; i < PEERS_MAX; i++) {
		struct peer *p = peer_new(s->n);

		strcpy(p->fqdn, "old." DOMAIN);
		p->sought = i;
		put32(d.ip4, 0xc6130000u + i);
		peer_link(s->n, p, d.ip4, NULL);
	}
	ok(packet_to(s, &s->y, 4) == V_HELD && s->n->peers4.n == PEERS_MAX,
	   "and those long gone make room for new ones");
	put32(d.ip4, 0xc6130000u);
	ok(!peer_by_ip(s->n, 4, d.ip4), "the oldest first");
	node_end(s);
}

int main(void)
{
	struct scene s = { .now = { 0, 0 } };

	scene_make(&s);
	one_device_two_addresses(&s);
	false_answers(&s);
	stolen_traffic(&s);
	reused_paths(&s);
	wrong_people(&s);
	odd_places(&s);
	failed_look(&s);
	lost_words(&s);
	crowds(&s);
	scene_free(&s);
	return done();
}
