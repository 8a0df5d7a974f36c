/*
 * nms.c - libFuzzer entry: the NMS, with two registered nodes, one that is not yet, and a TRS.
 * Their messages as they would be sealed, with right token, number and length or without; control
 * lines; the passing of time.  Registrations are set back for each input.
 */
#include "crypto/token.h"
#include "net/proto/wire.h"
#include "net/role.h"
#include "store/config.h"
#include "store/store.h"
#include "t/fuzz/base/base.h"
#include "t/sim/random.h"

#define NODES 3
#define TRS NODES
#define START (FUZZ_WALL * SEC)

static struct config conf;
static struct store *store;
static struct id node[NODES + 1];
static struct addr address[NODES + 1][2], service[2];
static struct registration kept[NODES + 1];
static struct tokens tokens;
static const uint8_t boot_id[16] = { 1 };

static void add_device(unsigned i)
{
	struct device d = { .owner = "user0", .kind = i == TRS ? DEVICE_TRS : DEVICE_NODE,
			    .common_key = { { 1 } }, .ip4 = { 198, 18, 0, (uint8_t)(2 + i) },
			    .ip6 = { 0xfd, [15] = (uint8_t)(2 + i) }, .cert_len = 300,
			    .key_expiry = FUZZ_WALL * 1000 + 86400000 };
	char ip[32];

	snprintf(d.fqdn, sizeof d.fqdn, "n%u.cyphonic.internal", i);
	node_id_of(&d.node_id, d.fqdn);
	must(device_put(store, &d, true) == STORE_OK);
	node[i] = d.node_id;
	snprintf(ip, sizeof ip, "192.0.2.%u", 10 + i);
	ip_parse(&address[i][0], ip, 4503);
	snprintf(ip, sizeof ip, "2001:db8::%u", 10 + i);
	ip_parse(&address[i][1], ip, 4503);
	kept[i] = (struct registration){ .node_id = node[i], .boot = 5, .confirmed = { 1, 1 },
		.updated = FUZZ_WALL * 1000, .mapped = { address[i][0], address[i][1] },
		.real_n = 1, .real = { address[i][0] },
		.relay = { .known = i == TRS, .other_port = 4512 } };
}

static void start(void)
{
	struct secret_common_value scv = { { 3 } };
	struct account a = { .id = "user0" };
	char err[256] = "";
	unsigned i;

	config_defaults(&conf);
	snprintf(conf.state, sizeof conf.state, "%s", fuzz_dir());
	store = store_open(conf.state, STORE_ALL, 0, 1, boot_id, err);
	must(store && meta_put(store, "secret-common-value", &scv, sizeof scv) == STORE_OK);
	must(account_put(store, &a, true) == STORE_OK);
	for (i = 0; i <= TRS; i++)
		add_device(i);
	tokens_init(&tokens, &scv);
	ip_parse(&service[0], "192.0.2.1", 4501);
	ip_parse(&service[1], "2001:db8::1", 4501);
}

static void set_back(void)
{
	must(live_begin(store) == STORE_OK);
	registration_put(store, &kept[0]);
	registration_put(store, &kept[1]);
	registration_delete(store, &node[2]);
	registration_put(store, &kept[TRS]);
	must(live_end(store) == STORE_OK);
}

static uint64_t counted(const void *nms)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < V_COUNT; i++)
		n += role_nms.verdicts(nms)->count[i];
	return n;
}

static unsigned who_is(uint8_t who)
{
	return who >> 4 == 15 ? TRS : who % NODES;
}

static void datagram(void *nms, struct now now, uint8_t who, const struct fuzz_piece *d,
		     struct outbox *out)
{
	unsigned family = who >> 2 & 1;
	struct batch in = { .from = address[who_is(who)][family], .to = service[family],
			    .buf = d->p, .len = (uint32_t)d->n, .seg = (uint16_t)d->n };
	uint64_t before = counted(nms);

	if (who & 8)
		in.from.port++;
	role_nms.input(nms, now, &in, out);
	must(counted(nms) > before);
}

/* Sealed by a node: type, next, transaction, step of the number, then the body. */
static void cook(void *nms, struct now now, uint8_t who, struct fuzz_in *in, struct outbox *out,
		 uint32_t number)
{
	uint64_t ms = now.wall / MS;
	struct msg_header h = { .version = PROTO_VERSION, .id = node[who_is(who)] };
	struct fuzz_piece d;

	h.type = fuzz_octet(in);
	h.next = fuzz_octet(in);
	h.transaction = fuzz_octet(in);
	h.sequence = (uint32_t)(ms + number);
	h.token = tokens_at(&tokens, ms);
	d = fuzz_framed(in, HEADER_SIZE, TAG_SIZE);
	h.length = (uint16_t)d.n;
	msg_write_header(d.p, HEADER_SIZE, &h);
	datagram(nms, now, who, &d, out);
	fuzz_drop(&d);
}

static void control(void *nms, struct now now, uint8_t what, struct fuzz_in *in,
		    struct outbox *out)
{
	struct fuzz_piece d = fuzz_exact(in);
	struct flow_event ev = { .port = PORT_CTL, .handle = STREAM_ACCEPTED + 1,
				 .data = { d.p, d.n }, .what = FLOW_OPENED };

	role_nms.flow(nms, now, &ev, out);
	ev.what = FLOW_DATA;
	role_nms.flow(nms, now, &ev, out);
	ev.what = FLOW_CLOSED;
	if (what & 1)
		role_nms.flow(nms, now, &ev, out);
	fuzz_drop(&d);
}

static void step(void *nms, struct now *now, struct fuzz_in *in, struct outbox *out,
		 uint32_t number)
{
	uint8_t op = fuzz_octet(in);
	struct fuzz_piece d;
	uint64_t at;

	switch (op >> 4) {
	case 0:
		at = role_nms.expiry(nms);
		at = MIN(MAX(now->boot, at), now->boot + 600 * SEC) - now->boot;
		now->boot += at;
		now->wall += at;
		role_nms.tick(nms, *now, out);
		break;
	case 1:
		control(nms, *now, op, in, out);
		break;
	case 2:
		d = fuzz_framed(in, 0, 0);
		datagram(nms, *now, op, &d, out);
		fuzz_drop(&d);
		break;
	default:
		cook(nms, *now, op, in, out, number);
		break;
	}
	out->flush(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct outbox *out = &fuzz_outbox()->out;
	struct now now = { 1000 * SEC, START };
	struct role_env env = { .conf = &conf, .workers = 1, .start = now };
	struct fuzz_in in = { p, n };
	char err[256] = "";
	uint32_t number = 1;
	void *nms;

	if (!store)
		start();
	random_seed(10);
	env.store = store;
	memcpy(env.boot_id, boot_id, sizeof boot_id);
	set_back();
	remove(strcat(strcpy((char[300]){ 0 }, conf.state), "/cloud-time"));
	nms = role_nms.open(&env, err);
	must(nms);
	role_nms.tick(nms, now, out);
	out->flush(out);
	fuzz_accept = true;
	while (in.n)
		step(nms, &now, &in, out, number++);
	fuzz_accept = false;
	role_nms.close(nms);
	return 0;
}
