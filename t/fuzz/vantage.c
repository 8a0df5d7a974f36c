/*
 * vantage.c - libFuzzer entry: a node that looks at its NAPT.  The first octet chooses the
 * family and whether it was looked at before; then come messages of NMS and TRS, changes of
 * the registration, and the passing of time.
 */
#include "net/proto/vantage.h"
#include "t/fuzz/base/base.h"
#include "t/sim/random.h"

#define CLOUD (FUZZ_WALL * 1000)

struct run {
	struct now now;
	struct cloud cloud;
	struct registrar r;
	struct vantage v;
	struct outbox *out;
	struct addr trs;
	unsigned sent;
	uint32_t number;
};

static void look(void *arg, const struct out_item *item)
{
	struct run *r = arg;

	must(item->kind == OUT_DATAGRAM && item->port == PORT_MAIN && item->to.port);
	r->sent++;
}

static void tick(struct run *r, uint64_t most)
{
	uint64_t at = vantage_expiry(&r->v);
	unsigned i;

	r->now.boot = MIN(MAX(r->now.boot, at), r->now.boot + most);
	for (i = 0; i < 3 && vantage_expiry(&r->v) <= r->now.boot; i++) {
		r->sent = 0;
		vantage_tick(&r->v, r->now, r->out);
		r->out->flush(r->out);
		must(r->sent <= VANTAGE_POINTS + 1);
	}
	must(vantage_expiry(&r->v) > r->now.boot);
}

static void change(struct run *r, uint8_t op)
{
	struct way *w = &r->r.way[r->v.family];

	w->confirmed = !(op & 8);
	w->napt = op & 16;
	w->mapped.port = (uint16_t)(5000 + (op >> 5 & 1));
	if (op & 64)
		vantage_hurry(&r->v, r->now);
	if (op & 128)
		vantage_wrote(&r->v, r->now, &r->trs);
}

/* Type 2 or 21 of a TRS; op says from where, and whether the echo is right. */
static void punch(struct run *r, uint8_t op, struct fuzz_in *in)
{
	struct msg_header h = { .version = PROTO_VERSION, .id = r->r.session.id };
	uint8_t next = fuzz_octet(in);
	struct fuzz_piece d = fuzz_framed(in, HEADER_SIZE, TAG_SIZE);
	struct vantage_point *p = &r->v.point[op >> 6];
	struct addr from = op & 8 ? p->addr : r->trs;
	unsigned sent = r->sent;
	struct exts x;

	h.type = op & 16 ? TYPE_ACK : TYPE_HOLE_PUNCHING;
	h.next = next;
	h.length = (uint16_t)d.n;
	h.sequence = (uint32_t)(CLOUD + (r->now.boot - 1000 * SEC) / MS) + r->number++;
	from.port = (uint16_t)(from.port + (op >> 5 & 1));
	from.family = r->v.family ? 6 : 4;
	msg_write_header(d.p, HEADER_SIZE, &h);
	if (p->tries && d.n >= HEADER_SIZE + 18 + TAG_SIZE)
		put64(d.p + HEADER_SIZE + 10, p->challenge | (p->tries - 1));
	if (gate_check(d.p, d.n, &h, &x) == V_PASSED)
		must(vantage_input(&r->v, r->now, d.p, d.n, &h, &x, &from) < V_COUNT);
	must(r->sent == sent && !r->out->n);
	fuzz_drop(&d);
}

static void answer(struct run *r, uint8_t op, struct fuzz_in *in)
{
	static const uint8_t types[] = { TYPE_VANTAGE_RESPONSE, TYPE_KEEP_ALIVE_ACK, TYPE_REFUSAL };
	struct fuzz_piece d = fuzz_exact(in);
	struct msg_header h = { .type = types[(op >> 4) % ARRAY_SIZE(types)],
				.transaction = r->v.exchange.transaction ^ (op & 8) };

	vantage_answer(&r->v, r->now, &h, (struct bytes){ d.p, d.n });
	fuzz_drop(&d);
}

static void step(struct run *r, struct fuzz_in *in)
{
	uint8_t op = fuzz_octet(in);

	switch (op & 7) {
	case 0:
		tick(r, (uint64_t)(op >> 3) * 10 * MS);
		break;
	case 1:
		tick(r, (uint64_t)(op >> 3) * 20 * SEC);
		break;
	case 2:
		change(r, op);
		break;
	case 3:
	case 4:
		answer(r, op, in);
		tick(r, 0);
		break;
	default:
		punch(r, op, in);
		break;
	}
	must(r->v.points <= VANTAGE_POINTS && r->v.relays <= VANTAGE_POINTS);
	must(r->v.found.mapping < MAPPINGS && r->v.found.filtering < FILTERINGS);
}

static void start(struct run *r, uint8_t how)
{
	struct registrar_setup setup = { .node_id = { { 1 } }, .nms_n = 1 };
	struct way *w = &r->r.way[how & 1];

	ip_parse(&setup.nms[0], how & 1 ? "2001:db8::1" : "192.0.2.1", 4501);
	ip_parse(&r->trs, how & 1 ? "2001:db8::2" : "192.0.2.2", 4502);
	cloud_reset(&r->cloud, r->now, r->now.boot, CLOUD);
	registrar_start(&r->r, &setup, &r->cloud, r->now);
	vantage_init(&r->v, &r->r, how & 1);
	w->mapped = r->trs;
	w->mapped.ip[3] = 99;
	w->confirmed = w->napt = true;
	tick(r, 0);
	if (how & 2)
		r->v.found = (struct behaviour){ MAPPING_ENDPOINT_INDEPENDENT, FILTERING_PORT_DEPENDENT };
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fuzz_box *box = fuzz_outbox();
	struct run r = { .now = { 1000 * SEC, FUZZ_WALL * SEC }, .out = &box->out };
	struct fuzz_in in = { p, n };

	random_seed(13);
	box->look = look;
	box->arg = &r;
	fuzz_accept = true;
	start(&r, fuzz_octet(&in));
	while (in.n)
		step(&r, &in);
	vantage_free(&r.v);
	registrar_free(&r.r);
	fuzz_accept = false;
	return 0;
}
