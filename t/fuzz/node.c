/*
 * node.c - libFuzzer entry: a node's agent.  The first octet says how far it got: before its
 * login, logged in, registered, with a tunnel to a peer that it asked for or that asked for
 * it.  Then come messages of AS, NMS, peer, TUN device, resolver's clients and upstream, control
 * socket, and the passing of time.
 */
#include "crypto/cert.h"
#include "net/priv.h"
#include "net/proto/login.h"
#include "roles/node.h"
#include "store/config.h"
#include "store/state.h"
#include "t/fuzz/base/base.h"
#include "t/sim/random.h"

#define PEER_NAME "n1.cyphonic.internal"
#define CLOUD (FUZZ_WALL * 1000)
#define OWN_IP4 { 198, 18, 0, 5 }
#define PEER_IP4 { 198, 18, 0, 6 }

static struct config conf;
static struct msg_login_response login;
static struct msg_route_direction route;
static uint8_t certificate[2][CERT_MAX];
static struct addr nms, own, peer;

/* What was sent last, so that answers can fit. */
static struct last {
	uint32_t transaction, flow;
	uint32_t vantage;		/* what is asked of itself, between everything else */
	bool tun;
} last;

static void look(void *arg, const struct out_item *item)
{
	if (item->kind == OUT_DATAGRAM && item->port == PORT_MAIN)
		*(item->buf[6] == TYPE_VANTAGE_REQUEST ? &last.vantage : &last.transaction) =
			get32(item->buf);
	if (item->kind == OUT_CONNECT)
		last.flow = item->handle;
	if (item->kind == OUT_MASTER) {
		must(item->len == sizeof(struct priv_request));
		last.tun = true;
	}
	must(item->kind != OUT_WORKER && item->kind != OUT_HELPER);
}

/* ---- once: a CA, two nodes' certificates, what AS and NMS would say ---- */

static void issue(struct ca *ca, unsigned i, const struct identity *who, const char *name,
		  const uint8_t *ip4, const uint8_t *ip6, struct bytes *out)
{
	uint8_t csr[2048];
	char err[256];
	size_t n = identity_csr(who, name, csr, sizeof csr);

	out->p = certificate[i];
	out->n = ca_issue(ca, (struct bytes){ csr, n }, name, ip4, ip6, false, FUZZ_WALL - 60,
			  FUZZ_WALL + 86400, certificate[i], err);
	must(out->n);
}

static void describe_login(struct ca *ca, const struct identity *who)
{
	login = (struct msg_login_response){ .cipher = 1, .cloud_time = CLOUD,
		.expiry = CLOUD + 86400000, .common_key = { 1 }, .secret_common_value = { 2 },
		.ip4 = OWN_IP4, .ip6 = { 0xfd, [15] = 5 }, .net4 = { 198, 18 }, .bits4 = 15,
		.net6 = { 0xfd }, .bits6 = 64, .keepalive = 15000, .nms_n = 1,
		.issuer = ca_issuer(ca), .root = ca_root(ca) };
	login.nms[0] = address_part(3, &nms);
	strcpy(login.fqdn, "n0.cyphonic.internal");
	strcpy(login.domain, "cyphonic.internal");
	node_id_of(&login.node_id, login.fqdn);
	issue(ca, 0, who, login.fqdn, login.ip4, login.ip6, &login.certificate);
}

static void describe_route(struct ca *ca)
{
	struct identity who;

	route = (struct msg_route_direction){ .path = { { 9 } }, .pattern = 1,
		.tunnel_key = { 3 }, .temporary_key = { 4 }, .expiry = CLOUD + 3600000,
		.ip4 = PEER_IP4, .ip6 = { 0xfd, [15] = 6 }, .candidates_n = 1 };
	route.candidates[0] = address_part(2, &peer);
	node_id_of(&route.peer_id, PEER_NAME);
	identity_make(&who);
	issue(ca, 1, &who, PEER_NAME, route.ip4, route.ip6, &route.certificate);
}

static void start(void)
{
	char err[256] = "", text[4096];
	uint8_t pin[32];
	struct identity who;
	struct ca *ca;

	config_defaults(&conf);
	snprintf(conf.state, sizeof conf.state, "%s", fuzz_dir());
	snprintf(conf.node_password, sizeof conf.node_password, "%s", fuzz_file("horse\n", 6));
	strcpy(conf.node_account, "user0");
	strcpy(conf.node_device, "n0");
	ip_parse(&conf.node_as.a[0], "192.0.2.1", 4501);
	conf.node_as.n = 1;
	ip_parse(&conf.node_upstream.a[0], "192.0.2.53", 53);
	conf.node_upstream.n = 1;
	ip_parse(&nms, "192.0.2.1", 4501);
	ip_parse(&own, "192.0.2.5", 4503);
	ip_parse(&peer, "192.0.2.6", 4503);
	random_seed(11);
	ca = ca_open(fuzz_dir(), "cyphonic.internal", FUZZ_WALL, err);
	must(ca);
	sha256(pin, ca_root(ca).p, ca_root(ca).n);
	hex_text(conf.node_root, pin, sizeof pin);
	identity_make(&who);
	must(state_save(conf.state, "node.key", text, identity_write(&who, text, sizeof text)));
	describe_login(ca, &who);
	describe_route(ca);
}

/* ---- messages ---- */

struct run {
	struct node *n;
	struct now now;
	struct outbox *out;
	uint32_t number;
};

static void datagram(struct run *r, uint8_t *p, size_t n, const struct addr *from)
{
	struct batch in = { .from = *from, .to = own, .buf = p, .len = (uint32_t)n,
			    .seg = (uint16_t)n };

	role_node.input(r->n, r->now, &in, r->out);
	r->out->flush(r->out);
}

/* p: HEADER_SIZE octets free, the body, TAG_SIZE octets free; n counts them all. */
static void sealed(struct run *r, uint8_t type, uint8_t next, uint8_t *p, size_t n)
{
	/* types 2 and 21 under the Node ID: a TRS looks at our NAPT */
	bool signal = type_key(type) == KEY_COMMON || type == TYPE_ACK || type == TYPE_HOLE_PUNCHING;
	struct msg_header h = { .version = PROTO_VERSION, .type = type, .next = next,
				.length = (uint16_t)n, .transaction = last.transaction };

	if (type == TYPE_VANTAGE_RESPONSE)
		h.transaction = last.vantage;
	h.id = signal ? login.node_id : route.path;
	h.sequence = (uint32_t)(type == TYPE_CAPSULE ? 0 : CLOUD + (r->now.boot - 1000 * SEC) / MS);
	h.sequence += r->number++;
	if (type == TYPE_CAPSULE && !route.initiator)
		h.flags = 0;
	else if (type == TYPE_CAPSULE)
		h.flags = FLAG_DIRECTION;
	msg_write_header(p, HEADER_SIZE, &h);
	datagram(r, p, n, type_key(type) == KEY_COMMON ? &nms : &peer);
}

#define SAY(r, type, name, m) do { \
		uint8_t say_room[HEADROOM + HEADER_SIZE + MSG_MAX_##name + TAG_SIZE + TAILROOM]; \
		uint8_t *say_p = say_room + HEADROOM; \
		size_t say_n = msg_write_##name(say_p + HEADER_SIZE, MSG_MAX_##name, m); \
		sealed(r, type, 0, say_p, HEADER_SIZE + say_n + TAG_SIZE); \
	} while (0)

static void flow(struct run *r, enum flow_what what, enum port port, uint32_t handle,
		 struct bytes data)
{
	struct flow_event ev = { .what = what, .port = port, .handle = handle, .data = data };

	role_node.flow(r->n, r->now, &ev, r->out);
	r->out->flush(r->out);
}

static void tick(struct run *r, uint64_t most)
{
	uint64_t at = role_node.expiry(r->n);

	r->now.boot = MIN(MAX(r->now.boot, at), r->now.boot + most);
	role_node.tick(r->n, r->now, r->out);
	r->out->flush(r->out);
}

static void answer_tun(struct run *r, uint32_t failed)
{
	struct priv_answer a = { .kind = PRIV_TUN_UP, .failed = failed };
	struct note note = { .from = NOTE_MASTER, .data = { (uint8_t *)&a, sizeof a } };

	memset(a.text, 'x', sizeof a.text);
	role_node.note(r->n, r->now, &note, r->out);
}

/* ---- the way to a stage ---- */

static void log_in(struct run *r)
{
	static uint8_t p[HEADER_SIZE + MSG_MAX_login_response];
	size_t n = msg_write_login_response(p + HEADER_SIZE, sizeof p - HEADER_SIZE, &login);

	login_frame(p, HEADER_SIZE, TYPE_LOGIN_RESPONSE, &login.node_id, n);
	flow(r, FLOW_OPENED, PORT_MAIN, LOGIN_HANDLE, (struct bytes){ NULL, 0 });
	flow(r, FLOW_DATA, PORT_MAIN, LOGIN_HANDLE, (struct bytes){ p, HEADER_SIZE + n });
	must(r->n->known);
	answer_tun(r, 0);
	tick(r, 0);
}

static void enrol(struct run *r)
{
	struct msg_registration_response m = { .cloud_time = CLOUD, .challenge = 1, .family = 4,
					       .port = 4503, .ip = { 192, 0, 2, 5 } };
	struct msg_keep_alive_ack ack = { .cloud_time = CLOUD };
	unsigned i;

	for (i = 0; i < 2; i++) {
		SAY(r, TYPE_REGISTRATION_RESPONSE, registration_response, &m);
		tick(r, 0);
	}
	SAY(r, TYPE_KEEP_ALIVE_ACK, keep_alive_ack, &ack);
	must(registrar_ready(&r->n->registrar));
}

static void route_to_us(struct run *r)
{
	struct msg_tunnel_request m = { .node_id = route.peer_id };
	struct msg_offer offer = { .suites = 14, .mtu = 1404 };
	uint8_t priv[32];

	route.initiator = 0;
	SAY(r, TYPE_ROUTE_DIRECTION_R, route_direction, &route);
	must(r->n->paths.n == 1);
	x25519_make(m.noise, priv);
	msg_write_offer(m.noise + 32, MSG_SIZE_offer, &offer);
	SAY(r, TYPE_TUNNEL_REQUEST, tunnel_request, &m);
}

static void route_from_us(struct run *r)
{
	uint8_t room[HEADROOM + 40 + TAILROOM] = { 0 }, *packet = room + HEADROOM;
	struct batch in = { .buf = packet, .len = 28, .seg = 28 };
	struct msg_node_info_response info = { .node_id = route.peer_id, .ip4 = PEER_IP4,
					       .ip6 = { 0xfd, [15] = 6 } };
	struct msg_tunnel_response m = { .noise = { 0 } };
	struct msg_offer choice = { .suites = AEAD_AES128_GCM, .mtu = 1404 };
	uint8_t priv[32];

	packet[0] = 0x45;
	put16(packet + 2, 28);
	memcpy(packet + 12, login.ip4, 4);
	memcpy(packet + 16, route.ip4, 4);
	role_node.packets(r->n, r->now, &in, r->out);
	r->out->flush(r->out);
	tick(r, 0);
	strcpy(info.fqdn, PEER_NAME);
	SAY(r, TYPE_NODE_INFO_RESPONSE, node_info_response, &info);
	route.initiator = 1;
	SAY(r, TYPE_ROUTE_DIRECTION_I, route_direction, &route);
	must(r->n->paths.n == 1);
	x25519_make(m.noise, priv);
	msg_write_offer(m.noise + 32, MSG_SIZE_offer, &choice);
	/* the newest datagram was the Route Confirmation: the tunnel's own came before it */
	tick(r, SEC);
	SAY(r, TYPE_TUNNEL_RESPONSE, tunnel_response, &m);
}

/* ---- the input ---- */

static void signal_or_capsule(struct run *r, uint8_t op, struct fuzz_in *in)
{
	static const uint8_t types[] = { TYPE_CAPSULE, TYPE_REGISTRATION_RESPONSE,
		TYPE_KEEP_ALIVE_ACK, TYPE_ROUTE_DIRECTION_R, TYPE_ROUTE_DIRECTION_I,
		TYPE_NODE_INFO_RESPONSE, TYPE_REFUSAL, TYPE_TUNNEL_REQUEST, TYPE_TUNNEL_RESPONSE,
		TYPE_VANTAGE_RESPONSE, TYPE_ACK, TYPE_HOLE_PUNCHING };
	uint8_t next = fuzz_octet(in);
	struct fuzz_piece d = fuzz_framed(in, HEADER_SIZE, TAG_SIZE);

	sealed(r, types[(op >> 4) % ARRAY_SIZE(types)], next, d.p, d.n);
	fuzz_drop(&d);
}

static void stream(struct run *r, uint8_t op, struct fuzz_in *in)
{
	struct fuzz_piece d = fuzz_exact(in);
	struct bytes data = { d.p, d.n };
	enum flow_what what = (op & 0x30) == 0x30 ? FLOW_CLOSED : FLOW_DATA;

	switch (op >> 6) {
	case 0:
		flow(r, what, PORT_MAIN, LOGIN_HANDLE, data);
		break;
	case 1:
		flow(r, FLOW_OPENED, PORT_CTL, STREAM_ACCEPTED + 1, data);
		flow(r, FLOW_DATA, PORT_CTL, STREAM_ACCEPTED + 1, data);
		break;
	case 2:
		flow(r, FLOW_OPENED, PORT_DNS, STREAM_ACCEPTED + 2, data);
		flow(r, what, PORT_DNS, STREAM_ACCEPTED + 2, data);
		break;
	default:
		flow(r, op & 8 ? FLOW_OPENED : what, PORT_MAIN, last.flow, data);
		break;
	}
	fuzz_drop(&d);
}

static void packet(struct run *r, uint8_t op, struct fuzz_in *in)
{
	struct fuzz_piece d = fuzz_framed(in, 0, 0);
	struct batch b = { .buf = d.p, .len = (uint32_t)d.n, .seg = (uint16_t)d.n };

	ip_parse(&b.from, "127.0.0.1", 40000);
	ip_parse(&b.to, "127.0.0.45", 53);
	b.port = op & 16 ? PORT_DNS : PORT_MAIN;
	if (b.port == PORT_DNS && d.n)
		role_node.input(r->n, r->now, &b, r->out);
	else if (d.n && d.n <= conf.node_mtu)
		role_node.packets(r->n, r->now, &b, r->out);
	r->out->flush(r->out);
	fuzz_drop(&d);
}

static void step(struct run *r, struct fuzz_in *in)
{
	uint8_t op = fuzz_octet(in);
	struct fuzz_piece d;

	switch (op & 7) {
	case 0:
		tick(r, (uint64_t)(op >> 3) * SEC);
		break;
	case 1:
		packet(r, op, in);
		break;
	case 2:
	case 3:
		stream(r, op, in);
		break;
	case 4:
		d = fuzz_framed(in, 0, 0);
		datagram(r, d.p, d.n, op & 16 ? &nms : &peer);
		fuzz_drop(&d);
		break;
	case 5:
		if (last.tun)
			answer_tun(r, op >> 7);
		last.tun = false;
		break;
	default:
		signal_or_capsule(r, op, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fuzz_box *box = fuzz_outbox();
	struct run r = { .now = { 1000 * SEC, FUZZ_WALL * SEC }, .out = &box->out, .number = 1 };
	struct role_env env = { .conf = &conf, .workers = 1, .start = r.now };
	struct fuzz_in in = { p, n };
	uint8_t stage = fuzz_octet(&in) % 5;
	char err[256] = "";

	if (!nms.family)
		start();
	random_seed(12);
	memset(&last, 0, sizeof last);
	box->look = look;
	r.n = role_node.open(&env, err);
	must(r.n);
	fuzz_accept = true;
	tick(&r, 0);
	if (stage > 0)
		log_in(&r);
	if (stage > 1)
		enrol(&r);
	if (stage == 3)
		route_to_us(&r);
	if (stage == 4)
		route_from_us(&r);
	while (in.n)
		step(&r, &in);
	role_node.leave(r.n, r.now, &box->out);
	box->out.flush(&box->out);
	role_node.close(r.n);
	fuzz_accept = false;
	return 0;
}
