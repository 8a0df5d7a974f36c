/*
 * login.c - libFuzzer entry: what an AS says inside TLS to a node, in pieces as they come, with
 * ends and silences between.
 */
#include "net/proto/login.h"
#include "t/fuzz/base/base.h"
#include "t/sim/random.h"

/* The pinned root is the empty one: an answer with no certificate at all may be good. */
static void check(const struct msg_login_response *r)
{
	must(r->root.n == 0 && r->nms_n && r->expiry > r->cloud_time);
	must(r->result == 0 && r->nms_n <= ARRAY_SIZE(r->nms));
	must(memchr(r->fqdn, '\0', sizeof r->fqdn) && memchr(r->domain, '\0', sizeof r->domain));
	must(r->certificate.n <= 700 && r->issuer.n <= 1400 && r->root.n <= 1400);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct login_wish wish = { .account = "user0", .device = "n0", .as_n = 2,
				   .password = { (const uint8_t *)"horse", 5 } };
	struct outbox *out = &fuzz_outbox()->out;
	struct flow_event ev = { .handle = LOGIN_HANDLE };
	struct now now = { SEC, FUZZ_WALL * SEC };
	struct fuzz_in in = { p, n };
	struct msg_login_response r;
	struct login l;
	char err[256];

	random_seed(3);
	fuzz_accept = true;
	sha256(wish.pin, NULL, 0);
	ip_parse(&wish.as[0], "192.0.2.1", 4501);
	ip_parse(&wish.as[1], "2001:db8::1", 4501);
	must(login_init(&l, &wish, err));
	login_start(&l, now, (const uint8_t *)"csr", 3);
	login_tick(&l, now, FUZZ_WALL, out);
	while (in.n) {
		uint8_t op = fuzz_octet(&in);
		struct fuzz_piece data = fuzz_exact(&in);

		ev.what = (op & 7) == 7 ? FLOW_CLOSED : (op & 7) == 6 ? FLOW_OPENED : FLOW_DATA;
		ev.data = (struct bytes){ data.p, data.n };
		if (login_flow(&l, now, &ev, &r, out))
			check(&r);
		must(memchr(l.trouble, '\0', sizeof l.trouble));
		if (op & 128 && login_expiry(&l) != NEVER) {
			now.boot = MAX(now.boot, login_expiry(&l));
			login_tick(&l, now, FUZZ_WALL, out);
		}
		out->flush(out);
		fuzz_drop(&data);
	}
	login_free(&l);
	return 0;
}
