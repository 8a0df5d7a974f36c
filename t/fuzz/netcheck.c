/*
 * netcheck.c - libFuzzer entry: what netcheck hears from servers and strangers, each datagram with
 * the right transaction id if the input wants it.  It ends in time and asks nobody who is none.
 */
#include "net/netcheck.h"
#include "t/fuzz/base/base.h"

static void look(void *arg, const struct out_item *i)
{
	static const uint8_t zero[16];

	must(i->kind == OUT_DATAGRAM || i->kind == OUT_CONNECT || i->kind == OUT_CLOSE);
	if (i->kind != OUT_DATAGRAM)
		return;
	(*(unsigned *)arg)++;
	must(i->len == 100 && i->to.port && memcmp(i->to.ip, zero, 16));
}

static struct netcheck_plan make_plan(void)
{
	struct netcheck_plan p = { .servers = 3, .as_n = 1, .start.boot = 5 * SEC };

	ip_parse(&p.server[0], "192.0.2.1", 3478);
	ip_parse(&p.server[1], "192.0.2.2", 3478);
	ip_parse(&p.server[2], "2001:db8::1", 3478);
	ip_parse(&p.as[0], "192.0.2.1", 4501);
	ip_parse(&p.local[NETCHECK_IPV4], "10.0.0.2", 50000);
	ip_parse(&p.local[NETCHECK_IPV6], "2001:db8::7", 50000);
	memcpy(p.random, "ten octets", sizeof p.random);
	return p;
}

/* kind: which id, from whom, to which port. */
static void hear(const struct netcheck_half *h, void *self, struct now now, struct fuzz_in *in,
		 struct outbox *out, const struct netcheck_plan *plan)
{
	uint8_t kind = fuzz_octet(in), id = fuzz_octet(in), from = fuzz_octet(in);
	struct fuzz_piece piece = fuzz_framed(in, 0, 0);
	struct flow_event ev = { .what = kind & 1 ? FLOW_OPENED : FLOW_CLOSED, .handle = id };
	struct batch b = { .port = kind & 2 ? PORT_STUN : PORT_MAIN, .buf = piece.p, .len = (uint32_t)piece.n,
			   .seg = kind & 4 ? 32 : 0 };

	b.from = plan->server[from % 3];
	b.from.ip[3] = (uint8_t)(b.from.ip[3] + (from >> 2) % 2);
	b.from.port = (uint16_t)(b.from.port + (from >> 3) % 2);
	b.to = plan->local[b.from.family == 6];
	if (kind & 8 && piece.n >= 20) {
		memcpy(piece.p + 8, plan->random, sizeof plan->random);
		piece.p[18] = id;
		piece.p[19] = kind >> 6;
	}
	if (kind & 16)
		h->flow(self, now, &ev, out);
	else
		h->input(self, now, &b, out);
	out->flush(out);
	fuzz_drop(&piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct netcheck_half *h = &netcheck_protocol;
	struct netcheck_plan plan = make_plan();
	struct fuzz_box *box = fuzz_outbox();
	struct fuzz_in in = { p, n };
	struct netcheck_report r;
	struct now now = plan.start;
	unsigned asked = 0;
	void *self = h->open(&plan);

	must(self);
	box->look = look;
	box->arg = &asked;
	h->tick(self, now, &box->out);
	box->out.flush(&box->out);
	while (h->expiry(self) != NEVER) {
		must(h->expiry(self) > now.boot && now.boot < plan.start.boot + NETCHECK_MS * MS);
		if (in.n) {
			now.boot += fuzz_octet(&in) * MS / 8;
			hear(h, self, now, &in, &box->out, &plan);
		} else {
			now.boot = h->expiry(self);
		}
		if (now.boot >= h->expiry(self))
			h->tick(self, now, &box->out);
		box->out.flush(&box->out);
	}
	/* no question more than three times */
	must(asked <= 3 * (3 + 2 * 7));
	h->report(self, &r);
	must(r.text && r.family[0].mapping && r.family[1].filtering);
	h->close(self);
	return 0;
}
