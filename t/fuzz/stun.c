/*
 * stun.c - libFuzzer entry: STUN from strangers, at a server and at who asked one.  An answer is a
 * message, and never longer than the request.
 */
#include "net/proto/stun.h"
#include "t/fuzz/base/base.h"

static void answer(const struct stun_server *s, const uint8_t *p, size_t n, const struct addr *from)
{
	uint8_t *out = malloc(n ? n : 1);
	struct stun_message q, a;
	bool other, again;
	size_t k = stun_answer(s, out, p, n, from, &other);

	must(k <= n && (!other || k));
	if (k) {
		must(stun_parse(&q, p, n) && q.kind == STUN_REQUEST && !(q.change & STUN_CHANGE_IP));
		must(stun_parse(&a, out, k) && a.kind != STUN_REQUEST && !memcmp(&a.id, &q.id, sizeof a.id));
		must(a.kind == STUN_ERROR || addr_equal(&a.mapped, from));
		must(a.fingerprint == q.fingerprint && (!a.fingerprint || stun_fingerprint_good(out, k)));
		/* two servers cannot be made to talk to each other */
		must(!stun_answer(s, out, out, k, from, &again));
	}
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct stun_server s = { { 0 }, { 0 } };
	struct addr from4, from6;

	ip_parse(&from4, "192.0.2.7", 40000);
	ip_parse(&from6, "2001:db8::7", 40000);
	answer(&s, p, n, &from4);
	ip_parse(&s.at, "192.0.2.1", 3478);
	ip_parse(&s.other, "192.0.2.1", 4502);
	answer(&s, p, n, &from4);
	ip_parse(&s.at, "2001:db8::1", 3478);
	ip_parse(&s.other, "2001:db8::1", 4502);
	answer(&s, p, n, &from6);
	return 0;
}
