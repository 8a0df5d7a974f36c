/*
 * as.c - libFuzzer entry: the AS's worker.  Streams of clients after TLS, in pieces, from
 * several at once; lines on the control socket; answers of its helper, which may have been
 * asked for anything.
 */
#include "net/role.h"
#include "roles/as_notes.h"
#include "store/config.h"
#include "t/fuzz/base/base.h"
#include "t/sim/random.h"

#define CLIENTS 4

static struct config conf;

static uint8_t head[AS_ANSWER_HEAD];	/* of the newest request to the helper */

static void on_item(void *arg, const struct out_item *item)
{
	must(item->kind != OUT_HELPER || (item->len >= AS_REQUEST_HEAD &&
					  item->len <= HELPER_MESSAGE_MAX));
	if (item->kind == OUT_HELPER)
		memcpy(head, item->buf, sizeof head);
	must(item->kind != OUT_DATAGRAM && item->kind != OUT_TUN && item->kind != OUT_MASTER);
}

static void *open_as(struct now now)
{
	struct role_env env = { .conf = &conf, .workers = 1, .start = now };
	char err[256] = "";
	void *as;

	if (!conf.domain[0]) {
		config_defaults(&conf);
		snprintf(conf.state, sizeof conf.state, "%s", fuzz_dir());
	}
	as = role_as.open(&env, err);
	must(as);
	return as;
}

static void helper_says(void *as, struct now now, const uint8_t *p, size_t n, struct outbox *out)
{
	struct note note = { .from = NOTE_HELPER, .data = { p, n } };

	role_as.note(as, now, &note, out);
}

/* Key and three certificates: TLS is a pass-through here, so that their octets do not matter. */
static void credentials(void *as, struct now now, struct outbox *out)
{
	uint8_t m[AS_ANSWER_HEAD + 512] = { 0 };

	out->flush(out);
	memcpy(m, head, sizeof head);
	helper_says(as, now, m, sizeof m, out);
}

static void client_event(void *as, struct now now, uint8_t op, struct bytes data, struct outbox *out)
{
	struct flow_event ev = { .port = op & 64 ? PORT_CTL : PORT_AS, .data = data,
				 .handle = STREAM_ACCEPTED + (op & 64) + (op >> 4) % CLIENTS };

	ev.what = (op & 15) == 1 ? FLOW_OPENED : (op & 15) == 2 ? FLOW_CLOSED : FLOW_DATA;
	role_as.flow(as, now, &ev, out);
}

static void step(void *as, struct now *now, struct fuzz_in *in, struct outbox *out)
{
	uint8_t op = fuzz_octet(in);
	struct fuzz_piece d;

	if ((op & 15) == 4) {
		d = fuzz_framed(in, AS_ANSWER_HEAD, 0);
		memcpy(d.p, head, sizeof head);
		d.p[0] = op & 128 ? AS_CREDENTIALS : AS_LOGIN;
		put32(d.p + 1, STREAM_ACCEPTED + (op >> 4) % CLIENTS);
		helper_says(as, *now, d.p, d.n, out);
	} else {
		d = fuzz_exact(in);
		client_event(as, *now, op, (struct bytes){ d.p, d.n }, out);
	}
	if ((op & 15) == 3) {
		now->boot += (uint64_t)(op >> 4) * SEC;
		role_as.tick(as, *now, out);
	}
	out->flush(out);
	fuzz_drop(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fuzz_box *box = fuzz_outbox();
	struct now now = { 1000 * SEC, FUZZ_WALL * SEC };
	struct fuzz_in in = { p, n };
	uint8_t i;
	void *as;

	random_seed(7);
	box->look = on_item;
	as = open_as(now);
	role_as.tick(as, now, &box->out);
	credentials(as, now, &box->out);
	for (i = 0; i < CLIENTS; i++)
		client_event(as, now, (uint8_t)(i << 4 | 1), (struct bytes){ NULL, 0 }, &box->out);
	client_event(as, now, 64 | 1, (struct bytes){ NULL, 0 }, &box->out);
	while (in.n)
		step(as, &now, &in, &box->out);
	role_as.close(as);
	return 0;
}
